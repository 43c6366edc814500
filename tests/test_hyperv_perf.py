"""One script for the whole host against one call for each VM and cmdlet."""

from __future__ import annotations

import json
import statistics
import time

import pytest
from ratios import is_reached
from winrm import Session

import nestkit as nk
from nestkit.practice import PracticeHost

ROUNDS = 3
SAMPLED = 4  # VMs that one round asks for singly; every VM costs the same
CMDLETS = ("Get-VM", "Get-VMProcessor", "Get-VMMemory", "Get-VMNetworkAdapter", "Get-VMSnapshot")


def one_by_one(plain: Session, names: list[str]) -> float:
    """Seconds for every cmdlet on these VMs, each by a call of its own."""
    began = time.perf_counter()
    for name in names:
        for cmdlet in CMDLETS:
            parameter = "Name" if cmdlet == "Get-VM" else "VMName"
            done = plain.run_ps(f"ConvertTo-Json @({cmdlet} -{parameter} {name}).Count")
            assert done.status_code == 0, done.std_err
            assert json.loads(done.std_out) >= 0
    return time.perf_counter() - began


def session(host: PracticeHost) -> Session:
    return Session(
        f"http://{host.host}:{host.port}/wsman",
        auth=(host.user, host.password),
        transport="ntlm",
        message_encryption="always",
        proxy=None,
        ca_trust_path=None,
    )


@pytest.mark.perf
def test_preflight_of_200_vms_is_ten_times_faster_than_a_call_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with nk.practice.start("hyperv", vms=180) as practice:
        host = nk.connect(practice.url, password=practice.password)
        names = [vm.name for vm in host.read().vms if vm.name.startswith("vm-")]
        assert len(names) == 180
        plain = session(practice)

        def measure() -> float:
            bulk, single = [], []
            for n in range(ROUNDS):  # interleaved: whatever else the machine does meets both
                began = time.perf_counter()
                report = nk.preflight.check(host)
                bulk.append(time.perf_counter() - began)
                assert len({f.subject.partition(",")[0] for f in report.findings}) == 201
                chosen = names[n * SAMPLED : (n + 1) * SAMPLED]
                single.append(one_by_one(plain, chosen) * 200 / SAMPLED)
            whole, parts = statistics.median(bulk), statistics.median(single)
            with capsys.disabled():
                print(
                    f"\nHyper-V preflight of 200 VMs: {whole:.2f} s, one script; one run_ps for "
                    f"each VM and cmdlet: {parts:.1f} s; ratio {parts / whole:.1f}"
                )
            return parts / whole

        assert is_reached(measure, lambda ratio: ratio >= 10)
        host.close()
