"""The guest's kernel and the drivers it must load, from an unpacked kernel package."""

from __future__ import annotations

import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nestkit.errors import LabError

# the order matters: drivers first, then the bus whose devices they take
BOOT_MODULES: Final = ("virtio_blk", "virtio_console", "ext4", "virtio_mmio")
KVM_MODULES: Final = ("kvm_amd", "kvm_intel")
NET_MODULES: Final = ("virtio_net",)  # loaded when a network is first asked for: a boot has none
_SUFFIXES: Final = (".ko", ".ko.xz", ".ko.zst")


def find_kernel(root: Path) -> tuple[Path, str]:
    """The kernel's file and release in an unpacked tree."""
    kernels = sorted((root / "boot").glob("vmlinuz-*"))
    if not kernels:
        raise LabError(
            "the kernel package holds no kernel",
            remedy="tell the makers of nestkit your distribution and its version",
        )
    return kernels[-1], kernels[-1].name.removeprefix("vmlinuz-")


def dependencies(module: bytes) -> list[str]:
    """The modules a module says it needs (``depends=`` in its .modinfo)."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name for name in found[1].decode("ascii").split(",") if name] if found else []


class Modules:
    """The modules of one kernel release, unpacked when asked for."""

    def __init__(self, root: Path, release: str, unzstd: Callable[[Path], bytes]) -> None:
        bases = (root / "lib" / "modules", root / "usr" / "lib" / "modules")
        self._unzstd = unzstd
        self._files: dict[str, Path] = {}
        self._builtin: set[str] = set()
        for base in bases:
            folder = base / release
            for path in folder.rglob("*.ko*"):
                if path.name.endswith(_SUFFIXES):
                    self._files[path.name.partition(".")[0].replace("-", "_")] = path
            if (folder / "modules.builtin").is_file():
                for line in (folder / "modules.builtin").read_text("utf-8").split():
                    self._builtin.add(Path(line).name.partition(".")[0].replace("-", "_"))

    def _read(self, path: Path) -> bytes:
        if path.suffix == ".xz":
            return lzma.decompress(path.read_bytes())
        if path.suffix == ".zst":
            return self._unzstd(path)
        return path.read_bytes()

    def load_order(self, *names: str) -> dict[str, bytes]:
        """Modules by name, each after those it needs; what the kernel has built in is left out.

        Raises
        ------
        LabError
            If the kernel neither has a module nor holds it built in.
        """
        result: dict[str, bytes] = {}

        def add(name: str) -> None:
            name = name.replace("-", "_")
            if name in result or name in self._builtin:
                return
            if name not in self._files:
                raise LabError(
                    f"the distribution's kernel has no module {name}",
                    remedy="tell the makers of nestkit your distribution and its version",
                )
            content = self._read(self._files[name])
            for other in dependencies(content):
                add(other)
            result[name] = content

        for name in names:
            add(name)
        return result
