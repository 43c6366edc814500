"""vpx://: whom it trusts, what it is, and a fleet read through faults."""

from __future__ import annotations

from typing import Any

import pytest

import nestkit as nk
from nestkit.errors import ConnectionFailed, CredentialsError, NestkitError, TrustError
from nestkit.hosts.vpx import VpxHost
from nestkit.transport.tls import InsecureConnectionWarning


@pytest.fixture(scope="module")
def practice() -> Any:
    with nk.practice.start("vpx", vms=60) as started:
        yield started


def test_a_vcenter_is_told_from_an_esxi_host(practice: Any) -> None:
    with pytest.raises(ConnectionFailed, match="VirtualCenter") as caught:
        nk.connect(practice.url.replace("vpx://", "esx://", 1), password=practice.password)
    assert "vpx://" in caught.value.remedy
    with nk.practice.start("esx") as single:
        with pytest.raises(ConnectionFailed, match="HostAgent") as caught:
            nk.connect(single.url.replace("esx://", "vpx://", 1), password=single.password)
        assert "esx://" in caught.value.remedy


def test_its_identity_is_its_own_and_a_plan_is_for_it(practice: Any) -> None:
    with nk.connect(practice.url, password=practice.password) as host:
        assert isinstance(host, VpxHost) and host.platform == "esx" and host.is_practice
        facts = host.read("nested-esxi-02")
        assert facts.identity == host.identity and facts.name == "esx-01.lab.example"
        plan = nk.configure.plan(host, "nested-esxi-01")
        assert plan.host == host.identity
        assert practice.password not in repr(host) + str(plan)


def test_nothing_is_sent_to_another_certificate(practice: Any) -> None:
    bare = practice.url.partition("?")[0]
    with pytest.raises(TrustError):
        nk.connect(f"{bare}?pin=sha256:{'00' * 32}", password=practice.password)
    with pytest.raises(TrustError):
        nk.connect(bare, password=practice.password)
    with pytest.warns(InsecureConnectionWarning):
        nk.connect(f"{bare}?insecure=1", password=practice.password).close()


def test_a_wrong_password_and_no_user_are_told(practice: Any) -> None:
    with pytest.raises(CredentialsError):
        nk.connect(practice.url, password="wrong")
    with pytest.raises(CredentialsError, match="names no user") as caught:
        nk.connect("vpx://vcenter.example", password="x")
    assert "administrator@vsphere.local" in caught.value.remedy


def names(report: Any) -> list[str]:
    return [vm.name for vm in report.sheet.vms] + [each.name for each in report.unread]


@pytest.mark.parametrize("fault", ["expire_after", "drop_after", "drop_answer"])
@pytest.mark.parametrize("call", range(11, 21, 2))
def test_a_session_or_connection_that_ends_costs_no_vm_and_doubles_none(
    practice: Any, fault: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nestkit.transport.vim.PAGE", 20)
    with nk.connect(practice.url, password=practice.password) as host:
        practice.set_faults({fault: call})
        report = nk.preflight.fleet(host)
        practice.set_faults()
    found = names(report)
    assert len(found) == len(set(found)) and not report.stopped
    assert sum(name.startswith("fleet-") for name in found) == 60


@pytest.mark.parametrize("call", range(6, 30, 3))
def test_a_vcenter_lost_on_the_way_leaves_what_was_read(
    practice: Any, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nestkit.transport.vim.PAGE", 20)
    host = nk.connect(practice.url, password=practice.password)
    everything = set(names(nk.preflight.fleet(host)))
    practice.set_faults(lost_after=call)
    try:
        report = nk.preflight.fleet(host)
    except NestkitError as error:  # before the first page there is nothing to keep
        assert isinstance(error, ConnectionFailed) and error.remedy
        return
    finally:
        practice.set_faults()
    found = set(names(report))
    if not report.stopped:
        assert found == everything
        return
    assert "lost" in report.stopped and set() < found < everything
    assert "not all VMs were read" in str(report) and not report.complete
