"""Look at a script without running it: is it 5.1, ASCII, and do its commands' parameters exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from nestkit.practice.hyperv.cmdlet_table import CmdletSpec, CmdletTable
from nestkit.practice.hyperv.powershell.binding import Binder
from nestkit.practice.hyperv.powershell.errors import ParseError
from nestkit.practice.hyperv.powershell.limits import LimitExceededError, Limits
from nestkit.practice.hyperv.powershell.lowering import read_script
from nestkit.practice.hyperv.powershell.tree import Command, FunctionDefinition, Literal, Named
from nestkit.practice.hyperv.values import PsError


def problems(script: str, table: CmdletTable) -> list[str]:
    """What is wrong with a script, each with its line; nothing where all is well.

    Characters outside ASCII, syntax that 5.1 or the practice host does not read, unknown
    commands, and parameters that do not exist or that no parameter set holds together. Commands
    whose name is only known when the script runs are not looked at.
    """
    found = [
        f"line {number}: {char!r} is not ASCII"
        for number, line in enumerate(script.splitlines(), start=1)
        for char in sorted({c for c in line if ord(c) > 127})
    ]
    try:
        body = read_script(script, Limits())
    except ParseError as error:
        return [*found, f"line {error.place.line}: {error.message}"]
    except LimitExceededError as error:
        return [*found, f"line 1: {error}"]
    nodes = list(_walk(body))
    functions = {n.name.lower() for n in nodes if isinstance(n, FunctionDefinition)}
    for node in nodes:
        if isinstance(node, Command) and isinstance(node.name, Literal):
            name = str(node.name.value)
            if name.lower() not in functions:
                found += [f"line {node.place.line}: {w}" for w in _command(node, name, table)]
    return found


def _walk(root: Any) -> Iterator[Any]:
    queue = [root]
    while queue:
        one = queue.pop()
        if isinstance(one, (tuple, list)):
            queue += reversed(one)
        elif is_dataclass(one):
            yield one
            queue += [getattr(one, f.name) for f in reversed(fields(one))]


def _command(node: Command, name: str, table: CmdletTable) -> list[str]:
    if name.lower().removesuffix(".exe") in table.natives:
        return []
    spec = table.get(name)
    if spec is None:
        return [f"{name} is no command of this host"]
    if not spec.played:
        return [f"{name} is not played by this host"]
    return _parameters(node, spec, table)


def _parameters(node: Command, spec: CmdletSpec, table: CmdletTable) -> list[str]:
    binder = Binder(spec, table)
    found: list[str] = []
    sets = list(spec.sets)
    for element in node.elements:
        if not isinstance(element, Named):
            continue
        try:
            parameter = binder.parameter(element.name)
        except PsError as error:
            found.append(f"{spec.name}: {error.message}")
            continue
        sets = [s for s in sets if parameter.in_set(s)]
    if not sets:
        found.append(f"{spec.name}: no parameter set holds all of these parameters")
    return found
