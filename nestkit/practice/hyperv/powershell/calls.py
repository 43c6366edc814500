"""Calling cmdlets: binding, streams, common parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from nestkit.practice.hyperv.cmdlet_table import CmdletSpec
from nestkit.practice.hyperv.powershell.binding import Argument, Binder, Bound
from nestkit.practice.hyperv.powershell.blocks import invoke
from nestkit.practice.hyperv.powershell.convert_numbers import to_bool
from nestkit.practice.hyperv.powershell.display import Formatted
from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.evaluator import Evaluator
from nestkit.practice.hyperv.powershell.records import ErrorRecord
from nestkit.practice.hyperv.powershell.text import is_object, to_text
from nestkit.practice.hyperv.values import Invocation, PsError, ScriptBlock, Streams, Value

Builtin = Callable[[Evaluator, Invocation], "list[Value]"]
BUILTINS: dict[str, Builtin] = {}

_UNSPOKEN_COMMON = ("PipelineVariable", "OutBuffer", "InformationVariable")
_UNSET = object()
_TARGETS = ("VM", "VMName", "Name", "VMNetworkAdapter", "VMSnapshot", "VMProcessor", "VMMemory")


def builtin(*names: str) -> Callable[[Builtin], Builtin]:
    """Register a cmdlet of the language itself."""

    def register(function: Builtin) -> Builtin:
        for name in names:
            BUILTINS[name.lower()] = function
        return function

    return register


class Call:
    """One call of a cmdlet: its streams as the common parameters want them."""

    def __init__(self, ev: Evaluator, spec: CmdletSpec, common: dict[str, Value]) -> None:
        for name in _UNSPOKEN_COMMON:
            if name in common:
                raise unspoken(f"-{name}")
        self.ev = ev
        self.spec = spec
        self.common = common
        self.errors: list[Value] = []
        self.warnings: list[Value] = []
        self.streams = Streams(self.error, self.warning, self.verbose, self.progress)

    def named(self, error: PsError) -> PsError:
        """An error with the cmdlet's name on it."""
        error.command = error.command or self.spec.name
        if "," not in error.error_id and not error.error_id.startswith("PracticeHost"):
            error.error_id = f"{error.error_id},{self.spec.class_name}"
        if error.place is None:
            error.place = self.ev.session.place
        return error

    def error(self, error: PsError) -> None:
        """A non-terminating error."""
        session = self.ev.session
        self.named(error)
        wish = self.common.get("ErrorAction") or self.ev.preference("erroractionpreference")
        session.ok = False
        if wish == "ignore":
            return
        self.errors.append(ErrorRecord(error))
        if wish == "stop":
            error.stops = True
            raise error
        if wish == "silentlycontinue":
            session.record(error)
        else:
            session.report(error)

    def warning(self, text: str) -> None:
        """A warning."""
        wish = self.common.get("WarningAction") or self.ev.preference("warningpreference")
        self.warnings.append(text)
        if wish == "stop":
            raise PsError(
                "The running command stopped because the preference variable "
                f'"WarningPreference" or common parameter is set to Stop: {text}',
                error_id="ActionPreferenceStop",
                category="OperationStopped",
            )
        if wish == "continue" and not self.ev.session.muted & {"3", "*"}:
            self.ev.session.console.lines("warning", text.splitlines() or [""])

    def verbose(self, text: str) -> None:
        """A verbose message."""
        wanted = self.common.get("Verbose")
        if wanted is None:
            preference = self.ev.scope.get("verbosepreference", "silentlycontinue")
            wanted = to_text(preference).lower() == "continue"
        if wanted and not self.ev.session.muted & {"4", "*"}:
            self.ev.session.console.lines("verbose", text.splitlines() or [""])

    def progress(self, text: str) -> None:
        """A progress record."""
        report_progress(self.ev, text, "")

    def keep(self, out: Sequence[Value]) -> None:
        """``-OutVariable`` and its kin; a leading + appends."""
        for name, values in (
            ("OutVariable", list(out)),
            ("ErrorVariable", self.errors),
            ("WarningVariable", self.warnings),
        ):
            variable = to_text(self.common.get(name)).lower()
            if variable.startswith("+"):
                variable = variable[1:]
                before = self.ev.scope.get(variable)
                values = (before if isinstance(before, list) else []) + list(values)
            if variable:
                self.ev.scope.set(variable, list(values))


def report_progress(ev: Evaluator, activity: str, status: str, *, done: bool = False) -> None:
    """Write progress unless the script does not want it."""
    if ev.preference("progresspreference") == "continue":
        ev.session.console.progress(activity, status, done=done)


def call_cmdlet(
    ev: Evaluator,
    spec: CmdletSpec,
    arguments: list[Argument],
    items: list[Value] | None,
    out: list[Value],
) -> None:
    """Bind and run a cmdlet, once for each object piped in unless it takes all at once.

    Raises PsError for arguments that do not bind and for cmdlets that are not played.
    """
    try:
        _call(ev, spec, arguments, items, out)
    except PsError as error:
        error.command = error.command or spec.name
        raise


