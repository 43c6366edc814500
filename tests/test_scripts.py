"""Plans as scripts: right commands, and names that stay data in every language."""

from __future__ import annotations

import ast
import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nestkit import scripts
from nestkit.errors import PlanError
from nestkit.plans import NestedGoal, Plan, Step, Target
from nestkit.scripts import quoting

NAMES = [
    "'; Stop-VM *; '", "$(x)", "`", "%2f", "a\nb", "a\r\nb\n", "</script><img onerror=x>",
    "Müller 日本", "’; Stop-VM * ;‘", "‚x‛", "“x”", "\\", "\\u0041", '"', "#>", "-rf", "*",
    "coding: latin-1", "\u2028\x85", "'''", "trailing ", "%s %d", "{}", "😀",
]  # fmt: skip
names = st.one_of(
    st.sampled_from(NAMES),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
)
UUID = "52aa8cf5-2f0e-8e5a-1b2c-3d4e5f607182"


def make_plan(vm_name: str = "nested-01", group: str = "Lab", **changes: Any) -> Plan:
    vm = Target("vm", UUID, vm_name)
    port_group = Target("port_group", "HaNetwork-1", group)

    def step(number: int, op: Any, prop: str, before: Any, after: Any, target: Target) -> Step:
        return Step(
            id=f"{number}-{prop}", op=op, target=target, property=prop, before=before,
            after=after, why=f"for {vm_name}", timeout_s=300.0,
        )  # fmt: skip

    inherit = {"promiscuous": "inherit", "forged_transmits": "reject", "mac_changes": "reject"}
    accept = {"promiscuous": "accept", "forged_transmits": "accept", "mac_changes": "reject"}
    memory = {"size_mib": 8192, "reservation_mib": 8192, "reservation_locked": True}
    plan = Plan(
        host="4c4c-host", host_name="esx01", platform="esx", is_practice=True, vm=vm,
        goal=NestedGoal(), notes=(f"left: {vm_name}",),
        steps=(
            step(1, "shutdown_guest", "power", "on", "off", vm),
            step(2, "set_property", "nested_hv", False, True, vm),
            step(3, "set_property", "cpu", {"count": 1, "cores_per_socket": 1},
                 {"count": 2, "cores_per_socket": 1}, vm),
            step(4, "set_property", "memory", memory | {"size_mib": 4096}, memory, vm),
            step(5, "set_property", "security", inherit, accept, port_group),
            step(6, "power_on", "power", "off", "on", vm),
        ),
    )  # fmt: skip
    return dataclasses.replace(plan, **changes)


def only(plan: Plan, *numbers: int) -> Plan:
    return dataclasses.replace(plan, steps=tuple(plan.steps[n - 1] for n in numbers))


KINDS = ("powercli", "pyvmomi", "govc", "gui")


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_says_what_it_does_where_and_what_it_has_not_been_through(kind: str) -> None:
    plan = make_plan()
    text = plan.script(kind)
    head = text[:700]
    assert "nested-01" in head and "esx01" in head and UUID in head
    assert "not been run on a real host" in head
    assert plan.digest[:16] in head
    assert "practice host: a model" in head
    assert "practice" not in make_plan(is_practice=False).script(kind)[:700]
    assert "left: nested-01" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_there_in_order_and_an_empty_plan_changes_nothing(kind: str) -> None:
    text = make_plan().script(kind)
    marks = [re.search(rf"^\s*(# )?{n}\. ", text, re.MULTILINE) for n in range(1, 7)]
    places = [mark.start() for mark in marks if mark]
    assert len(places) == 6 and places == sorted(places)
    empty = make_plan(steps=()).script(kind)
    changing = ("ReconfigVM", "Set-SecurityPolicy", "vm.change", "vm.power", "1. ")
    assert not any(word in empty for word in changing)


def test_an_unknown_kind_or_platform_names_those_there_are() -> None:
    with pytest.raises(PlanError) as caught:
        make_plan().script("terraform")
    assert "powercli, pyvmomi, govc, gui" in caught.value.remedy
    with pytest.raises(PlanError) as caught:
        make_plan().script("powershell")
    assert "powercli" in caught.value.remedy
    with pytest.raises(PlanError) as caught:
        make_plan(platform="local").script("powershell")
    assert "esx" in caught.value.remedy
    with pytest.raises(PlanError, match="a step that no hyperv host has"):
        make_plan(platform="hyperv").script("powershell")
    assert scripts.kinds("esx") == (*KINDS, "pipeline")
    assert scripts.kinds("hyperv") == ("powershell", "gui", "pipeline")
    assert scripts.kinds("local") == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_a_script_cannot_express_is_refused(kind: str) -> None:
    plan = only(make_plan(), 2)
    strange = dataclasses.replace(plan.steps[0], property="firmware", after="efi")
    with pytest.raises(PlanError, match="cannot be written as"):
        dataclasses.replace(plan, steps=(strange,)).script(kind)


