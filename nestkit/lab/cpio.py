"""Write the archive a kernel unpacks as its first file system.

The "newc" format, from the kernel's documentation on initramfs buffers: a header of
hexadecimal fields, the name, the content, each padded to four bytes.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import Final

_TRAILER: Final = "TRAILER!!!"


def _pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


@dataclass
class Archive:
    """Collects entries; ``bytes(archive)`` is the whole file. Names have no leading slash."""

    _parts: list[bytes] = field(default_factory=list)
    _count: int = 0

    def _entry(
        self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        self._count += 1
        encoded = name.encode() + b"\0"
        fields = (
            self._count,  # inode
            mode,
            0,  # owner
            0,  # group
            2 if stat.S_ISDIR(mode) else 1,  # links
            0,  # time: equal input, equal archive
            len(content),
            0,
            0,
            *device,
            len(encoded),
            0,  # checksum: not used by newc
        )
        header = b"070701" + b"".join(b"%08X" % value for value in fields)
        self._parts.append(_pad(header + encoded) + _pad(content))

    def folder(self, name: str) -> None:
        """Add a folder."""
        self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name: str, content: bytes, *, executable: bool = False) -> None:
        """Add a file."""
        self._entry(name, stat.S_IFREG | (0o755 if executable else 0o644), content)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int) -> None:
        """Add a character device."""
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def __bytes__(self) -> bytes:
        closing = Archive()
        closing._entry(_TRAILER, 0)
        whole = b"".join([*self._parts, *closing._parts])
        return whole + b"\0" * (-len(whole) % 512)
