"""Connect to a host by its address."""

from __future__ import annotations

from dataclasses import replace

from nestkit.addresses import Address, parse
from nestkit.credentials import Secret, find
from nestkit.errors import AddressError, CredentialsError
from nestkit.hosts.base import Host

_OPTIONS = frozenset({"pin", "insecure"})
_USERS = {"esx": "root", "vpx": "administrator@vsphere.local", "hyperv": "Administrator"}


def connect(
    url: str, *, password: str | Secret | None = None, interactive: bool | None = None
) -> Host:
    """Connect to a host.

    Parameters
    ----------
    url
        ``esx://root@esxi01.lab``, ``hyperv://Administrator@hv01.lab``, ``practice://esx`` or
        ``local://``; see :mod:`nestkit.addresses`.
    password
        If left out: ``NESTKIT_PASSWORD``, the keyring, or a prompt on a terminal. A practice
        host needs none.
    interactive
        Whether a person may be asked; by default, when standard input is a terminal.

    Raises
    ------
    AddressError
        The address cannot be read, or names what this version cannot connect to.
    TrustError, ConnectionFailed, CredentialsError
        The host is not the one expected, not reachable, or refuses the user.
    """
    given = None if password is None else find("", password)
    del password  # no frame that a traceback shows holds it
    address = parse(url)
    if address.scheme == "local":
        from nestkit.hosts.local import LocalHost

        return LocalHost()
    if address.scheme == "practice":
        return _practice(address)
    return _real(address, given, interactive)


def _practice(address: Address) -> Host:
    from nestkit import practice

    joined = practice.join(address.host, address.options)
    return _real(parse(joined.url), Secret(joined.password, "the practice host"), False)


def _real(address: Address, secret: Secret | None, interactive: bool | None) -> Host:
    unknown = sorted(set(address.options) - _OPTIONS)
    if unknown and address.scheme != "hyperv":  # which reads its own
        raise AddressError(
            f"{address.scheme}:// has no option {unknown[0]!r}",
            remedy="use ?pin=sha256:… or ?insecure=1, or leave it out",
        )
    if not address.user:
        raise CredentialsError(
            f"{address} names no user",
            remedy=f"write it like {replace(address, user=_USERS[address.scheme])}",
        )
    bare = str(replace(address, options={}))

    def find_secret() -> Secret:
        return find(bare, secret, interactive=interactive)

    if address.scheme == "hyperv":
        from nestkit.hosts.hyperv import HyperVHost

        return HyperVHost.connect(address, find_secret)
    if address.scheme == "vpx":
        from nestkit.hosts.vpx import VpxHost

        return VpxHost.connect(address, find_secret)
    from nestkit.hosts.esx import EsxHost

    return EsxHost.connect(address, find_secret)