# -- PowerCLI: a small tokenizer, after about_Quoting_Rules

CURLY = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e"
TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|#[^\n]*")
UNESCAPE = re.compile(r"\[regex\]::Unescape\(('(?:[^']|'')*')\)")


def powershell_value(expression: str) -> str:
    """The text that an expression of ours stands for, by PowerShell's and .NET's rules."""
    assert not any(char in expression for char in CURLY)
    wrapped = UNESCAPE.fullmatch(expression)
    literal = wrapped[1] if wrapped else expression
    assert re.fullmatch(r"'(?:[^']|'')*'", literal)
    text = literal[1:-1].replace("''", "'")
    if not wrapped:
        return text
    assert re.fullmatch(r"(?:[^\\]|\\u[0-9a-f]{4})*", text)
    plain = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def skeleton(script: str) -> str:
    """The script without its literals and comments: what a name must never change."""
    return TOKEN.sub(lambda found: "#" if found[0][0] == "#" else "S", UNESCAPE.sub("S", script))


@given(st.text())
@example("\ud800")
def test_a_powershell_literal_reads_back_and_is_ascii(text: str) -> None:
    literal = quoting.powershell(text)
    assert literal.isascii() and "\n" not in literal
    assert powershell_value(literal) == text


@given(names, names)
def test_names_never_leave_their_literals_in_powercli(vm: str, group: str) -> None:
    text = make_plan(vm, group).script("powercli")
    assert text.isascii()
    assert skeleton(text) == skeleton(make_plan().script("powercli"))
    (literal,) = re.findall(r"^ *\$portGroupName = (.*)$", text, re.MULTILINE)
    assert powershell_value(literal) == group


def test_powercli_keeps_to_the_corrected_guide() -> None:
    text = make_plan().script("powercli")
    code = "\n".join(line.partition("#")[0] for line in text.splitlines())
    bare = re.findall(
        r"(?<![\\\w-])(?:Get|Stop|Start|Connect|Disconnect|Set)-VI?[A-Z]\w*|"
        r"(?<![\\\w-])(?:Get|Set)-SecurityPolicy",
        code,
    )
    assert bare == []  # Hyper-V's module has the same names
    assert "Core\\Stop-VMGuest" in text and "Core\\Stop-VM " not in text
    assert "-Server $VM.VMHost" not in text and "Get-VirtualSwitch" not in text
    assert "InstanceUuid -eq $vmUuid" in text and f"$vmUuid = '{UUID}'" in text
    assert "Wait-PowerState 'PoweredOff' 300" in text
    assert "$spec.NestedHVEnabled = $true" in text
    assert "-AllowPromiscuous $true -ForgedTransmits $true\n" in text  # not what is unchanged
    assert "Core\\Get-SecurityPolicy -VirtualPortGroup $portGroup[0]" in text
    back = only(make_plan(), 5)
    undo = dataclasses.replace(back, steps=(back.steps[0].inverse(),)).script("powercli")
    assert "-AllowPromiscuousInherited $true -ForgedTransmits $false\n" in undo


def test_pulling_the_plug_is_another_cmdlet_than_asking_the_guest() -> None:
    plan = only(make_plan(), 1)
    hard = dataclasses.replace(plan, steps=(dataclasses.replace(plan.steps[0], op="power_off"),))
    assert "Core\\Stop-VM -VM" in hard.script("powercli")
    assert "PowerOffVM_Task" in hard.script("pyvmomi")
    assert 'vm.power -off "$vm"' in hard.script("govc")
    assert "plug" in hard.script("gui")


# -- pyVmomi


@given(names, names)
def test_names_never_leave_their_literals_in_pyvmomi(vm: str, group: str) -> None:
    text = make_plan(vm, group).script("pyvmomi")
    assert text.isascii()
    tree, plain = ast.parse(text.encode()), ast.parse(make_plan().script("pyvmomi"))
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "set_policy"
    ]
    assert ast.literal_eval(call.args[1]) == group
    call.args[1] = ast.Constant("Lab")
    assert ast.dump(tree) == ast.dump(plain)


# -- govc: the script runs for real, with a govc that writes down what it is asked

FAKE_GOVC = """#!/bin/sh
printf '%s\\0' "$@" >> "$GOVC_LOG"; printf '\\n' >> "$GOVC_LOG"
case "$*" in
    find*) echo "${GOVC_FOUND-VirtualMachine:1}" ;;
    *powerState) cat "$GOVC_STATE" ;;
    *runtime.host) echo HostSystem:ha-host ;;
    vm.power\\ -s*) echo poweredOff > "$GOVC_STATE" ;;
    vm.power\\ -on*) echo poweredOn > "$GOVC_STATE" ;;
esac
"""
needs_sh = pytest.mark.skipif(shutil.which("sh") is None, reason="there is no POSIX shell here")


