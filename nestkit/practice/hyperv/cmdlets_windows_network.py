"""Windows' own cmdlets for NAT, addresses and adapters.

Behaviour: Microsoft Learn, modules NetNat, NetTCPIP and NetAdapter.
"""

from __future__ import annotations

import ipaddress

from nestkit.practice.hyperv.arguments import cmdlet, flag, matching, texts
from nestkit.practice.hyperv.model import Adapter, Address, Nat
from nestkit.practice.hyperv.objects import record
from nestkit.practice.hyperv.powershell.wildcard import has_wildcard
from nestkit.practice.hyperv.values import Invocation, PropertyObject, PsError, Value
from nestkit.practice.hyperv.views import dashed
from nestkit.practice.hyperv.world import Session


def _cim_error(error_id: str, category: str, message: str, name: str) -> PsError:
    return PsError(message, error_id=error_id, category=category, target=name)


def _nat_view(nat: Nat) -> PropertyObject:
    return record(
        "Microsoft.Management.Infrastructure.CimInstance#root/standardcimv2/MSFT_NetNat",
        {
            "Name": nat.name,
            "InternalIPInterfaceAddressPrefix": nat.prefix,
            "ExternalIPInterfaceAddressPrefix": None,
            "Active": True,
            "Store": "Local",
        },
    )


@cmdlet("New-NetNat", takes="Name InternalIPInterfaceAddressPrefix", is_hyperv=False)
def new_nat(session: Session, inv: Invocation) -> list[Value]:
    """Make the one NAT network Windows supports."""
    host = session.computer
    name = str(inv.bound["Name"])
    text = str(inv.bound.get("InternalIPInterfaceAddressPrefix") or "")
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        raise _cim_error(
            "Windows System Error 87,New-NetNat", "InvalidArgument",
            "The parameter is incorrect: InternalIPInterfaceAddressPrefix.", name,
        ) from None  # fmt: skip
    if host.nats:
        message = "There is a NAT network already; Windows supports one."
        raise _cim_error("Windows System Error 183,New-NetNat", "ResourceExists", message, name)
    if inv.what_if:
        return []
    host.nats.append(Nat(name, str(network)))
    return [_nat_view(host.nats[-1])]


@cmdlet("Get-NetNat", takes="Name", is_hyperv=False)
def get_nat(session: Session, inv: Invocation) -> list[Value]:
    """The NAT networks."""
    names = texts(inv, "Name")
    found = [n for n in session.computer.nats if not names or any(matching(x, [n]) for x in names)]
    for name in names:
        if not has_wildcard(name) and not matching(name, found):
            message = f"No MSFT_NetNat objects found with property 'Name' equal to '{name}'."
            error = _cim_error("CmdletizationQuery_NotFound_Name", "ObjectNotFound", message, name)
            inv.streams.error(error)
    return [_nat_view(nat) for nat in found]


@cmdlet("Remove-NetNat", takes="Name", is_hyperv=False, asks=True)
def remove_nat(session: Session, inv: Invocation) -> list[Value]:
    """Delete NAT networks."""
    names = texts(inv, "Name") or ["*"]
    if not inv.what_if:
        gone = [n for n in session.computer.nats if any(matching(x, [n]) for x in names)]
        session.computer.nats = [n for n in session.computer.nats if n not in gone]
    return []


def _address_view(session: Session, one: Address) -> PropertyObject:
    index = next((a.index for a in session.computer.adapters if a.name == one.alias), 0)
    return record(
        "Microsoft.Management.Infrastructure.CimInstance#root/standardcimv2/MSFT_NetIPAddress",
        {
            "IPAddress": one.ip,
            "PrefixLength": one.prefix_length,
            "InterfaceAlias": one.alias,
            "InterfaceIndex": index,
            "AddressFamily": "IPv6" if ":" in one.ip else "IPv4",
        },
    )


