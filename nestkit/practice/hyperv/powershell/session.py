"""The state of one run: variables, streams, what the script was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nestkit.practice.hyperv.cmdlet_table import CmdletTable
from nestkit.practice.hyperv.powershell import clixml
from nestkit.practice.hyperv.powershell.convert import cast
from nestkit.practice.hyperv.powershell.display import shown
from nestkit.practice.hyperv.powershell.limits import Budget
from nestkit.practice.hyperv.powershell.records import ErrorRecord, error_lines
from nestkit.practice.hyperv.powershell.tree import BlockBody, Place
from nestkit.practice.hyperv.values import Cmdlet, PsError, Value

Native = Callable[[Sequence[str]], tuple[int, list[str]]]


class Nothing:
    """What a pipeline without output leaves in a variable: null that enumerates to nothing."""

    __slots__ = ()


NOTHING = Nothing()


class Scope:
    """Variables and functions; what is not here is looked up in the caller's scope."""

    __slots__ = ("functions", "parent", "types", "variables")

    def __init__(self, parent: Scope | None = None) -> None:
        self.parent = parent
        self.variables: dict[str, Value] = {}
        self.types: dict[str, str] = {}
        self.functions: dict[str, tuple[str, BlockBody]] = {}

    def find(self, name: str) -> Scope | None:
        """The nearest scope that has a variable."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.variables:
                return scope
            scope = scope.parent
        return None

    def get(self, name: str, default: Value = None) -> Value:
        """A variable's raw value (perhaps NOTHING)."""
        scope = self.find(name)
        return default if scope is None else scope.variables[name]

    def set(self, name: str, value: Value) -> None:
        """Set a variable here, converted where its type was declared."""
        if name in self.types and value is not NOTHING:
            value = cast(self.types[name], value)
        self.variables[name] = value

    def function(self, name: str) -> tuple[str, BlockBody] | None:
        """A function by its name in lower case."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.functions:
                return scope.functions[name]
            scope = scope.parent
        return None

    def top(self) -> Scope:
        """The script's own scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


class Console:
    """stdout and stderr of the run, shared with nested interpreters.

    With ``clixml`` all streams but output go to stderr as one CLIXML document, as powershell.exe
    does for ``-EncodedCommand``; without it errors are plain text and warnings are on stdout.
    """

    def __init__(self, budget: Budget, *, clixml: bool = True) -> None:
        self._budget = budget
        self._clixml = clixml
        self._out: list[str] = []
        self._err: list[str] = []
        self.pending: list[Value] = []  # output objects not yet shown
        self._records = 0

    def flush(self) -> None:
        """Show what is pending."""
        if self.pending:
            values = self.pending[:]
            self.pending.clear()
            for text in shown(values, self._budget):
                self.write(text + "\r\n")

    def write(self, text: str) -> None:
        """Write to stdout."""
        self._budget.output(len(text))
        self._out.append(text)

    def host(self, text: str) -> None:
        """A line of the host, after what was put out before it."""
        self.flush()
        self.write(text)

    def lines(self, stream: str, lines: Sequence[str]) -> None:
        """Lines of a stream that goes to stderr."""
        if not self._clixml and stream != "Error":
            self.host("".join(f"{stream.upper()}: {text}\r\n" for text in lines))
            return
        for text in lines:
            part = clixml.line(stream, text) if self._clixml else text + "\r\n"
            self._budget.output(len(part))
            self._err.append(part)

    def progress(self, activity: str, status: str, *, done: bool) -> None:
        """A progress record to stderr; plain text has none."""
        if not self._clixml:
            return
        part = clixml.progress(self._records, activity, status, done=done)
        self._records += 1
        self._budget.output(len(part))
        self._err.append(part)

    def finish(self, lines: Sequence[str]) -> None:
        """The last error lines, beyond any limit: what a limit itself has to say."""
        self._err += [clixml.line("Error", t) if self._clixml else t + "\r\n" for t in lines]

    @property
    def stdout(self) -> str:
        """All of stdout."""
        return "".join(self._out)

    @property
    def stderr(self) -> str:
        """All of stderr."""
        return clixml.document(self._err) if self._clixml else "".join(self._err)


class Stdin:
    """Standard input: text, or a function that is asked for all of it when it is first read."""

    def __init__(self, source: str | Callable[[], str]) -> None:
        self._source = source
        self._known: str | None = None
        self._at = 0

    @property
    def _text(self) -> str:
        if self._known is None:
            self._known = self._source if isinstance(self._source, str) else self._source()
        return self._known

    def read(self) -> str:
        """The rest of it."""
        rest, self._at = self._text[self._at :], len(self._text)
        return rest

    def readline(self) -> str | None:
        """The next line without its end; None at the end."""
        if self._at >= len(self._text):
            return None
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        line = self._text[self._at : end].rstrip("\r")
        self._at = end + 1
        return line

    def lines(self) -> list[Value]:
        """The rest, line by line."""
        return [*self.read().splitlines()]


@dataclass(slots=True)
class Session:
    """What the evaluator works with."""

    cmdlets: Mapping[str, Cmdlet]
    table: CmdletTable
    budget: Budget
    console: Console
    stdin: Stdin
    natives: Mapping[str, Native]
    environment: Mapping[str, str]
    on_sleep: Callable[[float], None] | None = None
    errors: list[Value] = field(default_factory=list)
    ok: bool = True
    tries: int = 0
    strict: bool = False
    modules_ready: bool = False
    place: Place = field(default_factory=Place)
    interpreter: Any = None
    muted: frozenset[str] = frozenset()  # streams sent to $null around what runs now
    merged: list[Value] | None = None  # where 2>&1 sends errors
    on_error: Callable[[PsError], None] | None = None  # a guest's errors go to its host
    using: Callable[[str], Value] | None = None  # `$using:` of a block run for another session

    def record(self, error: PsError) -> None:
        """Remember an error in ``$Error``."""
        self.ok = False
        if not (
            self.errors
            and isinstance(self.errors[0], ErrorRecord)
            and self.errors[0].error is error
        ):
            self.errors.insert(0, ErrorRecord(error))
            del self.errors[self.budget.limits.errors :]

    def report(self, error: PsError) -> None:
        """Remember an error and show it."""
        self.record(error)
        if self.on_error is not None:
            self.on_error(error)
        elif self.merged is not None:
            self.merged.append(self.errors[0])
        elif not self.muted & {"2", "*"}:
            self.console.lines("Error", error_lines(error))
