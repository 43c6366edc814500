"""Tasks: work that goes on after the call has been answered."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from nestkit.practice.esx.api import VmomiSupport, vim, vmodl
from nestkit.practice.esx.managed import Managed
from nestkit.practice.esx.model import DvGroup, Vm
from nestkit.practice.esx.world import World
from nestkit.practice.faults import Switchboard

KEPT: Final = 500  # finished tasks that can still be asked for
BRIEF_S: Final = 0.05  # a task takes this long when nothing slows it
Work = Callable[[], Any]  # its result is the task's


@dataclass(frozen=True, slots=True)
class Subject:
    """What a task works on; ``busy`` is what only one task at a time may work on."""

    ref: Any
    name: str
    busy: Vm | DvGroup | None = None


class Task(Managed):
    """One task and its ``TaskInfo``."""

    __slots__ = ("entity", "epoch", "info")

    def __init__(self, moid: str, name: str, method: Any, on: Subject, user: str, epoch: int):
        super().__init__(vim.Task, moid, {"info": lambda: copy.copy(self.info)})
        self.entity, self.epoch = on.ref._GetMoId(), epoch
        self.info = vim.TaskInfo(
            key=moid,
            task=vim.Task(moid),
            name=method,
            descriptionId=name,
            entity=on.ref,
            entityName=on.name,
            state="running",
            cancelled=False,
            cancelable=False,
            progress=0,
            reason=vim.TaskReasonUser(userName=user),
            queueTime=datetime.now(UTC),
            startTime=datetime.now(UTC),
            eventChainId=0,
        )


class Tasks:
    """Starts tasks and lets them end."""

    def __init__(self, world: World, faults: Switchboard) -> None:
        self.world, self.faults = world, faults
        self._numbers = itertools.count(1)

    def start(
        self, on: Subject, name: str, wire_name: str, user: str, work: Work, *, slow: bool
    ) -> Any:
        """Begin a task; ``work`` runs under the world's lock when its time has come.

        Raises
        ------
        vim.fault.TaskInProgress
            Another task works on the same thing.
        """
        world = self.world
        if on.busy is not None and on.busy.task is not None:
            raise vim.fault.TaskInProgress(
                task=vim.Task(on.busy.task), msg="Another task is already in progress."
            )
        number = next(self._numbers)
        host_task = f"haTask-{on.ref._GetMoId()}-vim.{name}-{number}"
        moid = f"task-{number}" if world.layout.is_vcenter else host_task
        method = VmomiSupport.GetWsdlMethod("urn:vim25", wire_name)
        task = Task(moid, name, method, on, user, world.epoch)
        if on.busy is not None:
            on.busy.task = moid
        world.tasks[moid] = world.objects[moid] = task
        self._forget_old()
        world.note_change()
        delay = BRIEF_S + (self.faults.now.slow_task if slow else 0)
        timer = threading.Timer(delay, self._finish, (task, on, work, slow))
        timer.daemon = True
        timer.start()
        return vim.Task(moid)

    def later(self, delay_s: float, work: Callable[[], None]) -> None:
        """Do something to the world after a while, unless it is reset before."""
        epoch = self.world.epoch

        def act() -> None:
            with self.world.changed:
                if self.world.epoch == epoch:
                    work()
                    self.world.note_change()

        timer = threading.Timer(delay_s, act)
        timer.daemon = True
        timer.start()

    def _finish(self, task: Task, on: Subject, work: Work, fallible: bool) -> None:
        with self.world.changed:
            if task.epoch != self.world.epoch:
                return
            if on.busy is not None:
                on.busy.task = None
            try:
                if fallible and self.faults.spend("task_fails"):
                    raise vim.fault.GenericVmConfigFault(
                        reason="made to fail", msg="The practice host was told to fail this task."
                    )
                task.info.result = work()
                task.info.state, task.info.progress = "success", 100
            except vmodl.MethodFault as error:
                task.info.state, task.info.error = "error", error
            except Exception as error:
                # a task that never ends would leave its client waiting
                task.info.state = "error"
                task.info.error = vmodl.fault.SystemError(
                    reason=type(error).__name__, msg="The practice host has an error of its own."
                )
                raise
            task.info.completeTime = datetime.now(UTC)
            self.world.note_change()

    def _forget_old(self) -> None:
        tasks = self.world.tasks
        done = [moid for moid, task in tasks.items() if task.info.state in ("success", "error")]
        for moid in done[: max(0, len(tasks) - KEPT)]:
            del tasks[moid]
            self.world.objects.pop(moid, None)
