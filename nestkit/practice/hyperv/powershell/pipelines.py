"""Pipelines: commands one after the other, each with what the one before it put out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nestkit.practice.hyperv.powershell.binding import Argument
from nestkit.practice.hyperv.powershell.blocks import invoke
from nestkit.practice.hyperv.powershell.calls import call_cmdlet, call_native
from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.evaluator import Evaluator
from nestkit.practice.hyperv.powershell.session import NOTHING
from nestkit.practice.hyperv.powershell.text import to_text
from nestkit.practice.hyperv.powershell.tree import (
    BlockLiteral,
    Command,
    Literal,
    Named,
    Node,
    Pipeline,
    Splat,
)
from nestkit.practice.hyperv.values import Hashtable, PsError, ScriptBlock, Value

_PROGRAM = re.compile(r"\.(exe|com|cmd|bat|ps1|psm1|vbs|msc)\Z|[/:]|^\.", re.IGNORECASE)


def run_pipeline(ev: Evaluator, node: Pipeline, out: list[Value]) -> None:
    """Run a pipeline; what its last part puts out goes to ``out``."""
    session = ev.session
    session.place = node.place
    items: list[Value] | None = None
    at = 0
    while at < len(node.parts):
        part, end = node.parts[at], at + 1
        while (
            items is not None
            and end < len(node.parts)
            and all(_takes_each(ev, one) for one in node.parts[at : end + 1])
        ):
            end += 1
        sink = out if end == len(node.parts) and not node.silenced & {"1", "*"} else []
        if items is not None and end - at > 1:
            for item in items:
                _pass_on(ev, node.parts[at:end], [item], sink)
        elif isinstance(part, Command):
            session.ok = True if at == 0 else session.ok
            run_command(ev, part, items, sink)
        else:
            ev.put(ev.raw(part), sink)
            session.ok = True
        items, at = sink, end


def _takes_each(ev: Evaluator, part: Node) -> bool:
    """Whether a part is ``% { }`` or ``? { }``: it works on each object as that arrives."""
    if not (isinstance(part, Command) and isinstance(part.name, Literal)):
        return False
    name = to_text(part.name.value).lower()
    real = ev.session.table.aliases.get(name, name).lower()
    return (
        real in {"foreach-object", "where-object"}
        and len(part.elements) == 1
        and isinstance(part.elements[0], BlockLiteral)
        and ev.scope.function(name) is None
    )


def _pass_on(ev: Evaluator, parts: Sequence[Node], items: list[Value], out: list[Value]) -> None:
    """Objects through parts that take each: what one leaves in ``$Matches`` the next one finds."""
    first, rest = parts[0], parts[1:]
    assert isinstance(first, Command)
    if not rest:
        run_command(ev, first, items, out)
        return
    made: list[Value] = []
    try:
        run_command(ev, first, items, made)
    finally:  # what was put out before an error, or a break, goes on all the same
        if made:
            _pass_on(ev, rest, made, out)


def run_command(ev: Evaluator, node: Command, items: list[Value] | None, out: list[Value]) -> None:
    """Run one command of a pipeline; ``items`` is None where nothing is piped in."""
    session = ev.session
    before = session.muted, session.merged
    sink = [] if node.silenced & {"1", "*"} else out
    session.muted |= node.silenced
    if node.silenced & {"2>&1", "*>&1"}:
        session.merged = sink
    try:
        _dispatch(ev, node, items, sink)
    except PsError as error:
        if error.place is None:
            error.place = node.place
        raise
    finally:
        session.muted, session.merged = before


def _dispatch(ev: Evaluator, node: Command, items: list[Value] | None, out: list[Value]) -> None:
    target = ev.value(node.name)
    if isinstance(target, ScriptBlock):
        scope = ev.scope if node.operator == "." else None
        invoke(ev, target.body, _arguments(ev, node.elements), out, items=items, scope=scope)
        return
    name = to_text(target)
    if not name:
        raise PsError(
            "The expression after '&' in a pipeline element produced an object that was not "
            "valid. It must result in a command name, a script block, or a CommandInfo object.",
            error_id="BadExpression",
            category="InvalidOperation",
        )
    ev.session.place = node.place
    table = ev.session.table
    function = ev.scope.function(name.lower())
    if function is not None and name.lower() not in table.aliases:
        real, body = function
        try:
            invoke(ev, body, _arguments(ev, node.elements), out, items=items, name=real)
        except PsError as error:
            error.command = error.command or real
            raise
        return
    native = name.lower().removesuffix(".exe")
    if native in table.natives:
        call_native(ev, native, _texts(ev, node.elements), out)
        return
    spec = table.get(name)
    if spec is None:
        raise _not_found(ev, name)
    call_cmdlet(ev, spec, _arguments(ev, node.elements), items, out)


def _not_found(ev: Evaluator, name: str) -> PsError:
    real = ev.session.table.aliases.get(name.lower(), name)
    if real != name or _PROGRAM.search(name) or real.lower() in _REFUSED:
        what = f"{real[:100]}" if real.lower() in _REFUSED else f"'{real[:100]}'"
        error = unspoken(what if "-" in real else f"programs and script files: {what}")
    else:
        error = PsError(
            f"The term '{name[:100]}' is not recognized as the name of a cmdlet, function, script "
            "file, or operable program. Check the spelling of the name, or if a path was included, "
            "verify that the path is correct and try again. (This practice host knows the Hyper-V "
            "module and what nestkit needs of others.)",
            error_id="CommandNotFoundException",
            category="ObjectNotFound",
            target=name[:60],
        )
    error.command = name[:100]
    return error


# cmdlets that a learner may well try; the rest is "not recognized", with a hint
_REFUSED = frozenset({
    "add-content", "add-member", "add-type", "clear-host", "compare-object", "convertto-csv",
    "convertto-html",
    "enter-pssession", "export-clixml", "export-csv", "format-custom", "format-wide", "get-alias",
    "get-childitem", "get-computerinfo", "get-content", "get-credential", "get-disk",
    "get-eventlog", "get-help",
    "get-history", "get-item", "get-itemproperty", "get-job", "get-location", "get-psdrive",
    "get-pssession", "get-random", "get-service", "get-process", "get-variable", "get-winevent",
    "get-wmiobject", "import-clixml", "import-csv", "invoke-expression", "invoke-restmethod",
    "invoke-webrequest", "join-path", "measure-command", "new-item", "new-pssession",
    "new-timespan", "new-variable", "out-file", "out-gridview", "read-host", "receive-job",
    "remove-item", "restart-service", "select-string", "set-content", "set-executionpolicy",
    "set-item", "set-itemproperty", "set-location", "set-variable", "split-path", "start-job",
    "start-process", "start-service", "start-transcript", "stop-computer", "stop-process",
    "stop-service", "tee-object", "test-connection", "test-netconnection", "test-path",
    "update-help", "wait-vm", "write-debug", "write-information",
})  # fmt: skip


def _arguments(ev: Evaluator, elements: tuple[Node, ...]) -> list[Argument]:
    found: list[Argument] = []
    for element in elements:
        if isinstance(element, Named):
            if element.value is None:
                found.append(Argument(element.name, has_value=False))
            else:
                found.append(_valued(ev, element.name, element.value))
        elif isinstance(element, Splat):
            found += _splatted(ev, element)
        else:
            found.append(_valued(ev, None, element))
    return found


def _valued(ev: Evaluator, name: str | None, node: Node) -> Argument:
    text = node.text if isinstance(node, Literal) else ""
    return Argument(name, ev.value(node), text=text)


def _splatted(ev: Evaluator, node: Splat) -> list[Argument]:
    value = ev.raw(node.variable)
    if value is NOTHING or value is None:
        return []
    if isinstance(value, Hashtable):
        return [Argument(to_text(key), item) for key, item in value.items()]
    return [Argument(None, item) for item in (value if isinstance(value, list) else [value])]


def _texts(ev: Evaluator, elements: tuple[Node, ...]) -> list[str]:
    """Arguments of a program."""
    found: list[str] = []
    for element in elements:
        if isinstance(element, Named):
            text = "-" + element.name
            found.append(text if element.value is None else f"{text}:{_word(ev, element.value)}")
        elif isinstance(element, Splat):
            found += [to_text(argument.value) for argument in _splatted(ev, element)]
        else:
            value = ev.value(element)
            items = value if isinstance(value, list) else [value]
            found += [_checked(element, item) for item in items]
    return found


def _word(ev: Evaluator, node: Node) -> str:
    return _checked(node, ev.value(node))


def _checked(node: Node, value: Value) -> str:
    if isinstance(value, ScriptBlock):
        raise unspoken(
            "a script block as an argument of a program; PowerShell reads bare braces as one, so "
            "quote them: '{current}'"
        )
    return node.text if isinstance(node, Literal) and node.text else to_text(value)
