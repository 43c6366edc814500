"""Scripts that create a VM, put an installer in, set MAC learning, upgrade: in every language."""

from __future__ import annotations

import ast
import dataclasses
import re
import shutil
import subprocess
import tomllib
from typing import Any

import pytest
import tree_sitter
import tree_sitter_pwsh
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_scripts import KINDS, make_plan, names, powershell_value, skeleton
from test_scripts_practice import run

import nestkit as nk
from nestkit import configure
from nestkit.errors import PlanError
from nestkit.plans import CreateGoal, NestedGoal, Plan, Step, Target
from nestkit.resources import data_path
from nestkit.scripts import kickstart

stores = names.filter(lambda name: "]" not in name)  # a path's datastore ends at the first ]
UUID = "52aa8cf5-2f0e-8e5a-1b2c-3d4e5f607182"
MAC = {
    "promiscuous": False, "forged_transmits": True, "mac_changes": False, "mac_learning": True,
    "unicast_flooding": True, "limit": 4096, "limit_policy": "DROP", "inherited": False,
}  # fmt: skip


def new_plan(
    name: str = "new", datastore: str = "ds", network: str = "Lab", iso: str = "iso/esxi.iso"
) -> Plan:
    vm = Target("vm", UUID, name)
    description = {
        "name": name, "guest_id": "vmkernel8Guest", "firmware": "efi", "hardware_version": 20,
        "cpu_count": 4, "memory_mib": 16384, "reservation_mib": 16384, "reservation_locked": True,
        "nested_hv": True, "disks_mib": [65536],
        "networks": [
            {"name": network, "key": "", "switch": ""},
            {"name": "", "key": "dvportgroup-9", "switch": "50 1"},
        ],
        "datastore": datastore, "created_on": "host-11", "snapshots": 0,
    }  # fmt: skip
    media = {"iso": f"[{datastore}] {iso}", "at_power_on": True}

    def step(op: Any, prop: str, before: Any, after: Any, target: Target = vm) -> Step:
        return Step(
            id=f"{op}-{prop}", op=op, target=target, property=prop, before=before, after=after
        )

    group = Target("dv_port_group", "dvportgroup-9", network)
    return Plan(
        host="h", host_name="esx01", platform="esx", is_practice=True, vm=vm,
        goal=CreateGoal(name=name, networks=(network, "Trunk")),
        steps=(
            step("create_vm", "vm", None, description),
            step("set_property", "cdrom", {"iso": "", "at_power_on": False}, media),
            step("set_property", "hardware_version", 19, 20),
            step("set_property", "mac_management", MAC | {"mac_learning": False}, MAC, group),
            step("power_on", "power", "off", "on"),
        ),
    )  # fmt: skip


def undone(plan: Plan) -> Plan:
    steps = [s for s in plan.steps if s.property != "hardware_version"]
    back = tuple(s.inverse(hard_power_off=True) for s in reversed(steps))
    return dataclasses.replace(plan, steps=back)


PLANS = [new_plan(), undone(new_plan()), make_plan()]
PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_pwsh.language()))
BUILT_IN = {"Import-Module", "Where-Object", "Start-Sleep", "Get-Date", "New-Object"}
OWN = {"Get-NestedVM", "Wait-PowerState"}


def walk(node: Any) -> Any:
    yield node
    for child in node.children:
        yield from walk(child)


def commands(script: str) -> list[tuple[str, list[str]]]:
    """Each command of a PowerShell script with the names of its parameters, by its grammar."""
    root = PARSER.parse(script.encode("ascii")).root_node
    assert not root.has_error, [n.start_point for n in walk(root) if n.is_error or n.is_missing]
    found = []
    for node in walk(root):
        if node.type != "command":
            continue
        name = next(n for n in node.children if n.type == "command_name").text.decode()
        parts = [n for n in node.children if n.type == "command_elements"]
        options = [
            n.text.decode().removeprefix("-").removesuffix(":")
            for part in parts for n in part.children if n.type == "command_parameter"
        ]  # fmt: skip
        found.append((name, options))
    return found


