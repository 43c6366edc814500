"""Checks of exercises: programs that look at the system and say what they found.

>>> nk.course.check("03.applied", host, plan=plan)
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from nestkit.course import markup, progress
from nestkit.course.progress import Status
from nestkit.errors import CourseError, NestkitError

_KINDS: Final = {"passed": "pass", "not done yet": "idle", "not right": "fail"}
# a practice host may be broken, and a check is where that shows
_BROKEN: Final = (
    "on a practice host, `nestkit reset` in a terminal puts back all that it had; where it does "
    "not answer, run the cell that connects once more"
)
# where the checks of the lessons are
_MODULES: Final = (
    "exercises",
    "exercises_automation",
    "exercises_benchmark",
    "exercises_capstone",
    "exercises_cross",
    "exercises_layers",
    "exercises_levels",
    "exercises_scenarios",
    "exercises_network",
    "exercises_troubleshooting",
)
_CHECKS: dict[str, Callable[..., Verdict]] = {}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: "passed", "not done yet" or "not right", why, and what to try."""

    item: str
    status: Status
    message: str
    hints: tuple[str, ...] = ()
    note: str = ""  # about the record of progress

    @property
    def ok(self) -> bool:
        """True when the exercise is passed."""
        return self.status == "passed"

    def __str__(self) -> str:
        lines = [f"{self.item}: {self.status}. {self.message}"]
        lines += [f"  hint: {hint}" for hint in self.hints]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        hints = [f"Hint: {hint}" for hint in self.hints]
        html = markup.notice(
            _KINDS[self.status], f"{self.item}: {self.status}", self.message, hints
        )
        return html + (markup.notice("warn", "About your progress", self.note) if self.note else "")


def exercise(item: str) -> Callable[[Callable[..., Verdict]], Callable[..., Verdict]]:
    """Make a function the check of an item ("03.applied")."""

    def keep(function: Callable[..., Verdict]) -> Callable[..., Verdict]:
        _CHECKS[item] = function
        return function

    return keep


def passed(message: str) -> Verdict:
    """The exercise is done."""
    return Verdict("", "passed", message)


def not_done(message: str, *hints: str) -> Verdict:
    """Nothing was tried yet."""
    return Verdict("", "not done yet", message, hints)


def not_right(message: str, *hints: str) -> Verdict:
    """Something was tried, and the system is not as it should be."""
    return Verdict("", "not right", message, hints)


class Unreadable(CourseError):
    """An answer of the wrong kind; the remedy says how to write it."""


def answers_to(answer: Any, example: str) -> dict[str, Any]:
    """An answer from names to values, also where it is a series or a list of pairs.

    Raises
    ------
    Unreadable
        If it has no names; the remedy is the example.
    """
    pairs: list[Any] | None = None
    series = getattr(answer, "ndim", 0) == 1 and hasattr(answer, "items")
    if series or isinstance(answer, Mapping):
        pairs = list(answer.items())
    elif isinstance(answer, list | tuple) and all(
        isinstance(each, list | tuple) and len(each) == 2 for each in answer
    ):
        pairs = list(answer)
    if pairs is None or not all(isinstance(name, str) for name, _ in pairs):
        raise Unreadable(
            f"The answer is of type {type(answer).__name__}, without the names that are asked for.",
            remedy=f"write a dictionary, from name to answer: {example}",
        )
    return dict(pairs)


def ids_of(given: Any) -> set[str]:
    """Ids of rules, however they were given: one, several, or whole findings."""
    several = isinstance(given, Iterable) and not isinstance(given, str | Mapping)
    return {str(getattr(one, "id", one)).strip() for one in (given if several else [given])}


def _still_open(values: Iterable[Any]) -> str:
    """What to fill in, where some of an answer's parts are filled in already."""
    for value in values:
        if isinstance(value, Mapping):
            left = [str(name) for name, part in value.items() if _untouched(part)]
            if 0 < len(left) < len(value):
                return f"Still “...”: {', '.join(left)}."
    return "The answer is still “...”: put yours in its place, and run the cell."


def _untouched(value: Any) -> bool:
    """Whether ``...`` still stands where an answer belongs."""
    if value is ...:
        return True
    if isinstance(value, Mapping):
        return any(map(_untouched, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return any(map(_untouched, value))
    return False


def check(item: str, /, *args: Any, **kwargs: Any) -> Verdict:
    """Look whether an exercise is done, say so, and keep it in the learner's progress.

    Parameters
    ----------
    item
        Lesson and exercise: "03.applied".
    args, kwargs
        What the check looks at, such as the host. An answer that is still ``...`` gives
        "not done yet"; one that the check can do without is then left out.

    Raises
    ------
    CourseError
        If there is no such exercise.
    """
    for module in _MODULES:
        importlib.import_module(f"nestkit.course.{module}")
    if item not in _CHECKS:
        near = difflib.get_close_matches(str(item), _CHECKS, n=2, cutoff=0.3) or sorted(_CHECKS)
        raise CourseError(
            f"there is no exercise {item!r}", remedy=f"did you mean {' or '.join(near)}?"
        )
    asked = inspect.signature(_CHECKS[item]).parameters.values()
    optional = {each.name for each in asked if each.default is not each.empty}
    kwargs = {
        name: kwargs[name] for name in kwargs if not (kwargs[name] is ... and name in optional)
    }
    if _untouched(args) or _untouched(kwargs):
        verdict = not_done(_still_open((*args, *kwargs.values())))
    else:
        try:
            verdict = _CHECKS[item](*args, **kwargs)
        except Unreadable as error:
            verdict = not_right(error.message, error.remedy)
        except NestkitError as error:
            hints = [error.remedy]
            if any(getattr(each, "is_practice", False) is True for each in args):
                hints.append(_BROKEN)
            verdict = not_right(f"It cannot be checked: {error.message}.", *hints)
        except Exception as error:  # noqa: BLE001  (an answer may be anything)
            verdict = not_right(
                f"The answer cannot be read: {type(error).__name__}: {error}.",
                "look again at what kind of value the exercise asks for",
            )
    lesson, _, name = item.partition(".")
    return replace(verdict, item=item, note=progress.record(lesson, name, verdict.status))
