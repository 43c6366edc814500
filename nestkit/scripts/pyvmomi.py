"""A plan as a Python script on pyVmomi, which runs as it stands.

Names: the vSphere Web Services API reference (VirtualMachineConfigSpec, HostNetworkSystem).
"""

from __future__ import annotations

from typing import Any

from nestkit.plans import Plan, Step
from nestkit.scripts.outline import POLICIES, changed_policies, header, remarks, unknown_step
from nestkit.scripts.pyvmomi_helpers import HELPERS
from nestkit.scripts.quoting import python, remark

_TOP = '''
import getpass
import hashlib
import os
import ssl
import sys
import time
from urllib.parse import urlsplit

from pyVim.connect import Disconnect, SmartConnect
from pyVim.task import WaitForTask
from pyVmomi import vim


def trusted(host, port):
    """A context that verifies the host, or trusts the one certificate that is pinned."""
    pin = os.environ.get("ESX_SHA256", "").replace(":", "").lower()
    if not pin:
        return ssl.create_default_context()
    certificate = ssl.get_server_certificate((host, port), timeout=30)
    found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
    if found != pin:
        sys.exit(f"the certificate of {host} has SHA-256 {found}, not the one in ESX_SHA256")
    context = ssl.create_default_context(cadata=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def wait_for(vm, state, seconds):
    end = time.monotonic() + seconds
    while vm.runtime.powerState != state:
        if time.monotonic() > end:
            sys.exit(f"the VM is not {state} after {seconds} seconds")
        time.sleep(0.5)


def set_policy(vm, name, **values):
    """Read, modify, write: what is not named here stays as it is."""
    network = vm.runtime.host.configManager.networkSystem
    found = [group for group in network.networkInfo.portgroup if group.spec.name == name]
    if len(found) != 1:
        sys.exit(f"{len(found)} port groups are called {name!r}")
    spec = found[0].spec
    if spec.policy.security is None:
        spec.policy.security = vim.host.NetworkPolicy.SecurityPolicy()
    for field, value in values.items():
        setattr(spec.policy.security, field, value)
    network.UpdatePortGroup(name, spec)


{helpers}def change(content):
'''
_FIND = """    vm = content.searchIndex.FindByUuid(None, VM_UUID, True, True)
    if vm is None:
        sys.exit(f"there is no VM with the instance UUID {VM_UUID}")
"""
_END = '''
    print("done: check it with nestkit preflight")


def main():
    """ESX_HOST (name, or name:port), ESX_USER and ESX_PASSWORD say where and who."""
    address = os.environ.get("ESX_HOST") or input("host: ")
    where = urlsplit(f"//{address}")
    host, port = where.hostname, where.port or 443
    user = os.environ.get("ESX_USER") or input("user: ")
    password = os.environ.get("ESX_PASSWORD") or getpass.getpass("password: ")
    context = trusted(host, port)
    instance = SmartConnect(host=host, port=port, user=user, pwd=password, sslContext=context)
    try:
        change(instance.RetrieveContent())
    finally:
        Disconnect(instance)


if __name__ == "__main__":
    main()
'''


def write(plan: Plan) -> str:
    """The script. Reads ESX_HOST, ESX_USER, ESX_PASSWORD, ESX_SHA256, or asks."""
    # the second line is fixed: Python looks for a coding declaration in the first two
    head = ["#!/usr/bin/env python3", "#", *(f"# {remark(line)}" for line in header(plan))]
    body: list[str] = []
    for number, step in enumerate(plan.steps, start=1):
        body += ["", *remarks(number, step), *_step(step)]
    inner = "\n".join(f"    {line}" if line else "" for line in body)
    kinds = dict.fromkeys("vm" if step.op == "create_vm" else step.property for step in plan.steps)
    helpers = "".join(f"{HELPERS[kind]}\n\n" for kind in kinds if kind in HELPERS)
    top = _TOP.replace("{helpers}", helpers) + ("" if plan.creates_vm else _FIND)
    top = top.replace(
        "\n\n\ndef trusted", f"\n\nVM_UUID = {python(plan.vm.id)}\n\n\ndef trusted", 1
    )
    return "\n".join(head) + "\n" + top + inner + "\n" + _END


def _step(step: Step) -> list[str]:
    seconds = int(step.timeout_s)
    if step.op == "shutdown_guest":
        return [
            'if vm.runtime.powerState != "poweredOff":',
            "    vm.ShutdownGuest()",
            f'    wait_for(vm, "poweredOff", {seconds})',
        ]
    if step.op == "power_off":
        return ["WaitForTask(vm.PowerOffVM_Task())"]
    if step.op == "power_on":
        return ["WaitForTask(vm.PowerOnVM_Task())"]
    if step.op == "create_vm":
        return [f"vm = create(content, {_literal(step.after)})"]
    if step.op == "destroy_vm":
        return ["WaitForTask(vm.Destroy_Task())"]
    if step.property == "hardware_version":
        return [f'WaitForTask(vm.UpgradeVM_Task("vmx-{int(step.after):02d}"))']
    if step.property == "cdrom":
        return [f"insert(vm, {python(step.after['iso'])}, {bool(step.after['at_power_on'])})"]
    if step.property == "mac_management":
        return [f"set_mac_management(vm, {python(step.target.id)}, {_literal(step.after)})"]
    if step.property == "security":
        arguments = ", ".join(
            f"{POLICIES[name][0]}={None if value == 'inherit' else value == 'accept'}"
            for name, value in changed_policies(step).items()
        )
        return [f"set_policy(vm, {python(step.target.name)}, {arguments})"]
    return [
        "spec = vim.vm.ConfigSpec()",
        *(f"spec.{name} = {value}" for name, value in _fields(step)),
        "WaitForTask(vm.ReconfigVM_Task(spec))",
    ]


def _literal(value: Any) -> str:
    """A JSON value as a Python expression, in ASCII."""
    return ascii(value)


def _fields(step: Step) -> list[tuple[str, str]]:
    after = step.after
    if step.property == "nested_hv":
        return [("nestedHVEnabled", str(bool(after)))]
    if step.property == "cpu":
        return [
            ("numCPUs", str(int(after["count"]))),
            ("numCoresPerSocket", str(int(after["cores_per_socket"]))),
        ]
    if step.property == "memory":
        return [
            ("memoryMB", str(int(after["size_mib"]))),
            ("memoryReservationLockedToMax", str(bool(after["reservation_locked"]))),
            ("memoryAllocation", "vim.ResourceAllocationInfo()"),
            ("memoryAllocation.reservation", str(int(after["reservation_mib"]))),
        ]
    raise unknown_step(step, "pyVmomi")
