"""Create, describe and remove a VM.

Hyper-V gives a VM its Id itself, so a plan cannot know it beforehand. The folder that the VM is
created in carries the plan's own Id as a mark, from the VM's first moment on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nestkit.errors import PlanError
from nestkit.plans import Json, Step, new_disk_gib

if TYPE_CHECKING:
    from nestkit.hosts.hyperv_ops import Client

READ_S: Final = 60.0
MARK: Final = "nestkit-"
_EMPTY: Final[dict[str, Json]] = {
    "name": "", "generation": 0, "memory_mib": 0, "folder": "", "disk": "", "switch": "",
    "adapters": 0, "checkpoints": 0,
}  # fmt: skip


def describe(client: Client, vm_id: str, mark: str) -> dict[str, Json]:
    """The VM as it is, in the shape of a "create_vm" step."""
    found: dict[str, Any] = client.run(
        "vm_describe", {"vm": vm_id}, deadline_s=READ_S, repeatable=True
    )
    marked = f"{MARK}{mark}"
    head, at, _ = found["path"].partition(marked)
    return {
        "name": found["name"],
        "generation": found["generation"],
        "memory_mib": found["startup"] // 2**20,
        "folder": head + at,
        "disk": " + ".join(found["disks"]),
        "switch": " + ".join(found["switches"]),
        "adapters": len(found["switches"]),
        "checkpoints": found["checkpoints"],
    }


def create(client: Client, step: Step, deadline_s: float, on_task: Callable[[str], None]) -> None:
    """Create the VM of the step's description.

    Raises
    ------
    PlanError
        The description is not one that this version writes.
    HostRefused
        The host's reason.
    """
    wanted = step.after
    kinds = {name: type(value) for name, value in _EMPTY.items()}
    whole = isinstance(wanted, dict) and {n: type(v) for n, v in wanted.items()} == kinds
    if not whole or not wanted["folder"].endswith(f"{MARK}{step.target.id}"):
        raise PlanError(
            f"the description of VM {step.target.name!r} is not one that this version writes",
            remedy="make a new plan with `nestkit plan-new`",
        )
    given = wanted | {"path": wanted["folder"], "disk_gib": new_disk_gib(wanted)}
    client.run("vm_create", given, deadline_s=deadline_s, on_start=on_task)
