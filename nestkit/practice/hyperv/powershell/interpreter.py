"""The evaluator's face: a script in, what powershell.exe would have left behind out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nestkit.practice.hyperv.cmdlet_table import CmdletTable

# Importing them registers statements, expressions and cmdlets of the language.
from nestkit.practice.hyperv.powershell import (  # noqa: F401
    builtins_host,
    builtins_objects,
    builtins_shape,
    expressions,
    statements,
)
from nestkit.practice.hyperv.powershell.binding import Argument
from nestkit.practice.hyperv.powershell.blocks import invoke
from nestkit.practice.hyperv.powershell.errors import Exit, LeaveLoop, ParseError, Return
from nestkit.practice.hyperv.powershell.evaluator import Evaluator
from nestkit.practice.hyperv.powershell.limits import Budget, LimitExceededError, Limits
from nestkit.practice.hyperv.powershell.lowering import read_script
from nestkit.practice.hyperv.powershell.records import error_lines, parse_error_lines
from nestkit.practice.hyperv.powershell.remoting import received
from nestkit.practice.hyperv.powershell.session import (
    NOTHING,
    Console,
    Native,
    Scope,
    Session,
    Stdin,
)
from nestkit.practice.hyperv.powershell.tree import BlockBody
from nestkit.practice.hyperv.values import (
    Cmdlet,
    Hashtable,
    PsError,
    ScriptBlock,
    Value,
    Version,
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left behind. ``stderr`` is one CLIXML document unless plain text was wanted."""

    stdout: str
    stderr: str
    exit_code: int