@pytest.mark.parametrize("plan", PLANS, ids=["new", "undone", "settings"])
def test_powercli_keeps_to_the_grammar_and_the_table_of_cmdlets(plan: Plan) -> None:
    table = tomllib.loads(data_path("powercli_cmdlets.toml").read_text("utf-8"))
    assert table["source"]
    known = {f"{row['module']}\\{row['name']}": row["parameters"] for row in table["cmdlet"]}
    used = commands(plan.script("powercli"))
    assert len(used) > 10
    for name, options in used:
        if name in BUILT_IN | OWN:
            continue
        assert name in known, f"{name} is not in the table, or lacks its module"
        assert set(options) <= set(known[name]), f"{name} has no parameter {options}"


def test_the_table_lists_nothing_that_is_not_used() -> None:
    table = tomllib.loads(data_path("powercli_cmdlets.toml").read_text("utf-8"))
    plug = make_plan(steps=(dataclasses.replace(make_plan().steps[0], op="power_off"),))
    text = "\n".join(plan.script("powercli") for plan in [*PLANS, plug])
    for row in table["cmdlet"]:
        assert f"{row['module']}\\{row['name']} " in text + " ", row["name"]


@given(names, stores, names)
@settings(max_examples=60)
def test_names_stay_data_in_every_script(name: str, datastore: str, network: str) -> None:
    plan, plain = new_plan(name, datastore, network), new_plan()
    text = plan.script("powercli")
    assert text.isascii() and skeleton(text) == skeleton(plain.script("powercli"))
    (literal,) = re.findall(r"^ *\$vmName = (.*)$", text, re.MULTILINE)
    assert powershell_value(literal) == name
    tree = ast.parse(plan.script("pyvmomi"))
    shape = ast.dump(tree)
    for value in ast.walk(tree):
        if isinstance(value, ast.Constant):
            value.value = 0
    other = ast.parse(plain.script("pyvmomi"))
    for value in ast.walk(other):
        if isinstance(value, ast.Constant):
            value.value = 0
    assert shape and ast.dump(tree) == ast.dump(other)
    assert plan.script("govc").isascii()
    assert len(plan.script("gui").splitlines()) == len(plain.script("gui").splitlines())


