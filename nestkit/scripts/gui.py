"""A plan as steps for the VMware Host Client and the vSphere Client.

Where things are: VMware Host Client and vSphere Virtual Machine Administration 8.0.
"""

from __future__ import annotations

from nestkit.plans import Plan, Step
from nestkit.scripts.outline import POLICIES, changed_policies, header, unknown_step
from nestkit.wording import plain

_VM_SETTINGS = (
    "Host Client: Virtual Machines > {vm} > Edit; vSphere Client: right-click {vm} > Edit Settings"
)


def write(plan: Plan) -> str:
    """Numbered plain text."""
    lines = [plain(line) for line in header(plan)]
    lines += ["", "vSphere Client is vCenter's; Host Client is https://HOST/ui of one ESXi host."]
    for number, step in enumerate(plan.steps, start=1):
        first, *more = _step(step, plan)
        lines += ["", f"{number}. {first}", *(f"   - {line}" for line in more)]
    if plan.steps:
        lines += [
            "",
            f"{len(plan.steps) + 1}. Check the result: nestkit preflight ADDRESS --vm NAME",
        ]
    else:
        lines += ["", "Nothing is left to do."]
    return "\n".join(lines) + "\n"


def _step(step: Step, plan: Plan) -> list[str]:
    vm = f'"{plain(plan.vm.name)}"'
    settings = _VM_SETTINGS.format(vm=vm)
    if step.op == "shutdown_guest":
        return [
            f"Shut down the guest of {vm}.",
            "Actions > Guest OS > Shut down (Host Client), Power > Shut Down Guest OS (vSphere)",
            "Wait until the VM is shown as powered off.",
        ]
    if step.op == "power_off":
        return [
            f"Power off {vm}: the plug is pulled, what is not saved in the guest is lost.",
            "Actions > Power > Power off",
        ]
    if step.op == "power_on":
        return [
            f"Power on {vm}.",
            "Actions > Power > Power on",
            "If it has no hypervisor yet: attach the ESXi installer ISO as its CD/DVD drive, "
            "connected at power on, and install ESXi within the VM.",
        ]
    if step.property == "nested_hv":
        word = "Tick" if step.after else "Clear"
        return [
            "Expose hardware virtualization.",
            settings,
            f'Expand CPU. {word} "Expose hardware assisted virtualization to the guest OS". Save.',
        ]
    if step.property == "cpu":
        return [
            "Set the virtual CPUs.",
            settings,
            f"CPU: {int(step.after['count'])}; cores per socket: "
            f"{int(step.after['cores_per_socket'])}. Save.",
        ]
    if step.property == "memory":
        locked = step.after["reservation_locked"]
        return [
            "Set the memory and reserve it.",
            settings,
            f"Memory: {int(step.after['size_mib'])} MB. Expand it.",
            'Tick "Reserve all guest memory (All locked)". Save.'
            if locked
            else f"Reservation: {int(step.after['reservation_mib'])} MB. Save.",
        ]
    if step.property == "security":
        return _security(step)
    raise unknown_step(step, "GUI steps")


def _security(step: Step) -> list[str]:
    words = {"accept": "Accept", "reject": "Reject", "inherit": "Inherit from vSwitch"}
    name = f'"{plain(step.target.name)}"'
    return [
        f"Set the security of port group {name}, not of the whole switch.",
        f"Host Client: Networking > Port groups > {name} > Edit settings > Security",
        "vSphere Client: host > Configure > Virtual switches > the port group > Edit > Security, "
        "with Override ticked for each setting that is not inherited",
        *(f"{POLICIES[key][1]}: {words[value]}" for key, value in changed_policies(step).items()),
        "Save.",
    ]