def run_govc(
    folder: Path, plan: Plan, **environment: str
) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    folder.mkdir(parents=True, exist_ok=True)
    fake, log, state = folder / "govc", folder / "log", folder / "state"
    fake.write_text(FAKE_GOVC)
    fake.chmod(0o755)
    log.write_bytes(b"")
    state.write_text("poweredOn\n")
    script = folder / "script.sh"
    script.write_text(plan.script("govc"), encoding="ascii")
    done = subprocess.run(
        ["sh", str(script)], capture_output=True, text=True, timeout=240, check=False,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "GOVC_URL": "https://x",
             "GOVC_LOG": str(log), "GOVC_STATE": str(state), **environment},
    )  # fmt: skip
    calls = log.read_bytes().decode("utf-8", "surrogateescape").split("\0\n")
    return done, [call.split("\0") for call in calls if call]


@needs_sh
def test_the_govc_script_gives_these_commands(tmp_path: Path) -> None:
    done, calls = run_govc(tmp_path, make_plan())
    assert (done.returncode, done.stderr) == (0, "")
    vm = "VirtualMachine:1"
    assert calls == [
        ["version", "-require", "0.47.0"],
        ["find", "-i", "/", "-type", "m", "-config.instanceUuid", UUID],
        ["vm.power", "-s", vm],
        ["object.collect", "-s", vm, "runtime.powerState"],
        ["vm.change", "-vm", vm, "-nested-hv-enabled=true"],
        ["vm.change", "-vm", vm, "-c", "2"],
        ["vm.change", "-vm", vm, "-m", "8192", "-mem.reservation", "8192", "-memory-pin=true"],
        ["object.collect", "-s", vm, "runtime.host"],
        ["host.portgroup.change", "-host", "HostSystem:ha-host", "-allow-promiscuous=true",
         "-forged-transmits=true", "-mac-changes=false", "--", "Lab"],
        ["vm.power", "-on", vm],
        ["object.collect", "-s", vm, "runtime.powerState"],
    ]  # fmt: skip


@needs_sh
@given(names)
@settings(max_examples=25)
@example("a\n\n")
@example("日本\n")
@example("-h")
def test_govc_gets_every_name_as_it_is(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    plan = only(make_plan(name, name), 5)
    done, calls = run_govc(tmp_path_factory.mktemp("govc"), plan)
    assert done.returncode == 0, done.stderr
    assert calls[-1][-2:] == ["--", name]


@needs_sh
@pytest.mark.parametrize("found", ["", "VirtualMachine:1\nVirtualMachine:2"])
def test_the_govc_script_stops_unless_exactly_one_vm_is_found(tmp_path: Path, found: str) -> None:
    done, calls = run_govc(tmp_path, make_plan(), GOVC_FOUND=found)
    assert done.returncode == 1
    assert "not exactly one VM" in done.stderr
    assert [call[0] for call in calls] == ["version", "find"]


@needs_sh
def test_the_govc_script_asks_for_a_govc_that_takes_references(tmp_path: Path) -> None:
    text = FAKE_GOVC.replace("    find*)", "    version*) exit 1 ;;\n    find*)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "FAKE_GOVC", text)
        done, calls = run_govc(tmp_path, make_plan())
    assert done.returncode == 1
    assert [call[0] for call in calls] == ["version"]


@needs_sh
def test_the_govc_script_gives_up_on_a_guest_that_stays_on(tmp_path: Path) -> None:
    plan = only(make_plan(), 1)
    slow = dataclasses.replace(plan, steps=(dataclasses.replace(plan.steps[0], timeout_s=1.0),))
    text = FAKE_GOVC.replace("vm.power\\ -s*) echo poweredOff", "vm.power\\ -s*) echo poweredOn")
    assert text != FAKE_GOVC
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "FAKE_GOVC", text)
        done, _ = run_govc(tmp_path, slow)
    assert done.returncode == 1
    assert "not poweredOff after 1 seconds" in done.stderr


# -- GUI


def test_the_gui_steps_name_both_clients_and_the_settings() -> None:
    text = make_plan().script("gui")
    for words in (
        "Host Client", "vSphere Client", "Expose hardware assisted virtualization to the guest OS",
        "Promiscuous mode: Accept", "Forged transmits: Accept", "Reserve all guest memory",
        "8192 MB", "install ESXi within the VM", "not of the whole switch",
    ):  # fmt: skip
        assert words in text
    assert "MAC address changes" not in text  # unchanged


@given(names, names)
def test_names_add_no_line_to_the_gui_steps(vm: str, group: str) -> None:
    lines = make_plan(vm, group).script("gui").splitlines()
    assert len(lines) == len(make_plan().script("gui").splitlines())
