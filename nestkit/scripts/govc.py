"""A plan as a POSIX shell script of govc commands.

Options: govc's USAGE.md (github.com/vmware/govmomi). govc has none for cores per socket, and its
host.portgroup.change writes a whole new policy: both are said in the script.
"""

from __future__ import annotations

from nestkit.plans import Plan, Step
from nestkit.scripts.outline import POLICIES, describe, header, unknown_step
from nestkit.scripts.quoting import constant, remark, shell

_TOP = """
# GOVC_URL, GOVC_USERNAME and GOVC_PASSWORD say where and who; for a certificate that is not
# signed by a known authority set GOVC_TLS_CA_CERTS or GOVC_TLS_KNOWN_HOSTS.
set -eu
: "${GOVC_URL:?set GOVC_URL to the address of the host}"

wait_for() { # state, seconds
    left=$2
    until [ "$(govc object.collect -s "$vm" runtime.powerState)" = "$1" ]; do
        left=$((left - 2))
        if [ "$left" -lt 0 ]; then
            echo "the VM is not $1 after $2 seconds" >&2
            exit 1
        fi
        sleep 2
    done
}

"""
_FIND = """# by instance UUID: names repeat, and govc reads * and [ in names as patterns
vm=$(govc find -i / -type m -config.instanceUuid "$uuid")
case $vm in
    VirtualMachine:*[!A-Za-z0-9-]* | '') echo "not exactly one VM has UUID $uuid" >&2; exit 1 ;;
esac
"""


def write(plan: Plan) -> str:
    """The script, for any POSIX shell."""
    head = ["#!/bin/sh", *(f"# {remark(line)}" for line in header(plan))]
    body = [*shell("uuid", plan.vm.id), _FIND.rstrip()]
    for number, step in enumerate(plan.steps, start=1):
        body += ["", f"# {number}. {remark(describe(step))}", *_step(step)]
    return "\n".join(head) + _TOP + "\n".join(body) + "\n"


def _step(step: Step) -> list[str]:
    seconds = int(step.timeout_s)
    after = step.after
    if step.op == "shutdown_guest":
        return ['govc vm.power -s "$vm"', f"wait_for poweredOff {seconds}"]
    if step.op == "power_off":
        return ['govc vm.power -off "$vm"', f"wait_for poweredOff {seconds}"]
    if step.op == "power_on":
        return ['govc vm.power -on "$vm"', f"wait_for poweredOn {seconds}"]
    if step.property == "nested_hv":
        return [f'govc vm.change -vm "$vm" -nested-hv-enabled={constant(after)}']
    if step.property == "cpu":
        return [
            "# govc does not set cores per socket; the plan wants "
            f"{constant(after['cores_per_socket'])}",
            f'govc vm.change -vm "$vm" -c {constant(after["count"])}',
        ]
    if step.property == "memory":
        return [
            f'govc vm.change -vm "$vm" -m {constant(after["size_mib"])} '
            f"-mem.reservation {constant(after['reservation_mib'])} "
            f"-memory-pin={constant(after['reservation_locked'])}"
        ]
    if step.property == "security":
        return _security(step)
    raise unknown_step(step, "govc")


def _security(step: Step) -> list[str]:
    options = {"promiscuous": "allow-promiscuous", "forged_transmits": "forged-transmits",
               "mac_changes": "mac-changes"}  # fmt: skip
    # govc drops what it is not told: each override is repeated, what is left out is inherited
    flags = [
        f"-{options[name]}={constant(step.after[name] == 'accept')}"
        for name in POLICIES
        if step.after.get(name, "inherit") != "inherit"
    ]
    return [
        "# careful: this replaces the port group's policy; overrides of teaming and shaping, if",
        "# it has any, fall back to those of its switch",
        'host=$(govc object.collect -s "$vm" runtime.host)',
        *shell("port_group", step.target.name),
        f'govc host.portgroup.change -host "$host" {" ".join(flags)} -- "$port_group"',
    ]
