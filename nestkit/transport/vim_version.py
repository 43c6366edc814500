"""Which version of the vSphere API to speak, found out before anything secret is sent."""

from __future__ import annotations

import importlib
import xml.parsers.expat
from http.client import HTTPException
from typing import Any, Final

from nestkit.addresses import Address
from nestkit.errors import ConnectionFailed, NestkitError
from nestkit.transport.tls import Trust, TrustedConnection, unreachable

OLDEST_API: Final = (6, 5)
_TIMEOUT_S: Final = 20.0
_PATH: Final = "/sdk/vimServiceVersions.xml"
_MAX_BYTES: Final = 1 << 20


def negotiate(address: Address, trust: Trust) -> str:
    """The newest API version that both sides know, as pyVmomi names it.

    Raises
    ------
    ConnectionFailed
        The peer is not vSphere, its API is older than 6.5, or it hung up.
    """
    support: Any = importlib.import_module("pyVmomi.VmomiSupport")
    offered = _offered(address, trust)
    newest = max((_numbers(v) for v in offered), default=())
    if newest < OLDEST_API:
        raise ConnectionFailed(
            f"{address.host} speaks vSphere API {'.'.join(map(str, newest)) or 'unknown'}, "
            "which is too old",
            remedy="nestkit is made for 6.5 and newer: an older API drops, without a word, "
            "settings that it does not know. Upgrade the host (the course is about ESXi 8)",
        )
    for version in support.GetServiceVersions("vim25"):
        if support.versionIdMap[version] in offered:
            return str(version)
    raise ConnectionFailed(
        f"{address.host} and this pyVmomi have no API version in common",
        remedy="upgrade pyvmomi: `pip install -U pyvmomi`",
    )


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return (
        tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else ()
    )


def _offered(address: Address, trust: Trust) -> frozenset[str]:
    connection = TrustedConnection(address.host, address.port, trust=trust, timeout=_TIMEOUT_S)
    failure: NestkitError
    try:
        connection.request("GET", _PATH)
        response = connection.getresponse()
        body = response.read(_MAX_BYTES)
        versions = _parse_versions(body) if response.status == 200 else frozenset()
        if versions:
            return versions
        failure = _not_vsphere(address, f"it answers {response.status} {response.reason}")
    except (HTTPException, xml.parsers.expat.ExpatError) as error:
        failure = _not_vsphere(address, type(error).__name__)
    except OSError as error:
        failure = unreachable(address, error)
    finally:
        connection.close()
    raise failure


def _not_vsphere(address: Address, why: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"{address.host}:{address.port} is not vSphere: it does not list its API versions ({why})",
        remedy="check host and port: an ESXi host answers on 443",
    )


def _parse_versions(body: bytes) -> frozenset[str]:
    """Every version in the ``urn:vim25`` part of vimServiceVersions.xml; no DTD is accepted."""
    found: set[str] = set()
    texts: list[str] = []
    inside = False

    def doctype(*_: object) -> None:
        raise xml.parsers.expat.ExpatError("a document type declaration")

    def start(tag: str, _attributes: object) -> None:
        nonlocal inside
        texts.clear()
        if tag == "namespace":
            inside = False

    def end(tag: str) -> None:
        nonlocal inside
        text = "".join(texts).strip()
        if tag == "name":
            inside = text == "urn:vim25"
        elif tag == "version" and inside:
            found.add(text)
        texts.clear()

    parser = xml.parsers.expat.ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    parser.Parse(body, True)
    return frozenset(found)
