"""Is this machine ready for the course? Read anew each time; nothing is changed."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Literal

import psutil

from nestkit.course import markup
from nestkit.errors import NestkitError
from nestkit.facts import Unknown
from nestkit.state import cache_dir, state_dir

Level = Literal["pass", "warn", "fail"]
_WORDS: Final = {"pass": "ready", "warn": "limited", "fail": "missing"}
_PACKAGES: Final = ("ipywidgets", "jupyterlab", "matplotlib", "pandas", "pyvmomi")
# the image and its packages take about 150 MB, a lab of two layers about 1.5 GiB of memory
_CACHE_GIB: Final = 1.0
_MEMORY_GIB: Final = 2.0


@dataclass(frozen=True, slots=True)
class Item:
    """One thing the course needs, what was found, and what to do if it is missing."""

    title: str
    level: Level
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """All items; ``ok`` when none is missing. What is limited does not block a lesson."""

    items: tuple[Item, ...]

    @property
    def ok(self) -> bool:
        """True when nothing is missing."""
        return all(item.level != "fail" for item in self.items)

    def __str__(self) -> str:
        lines = []
        for item in self.items:
            lines.append(f"{_WORDS[item.level]:8} {item.title}: {item.found}")
            if item.remedy:
                lines.append(f"         → {item.remedy}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            # held together: the narrow column would break it after the mark
            (f"{markup.MARKS[item.level][0]}\N{NO-BREAK SPACE}{_WORDS[item.level]}", item.title,
             item.found, item.remedy)
            for item in self.items
        ]  # fmt: skip
        return markup.table("Is this machine ready?", ("", "What", "Found", "What to do"), rows)


def environment() -> Readiness:
    """Look at Python, the packages, the folders and what the lab would run on."""
    return Readiness(tuple(_items()))


def _items() -> Iterator[Item]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = sys.version_info >= (3, 11)
    yield Item("Python 3.11 or newer", "pass" if fits else "fail", version,
               "" if fits else "install a newer Python and run `make course` again")  # fmt: skip
    missing = [name for name in _PACKAGES if not _installed(name)]
    yield Item(
        "Packages of the lessons",
        "fail" if missing else "pass",
        f"{', '.join(missing)} not installed" if missing else f"{len(_PACKAGES)} of them present",
        "run `make course`, which installs them" if missing else "",
    )
    yield _folder()
    yield from _machine()


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _folder() -> Item:
    title = "A folder for progress and practice hosts"
    try:
        probe = state_dir("course") / "probe"
        probe.touch()
        probe.unlink()
    except (OSError, NestkitError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
        return Item(title, "fail", f"cannot be written: {why}",
                    "set NESTKIT_STATE to a folder you can write to; practice hosts and journals "
                    "need one too")  # fmt: skip
    return Item(title, "pass", "can be written")


def _machine() -> Iterator[Item]:
    memory_gib = psutil.virtual_memory().available / 2**30
    enough = memory_gib >= _MEMORY_GIB
    yield Item(
        "Free memory for the lab",
        "pass" if enough else "warn",
        f"{memory_gib:.0f} GiB" if memory_gib >= 1 else "less than 1 GiB",
        "" if enough else "close other programs before lesson 06, or use its recorded run",
    )
    try:
        free_gib = shutil.disk_usage(cache_dir()).free / 2**30
    except (OSError, NestkitError) as error:
        why = getattr(error, "message", None) or str(error)
        yield Item("Disk space for the lab", "warn", why, "set NESTKIT_CACHE to another folder")
    else:
        enough = free_gib >= _CACHE_GIB
        yield Item("Disk space for the lab", "pass" if enough else "warn",
                   f"{free_gib:.0f} GiB free",
                   "" if enough else "free some space, or set NESTKIT_CACHE")  # fmt: skip
    yield _lab()


def _lab() -> Item:
    from nestkit.hosts import connect

    title = "A real VM in a VM, here (lesson 06)"
    remedy = "lesson 06 then shows a recorded run; all else works"
    try:
        with closing(connect("local://")) as host:
            facts = host.read()
    except NestkitError as error:
        return Item(title, "warn", error.message, error.remedy)
    why = facts.lab_reason
    reason = why.reason if isinstance(why, Unknown) else why
    if isinstance(facts.lab_accelerator, Unknown):
        return Item(title, "warn", reason or facts.lab_accelerator.reason, remedy)
    if facts.lab_accelerator == "tcg":
        return Item(title, "pass", f"by emulation (TCG), slower than hardware: {reason}")
    return Item(title, "pass", f"with {facts.lab_accelerator}: {reason}")
