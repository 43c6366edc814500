"""Which shared libraries a program loads: a reader for the few ELF fields that say so.

Layout from the System V ABI (ELF-64 object file format); only little-endian x86-64 is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from nestkit.errors import LabError

_PT_LOAD: Final = 1
_PT_DYNAMIC: Final = 2
_DT_NEEDED: Final = 1
_DT_STRTAB: Final = 5


def needed(path: Path) -> tuple[str, ...]:
    """The names in a file's DT_NEEDED entries; none for a static program.

    Raises
    ------
    ValueError
        If the file is no whole 64-bit little-endian ELF file.
    """
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path.name} is no 64-bit ELF file")
    try:
        (table,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        headers = [struct.unpack_from("<IIQQQQ", data, table + i * size) for i in range(count)]
        loads = [header for header in headers if header[0] == _PT_LOAD]
        names: list[int] = []
        strings = 0
        for kind, _, offset, _, _, length in headers:
            if kind != _PT_DYNAMIC:
                continue
            for tag, value in struct.iter_unpack("<QQ", data[offset : offset + length]):
                if tag == _DT_NEEDED:
                    names.append(value)
                elif tag == _DT_STRTAB:
                    strings = value
        # DT_STRTAB is an address: find the segment that holds it
        base = next(
            (strings - address + offset)
            for _, _, offset, address, _, length in [*loads, (0, 0, 0, strings, 0, 1)]
            if address <= strings < address + length
        )
        return tuple(
            data[base + name : data.index(b"\0", base + name)].decode("ascii") for name in names
        )
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path.name} is a damaged ELF file: {error}") from error


def library_index(root: Path) -> dict[str, Path]:
    """Shared libraries below an unpacked tree by file name; the standard folders win."""
    found: dict[str, Path] = {}
    inside = root.resolve()
    for path in sorted(root.rglob("*.so*"), key=lambda p: (len(p.parts), str(p)), reverse=True):
        if path.is_file() and path.resolve().is_relative_to(inside):
            found[path.name] = path
    return found


def closure(programs: Iterable[Path], libraries: Mapping[str, Path]) -> dict[str, Path]:
    """All shared libraries that programs load, by the name they are loaded under.

    Raises
    ------
    LabError
        If one is in none of the packages.
    """
    result: dict[str, Path] = {}
    waiting = list(programs)
    while waiting:
        path = waiting.pop()
        for name in needed(path):
            if name in result:
                continue
            if name not in libraries:
                raise LabError(
                    f"{path.name} needs {name}, which no fetched package has",
                    remedy="tell the makers of nestkit your distribution and its version",
                )
            result[name] = libraries[name]
            waiting.append(libraries[name])
    return result
