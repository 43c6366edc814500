"""Msvm_KvpExchangeComponent: what guests say of themselves through the data exchange service.

Microsoft Learn, "Msvm_KvpExchangeComponent class": SystemName is the VM's id, and each item of
GuestIntrinsicExchangeItems is an embedded instance of Msvm_KvpExchangeDataItem, as XML. Names and
versions: Windows' own, and of hv_kvp_daemon on Linux.
"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from nestkit.practice.hyperv.model import PRODUCTS, Computer, Vm
from nestkit.practice.hyperv.values import Value
from nestkit.practice.hyperv.world import is_answering

VIRTUALIZATION: Final = "root/virtualization/v2"
_OLD: Final = {9200: "Windows Server 2012 Datacenter", 9600: "Windows Server 2012 R2 Datacenter"}
_LINUX: Final = ("Debian GNU/Linux", "6.1.0")


def guests(computer: Computer) -> list[dict[str, Value]]:
    """One row a VM; without items where the guest does not answer."""
    return [
        {
            "SystemName": str(vm.id).upper(),
            "ElementName": "Key-Value Pair Exchange",
            "GuestIntrinsicExchangeItems": _items(vm) if is_answering(vm) else [],
        }
        for vm in computer.vms.values()
    ]


def _items(vm: Vm) -> list[Value]:
    name, version = _system(vm)
    values = {"OSName": name, "OSVersion": version, "IntegrationServicesVersion": version}
    return [_item(key, value) for key, value in values.items()]


def _system(vm: Vm) -> tuple[str, str]:
    if vm.guest.os == "linux":
        return _LINUX
    build = vm.guest.build
    if build in _OLD:
        return _OLD[build], f"6.{2 if build < 9600 else 3}.{build}"
    product = PRODUCTS.get(build, (f"Windows (build {build})", ""))[0]
    return product.removeprefix("Microsoft "), f"10.0.{build}"


def _item(name: str, value: str) -> str:
    def property_of(key: str, text: str) -> str:
        return f'<PROPERTY NAME="{key}" TYPE="string"><VALUE>{escape(text)}</VALUE></PROPERTY>'

    return (
        '<INSTANCE CLASSNAME="Msvm_KvpExchangeDataItem">'
        + property_of("Name", name)
        + property_of("Data", value)
        + "</INSTANCE>"
    )