def _call(
    ev: Evaluator,
    spec: CmdletSpec,
    arguments: list[Argument],
    items: list[Value] | None,
    out: list[Value],
) -> None:
    session = ev.session
    if not spec.played or (spec.name.lower() not in BUILTINS and spec.name not in session.cmdlets):
        raise unspoken(f"the cmdlet {spec.name}")
    shows = spec.name.startswith(("Out-", "Format-"))
    if items and isinstance(items[0], Formatted) and not shows:
        raise unspoken(f"what Format-Table and its like put out as input of {spec.name}")
    _prepare_modules(ev, spec)
    binder = Binder(spec, session.table)
    bound = binder.bind(arguments, keep_rest=spec.rest is not None)
    if spec.rest is not None and bound.rest:
        first = [bound.values[spec.rest]] if spec.rest in bound.values else []
        bound.values[spec.rest] = first + bound.rest
    call = Call(ev, spec, bound.common)
    what_if = _what_if(ev, spec, bound)
    if bound.values.get("Confirm"):
        raise PsError(
            "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not "
            "available.",
            error_id=f"InvalidOperation,{spec.class_name}",
            category="InvalidOperation",
        )
    made: list[Value] = []
    try:
        if items is None or spec.aggregate:
            name = binder.parameter_set(bound, input_comes=items is not None)
            _run(call, bound, name, items, what_if, made, out)
        else:
            binder.parameter_set(bound, input_comes=True)
            for item in items:
                try:
                    one = binder.with_input(bound, item)
                except PsError as error:
                    call.error(error)
                    continue
                _run(call, one, binder.parameter_set(one), [item], what_if, made, out)
    finally:
        call.keep(made)


def _what_if(ev: Evaluator, spec: CmdletSpec, bound: Bound) -> bool:
    """Whether only to say what would be done; the preference variables count where not told."""
    wish = bound.values.pop("WhatIf", None)
    if not spec.should_process:
        return False
    confirm = ev.preference("confirmpreference")
    if "Confirm" not in bound.values and confirm != "high":
        if confirm != "none":
            raise unspoken(f"$ConfirmPreference = '{confirm}'")
        bound.values["Confirm"] = False
    return to_bool(ev.scope.get("whatifpreference")) if wish is None else bool(wish)


def _run(
    call: Call,
    bound: Bound,
    parameter_set: str,
    items: list[Value] | None,
    what_if: bool,
    made: list[Value],
    out: list[Value],
) -> None:
    ev, spec = call.ev, call.spec
    session = ev.session
    session.budget.step()
    place = session.place
    invocation = Invocation(
        name=spec.name,
        parameter_set=parameter_set,
        bound=bound.values,
        pipeline=items,
        streams=call.streams,
        what_if=what_if,
        call_block=lambda block, *args, **kw: call_block(ev, block, *args, **kw),
        extra={
            "interpreter": session.interpreter,
            "sink": out,
            "write_host": lambda text: session.console.host(text + "\r\n"),
        },
    )
    own = BUILTINS.get(spec.name.lower())
    played = session.cmdlets.get(spec.name)
    if played is None or (own is not None and parameter_set == "InProcess"):
        assert own is not None
        results = own(ev, invocation)
    else:
        try:
            results = played(invocation)
        except PsError as error:
            # Hyper-V's cmdlets report failures object by object and go on.
            if error.stops:
                raise
            call.error(error)
            results = []
        if what_if and spec.should_process and session.ok:
            session.console.host(
                f'What if: Performing the operation "{spec.name}" on target "{_target(bound)}".\r\n'
            )
    session.place = place
    session.budget.items(len(results))
    made.extend(results)
    out.extend(results)
    session.budget.step(len(out) >> 12)


def _target(bound: Bound) -> str:
    for name in _TARGETS:
        if name in bound.values:
            value = bound.values[name]
            items = value if isinstance(value, list) else [value]
            return ", ".join(_name(item) for item in items[:5])
    return "localhost"


def _name(value: Value) -> str:
    if is_object(value):
        for name in ("Name", "VMName"):
            try:
                return to_text(value.get(name))
            except KeyError:
                continue
    return to_text(value)


def _prepare_modules(ev: Evaluator, spec: CmdletSpec) -> None:
    """The first cmdlet of a module makes noise, unless progress is silenced before it."""
    session = ev.session
    if session.modules_ready or spec.module.startswith("Microsoft.PowerShell."):
        return
    session.modules_ready = True
    report_progress(ev, "Preparing modules for first use.", " ", done=True)


def call_block(
    ev: Evaluator,
    block: ScriptBlock,
    *arguments: Value,
    item: Value = _UNSET,
    new_scope: bool = False,
) -> list[Value]:
    """Run a script block with ``$_`` set to an item, in the caller's scope unless told."""
    out: list[Value] = []
    scope = ev.scope
    kept = scope.variables.get("_", _UNSET)
    if item is not _UNSET:
        scope.variables["_"] = item
    try:
        body = block.body
        if body.process is not None and body.end is None:
            body = replace(body, process=None, end=body.process)
        invoke(
            ev,
            body,
            [Argument(None, argument) for argument in arguments],
            out,
            scope=None if new_scope else scope,
        )
    finally:
        if item is not _UNSET:
            if kept is _UNSET:
                scope.variables.pop("_", None)
            else:
                scope.variables["_"] = kept
    return out


def call_native(ev: Evaluator, name: str, arguments: list[str], out: list[Value]) -> None:
    """Run a played program; its lines are its output."""
    session = ev.session
    native = session.natives.get(name)
    if native is None:
        raise unspoken(f"the program {name}")
    code, lines = native(arguments)
    session.budget.items(len(lines))
    ev.scope.top().variables["lastexitcode"] = code
    session.ok = code == 0
    out.extend(lines)
