"""All requirements, the support matrix and the limits on one page: ``docs/cheatsheet.md``.

``python -m nestkit.course.cheatsheet --write`` writes it anew from the data, without
``--write`` it says whether the page is up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from nestkit.course.matrix import BINDS
from nestkit.errors import NestkitError
from nestkit.facts import Platform
from nestkit.requirements import Rule, rules
from nestkit.requirements.matrix import limits, support
from nestkit.resources import data_path

_PLATFORMS: Final[dict[Platform, str]] = {
    "esx": "VMware ESXi 8.0",
    "hyperv": "Hyper-V (Windows Server 2022)",
}
_SUBJECTS: Final = {
    "host": "The host (L0)",
    "vm": "The VM that becomes a host (L1)",
    "nic": "Its network adapters",
}
_HEAD: Final = """# Cheat sheet: nested virtualization on ESXi 8 and Hyper-V

Made from `data/requirements.toml`, `data/support.csv` and `data/limits.toml` by
`python -m nestkit.course.cheatsheet --write`; edit those, not this page.

**required**: without it nesting does not work, preflight says *fail* · **recommended**: preflight
says *warn* · **note**: good to know. A requirement binds every machine that its hypervisor runs
on: the physical host, and the VM.
"""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def _rows(chosen: Iterable[Rule]) -> list[tuple[str, str, str, str]]:
    return [(rule.title, rule.required, rule.strength, f"`{rule.id}`") for rule in chosen]


def page() -> str:
    """The page as Markdown.

    Raises
    ------
    DataFileError
        If the rules, the matrix or the limits cannot be read.
    """
    parts = [_HEAD]
    for platform, name in _PLATFORMS.items():
        parts.append(f"## {name}\n")
        for subject, title in _SUBJECTS.items():
            chosen = [rule for rule in rules(platform) if rule.subject == subject]
            head = ("what", "needed", "strength", "rule")
            parts += [f"### {name}: {title[0].lower()}{title[1:]}\n", _table(head, _rows(chosen))]
    parts.append("## What nests in what\n\n*Works* and *supported* are two questions.\n")
    cells = [(c.l0, c.l1, c.works, c.supported, c.condition, c.source) for c in support()]
    columns = ("outside (L0)", "inside (L1)", "works", "supported", "condition", "source")
    parts.append(_table(columns, cells))
    parts.append("## What is lost, and in which layer\n")
    lost = [(x.what, BINDS[x.binds], x.note, x.source) for x in limits()]
    parts.append(_table(("what", "binds", "note", "source"), lost))
    return "\n".join(parts)


def main(argv: list[str] | None = None) -> int:
    """Write the page, or say whether it is up to date (exit status 1 if not)."""
    parser = argparse.ArgumentParser(prog="python -m nestkit.course.cheatsheet")
    parser.add_argument("--write", action="store_true", help="write the page anew")
    parser.add_argument("--file", type=Path, help="another file than docs/cheatsheet.md")
    options = parser.parse_args(argv)
    try:
        path = options.file or data_path().parent / "docs" / "cheatsheet.md"
        if options.write:
            path.write_text(page(), encoding="utf-8")
            print(path.name)  # noqa: T201
            return 0
        if path.is_file() and path.read_text(encoding="utf-8") == page():
            return 0
        print(f"{path.name} is not what the data give", file=sys.stderr)  # noqa: T201
        print("  → python -m nestkit.course.cheatsheet --write", file=sys.stderr)  # noqa: T201
    except NestkitError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except OSError as error:
        print(f"{path}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 2
    return 1


if __name__ == "__main__":
    sys.exit(main())