class Interpreter:
    """Runs scripts with these cmdlets.

    Parameters
    ----------
    cmdlets
        What is played, by canonical name; without them only the language's own cmdlets.
    table
        Parameters of every cmdlet (:func:`nestkit.practice.hyperv.cmdlet_table.load`).
    limits
        Bounds of each :meth:`run`.
    natives
        Programs by name without ``.exe``: arguments in, exit code and output lines out.
    computer
        The computer's name, ``$env:COMPUTERNAME``.
    on_sleep
        Told of the seconds of every ``Start-Sleep``, which itself does not wait.
    """

    def __init__(
        self,
        cmdlets: Mapping[str, Cmdlet],
        table: CmdletTable,
        *,
        limits: Limits | None = None,
        natives: Mapping[str, Native] | None = None,
        computer: str = "PRACTICE",
        on_sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._cmdlets = cmdlets
        self._table = table
        self._limits = limits or Limits()
        self._natives = dict(natives or {})
        self._computer = computer
        self._on_sleep = on_sleep
        self._evaluator: Evaluator | None = None

    def run(
        self, script: str, stdin: str | Callable[[], str] = "", *, clixml: bool = True
    ) -> Result:
        """Run a script as powershell.exe does with ``-EncodedCommand``.

        Without ``clixml`` stderr is plain text, as with ``-Command``. A function for ``stdin`` is
        called once, when the script first reads it.

        Never raises for what a script does: errors of every kind, limits among them, are on
        stderr and in the exit code. What a cmdlet raises that is no PsError passes through.
        """
        budget = Budget(self._limits)
        console = Console(budget, clixml=clixml)
        evaluator = self._start(budget, console, Stdin(stdin))
        session = evaluator.session
        code = 1
        try:
            body = read_script(script, self._limits)
            code = self._script(evaluator, body, console)
        except ParseError as error:
            console.lines("Error", parse_error_lines(error))
        except (LimitExceededError, RecursionError, MemoryError) as error:
            _limited(console, session, error)
            code = 1
        try:
            console.flush()
        except LimitExceededError as error:
            _limited(console, session, error)
            code = 1
        return Result(console.stdout, console.stderr, code)

    def _script(self, evaluator: Evaluator, body: BlockBody, console: Console) -> int:
        session = evaluator.session
        try:
            invoke(evaluator, body, [], console.pending, scope=evaluator.scope)
        except Exit as leave:
            return leave.code & 0xFFFFFFFF
        except (LeaveLoop, Return):
            pass
        except PsError as error:
            error.place = error.place or session.place
            session.record(error)
            console.flush()
            console.lines("Error", error_lines(error))
            return 1
        return 0 if session.ok else 1

    def _start(self, budget: Budget, console: Console, stdin: Stdin) -> Evaluator:
        session = Session(
            cmdlets=self._cmdlets,
            table=self._table,
            budget=budget,
            console=console,
            stdin=stdin,
            natives=self._natives,
            environment=_ENVIRONMENT | {"computername": self._computer},
            on_sleep=self._on_sleep,
            interpreter=self,
        )
        scope = Scope()
        scope.variables.update(_automatic())
        self._evaluator = Evaluator(session, scope)
        return self._evaluator

    # --- inside a run ----------------------------------------------------------------------

    def sub(
        self,
        cmdlets: Mapping[str, Cmdlet],
        *,
        table: CmdletTable | None = None,
        natives: Mapping[str, Native] | None = None,
        computer: str = "GUEST",
    ) -> Interpreter:
        """An interpreter for another computer, inside the run of this one.

        It has variables of its own and shares limits and console. Use it with :meth:`call`.
        """
        made = Interpreter(
            cmdlets,
            table or self._table,
            limits=self._limits,
            natives=natives,
            computer=computer,
            on_sleep=self._on_sleep,
        )
        outer = self._evaluator
        assert outer is not None, "sub() belongs inside a run"
        session = made._start(outer.session.budget, outer.session.console, Stdin("")).session
        scope = outer.scope

        def using(name: str) -> Value:
            found = scope.get(name)
            return None if found is NOTHING else found

        session.using = using
        session.modules_ready = outer.session.modules_ready
        return made

    def call(
        self,
        block: ScriptBlock,
        arguments: Sequence[Value] = (),
        *,
        items: list[Value] | None = None,
        on_error: Callable[[PsError], None] | None = None,
    ) -> list[Value]:
        """Run a script block of the outer script here; its output as it arrives back.

        ``on_error`` is told of non-terminating errors. Raises PsError for terminating ones.
        """
        evaluator = self._evaluator
        assert evaluator is not None, "call() belongs inside a run"
        evaluator.session.on_error = on_error
        out: list[Value] = []
        given = [Argument(None, value) for value in arguments]
        with contextlib.suppress(LeaveLoop, Return, Exit):
            invoke(evaluator, block.body, given, out, items=items)
        return received(out, evaluator.budget)


_ENVIRONMENT = {
    "os": "Windows_NT",
    "processor_architecture": "AMD64",
    "systemdrive": "C:",
    "systemroot": "C:\\Windows",
    "username": "Administrator",
    "windir": "C:\\Windows",
}


def _automatic() -> dict[str, Value]:
    """Variables every script finds."""
    return {
        "args": [],
        "erroractionpreference": "Continue",
        "progresspreference": "Continue",
        "warningpreference": "Continue",
        "verbosepreference": "SilentlyContinue",
        "informationpreference": "SilentlyContinue",
        "confirmpreference": "High",
        "whatifpreference": False,
        "lastexitcode": None,
        "psversiontable": Hashtable(
            {
                "PSVersion": builtins_host.PS_VERSION,
                "PSEdition": "Desktop",
                "BuildVersion": Version(10, 0, 20348, 1),
                "CLRVersion": Version(4, 0, 30319, 42000),
            }
        ),
        "psculture": "en-US",
        "psuiculture": "en-US",
    }


def _limited(console: Console, session: Session, error: BaseException) -> None:
    if isinstance(error, LimitExceededError):
        message, error_id = str(error), error.error_id
    elif isinstance(error, RecursionError):
        message, error_id = "the script failed because calls nest too deeply", "CallDepthOverflow"
    else:
        message, error_id = "the script needs too much memory", "PracticeHostLimit"
    shown = PsError(
        f"The practice host stopped the script: {message}.",
        error_id=error_id,
        category="LimitsExceeded",
    )
    shown.place = session.place
    console.finish(error_lines(shown))
