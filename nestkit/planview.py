"""A plan as text for a terminal and as HTML for a notebook: what one reads before agreeing."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Final

from nestkit.wording import PRACTICE, plain

if TYPE_CHECKING:
    from nestkit.plans import Json, Plan, Step, Target

_KINDS: Final = {
    "vm": "VM",
    "port_group": "port group",
    "dv_port_group": "distributed port group",
    "nic": "NIC",
}
_POWER: Final = {
    "shutdown_guest": "shut down the guest of",
    "power_off": "pull the plug of",
    "power_on": "start",
    "discard_saved_state": "throw away the saved state of",
}
_LIFE: Final = {
    "create_vm": "create",
    "destroy_vm": "remove",
    "install_role": "install the Hyper-V role inside",
}
_PROPERTIES: Final = {
    "cdrom": "CD/DVD drive",
    "hardware_version": "hardware version",
    "configuration_version": "configuration version",
    "guest_nat": "NAT network inside",
    "hyperv_role": "Hyper-V role",
    "mac_spoofing": "MAC address spoofing",
    "nested_hv": "hardware virtualization for the guest",
    "cpu": "virtual CPUs",
    "security": "security policy",
    "mac_management": "MAC management",
}
_CELL: Final = "text-align:left;vertical-align:top;padding:4px 10px 4px 0"


def shown(value: Json) -> str:
    """A property's value as a person reads it."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return plain(value) or "none"
    if isinstance(value, list):
        parts = [
            {k: v for k, v in part.items() if v} if isinstance(part, dict) else part
            for part in value
        ]
        return " + ".join(map(shown, parts)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if value.get("dynamic") is False:  # static memory has no bounds
            value = {name: part for name, part in value.items() if part != 0 or part is False}
        return ", ".join(_part(name, part) for name, part in value.items())
    return json.dumps(value, ensure_ascii=False)


def _part(name: str, value: Json) -> str:
    """One of several values; a unit in its name goes behind it."""
    head = name.removesuffix("_mib")
    unit = " MiB" if head != name and value not in ("", None, []) else ""
    return f"{head.replace('_', ' ')} {shown(value)}{unit}"


def named(target: Target) -> str:
    """A target as a person reads it; its name is data, so it is quoted."""
    return f"{_KINDS.get(target.kind, target.kind)} {target.name!r}"


def action(step: Step) -> str:
    """What a step does, without its values."""
    verb = _POWER.get(step.op) or _LIFE.get(step.op)
    if verb:
        return f"{verb} {named(step.target)}"
    words = _PROPERTIES.get(step.property, step.property.replace("_", " "))
    return f"set {words} of {named(step.target)}"


def headline(plan: Plan) -> str:
    """What the plan is for, and how much it would change."""
    if plan.is_empty:
        return f"{named(plan.vm)} on {plain(plan.host_name)}: nothing left to change"
    count = len(plan.steps)
    return f"{named(plan.vm)} on {plain(plan.host_name)}: {count} step{'s' if count > 1 else ''}"


def as_text(plan: Plan) -> str:
    """The plan for a terminal."""
    lines = [headline(plan), *([PRACTICE] if plan.is_practice else [])]
    for number, step in enumerate(plan.steps, start=1):
        lines.append(f"  {number}. {action(step)}: {shown(step.before)} → {shown(step.after)}")
        if step.why:
            lines.append(f"     {plain(step.why)}")
    lines += [f"  note: {plain(note)}" for note in plan.notes]
    return "\n".join([*lines, f"digest {plan.digest}"])


def as_html(plan: Plan) -> str:
    """The plan for a notebook: an accessible table."""
    heads = "".join(
        f'<th scope="col" style="{_CELL}">{head}</th>'
        for head in ("", "Step", "Now", "Then", "Why")
    )
    rows = "".join(
        f'<tr><td style="{_CELL}">{number}</td>'
        + "".join(
            f'<td style="{_CELL}">{escape(cell)}</td>'
            for cell in (action(step), shown(step.before), shown(step.after), step.why)
        )
        + "</tr>"
        for number, step in enumerate(plan.steps, start=1)
    )
    parts = [f"<p><strong>{escape(headline(plan))}</strong></p>"]
    if plan.is_practice:
        parts.append(f"<p>{PRACTICE}</p>")
    if rows:
        parts.append(
            f'<table><caption style="text-align:left">Steps, in this order</caption>'
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )
    if plan.notes:
        parts.append("<ul>" + "".join(f"<li>{escape(note)}</li>" for note in plan.notes) + "</ul>")
    parts.append(f"<p>digest <code>{plan.digest}</code></p>")
    return "".join(parts)
