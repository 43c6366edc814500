"""A host in memory for the tests of the engine, and what holds it to the protocol."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from nestkit.errors import ConsentNeeded, HostRefused, NotFound
from nestkit.facts import CpuFacts, HostFacts, VmFacts, VmNicFacts
from nestkit.hosts.base import Host
from nestkit.plans import Json, Step, Target

VM_ID = "50000000-0000-4000-8000-000000000001"
HOST_ID = "40000000-0000-4000-8000-000000000000"
GROUP_ID = "key-vim.host.PortGroup-Lab"


class FakeHost:
    """One VM on one port group; refuses what ESXi refuses, and can finish late."""

    identity = HOST_ID
    platform = "esx"
    is_practice = True

    def __init__(self, *, power: str = "on", tools: str = "running", vm_name: str = "l1") -> None:
        self.tools = tools
        self.vm_name = vm_name
        self.values: dict[tuple[str, str], Any] = {
            (VM_ID, "power"): power,
            (VM_ID, "nested_hv"): False,
            (VM_ID, "cpu"): {"count": 1, "cores_per_socket": 1},
            (VM_ID, "memory"): {
                "size_mib": 4096,
                "reservation_mib": 0,
                "reservation_locked": False,
            },
            (GROUP_ID, "security"): {
                "promiscuous": "inherit",
                "forged_transmits": "reject",
                "mac_changes": "inherit",
            },
        }
        self.late: list[tuple[tuple[str, str], Json]] = []  # work in flight on the host
        self.performed: list[Step] = []
        self.before_perform: Callable[[Step], None] = lambda step: None
        self.after_perform: Callable[[Step], None] = lambda step: None
        self.in_task: Callable[[Step], None] = lambda step: None

    def state(self) -> dict[tuple[str, str], Any]:
        self.finish()
        return copy.deepcopy(self.values)

    def finish(self) -> None:
        for place, value in self.late:
            self.values[place] = value
        self.late.clear()

    def read(self, vm: str | None = None) -> HostFacts:
        memory = self.values[VM_ID, "memory"]
        security = self.values[GROUP_ID, "security"]
        nic = VmNicFacts(
            label="Network adapter 1",
            key="4000",
            network="Lab",
            network_id=GROUP_ID,
            switch="vSwitch0",
            switch_kind="standard",
            promiscuous=security["promiscuous"] == "accept",
            forged_transmits=security["forged_transmits"] == "accept",
        )
        facts = VmFacts(
            identity=VM_ID,
            name=self.vm_name,
            ref="1",
            power=self.values[VM_ID, "power"],
            cpu_count=self.values[VM_ID, "cpu"]["count"],
            memory_gib=memory["size_mib"] / 1024,
            nested_hv=self.values[VM_ID, "nested_hv"],
            hardware_version=19,
            tools=self.tools,  # type: ignore[arg-type]
            is_template=False,
            nics=(nic,),
        )
        return HostFacts(
            identity=HOST_ID,
            platform="esx",
            name="fake",
            is_practice=True,
            cpu=CpuFacts(threads=8),
            memory_gib=64.0,
            nested_hv_supported=True,
            vms=(facts,),
        )

    def current(self, target: Target, property: str) -> Json:  # noqa: A002
        self.finish()
        if (target.id, property) not in self.values:
            raise NotFound(f"no {target.name!r}", remedy="look again")
        return copy.deepcopy(self.values[target.id, property])

    def perform(
        self, step: Step, deadline_s: float, on_task: Callable[[str], None] | None = None
    ) -> None:
        self.before_perform(step)
        place = (step.target.id, step.property)
        power = self.values[VM_ID, "power"]
        if step.op == "shutdown_guest" and self.tools != "running":
            raise ConsentNeeded("no VMware Tools", remedy="allow a hard power-off")
        if step.needs_off and power != "off":
            raise HostRefused("the VM is on", remedy="power it off")
        if step.property == "power" and power == step.after:
            raise HostRefused("wrong power state", remedy="look again")
        self.late.append((place, copy.deepcopy(step.after)))
        if on_task is not None:
            on_task(f"task-{step.id}")
        self.in_task(step)
        self.finish()
        self.performed.append(step)
        self.after_perform(step)

    def close(self) -> None:
        pass


@pytest.fixture
def fake() -> FakeHost:
    return FakeHost()


def test_the_fake_keeps_to_the_protocol(fake: FakeHost) -> None:
    assert isinstance(fake, Host)


def test_the_fake_refuses_to_change_a_running_vm(fake: FakeHost) -> None:
    target = Target("vm", VM_ID, "l1")
    step = Step(
        id="x", op="set_property", target=target, property="cpu", before=1, after=2, needs_off=True
    )
    with pytest.raises(HostRefused):
        fake.perform(step, 1)
    assert fake.values[VM_ID, "cpu"] == {"count": 1, "cores_per_socket": 1}
