"""Programs inside the lab's guests, and the same programs at L0 through the image's loader."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from nestkit.errors import LabError, NotFound
from nestkit.runners.base import Acceleration, ExecResult, LayerFacts
from nestkit.runners.linuxfacts import (
    FACTS_ARGV,
    PROGRAMS,
    hypervisor_leaves,
    linux_extra,
    linux_facts,
    split_texts,
)
from nestkit.runners.local import LocalRunner
from nestkit.runners.topology import cross_checked

if TYPE_CHECKING:
    from nestkit.lab.channel import Channel
    from nestkit.lab.image import Image

_EMPTY: Final = ("true",)
_ROUND_TRIPS: Final = 5
_COPY_TIMEOUT_S: Final = 600.0


def image_runner(image: Image, *, cpus: int, extra: Mapping[str, str]) -> LocalRunner:
    """L0: this machine, running the very programs that the guests run."""
    paths = {f"path:{name}": str(image.folder / "bin" / name) for name in PROGRAMS}
    return LocalRunner(
        path=[image.folder / "host"],
        cpus=cpus,
        empty=_EMPTY,
        probe=("nestkit-probe", "leaves"),
        extra={**paths, "image": image.digest[:12], **extra},
    )


class GuestRunner:
    """Runs programs in one guest of a lab.

    Parameters
    ----------
    channel
        The connection to the guest's agent.
    depth
        1 for L1, and so on.
    outermost
        What runs L1; deeper guests run on KVM inside it.
    extra
        Facts to add.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        depth: int,
        outermost: Literal["kvm", "tcg"],
        extra: Mapping[str, str],
    ) -> None:
        self._channel = channel
        self._depth = depth
        self._outermost = outermost
        self._extra = dict(extra)
        self._rtt_s = -1.0

    @property
    def layer(self) -> str:
        """L1, L2, …"""
        return f"L{self._depth}"

    @property
    def os(self) -> Literal["linux", "windows"]:
        """Always linux."""
        return "linux"

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        """Run a program to its end; as :meth:`LocalRunner.run` has it.

        Raises
        ------
        DeadlineExceeded
            If it did not end in time; it and what it started were killed.
        LabError
            If the guest is gone or does not answer.
        """
        if self._rtt_s < 0:
            trips = [self._channel.execute(_EMPTY, timeout=60.0) for _ in range(_ROUND_TRIPS)]
            self._rtt_s = statistics.median(trip.t1 - trip.t0 for trip in trips)
        done = self._channel.execute(argv, timeout=timeout, env=env)
        return ExecResult(
            rc=done.rc,
            stdout=done.stdout.decode("utf-8", "surrogateescape"),
            stderr=done.stderr.decode("utf-8", "surrogateescape"),
            host_t0=done.t0,
            host_t1=done.t1,
            rtt_s=self._rtt_s,
        )

    def put(self, src: Path, dst: str) -> None:
        """Copy a file into the guest."""
        try:
            with Path(src).open("rb") as file:
                done = self._channel.execute(
                    ["sh", "-c", 'exec cat > "$0"', dst], timeout=_COPY_TIMEOUT_S, stdin=file
                )
        except OSError as error:
            raise NotFound(
                f"{src} cannot be read: {error.strerror}", remedy="check the path"
            ) from error
        self._copied(done.rc, done.stderr, dst)

    def get(self, src: str, dst: Path) -> None:
        """Copy a file out of the guest."""
        target = Path(dst)
        partial = target.with_name(target.name + ".part")
        try:
            with partial.open("wb") as file:
                done = self._channel.execute(
                    ["sh", "-c", 'exec cat < "$0"', src], timeout=_COPY_TIMEOUT_S, sink=file
                )
            self._copied(done.rc, done.stderr, src)
            partial.replace(target)
        except OSError as error:
            raise LabError(
                f"{dst} cannot be written: {error.strerror}", remedy="check the path"
            ) from error
        finally:
            partial.unlink(missing_ok=True)

    def _copied(self, rc: int, stderr: bytes, path: str) -> None:
        if rc != 0:
            said = stderr.decode("utf-8", "replace").strip()
            kind = NotFound if "No such file" in said or "nonexistent" in said else LabError
            raise kind(f"{path} of {self.layer} cannot be copied: {said}", remedy="check the path")

    def facts(self) -> LayerFacts:
        """Facts that the guest's kernel and CPUID give, and how this guest was reached."""
        texts = split_texts(self.run(FACTS_ARGV, timeout=120).stdout)
        leaves = self.run(["nestkit-probe", "leaves"], timeout=120).stdout
        kvm = "KVM without nested paging" if self._extra.get("nested_paging") == "off" else "KVM"
        inside = [self._outermost.upper(), *[kvm] * (self._depth - 1)]
        acceleration: Acceleration = self._outermost if self._depth == 1 else "kvm"
        facts = LayerFacts(
            layer=self.layer,
            depth=self._depth,
            stack=" > ".join(inside),
            acceleration=acceleration,
            emulated=self._outermost == "tcg",
            hypervisor_leaves=hypervisor_leaves(leaves),
            extra={
                "disk": "/dev/nestkit/scratch",
                **{f"path:{name}": f"/tools/bin/{name}" for name in PROGRAMS},
                **linux_extra(texts),
                **self._extra,
            },
            **linux_facts(texts),
        )
        return cross_checked(facts)

    def close(self) -> None:
        """Let go of the guest, which then ends. Safe to call twice."""
        self._channel.close()
