"""A plan as a POSIX shell script of govc commands.

Options: govc's USAGE.md (github.com/vmware/govmomi). govc has none for cores per socket, and its
host.portgroup.change writes a whole new policy, and nothing sets MAC learning: the script says so.
VMs and hosts are named by reference, which govc's commands take since govmomi's pull request 3609
(November 2024); names of networks and datastores are patterns of Go's path.Match (govmomi, find).
"""

from __future__ import annotations

import re
from typing import Final

from nestkit.plans import Plan, Step
from nestkit.scripts.outline import (
    POLICIES,
    header,
    iso_parts,
    networks_of,
    remarks,
    unknown_step,
)
from nestkit.scripts.quoting import constant, remark, shell

_NEEDED: Final = "0.47.0"  # the first release after references were taken everywhere
_TOP = """
# GOVC_URL, GOVC_USERNAME and GOVC_PASSWORD say where and who; for a certificate that is not
# signed by a known authority set GOVC_TLS_CA_CERTS or GOVC_TLS_KNOWN_HOSTS. A vCenter with
# several datacenters needs GOVC_DATACENTER.
set -eu
: "${GOVC_URL:?set GOVC_URL to the address of the host}"
govc version -require NEEDED > /dev/null # older ones do not take references such as HostSystem:1

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
    body = [*shell("uuid", plan.vm.id), *([] if plan.creates_vm else [_FIND.rstrip()])]
    for number, step in enumerate(plan.steps, start=1):
        body += ["", *remarks(number, step), *_step(step, plan)]
    return "\n".join(head) + _TOP.replace("NEEDED", _NEEDED) + "\n".join(body) + "\n"


def _pattern(name: str) -> str:
    """The name where govc reads a pattern; one like vm-7 would be taken for a reference."""
    escaped = re.sub(r"([*?\[\]\\])", r"\\\1", name)
    return f"\\{escaped}" if re.fullmatch(r"[A-Za-z]+(-[a-z]*\d+|:.*)", name) else escaped


def _step(step: Step, plan: Plan) -> list[str]:
    seconds = int(step.timeout_s)
    after = step.after
    if step.op == "create_vm":
        return _create(step, plan)
    if step.op == "destroy_vm":
        return ['govc vm.destroy "$vm"']
    if step.property == "hardware_version":
        return [f'govc vm.upgrade -vm "$vm" -version={constant(after)}']
    if step.property == "cdrom":
        return _cdrom(step)
    if step.property == "mac_management":
        return _by_hand(step)
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


def _create(step: Step, plan: Plan) -> list[str]:
    wanted = step.after
    first, *more = networks_of(plan, step)
    lines = [
        *shell("name", wanted["name"]),
        *shell("pattern", _pattern(wanted["name"])),
        *shell("host", f"HostSystem:{wanted['created_on']}"),
        "# patterns too: govc looks networks and datastores up by them",
        *shell("datastore", _pattern(wanted["datastore"])),
        *shell("network", _pattern(first)),
        *shell("guest", wanted["guest_id"]),
        *shell("firmware", wanted["firmware"]),
        'if [ -n "$(govc find / -type m -name "$pattern")" ]; then',
        '    echo "there is a VM of that name already" >&2',
        "    exit 1",
        "fi",
        'govc vm.create -on=false -host="$host" -ds="$datastore" -g="$guest" \\',
        f'    -firmware="$firmware" -version=vmx-{int(wanted["hardware_version"]):02d} '
        f"-c={constant(wanted['cpu_count'])} -m={constant(wanted['memory_mib'])} \\",
        f"    -disk={int(wanted['disks_mib'][0]) // 1024}GB -disk.controller=pvscsi "
        '-net="$network" -net.adapter=vmxnet3 -- "$name"',
        'vm=$(govc find -i / -type m -name "$pattern")',
        "case $vm in",
        "    VirtualMachine:*[!A-Za-z0-9-]* | '') echo \"the new VM is not found\" >&2; exit 1 ;;",
        "esac",
    ]
    for name in more:
        lines += [
            *shell("network", _pattern(name)),
            'govc vm.network.add -vm "$vm" -net="$network" -net.adapter=vmxnet3',
        ]
    return [
        *lines,
        f'govc vm.change -vm "$vm" -nested-hv-enabled={constant(wanted["nested_hv"])} '
        f"-mem.reservation {constant(wanted['reservation_mib'])} "
        f"-memory-pin={constant(wanted['reservation_locked'])}",
        "# govc cannot choose the instance UUID: this VM has one of its own, not the plan's",
    ]


def _cdrom(step: Step) -> list[str]:
    if not step.after["iso"]:
        return ['govc device.cdrom.eject -vm "$vm"']
    datastore, path = iso_parts(step.after["iso"])
    return [
        *shell("datastore", _pattern(datastore)),
        *shell("iso", path),
        "drive=$(govc device.ls -vm \"$vm\" | sed -n 's/^\\(cdrom-[0-9]*\\) .*/\\1/p' | head -n 1)",
        '[ -n "$drive" ] || drive=$(govc device.cdrom.add -vm "$vm")',
        'govc device.cdrom.insert -vm "$vm" -device "$drive" -ds="$datastore" -- "$iso"',
        'govc device.connect -vm "$vm" "$drive"',
    ]


def _by_hand(step: Step) -> list[str]:
    """Govc has no command for MAC learning, so the script says what is left to do."""
    words = ", ".join(f"{name.replace('_', ' ')}: {v}" for name, v in step.after.items())
    return [
        *shell("left", f"left to do for port group {step.target.name}: {words}"),
        "# govc's dvs.portgroup.change has no option for it: use the pyvmomi or powercli script",
        "# for this step, or vSphere Client",
        "printf '%s\\n' \"$left\" >&2",
    ]


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
