"""How long the practice vCenter works on a bulk read, beside the independent peer."""

from __future__ import annotations

import http.client
import re
import ssl
import statistics
import time
from typing import Any
from xml.sax.saxutils import escape

import psutil
import pytest
from pyVmomi import vim
from ratios import is_reached
from vsphere_peer import simulator

import nestkit as nk
import nestkit.practice
from nestkit.hosts.esx_fleet import FLEET_PATHS

pytestmark = [pytest.mark.perf, pytest.mark.peer, pytest.mark.timeout(900)]
VMS = 10_000
ROUNDS = 5
LEAVES = ("name", "config.version", "config.instanceUuid", "config.hardware.numCPU",
          "config.hardware.memoryMB", "runtime.powerState")  # fmt: skip
ENVELOPE = (
    '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv='
    '"http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi='
    '"http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>'
)


class Raw:
    """A client that neither builds nor decodes objects: what is measured is the server."""

    def __init__(self, target: Any) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.http = http.client.HTTPSConnection(
            target.host, target.port, timeout=120, context=context
        )
        self.cookie = ""
        self.process = psutil.Process(target.pid)
        content = self.call(
            '<RetrieveServiceContent xmlns="urn:vim25">'
            '<_this type="ServiceInstance">ServiceInstance</_this></RetrieveServiceContent>'
        )
        self.ids = {
            kind: re.search(rf'type="{kind}"[^>]*>([^<]+)<', content)[1]  # type: ignore[index]
            for kind in ("SessionManager", "ViewManager", "PropertyCollector", "Folder")
        }
        self.call(
            f'<Login xmlns="urn:vim25">{self.this("SessionManager")}'
            f"<userName>{escape(target.user)}</userName>"
            f"<password>{escape(target.password)}</password></Login>"
        )
        view = self.call(
            f'<CreateContainerView xmlns="urn:vim25">{self.this("ViewManager")}'
            f'<container type="Folder">{self.ids["Folder"]}</container>'
            "<type>VirtualMachine</type><recursive>true</recursive></CreateContainerView>"
        )
        self.view = re.search(r"<returnval[^>]*>([^<]+)<", view)[1]  # type: ignore[index]

    def this(self, kind: str) -> str:
        return f'<_this type="{kind}">{self.ids[kind]}</_this>'

    def call(self, body: str) -> str:
        headers = {"Content-Type": "text/xml", "SOAPAction": '"urn:vim25/6.5"'}
        if self.cookie:
            headers["Cookie"] = self.cookie
        self.http.request("POST", "/sdk", ENVELOPE.format(body).encode(), headers)
        answer = self.http.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, text[:500]
        self.cookie = (answer.getheader("Set-Cookie") or self.cookie).partition(";")[0]
        return text

    def bulk(self) -> float:
        """Seconds of processor time that the server spends on one bulk read."""
        paths = "".join(f"<pathSet>{path}</pathSet>" for path in LEAVES)
        before = self.process.cpu_times()
        text = self.call(
            f'<RetrievePropertiesEx xmlns="urn:vim25">{self.this("PropertyCollector")}<specSet>'
            f"<propSet><type>VirtualMachine</type>{paths}</propSet>"
            f'<objectSet><obj type="ContainerView">{self.view}</obj><skip>true</skip>'
            '<selectSet xsi:type="TraversalSpec"><name>all</name><type>ContainerView</type>'
            "<path>view</path><skip>false</skip></selectSet></objectSet></specSet><options/>"
            "</RetrievePropertiesEx>"
        )
        assert text.count("<objects>") >= VMS
        after = self.process.cpu_times()
        return after.user + after.system - before.user - before.system


def test_a_bulk_read_costs_the_practice_server_at_most_three_times_the_peers() -> None:
    with nestkit.practice.start("vpx", vms=VMS) as p, simulator("vpx", VMS) as peer:
        ours, theirs = Raw(p), Raw(peer)
        first = ours.bulk(), theirs.bulk()  # VMs are built here

        def measure() -> float:
            pairs = [(ours.bulk(), theirs.bulk()) for _ in range(ROUNDS)]
            ratio = statistics.median(one / other for one, other in pairs)
            seconds = [statistics.median(column) for column in zip(*pairs, strict=True)]
            print(
                f"\nbulk read of {VMS} VMs, {len(LEAVES)} leaves, server's processor time: "
                f"practice {seconds[0]:.2f} s, Go peer {seconds[1]:.2f} s, median ratio "
                f"{ratio:.2f}; first read {first[0]:.2f} s and {first[1]:.2f} s"
            )
            return ratio

        assert is_reached(measure, lambda ratio: ratio <= 3)


def test_a_fleet_is_far_quicker_than_attribute_access_on_the_peer() -> None:
    """Attribute by attribute, the same properties: a walk that pyVmomi makes one call a step."""
    count, asked = 2000, 20
    with simulator("vpx", vms=count) as peer:
        host = nk.connect(peer.url, password=peer.password)
        try:
            content = host._session.content  # type: ignore[attr-defined]
            nk.preflight.fleet(host)
            view = content.viewManager.CreateContainerView(
                content.rootFolder, [vim.VirtualMachine], True
            )
            some = view.view[:asked]

            def measure() -> float:
                fleet_s = statistics.median(timed(nk.preflight.fleet, host) for _ in range(3))
                start = time.perf_counter()
                read = [walk(vm, path) for vm in some for path in FLEET_PATHS]
                attributes_s = (time.perf_counter() - start) * count / len(some)
                assert len(read) == asked * len(FLEET_PATHS)
                ratio = attributes_s / fleet_s
                print(
                    f"\nGo peer, fleet of {count}: {fleet_s:.1f} s, {ratio:.0f} x faster than "
                    f"attribute access (from {asked} VMs)"
                )
                return ratio

            # 58 on a quiet machine, 39 on a busy one; the aim is 50
            assert is_reached(measure, lambda ratio: ratio >= 25)
        finally:
            host.close()


def walk(thing: Any, path: str) -> Any:
    """What ``thing.a.b.c`` reads, as far as it goes."""
    for name in path.split("."):
        thing = getattr(thing, name, None)
        if thing is None:
            break
    return thing


def timed(do: Any, *arguments: Any) -> float:
    start = time.perf_counter()
    do(*arguments)
    return time.perf_counter() - start
