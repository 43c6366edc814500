"""The local host, read from small trees of /proc and /sys."""

from __future__ import annotations

import platform
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from nestkit import preflight
from nestkit.errors import NotFound, PlanError
from nestkit.facts import Unknown
from nestkit.hosts import local_linux, local_other
from nestkit.hosts.base import Host
from nestkit.hosts.local import LocalHost
from nestkit.plans import Step, Target

INTEL = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu lm nx vmx sse2
vmx flags\t: vnmi ept vpid

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu lm nx vmx sse2
vmx flags\t: vnmi ept vpid

"""
AMD = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7313P
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu lm nx svm npt

"""
IN_VM = AMD.replace("svm npt", "hypervisor")
ARM = """\
processor\t: 0
BogoMIPS\t: 48.00
Features\t: fp asimd evtstrm
CPU implementer\t: 0x41
CPU architecture: 8

processor\t: 1
BogoMIPS\t: 48.00
Features\t: fp asimd evtstrm
CPU implementer\t: 0x41

"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def tree(root: Path, cpuinfo: str, **extra: str) -> Path:
    files = {
        "proc/cpuinfo": cpuinfo,
        "proc/meminfo": "MemTotal:       16326236 kB\nMemAvailable:    8163118 kB\n",
        "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
        "sys/class/dmi/id/product_name": "PowerEdge R650\n",
    }
    (root / "sys/block").mkdir(parents=True)
    (root / "sys/class/net").mkdir(parents=True)
    return write(root, files | extra)


def disk(root: Path, name: str, *, sectors: int, rotational: str = "0", place: str = "") -> None:
    target = root / "sys/devices" / place / "block" / name
    write(target, {"size": f"{sectors}\n", "queue/rotational": f"{rotational}\n"})
    (root / "sys/block" / name).symlink_to(target)


def nic(root: Path, name: str, *, speed: str | None, state: str = "up", real: bool = True) -> None:
    folder = root / "sys/class/net" / name
    write(folder, {"operstate": f"{state}\n"})
    if speed is not None:
        write(folder, {"speed": f"{speed}\n"})
    if real:
        driver = root / "sys/bus/pci/drivers/igb"
        driver.mkdir(parents=True, exist_ok=True)
        (folder / "device").mkdir()
        (folder / "device/driver").symlink_to(driver)


def test_an_intel_machine_with_kvm_is_read_in_full(tmp_path: Path) -> None:
    root = tree(tmp_path, INTEL, **{"sys/module/kvm_intel/parameters/nested": "Y\n"})
    (root / "sys/firmware/efi").mkdir(parents=True)
    disk(root, "nvme0n1", sectors=1000215216, place="pci0000:00/nvme")
    disk(root, "sda", sectors=7814037168, rotational="1", place="pci0000:00/ata3/host2")
    disk(root, "loop0", sectors=128)
    disk(root, "sdb", sectors=0)
    nic(root, "eno1", speed="1000")
    nic(root, "lo", speed=None, real=False)
    facts = local_linux.read("box", root)
    assert (facts.cpu.vendor, facts.cpu.cores, facts.cpu.threads) == ("intel", 1, 2)
    assert (facts.cpu.is_64bit, facts.cpu.nx) == (True, True)
    assert (facts.cpu.hw_virtualization, facts.cpu.slat) == (True, True)
    assert (facts.nested_parameter, facts.hypervisor_present, facts.is_vm) == (True, False, False)
    assert (facts.firmware, facts.machine) == ("efi", "Dell Inc. PowerEdge R650")
    assert facts.product == "Debian GNU/Linux 12 (bookworm)"
    assert facts.memory_gib == pytest.approx(15.57, abs=0.01)
    assert facts.free_memory_gib == pytest.approx(7.785, abs=0.01)
    assert not isinstance(facts.disks, Unknown)
    assert [(d.label, d.bus, d.is_ssd) for d in facts.disks] == [
        ("nvme0n1", "nvme", True),
        ("sda", "sata", False),
    ]
    assert facts.disks[0].size_gib == pytest.approx(476.9, abs=0.1)
    assert not isinstance(facts.nics, Unknown)
    assert [(n.label, n.link_mbps, n.driver) for n in facts.nics] == [("eno1", 1000, "igb")]


def test_an_amd_machine_with_nesting_off(tmp_path: Path) -> None:
    root = tree(tmp_path, AMD, **{"sys/module/kvm_amd/parameters/nested": "0\n"})
    facts = local_linux.read("box", root)
    assert facts.cpu.vendor == "amd"
    assert (facts.cpu.hw_virtualization, facts.cpu.slat) == (True, True)
    assert facts.nested_parameter is False
    assert facts.firmware == "bios"


def test_a_vm_without_the_flags_and_without_dmi(tmp_path: Path) -> None:
    root = tree(tmp_path, IN_VM)
    for name in ("sys_vendor", "product_name"):
        (root / "sys/class/dmi/id" / name).unlink()
    disk(root, "vda", sectors=536870912, rotational="1")
    nic(root, "eth0", speed="-1")
    nic(root, "eth1", speed=None)
    nic(root, "eth2", speed="-1", state="down")
    facts = local_linux.read("box", root)
    assert (facts.cpu.hw_virtualization, facts.cpu.slat, facts.is_vm) == (False, False, True)
    assert isinstance(facts.nested_parameter, Unknown)
    assert isinstance(facts.machine, Unknown) and isinstance(facts.firmware, Unknown)
    assert not isinstance(facts.disks, Unknown)
    assert (facts.disks[0].bus, facts.disks[0].size_gib) == ("virtio", 256.0)
    assert isinstance(facts.disks[0].is_ssd, Unknown)
    assert not isinstance(facts.nics, Unknown)
    speeds = [each.link_mbps for each in facts.nics]
    assert isinstance(speeds[0], Unknown) and "-1" in speeds[0].reason
    assert isinstance(speeds[1], Unknown)
    assert speeds[2] == 0


def test_an_arm_machine_has_no_answer_to_questions_about_x86(tmp_path: Path) -> None:
    facts = local_linux.read("pi", tree(tmp_path, ARM))
    assert (facts.cpu.vendor, facts.cpu.is_64bit, facts.cpu.threads) == ("arm", False, 2)
    for fact in (facts.cpu.hw_virtualization, facts.cpu.slat, facts.cpu.nx):
        assert isinstance(fact, Unknown)
    report = preflight.check(LocalHost(tmp_path))
    (finding,) = (f for f in report.findings if f.id == "local.cpu.64bit")
    assert (finding.level, finding.measured) == ("warn", "not 64-bit x86")
    assert report.ok


@pytest.mark.parametrize(
    ("vendor", "product", "is_vm"),
    [
        ("VMware, Inc.", "VMware Virtual Platform", True),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", True),
        ("innotek GmbH", "VirtualBox", True),
        ("Microsoft Corporation", "Virtual Machine", True),
        ("Microsoft Corporation", "Surface Laptop 4", False),
        ("LENOVO", "ThinkPad X1", False),
    ],
)
def test_a_hidden_hypervisor_is_told_by_dmi(
    tmp_path: Path, vendor: str, product: str, is_vm: bool
) -> None:
    root = tree(tmp_path, INTEL)
    write(root / "sys/class/dmi/id", {"sys_vendor": vendor, "product_name": product})
    assert local_linux.read("box", root).is_vm is is_vm


@pytest.mark.parametrize(
    ("name", "place", "bus"),
    [
        ("sda", "pci0000:00/usb1/1-1/host0", "usb"),
        ("sda", "pci0000:00/host0/port-0:0/end_device-0:0", "sas"),
        ("sda", "pci0000:00/host0/target0:0:0", "scsi"),
        ("xvda", "vbd-768", "xen"),
        ("mmcblk0", "mmc0", "mmc"),
        ("md0", "virtual", "md"),
    ],
)
def test_the_bus_of_a_disk_is_told_by_its_place(
    tmp_path: Path, name: str, place: str, bus: str
) -> None:
    root = tree(tmp_path, INTEL)
    disk(root, name, sectors=2**21, place=place)
    facts = local_linux.read("box", root)
    assert not isinstance(facts.disks, Unknown)
    assert facts.disks[0].bus == bus
    assert (facts.disks[0].is_raid is True) is (bus == "md")


def test_the_identity_stays_and_does_not_show_the_machine_id(tmp_path: Path) -> None:
    root = tree(tmp_path, INTEL)
    one, two = LocalHost(root).identity, LocalHost(root).identity
    assert one == two
    assert "0123456789ab" not in one


def test_an_empty_tree_leaves_everything_unknown_and_does_not_fail(tmp_path: Path) -> None:
    report = preflight.check(LocalHost(tmp_path))
    assert report.ok
    levels = {f.id: f.level for f in report.findings if not f.id.startswith("local.lab")}
    assert set(levels.values()) == {"unknown"}


def test_it_is_a_host_that_is_judged_and_not_configured(tmp_path: Path) -> None:
    with LocalHost(tree(tmp_path, INTEL)) as host:
        assert isinstance(host, Host)
    assert (host.platform, host.is_practice) == ("local", False)
    target = Target("vm", "1", "x")
    step = Step(id="1", op="power_on", target=target, property="power", before="off", after="on")
    for refused in (lambda: host.perform(step, 1.0), lambda: host.current(target, "power")):
        with pytest.raises(PlanError, match="judged, not configured") as caught:
            refused()
        assert "practice://esx" in caught.value.remedy
    with pytest.raises(NotFound, match="no VM 'x'"):
        host.read("x")
    host.close()
    host.close()


def lab_module(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    from nestkit import lab

    def capability() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(lab, "capability", capability, raising=False)


def test_the_lab_says_how_it_can_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab_module(monkeypatch, ("tcg", "/dev/kvm opens, but no guest boots on it"))
    report = preflight.check(LocalHost(tree(tmp_path, INTEL)))
    (runs,) = (f for f in report.findings if f.id == "local.lab.runs")
    assert (runs.level, runs.measured) == ("pass", "tcg: /dev/kvm opens, but no guest boots on it")
    (hardware,) = (f for f in report.findings if f.id == "local.lab.hardware")
    assert hardware.level == "note"


def test_a_lab_that_cannot_run_is_a_warning_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_module(monkeypatch, ("", "no QEMU and no network"))
    report = preflight.check(LocalHost(tree(tmp_path, INTEL)))
    (runs,) = (f for f in report.findings if f.id.startswith("local.lab"))
    assert (runs.level, runs.measured) == ("warn", "not here: no QEMU and no network")
    assert report.ok


def test_a_lab_that_breaks_leaves_it_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_module(monkeypatch, RuntimeError("boom\nsecond line"))
    report = preflight.check(LocalHost(tree(tmp_path, INTEL)))
    (runs,) = (f for f in report.findings if f.id == "local.lab.runs")
    assert (runs.level, runs.measured) == ("unknown", "unknown: the lab cannot say: boom")


@pytest.mark.skipif(sys.platform != "linux", reason="reads this machine's /proc and /sys")
def test_this_machine_can_be_read() -> None:
    facts = LocalHost().read()
    assert isinstance(facts.memory_gib, float) and facts.memory_gib > 0.2
    assert isinstance(facts.cpu.threads, int) and facts.cpu.threads >= 1
    assert facts.name == platform.node()


def other(monkeypatch: pytest.MonkeyPatch, system: str, info: dict[str, Any]) -> Any:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setitem(
        sys.modules, "cpuinfo", types.SimpleNamespace(get_cpu_info=lambda: dict(info))
    )
    return local_other.read("box")


WINDOWS_CPU = {
    "arch": "X86_64",
    "vendor_id_raw": "GenuineIntel",
    "brand_raw": "Intel(R) Core(TM) i7",
    "flags": ["lm", "nx", "sse2"],
}


def test_windows_tells_what_psutil_and_cpuinfo_can(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = other(monkeypatch, "Windows", WINDOWS_CPU)
    assert (facts.cpu.vendor, facts.cpu.is_64bit, facts.cpu.nx) == ("intel", True, True)
    assert isinstance(facts.cpu.hw_virtualization, Unknown)
    assert "WSL2" in facts.cpu.hw_virtualization.reason
    assert isinstance(facts.disks, Unknown) and isinstance(facts.nested_parameter, Unknown)
    assert facts.memory_gib > 0
    seen = other(monkeypatch, "Windows", WINDOWS_CPU | {"flags": ["lm", "vmx", "ept"]})
    assert (seen.cpu.hw_virtualization, seen.cpu.slat) == (True, True)


def test_a_mac_on_arm_and_a_processor_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    mac = other(monkeypatch, "Darwin", {"arch": "ARM_8", "brand_raw": "Apple M2"})
    assert (mac.cpu.vendor, mac.cpu.is_64bit, mac.cpu.model) == ("arm", False, "Apple M2")
    bare = other(monkeypatch, "Darwin", {})
    assert isinstance(bare.cpu.is_64bit, Unknown)
    assert isinstance(bare.cpu.model, Unknown)


def test_cpuinfo_that_raises_leaves_the_processor_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise Exception("py-cpuinfo only works on some machines")

    monkeypatch.setitem(sys.modules, "cpuinfo", types.SimpleNamespace(get_cpu_info=fail))
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert isinstance(local_other.read("box").cpu.hw_virtualization, Unknown)
