"""Fetch a distribution's signed packages as an ordinary user, with apt's state kept private.

apt-get verifies the signatures with the system's own sources and keyrings; nothing of the
system is changed, and what is already installed plays no part, so every machine of one
release gets the same closure of packages.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from nestkit.errors import LabError
from nestkit.lab.progress import Cancel, Progress, check

# a kernel for virtual machines: Debian's name, then Ubuntu's
KERNELS: Final = ("linux-image-cloud-amd64", "linux-image-virtual")
TOOLS: Final = (
    "busybox-static",
    "e2fsprogs",
    "fio",
    "iperf3",
    "libc6-dev",
    "libslirp-dev",
    "qemu-system-x86",
    "sysbench",
    "tcc",
    "zstd",
)
_ELSEWHERE: Final = (
    "use the lab on Debian 12 or 13 or Ubuntu 24.04 on x86-64 (on Windows: in WSL2); "
    "recorded runs can be replayed anywhere"
)


def wrong_machine() -> str:
    """Why this machine can run no lab; "" if nothing speaks against it."""
    if not sys.platform.startswith("linux"):
        return f"the lab needs Linux, this is {platform.system() or sys.platform}"
    if platform.machine() not in ("x86_64", "amd64"):
        return f"the lab needs an x86-64 CPU, this is {platform.machine()}; untried elsewhere"
    return ""


def missing_tools() -> str:
    """Why this machine cannot build the image; "" if it has all that takes."""
    missing = [tool for tool in ("apt-get", "apt-cache", "dpkg-deb") if shutil.which(tool) is None]
    if not missing:
        return ""
    return f"the lab's image is built with {', '.join(missing)}, which this machine lacks"


def require_platform() -> None:
    """Raise LabError where the image cannot be built."""
    if reason := wrong_machine() or missing_tools():
        raise LabError(reason, remedy=_ELSEWHERE)


class Apt:
    """apt with private lists, cache and an empty status, below one folder."""

    def __init__(self, folder: Path, *, cancel: Cancel | None = None) -> None:
        self._folder = folder
        self._cancel = cancel
        self.archives = folder / "cache" / "archives"
        (self.archives / "partial").mkdir(parents=True)
        (folder / "state" / "lists" / "partial").mkdir(parents=True)
        (folder / "status").touch()
        self._config = folder / "apt.conf"
        self._config.write_text(
            # read last: so it has the last word over the system's own settings
            f'Dir::State "{folder}/state";\n'
            f'Dir::State::Lists "{folder}/state/lists";\n'
            f'Dir::State::status "{folder}/status";\n'
            f'Dir::Cache "{folder}/cache";\n'
            f'Dir::Log "{folder}";\n'
            'APT::Sandbox::User "";\n'
            'APT::Install-Recommends "false";\n'
            'APT::Install-Suggests "false";\n'
            'APT::Get::AllowUnauthenticated "false";\n'
            'Acquire::AllowInsecureRepositories "false";\n'
            'Acquire::Languages "none";\n'
            'Acquire::Retries "2";\n'
            'Acquire::http::Timeout "20";\n'
            'Acquire::https::Timeout "20";\n'
            "#clear APT::Update::Pre-Invoke;\n"
            "#clear APT::Update::Post-Invoke;\n"
            "#clear APT::Update::Post-Invoke-Success;\n"
            "#clear DPkg::Pre-Invoke;\n"
            "#clear DPkg::Pre-Install-Pkgs;\n"
            "#clear DPkg::Post-Invoke;\n",
            encoding="utf-8",
        )

    def _call(self, *argv: str, timeout: float) -> tuple[int, str]:
        command = [argv[0], "-c", str(self._config), *argv[1:]]
        return call(command, timeout=timeout, cancel=self._cancel)

    def kernel(self) -> str:
        """The name of this distribution's kernel for virtual machines."""
        for name in KERNELS:
            rc, text = self._call("apt-cache", "show", "--no-all-versions", name, timeout=60)
            if rc == 0 and text.startswith("Package:"):
                return name
        return KERNELS[0]

    def fetch(self, progress: Progress) -> list[Path]:
        """Fetch the packages and all they depend on; the paths of the ``.deb`` files."""
        progress("asking the distribution's mirror for its list of packages")
        _, listing = self._call("apt-get", "-q", "update", timeout=300)
        wanted = (self.kernel(), *TOOLS)
        progress(f"fetching {', '.join(wanted)} and what they need")
        rc, text = self._call(
            "apt-get", "-q", "-y", "--download-only", "install", *wanted, timeout=900
        )
        debs = sorted(self.archives.glob("*.deb"))
        if rc != 0 or not debs:
            raise LabError(
                f"the lab's packages cannot be fetched: {complaint(listing + text)}",
                remedy="check the network and the system's package sources (`apt-get update` "
                "shows the same complaint); once the image is built, no network is needed",
            )
        return debs


def complaint(text: str) -> str:
    """What apt or dpkg complain of, in one line: errors first, then warnings."""
    lines = [line.strip() for line in text.splitlines()]
    for mark in ("E:", "W:", "Err:", "dpkg"):
        found = [line for line in lines if line.startswith(mark)]
        if found:
            return "; ".join(dict.fromkeys(found[:3]))
    return lines[-1] if lines else "no reason was given"


def disk_full(text: str) -> bool:
    """True when a tool's message says that the disk is full."""
    return "no space left" in text.lower() or "don't have enough free space" in text.lower()


def call(
    argv: Sequence[str],
    *,
    timeout: float,
    cancel: Cancel | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a program to its end; its exit status, and its output and errors as one text.

    Raises
    ------
    LabError
        If it is missing, takes too long, is cancelled, or finds the disk full.
    """
    words = {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **(env or {})}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=inherited | words,
            )
        except OSError as error:
            raise LabError(
                f"{argv[0]} cannot be started: {error.strerror}", remedy=_ELSEWHERE
            ) from error
        deadline = time.monotonic() + timeout
        try:
            while True:
                try:
                    rc = process.wait(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    check(cancel)
                    if time.monotonic() > deadline:
                        raise LabError(
                            f"{argv[0]} did not finish in {timeout:g} s",
                            remedy="check the network and try again",
                        ) from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if rc != 0 and disk_full(text):
        raise LabError(
            f"the disk is full: {complaint(text)}",
            remedy="free some space, or set NESTKIT_CACHE to a folder on a larger disk",
        )
    return rc, text


def unpack(debs: Sequence[Path], into: Path, *, cancel: Cancel | None = None) -> None:
    """Unpack packages without installing them: no script of theirs is run."""
    into.mkdir(parents=True, exist_ok=True)

    def one(deb: Path) -> None:
        rc, text = call(["dpkg-deb", "-x", str(deb), str(into)], timeout=300, cancel=cancel)
        if rc != 0:
            raise LabError(
                f"{deb.name} cannot be unpacked: {complaint(text)}",
                remedy="try again; if it stays, check the disk",
            )

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for _ in pool.map(one, debs):
            check(cancel)


def versions(debs: Sequence[Path]) -> dict[str, str]:
    """Package names and versions, from the names apt gives its files."""
    result = {}
    for deb in debs:
        name, version, _ = deb.stem.split("_", 2)
        result[name] = version.replace("%3a", ":")
    return result
