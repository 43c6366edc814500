"""The check of lesson 08: whether a learner's program may run every night."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from nestkit import practice
from nestkit.configure import plan as make_plan
from nestkit.course.checks import Verdict, exercise, not_done, not_right, passed
from nestkit.errors import NestkitError
from nestkit.hosts import connect
from nestkit.hosts.base import Host
from nestkit.plans import Step

_VM: Final = "nested-esxi-16"


class _Watched:
    """A host that counts what is done to it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.done = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def perform(self, step: Step, deadline_s: float, *others: Any, **more: Any) -> None:
        self.done += 1
        self._host.perform(step, deadline_s, *others, **more)


def _stumbles(ready: Callable[[Host, str], object], watched: _Watched) -> Verdict | None:
    """Run the learner's program once; what to say if it ends with an error of its own."""
    try:
        ready(watched, _VM)
    except NestkitError:
        raise  # says itself what to do
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a learner's program)
        said = ": ".join(word for word in (type(error).__name__, str(error)) if word)
        return not_right(
            f"The program ended with {said}.",
            "mend it, run its cell again, and then this one",
        )
    return None


@exercise("08.twice")
def _twice(ready: Callable[[Host, str], object]) -> Verdict:
    if not callable(ready):
        return not_right(
            f"The answer is {type(ready).__name__}, and not a function.",
            "write `def ready(host, vm): …` and hand over its name, without calling it",
        )
    with (
        practice.start("esx") as private,
        closing(connect(private.url, password=private.password)) as host,
    ):
        watched = _Watched(host)
        if stumbled := _stumbles(ready, watched):
            return stumbled
        left = make_plan(host, _VM).steps
        first, watched.done = watched.done, 0
        if left and not first:
            return not_done(
                "After the first run nothing has changed.",
                "make a plan with nk.configure.plan(host, vm), and apply it with "
                "nk.configure.apply(plan, host)",
            )
        if left:
            return not_right(
                f"Steps that are still to do after the first run: {len(left)}.",
                "apply the plan as it is, with the usual goal",
            )
        if stumbled := _stumbles(ready, watched):
            return stumbled
        if watched.done:
            return not_right(
                f"The second run did {watched.done} things to a VM that was ready.",
                "decide by the plan: where plan.is_empty there is nothing to apply",
            )
        if make_plan(host, _VM).steps:
            return not_right("After the second run the VM is not ready any more.")
    return passed(f"The first run made {first} steps, the second none: it may run every night.")
