"""Programs inside the lab's guests, and the same programs at L0 through the image's loader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from nestkit.runners.base import Acceleration, LayerFacts
from nestkit.runners.linuxfacts import (
    FACTS_ARGV,
    PROGRAMS,
    hypervisor_leaves,
    linux_extra,
    linux_facts,
    split_texts,
)
from nestkit.runners.local import LocalRunner
from nestkit.runners.remote import EMPTY, RemoteRunner
from nestkit.runners.topology import cross_checked

_FACTS_TIMEOUT_S: Final = 120.0  # in the outermost guest; deeper ones get more

if TYPE_CHECKING:
    from nestkit.lab.channel import Channel, Outcome
    from nestkit.lab.image import Image


def image_runner(image: Image, *, cpus: int, extra: Mapping[str, str]) -> LocalRunner:
    """L0: this machine, running the very programs that the guests run."""
    paths = {f"path:{name}": str(image.folder / "bin" / name) for name in PROGRAMS}
    return LocalRunner(
        path=[image.folder / "host"],
        cpus=cpus,
        empty=EMPTY,
        probe=("nestkit-probe", "leaves"),
        extra={**paths, "image": image.digest[:12], **extra},
    )


class GuestRunner(RemoteRunner):
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
        super().__init__(depth)
        self._channel = channel
        self._outermost = outermost
        self._extra = dict(extra)

    def _execute(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        stdin: BinaryIO | None = None,
        sink: BinaryIO | None = None,
    ) -> Outcome:
        return self._channel.execute(argv, timeout=timeout, env=env, stdin=stdin, sink=sink)

    def facts(self) -> LayerFacts:
        """Facts that the guest's kernel and CPUID give, and how this guest was reached."""
        timeout = _FACTS_TIMEOUT_S * self._depth
        texts = split_texts(self.run(FACTS_ARGV, timeout=timeout).stdout)
        leaves = self.run(["nestkit-probe", "leaves"], timeout=timeout).stdout
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