def run_by_sh(script: str) -> subprocess.CompletedProcess[bytes]:
    """Run it; what it writes to descriptor 3 is its output."""
    return subprocess.run(
        ["sh", "-c", f"exec 3>&1 >/dev/null\n{script}"], capture_output=True, timeout=240,
        check=False,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")
@given(names, names)
@settings(max_examples=25)
def test_a_shell_gives_govc_the_very_names(name: str, network: str) -> None:
    script = new_plan(name, "ds", network).script("govc")
    stub = (
        "GOVC_URL=x\n"
        'govc() { case $1 in find) [ -n "${made:-}" ] && echo VirtualMachine:vm-1;; '
        "vm.create) made=1; for last; do :; done; printf '%s\\0' \"$last\" >&3;; "
        "object.collect) echo poweredOn;; device.ls) echo 'cdrom-3000 x';; esac; return 0; }\n"
    )
    ran = run_by_sh(stub + script)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == name.encode("utf-8") + b"\0"


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")
@given(stores, names)
@example("ds[10-12 *", "VLAN [10-12] *")
@example("Datastore:datastore-3", "network-7")
@settings(max_examples=25)
def test_govc_looks_up_networks_and_datastores_by_patterns_of_nothing_else(
    datastore: str, network: str
) -> None:
    script = new_plan("new", datastore, network).script("govc")
    stub = (
        "GOVC_URL=x\n"
        'govc() { case $1 in find) [ -n "${made:-}" ] && echo VirtualMachine:vm-1;; '
        "object.collect) echo poweredOn;; device.ls) echo 'cdrom-3000 x';; vm.create) made=1;; "
        "esac; for each; do case $each in -net=*|-ds=*) printf '%s\\0' \"$each\" >&3;; esac; "
        "done; return 0; }\n"
    )
    ran = run_by_sh(stub + script)
    assert ran.returncode == 0, ran.stderr
    given_ = ran.stdout.decode("utf-8").split("\0")[:-1]
    wanted = [f"-ds={datastore}", f"-net={network}", "-net=Trunk", f"-ds={datastore}"]
    # Go's path.Match: a backslash takes the sign behind it as it is
    assert [re.sub(r"\\(.)", r"\1", each) for each in given_] == wanted
    for pattern in given_:
        assert not re.search(r"[*?\[\]]", re.sub(r"\\.", "", pattern))
        _, _, name = pattern.partition("=")
        assert not re.fullmatch(r"[A-Za-z]+(-[a-z]*[0-9]+|:.*)", name)  # no reference


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_tells_every_step(kind: str) -> None:
    text = new_plan().script(kind)
    for number in range(1, 6):
        assert re.search(rf"^\s*(# )?{number}\. ", text, re.MULTILINE)
    assert "Creates VM" in text and "vmkernel8Guest" in text and "esxi.iso" in text
    back = undone(new_plan()).script(kind)
    assert re.search("Remove|Destroy_Task|vm.destroy", back)


def test_the_gui_steps_of_a_new_vm_attach_its_installer_once() -> None:
    text = new_plan().script("gui")
    assert "Compatibility: the release that has hardware version 20." in text
    assert "The installer starts" in text and "attach the ESXi installer" not in text


def test_govc_says_what_it_cannot_do() -> None:
    assert "no option for it" in new_plan().script("govc")
    assert "left to do for port group Lab" in new_plan().script("govc")


def test_pyvmomi_creates_configures_and_removes_on_the_practice_vcenter(tmp_path: Any) -> None:
    with nk.practice.start("vpx") as practice:
        host = nk.connect(practice.url, password=practice.password)
        goal = CreateGoal(
            name="'; exit() #", networks=("Plain VMs", "VM Network"),
            on_host="esx-01.lab.example", iso="[vsan-nested] iso/debian-12-netinst.iso",
        )  # fmt: skip
        plan = configure.plan_new(host, goal)
        done = run(plan.script("pyvmomi"), tmp_path, practice)
        assert (done.returncode, done.stderr) == (0, "")
        assert configure.verify(plan, host).ok
        done = run(undone(plan).script("pyvmomi"), tmp_path, practice)
        assert (done.returncode, done.stderr) == (0, "")
        assert host.current(plan.vm, "vm") is None
        old = configure.plan(
            host, "nested-esxi-04", goal=NestedGoal(upgrade_version=True, start=False)
        )
        done = run(old.script("pyvmomi"), tmp_path, practice)
        assert (done.returncode, done.stderr) == (0, "")
        assert configure.verify(old, host).ok
        host.close()


# -- kickstart


def test_a_kickstart_file_never_holds_a_password() -> None:
    text = kickstart.text(hostname="nested-01")
    assert f"rootpw --iscrypted {kickstart.PLACEHOLDER}" in text and "openssl passwd -6" in text
    hashed = "$6$saltsalt$" + "a" * 86
    assert f"rootpw --iscrypted {hashed}\n" in kickstart.text(password_hash=hashed)
    for secret in ("VMware1!", "$6$", "$1$abc$defdefdef", hashed + "\nreboot"):
        with pytest.raises(PlanError) as caught:
            kickstart.text(password_hash=secret)
        assert secret not in str(caught.value) or secret == "$6$"


def test_its_network_is_dhcp_or_a_whole_address() -> None:
    assert "network --bootproto=dhcp --device=vmnic0\n" in kickstart.text()
    fixed = kickstart.text(ip="192.0.2.10", netmask="255.255.255.0", gateway="192.0.2.1")
    assert "--bootproto=static --device=vmnic0 --ip=192.0.2.10" in fixed
    for bad in (
        {"ip": "192.0.2.10"}, {"gateway": "192.0.2.1"}, {"hostname": "a b"},
        {"ip": "192.0.2.10\n%pre", "netmask": "255.255.255.0", "gateway": "192.0.2.1"},
    ):  # fmt: skip
        with pytest.raises(PlanError):
            kickstart.text(**bad)


@given(st.text(), st.text())
@settings(max_examples=60)
def test_no_text_adds_a_line_to_it(hostname: str, ip: str) -> None:
    try:
        text = kickstart.text(hostname=hostname, ip=ip)
    except PlanError:
        return
    assert len(text.splitlines()) == len(kickstart.text().splitlines())


def test_pyvmomi_scripts_compile() -> None:
    compile(new_plan().script("pyvmomi"), "script.py", "exec")
