"""What the writers share: the header, and one description per step."""

from __future__ import annotations

from typing import Final

from nestkit.errors import PlanError
from nestkit.plans import CreateGoal, Plan, Step
from nestkit.scripts.quoting import remark

#: what a port group's setting is called in each place: field, words for people, PowerCLI
POLICIES: Final = {
    "promiscuous": ("allowPromiscuous", "Promiscuous mode", "AllowPromiscuous"),
    "forged_transmits": ("forgedTransmits", "Forged transmits", "ForgedTransmits"),
    "mac_changes": ("macChanges", "MAC address changes", "MacChanges"),
}

#: a distributed port group's setting: field of the API's flag
MAC_FLAGS: Final = {
    "promiscuous": "allowPromiscuous",
    "forged_transmits": "forgedTransmits",
    "mac_changes": "macChanges",
}

_POWER: Final = {
    "shutdown_guest": "Shut the guest down and wait until the VM is off",
    "power_off": "Power the VM off, which pulls the plug",
    "power_on": "Start the VM",
    "discard_saved_state": "Throw the saved state away",
    "install_role": "Install the Hyper-V role inside the guest",
}


def header(plan: Plan) -> list[str]:
    """What the text does, where, and what it has not been through."""
    verb = "Creates" if plan.creates_vm else "Prepares"
    return [
        f'{verb} VM "{plan.vm.name}" to host a hypervisor.',
        f"{_ids(plan)}: {plan.vm.id}.",
        f'Host: "{plan.host_name}" ({plan.host}).',
        "Made for a practice host: a model, no proof for a real one."
        if plan.is_practice
        else "Made for a real host.",
        f"Written by nestkit from plan {plan.digest[:16]}.",
        "This text has not been run on a real host. Read it before you run it.",
        *(f"Note: {note}" for note in plan.notes),
    ]


def _ids(plan: Plan) -> str:
    return "Id" if plan.platform == "hyperv" else "instance UUID"


def remarks(number: int, step: Step) -> list[str]:
    """The step as lines of comment: what it does, and below that why."""
    why = [f"#    {remark(step.why)}"] if step.why else []
    return [f"# {number}. {remark(_describe(step))}", *why]


def _describe(step: Step) -> str:
    """What the step does, in words."""
    if step.property == "memory" and "dynamic" in step.after:
        return "Set the memory, in MiB, and whether it is dynamic"
    return _POWER.get(step.op) or {
        "vm": "Create the VM" if step.op == "create_vm" else "Remove the VM and its disks",
        "cdrom": "Put the installer into the CD/DVD drive"
        if _has_iso(step)
        else "Empty the CD/DVD drive",
        "hardware_version": "Upgrade the hardware version, which cannot be taken back",
        "mac_management": f'Set MAC management of distributed port group "{step.target.name}"',
        "nested_hv": "Expose hardware-assisted virtualization to the guest",
        "cpu": "Set the number of virtual CPUs",
        "memory": "Set the memory and its reservation, in MiB",
        "mac_spoofing": f"Set MAC address spoofing of {step.target.kind.upper()} "
        f'"{step.target.name}"',
        "configuration_version": "Upgrade the configuration version",
        "guest_nat": "Set the NAT network inside the guest",
        "security": f'Set the security policy of port group "{step.target.name}"',
    }.get(step.property, step.property)


def changed_policies(step: Step) -> dict[str, str]:
    """The settings of a "security" step that differ from what was there."""
    return {name: value for name, value in step.after.items() if step.before.get(name) != value}


def _has_iso(step: Step) -> bool:
    return isinstance(step.after, dict) and bool(step.after.get("iso"))


def networks_of(plan: Plan, step: Step) -> list[str]:
    """The names of the networks of a new VM's adapters, in order."""
    names = plan.goal.networks if isinstance(plan.goal, CreateGoal) else ()
    return [
        each["name"] or (names[number % len(names)] if names else each["key"])
        for number, each in enumerate(step.after["networks"])
    ]


def iso_parts(path: str) -> tuple[str, str]:
    """Datastore and path of ``[datastore] path``."""
    datastore, _, rest = path.removeprefix("[").partition("]")
    return datastore, rest.removeprefix(" ")


def refuse_unwritable(plan: Plan) -> None:
    """Raise PlanError where a datastore's name ends too early in ``[datastore] path``."""
    for step in plan.steps:
        if step.op == "create_vm" and "]" in str(step.after.get("datastore", "")):
            raise PlanError(
                f"no path can name datastore {step.after['datastore']!r}: in '[datastore] file' "
                "the name ends at the first ]",
                remedy="rename the datastore without ], or use another one; then make a new plan",
            )


def unknown_step(step: Step, kind: str) -> PlanError:
    """The error for a step that a kind of script cannot express."""
    return PlanError(
        f"step {step.id}: {step.op} of {step.property!r} cannot be written as {kind}",
        remedy="apply the plan with `nestkit apply`, or use another kind of script",
    )