@cmdlet(
    "New-NetIPAddress",
    takes="IPAddress PrefixLength DefaultGateway InterfaceAlias InterfaceIndex",
    is_hyperv=False,
)
def new_address(session: Session, inv: Invocation) -> list[Value]:
    """Give an interface an address."""
    host = session.computer
    text, length = str(inv.bound["IPAddress"]), int(inv.bound.get("PrefixLength", 32))
    by_index = inv.bound.get("InterfaceIndex")
    alias = str(inv.bound.get("InterfaceAlias") or "")
    try:
        address = ipaddress.ip_interface(f"{text}/{length}").ip
    except ValueError:
        message = f"Invalid parameter IPAddress {text}."
        raise _cim_error(
            "Windows System Error 87,New-NetIPAddress", "InvalidArgument", message, text
        ) from None
    hits = [
        a
        for a in host.adapters
        if (a.index == by_index if by_index is not None else a.name.lower() == alias.lower())
    ]
    if not hits:
        message = "No matching interface was found: the parameter InterfaceAlias is incorrect."
        raise _cim_error(
            "Windows System Error 87,New-NetIPAddress", "InvalidArgument", message, alias
        )
    if any(one.ip == str(address) for one in host.addresses):
        message = f"Instance MSFT_NetIPAddress already exists: {address}."
        raise _cim_error(
            "Windows System Error 5010,New-NetIPAddress", "ResourceExists", message, text
        )
    if inv.what_if:
        return []
    host.addresses.append(
        Address(str(address), length, hits[0].name, str(inv.bound.get("DefaultGateway") or ""))
    )
    return [_address_view(session, host.addresses[-1])]


def _chosen(session: Session, inv: Invocation) -> list[Address]:
    wanted = {
        name: [text.lower() for text in texts(inv, name)]
        for name in ("IPAddress", "InterfaceAlias", "InterfaceIndex", "AddressFamily")
    }
    return [
        one
        for one in session.computer.addresses
        if all(
            not values or str(_address_view(session, one).get(name)).lower() in values
            for name, values in wanted.items()
        )
    ]


@cmdlet(
    "Get-NetIPAddress",
    takes="IPAddress InterfaceAlias InterfaceIndex AddressFamily",
    is_hyperv=False,
)
def get_address(session: Session, inv: Invocation) -> list[Value]:
    """Addresses of interfaces."""
    return [_address_view(session, one) for one in _chosen(session, inv)]


@cmdlet(
    "Remove-NetIPAddress",
    takes="IPAddress InterfaceAlias InterfaceIndex",
    is_hyperv=False,
    asks=True,
)
def remove_address(session: Session, inv: Invocation) -> list[Value]:
    """Take addresses away."""
    gone = _chosen(session, inv)
    if not inv.what_if:
        session.computer.addresses = [a for a in session.computer.addresses if a not in gone]
    return []


@cmdlet("Get-NetAdapter", takes="Name Physical", is_hyperv=False)
def get_adapter(session: Session, inv: Invocation) -> list[Value]:
    """The computer's network adapters; with -Physical without the virtual ones."""
    names = texts(inv, "Name")
    found = [
        a
        for a in session.computer.adapters
        if (not names or any(matching(name, [a]) for name in names))
        and not (flag(inv, "Physical") and a.name.startswith("vEthernet"))
    ]
    for name in names:
        if not has_wildcard(name) and not matching(name, found):
            message = f"No MSFT_NetAdapter objects found with property 'Name' equal to '{name}'."
            error = _cim_error("CmdletizationQuery_NotFound_Name", "ObjectNotFound", message, name)
            inv.streams.error(error)
    return [_adapter_view(a) for a in found]


def _speed(bits: int) -> str:
    for unit, size in (("Gbps", 10**9), ("Mbps", 10**6)):
        if bits >= size:
            return f"{bits / size:g} {unit}"
    return f"{bits} bps"


def _adapter_view(adapter: Adapter) -> PropertyObject:
    is_up = adapter.up and adapter.speed > 0
    return record(
        "Microsoft.Management.Infrastructure.CimInstance#ROOT/StandardCimv2/MSFT_NetAdapter",
        {
            "Name": adapter.name,
            "InterfaceAlias": adapter.name,
            "InterfaceDescription": adapter.description,
            "ifIndex": adapter.index,
            "InterfaceIndex": adapter.index,
            "Status": "Up" if is_up else "Disconnected",
            "MacAddress": dashed(adapter.mac),
            "LinkSpeed": _speed(adapter.speed),
            "Speed": adapter.speed,
            "MediaConnectionState": "Connected" if is_up else "Disconnected",
            "Virtual": adapter.name.startswith("vEthernet"),
            "HardwareInterface": not adapter.name.startswith("vEthernet"),
            "DriverDescription": adapter.description,
        },
    )
