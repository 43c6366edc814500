"""From what Windows says to facts: units, languages, what is missing, what 5.1 does to JSON."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played_hyperv import PlayedSession, played_host

import nestkit.hosts
from nestkit.credentials import Secret
from nestkit.errors import (
    Ambiguous,
    ConnectionFailed,
    CredentialsError,
    HostRefused,
    NestkitError,
    NotFound,
    PermissionRefused,
)
from nestkit.facts import HostFacts, Unknown
from nestkit.hosts.hyperv import HyperVHost
from nestkit.hosts.hyperv_facts import host_facts
from nestkit.hosts.hyperv_parts import listed
from nestkit.practice.hyperv import cmdlet_table
from nestkit.practice.hyperv.powershell.check import problems
from nestkit.resources import powershell_script

SCRIPTS = sorted((Path(nestkit.hosts.__file__).parent / "powershell").glob("*.ps1"))
ODD = "Müller's [lab] $x `n 日本"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    data: dict[str, Any] = PlayedSession().run("read", {"vm": None, "guest": None}, deadline_s=60)
    return data


def facts(document: dict[str, Any], *, asked: bool = False) -> HostFacts:
    return host_facts(document, asked=asked)


def changed(document: dict[str, Any], **parts: Any) -> dict[str, Any]:
    made = copy.deepcopy(document)
    for name, value in parts.items():
        made[name] = value
    return made


def part(*data: Any) -> dict[str, Any]:
    return {"data": [*data]}


def refused(error_id: str = "X", category: str = "NotSpecified") -> dict[str, Any]:
    return {"error": {"message": "no", "id": error_id, "category": category, "command": "Get-X"}}


# -- every script that nestkit sends ------------------------------------------------------------


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("product", ["ws2022", "ws2025"])
def test_every_script_is_ascii_and_51_and_fits_the_cmdlets(path: Path, product: str) -> None:
    assert problems(path.read_text(encoding="utf-8"), cmdlet_table.load(product)) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_keeps_to_what_51_makes_of_json(path: Path) -> None:
    text = path.read_text(encoding="ascii")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in lines:
        if "ConvertTo-Json" in line:
            assert "-InputObject" in line, "a single item would lose its brackets"
        assert "Invoke-Expression" not in line
        if ".State" in line or "MacAddressSpoofing" in line:
            assert "[string]" in line or "-MacAddressSpoofing" in line, "enums become numbers"
    assert "&&" not in text
    assert "||" not in text
    assert powershell_script(path.stem) == text


def test_the_host_and_all_its_vms_are_read_by_one_script() -> None:
    host = played_host(vms=5)
    session: Any = host._session
    session.runs.clear()
    assert len(host.read().vms) == 25
    assert session.runs == ["read"]


# -- the host --------------------------------------------------------------------------------------


def test_units_and_sums_of_the_host(document: dict[str, Any]) -> None:
    found = facts(document)
    assert found.is_practice
    assert UUID(found.identity).version
    assert found.identity == found.identity.lower()
    assert (found.platform, found.name, found.build) == ("hyperv", "HV01", 20348)
    assert (found.cpu.vendor, found.cpu.cores, found.cpu.threads) == ("intel", 64, 128)
    assert isinstance(found.memory_gib, float)
    assert 511 < found.memory_gib < 512
    assert found.free_memory_gib == 260
    assert [disk.bus for disk in found.disks] == ["nvme", "nvme"]  # type: ignore[union-attr]
    assert [nic.link_mbps for nic in found.nics] == [10_000, 10_000]  # type: ignore[union-attr]
    assert found.azure_security_type == ""
    assert found.offer_nested_virt is True


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("offernestedvirt         No", False),
        ("offernestedvirt         Nein", False),
        ("offernestedvirt         Yes", True),
        ("OFFERNESTEDVIRT         いいえ", False),
        ("offernestedvirt         Oui", True),
        ("nx                      OptOut", True),
    ],
)
def test_the_boot_entry_is_read_in_any_language(
    document: dict[str, Any], line: str, offered: bool
) -> None:
    assert facts(changed(document, boot=part("", line))).offer_nested_virt is offered


def test_a_word_of_the_boot_entry_that_is_not_known_is_not_guessed(
    document: dict[str, Any],
) -> None:
    found = facts(changed(document, boot=part("offernestedvirt  Zzz")))
    assert found.offer_nested_virt == Unknown("bcdedit says 'Zzz'")


@pytest.mark.parametrize(
    ("maker", "model", "is_vm"),
    [
        ("Microsoft Corporation", "Virtual Machine", True),
        ("VMware, Inc.", "VMware20,1", True),
        ("QEMU", "Standard PC", True),
        ("Dell Inc.", "PowerEdge R650", False),
        ("Microsoft Corporation", "Surface Hub", False),
    ],
)
def test_a_vm_is_known_by_its_maker_and_model(
    document: dict[str, Any], maker: str, model: str, is_vm: bool
) -> None:
    computer = document["computer"]["data"][0] | {"maker": maker, "model": model}
    found = facts(changed(document, computer=part(computer)))
    assert found.is_vm is is_vm
    assert not found.is_practice


@pytest.mark.parametrize(
    ("speed", "is_up", "mbps"),
    [("1000000000", True, 1000), ("1000000000", False, 0), ("0", True, 0)],
)
def test_the_speed_of_a_link(document: dict[str, Any], speed: str, is_up: bool, mbps: int) -> None:
    nic = document["adapters"]["data"][0] | {"speed": speed, "is_up": is_up}
    (found,) = facts(changed(document, adapters=part(nic))).nics  # type: ignore[misc]
    assert found.link_mbps == mbps


@pytest.mark.parametrize("speed", ["18446744073709551615", ""])
def test_a_speed_that_no_driver_tells_is_unknown(document: dict[str, Any], speed: str) -> None:
    nic = document["adapters"]["data"][0] | {"speed": speed}
    (found,) = facts(changed(document, adapters=part(nic))).nics  # type: ignore[misc]
    assert isinstance(found.link_mbps, Unknown)


def test_an_azure_vm_is_known_by_its_tag(document: dict[str, Any]) -> None:
    computer = document["computer"]["data"][0] | {
        "maker": "Microsoft Corporation", "model": "Virtual Machine",
    }  # fmt: skip
    azure = changed(
        document, computer=part(computer), enclosure=part("7783-7084-3265-9085-8269-3286-77")
    )
    found = facts(azure)
    assert isinstance(found.azure_security_type, Unknown)
    assert "az vm show" in found.azure_security_type.reason
    assert facts(changed(document, computer=part(computer))).azure_security_type == ""


@pytest.mark.parametrize(
    ("available", "policy", "nx"), [(True, 3, True), (True, 0, False), (False, 3, False)]
)
def test_dep_must_be_there_and_on(
    document: dict[str, Any], available: bool, policy: int, nx: bool
) -> None:
    system = document["system"]["data"][0] | {"dep": available, "dep_policy": policy}
    assert facts(changed(document, system=part(system))).cpu.nx is nx


def test_what_windows_leaves_out_is_unknown_and_never_false(document: dict[str, Any]) -> None:
    system = document["system"]["data"][0] | {"dep": None, "build": ""}
    cpu = document["processors"]["data"][0] | {"slat": None, "firmware": None}
    found = facts(changed(document, system=part(system), processors=part(cpu)))
    for fact in (found.cpu.nx, found.build, found.cpu.slat, found.firmware_virtualization):
        assert isinstance(fact, Unknown)
    assert found.vm_monitor_mode is False


@pytest.mark.parametrize(
    "name",
    ["system", "processors", "disks", "adapters", "boot", "enclosure", "guests"],
)
def test_a_part_that_fails_is_unknown_and_the_rest_goes_on(
    document: dict[str, Any], name: str
) -> None:
    broken = facts(changed(document, **{name: refused()}))
    assert len(broken.vms) == 20
    assert "no" in str(
        {
            "system": broken.build,
            "processors": broken.cpu.cores,
            "disks": broken.disks,
            "adapters": broken.nics,
            "boot": broken.offer_nested_virt,
            "enclosure": "no question here",
            "guests": broken.vms[2].guest_os,
        }[name]
    )


def test_one_bracket_more_or_less_is_51(document: dict[str, Any]) -> None:
    assert listed({"value": [1, 2], "Count": 2}) == [1, 2]
    assert listed(3) == [3]
    assert listed(None) == []
    single = changed(document, boot={"data": "offernestedvirt  No"})
    assert facts(single).offer_nested_virt is False


@pytest.mark.parametrize(
    "data", [None, [], "x", 3, {}, {"unique": True}, {"unique": True, "role": {}}]
)
def test_a_document_of_another_shape_is_an_error_with_a_remedy(data: Any) -> None:
    session: Any = PlayedSession()
    host = HyperVHost(session, Secret("x"))
    session.run = lambda *_, **__: data
    with pytest.raises(ConnectionFailed, match="not of the shape"):
        host.read()
    with pytest.raises(ConnectionFailed, match="not of the shape"):
        HyperVHost(session, Secret("x"))


# -- VMs -------------------------------------------------------------------------------------------


def test_units_and_words_of_a_vm() -> None:
    (vm,) = played_host().read("nested-hv-20").vms
    assert vm.identity == vm.ref == vm.identity.lower()
    assert (vm.power, vm.cpu_count, vm.memory_gib) == ("on", 4, 16.0)
    assert (vm.nested_hv, vm.dynamic_memory, vm.configuration_version) == (False, True, "10.0")
    assert (vm.firmware, vm.tools, vm.snapshot_count) == ("efi", "running", 0)
    assert vm.guest_os == "Windows Server 2022 Datacenter (10.0.20348)"
    assert isinstance(vm.nics, tuple)
    (nic,) = vm.nics
    assert nic.key.lower().startswith(f"microsoft:{vm.identity}\\")
    assert (nic.network, nic.mac_spoofing) == ("Lab External", False)


@pytest.mark.parametrize(
    ("state", "power"),
    [
        ("Running", "on"),
        ("RunningCritical", "on"),
        ("Starting", "on"),
        ("Paused", "on"),  # its memory is held
        ("Off", "off"),
        ("OffCritical", "off"),
        ("Saved", "suspended"),
        ("FastSaved", "suspended"),
    ],
)
def test_hyper_v_states(document: dict[str, Any], state: str, power: str) -> None:
    rows = [row | {"state": state} for row in document["vms"]]
    for vm in facts(changed(document, vms=rows)).vms:
        assert vm.power == power
        assert vm.has_saved_state is (power == "suspended")


def test_a_state_that_nobody_knows_is_unknown(document: dict[str, Any]) -> None:
    rows = [row | {"state": "Zzz"} for row in document["vms"][:1]]
    (vm,) = facts(changed(document, vms=rows)).vms
    assert vm.power == Unknown("Hyper-V calls its state 'Zzz'")


def test_nics_of_one_name_are_told_apart_by_their_addresses(document: dict[str, Any]) -> None:
    row = next(row for row in document["vms"] if row["name"] == "nested-hv-10")
    nics = [nic | {"name": "Network Adapter"} for nic in row["nics"]["data"]]
    (vm,) = facts(changed(document, vms=[row | {"nics": part(*nics)}])).vms
    assert isinstance(vm.nics, tuple)
    assert len({nic.label for nic in vm.nics}) == 2
    assert all(nic.mac in nic.label for nic in vm.nics)


def test_nics_of_one_name_that_have_no_address_yet_are_told_apart_by_their_ids(
    document: dict[str, Any],
) -> None:
    row = next(row for row in document["vms"] if row["name"] == "nested-hv-10")
    for mac in ("000000000000", ""):
        nics = [nic | {"name": "Network Adapter", "mac": mac} for nic in row["nics"]["data"]]
        (vm,) = facts(changed(document, vms=[row | {"nics": part(*nics)}])).vms
        assert isinstance(vm.nics, tuple)
        assert all(nic.key.endswith(nic.label.removeprefix("Network Adapter ")) for nic in vm.nics)
        assert len({nic.label for nic in vm.nics}) == 2


def test_a_vm_whose_settings_cannot_be_read_does_not_hide_the_others() -> None:
    vms = {vm.name: vm for vm in played_host(vms_unreadable=2).read().vms}
    for name in (ODD, "nested-hv-01"):
        assert isinstance(vms[name].nested_hv, Unknown)
        assert isinstance(vms[name].memory_gib, Unknown)
        assert "could not be loaded" in str(vms[name].nested_hv)
    assert vms["nested-hv-02"].nested_hv is True


def test_translation_inside_a_guest_is_known_with_its_password_alone() -> None:
    host = played_host()
    (vm,) = host.read("nested-hv-17").vms
    assert [nic.inner_nat for nic in vm.nics] == [True]  # type: ignore[union-attr]
    host._guest = None
    (vm,) = host.read("nested-hv-17").vms
    (nic,) = vm.nics  # type: ignore[misc]
    assert "password was not given" in str(nic.inner_nat)


def test_a_wrong_guest_password_is_unknown_and_no_more() -> None:
    host = played_host()
    host.use_guest("Administrator", "wrong")
    (vm,) = host.read("nested-hv-17").vms
    (nic,) = vm.nics  # type: ignore[misc]
    assert "Invoke-Command failed" in str(nic.inner_nat)


def test_where_a_guest_password_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    session: Any = PlayedSession()
    session.world.host.manufacturer = "Dell Inc."
    host = HyperVHost(session, Secret("the host's"))
    assert not host.is_practice
    assert host._guest is None  # a real host's own password is tried on no guest
    with pytest.raises(CredentialsError, match="no password for guest://me@played"):
        host.use_guest("me")
    monkeypatch.setenv("NESTKIT_GUEST_PASSWORD", "from outside")
    host.use_guest("me")
    assert host._guest is not None
    assert (host._guest.user, host._guest.password.reveal()) == ("me", "from outside")
    host.use_guest("me", "given")
    assert host._guest.password.reveal() == "given"
    assert "given" not in repr(host._guest)


# -- finding a VM ----------------------------------------------------------------------------------


def test_a_vm_is_found_by_name_and_by_id_in_any_case() -> None:
    host = played_host()
    vm_id = host.read("nested-hv-02").vms[0].identity
    for wanted in ("NESTED-HV-02", vm_id, vm_id.upper(), f"{{{vm_id}}}"):
        assert [vm.name for vm in host.read(wanted).vms] == ["nested-hv-02"]


def test_a_name_in_its_own_capitals_wins_over_another() -> None:
    session: Any = PlayedSession()
    first = next(vm for vm in session.world.host.vms.values() if vm.name == "nested-hv-01")
    first.name = "NESTED-HV-02"
    host = HyperVHost(session, Secret("x"))
    assert host.read("NESTED-HV-02").vms[0].identity == str(first.id)
    assert host.read("nested-hv-02").vms[0].identity != str(first.id)
    with pytest.raises(Ambiguous, match="2 VMs have the name 'Nested-HV-02'"):
        host.read("Nested-HV-02")


@pytest.mark.parametrize("wanted", ["nested-hv-1", "nested-hv-*", "nested-hv-0[12]", "", "$x"])
def test_an_unknown_vm_is_told_with_near_names(wanted: str) -> None:
    with pytest.raises(NotFound, match="among the 20 of this host") as caught:
        played_host().read(wanted)
    assert caught.value.remedy
    if wanted.startswith("nested"):
        assert "near: 'nested-hv-" in caught.value.message


def test_two_vms_of_one_name_are_told_with_their_ids() -> None:
    host = played_host("duplicate-names")
    with pytest.raises(Ambiguous, match="2 VMs have the name") as caught:
        host.read("nested-hv-01")
    ids = [vm.identity for vm in host.read().vms if vm.name == "nested-hv-01"]
    assert all(one in caught.value.message for one in ids)
    assert host.read(ids[1]).vms[0].identity == ids[1]


@pytest.mark.parametrize("german", [0, 1])
def test_without_rights_or_role_a_named_vm_is_an_error_with_a_remedy(german: int) -> None:
    with pytest.raises(PermissionRefused) as caught:
        played_host("not-administrator", german=german).read("nested-hv-01")
    assert "Hyper-V Administrators" in caught.value.remedy
    with pytest.raises(HostRefused) as refusal:
        played_host("no-role", german=german).read("nested-hv-01")
    assert "Install-WindowsFeature" in refusal.value.remedy


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=100
).filter(lambda text: bool(text.strip()))


@settings(max_examples=25)
@given(NAMES, NAMES)
def test_any_name_comes_back_as_it_is_and_finds_its_vm(name: str, other: str) -> None:
    session: Any = PlayedSession("two-nics")
    (vm,) = session.world.host.vms.values()
    vm.name = name
    for nic in vm.nics:
        nic.name = other
    session.world.host.switches[0].name = vm.nics[0].switch = other
    host = HyperVHost(session, Secret("x"))
    (found,) = host.read().vms
    assert found.name == name
    assert next(nic.network for nic in found.nics) == other  # type: ignore[union-attr]
    assert host.read(name).vms[0].identity == str(vm.id)
    if other.lower() != name.lower():
        with pytest.raises(NestkitError):
            host.read(other)
