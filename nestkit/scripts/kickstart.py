"""A kickstart file, with which the ESXi installer asks nothing.

Commands: VMware ESXi 8.0 Installation and Setup, "Installation and Upgrade Script Commands".
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from nestkit.errors import PlanError

PLACEHOLDER: Final = "REPLACE-WITH-A-HASH"
_HASH: Final = re.compile(r"\$(?:5|6)\$[A-Za-z0-9./$=]{10,200}")  # SHA-256 or SHA-512 crypt
_HOSTNAME: Final = re.compile(r"(?=.{1,253}\Z)(?:(?!-)[A-Za-z0-9-]{1,63}(?<!-)\.?)+")


def text(
    *,
    hostname: str = "",
    ip: str = "",
    netmask: str = "",
    gateway: str = "",
    nameserver: str = "",
    password_hash: str = "",
) -> str:
    """The file's text. It never holds a password.

    Parameters
    ----------
    hostname
        Name of the nested host; left to DHCP if empty.
    ip, netmask, gateway, nameserver
        IPv4 addresses; with no ``ip``, DHCP.
    password_hash
        The root password's crypt hash; without one a placeholder that the installer refuses,
        so that nothing is installed with a password known to others.

    Raises
    ------
    PlanError
        An address or name cannot be read, or the hash is none.
    """
    if password_hash and not _HASH.fullmatch(password_hash):
        raise PlanError(
            "the password's hash is not a SHA-512 crypt hash ($6$…)",
            remedy="make one with `openssl passwd -6`, which asks for the password, and give that; "
            "never give the password itself",
        )
    lines = [
        "# Kickstart file for a nested ESXi host, written by nestkit. Put it where the installer",
        "# can read it (on the ISO, or on a web server of yours) and name it on the installer's",
        "# boot line (Shift+O): ks=cdrom:/KS.CFG or ks=https://SERVER/ks.cfg",
        "#",
        "# The next line accepts the vendor's licence in your name: read it first.",
        "vmaccepteula",
        "install --firstdisk --overwritevmfs",
    ]
    if not password_hash:
        lines += [
            "# Put a hash in place of the last word: `openssl passwd -6` asks for the password and",
            "# prints one. The installer refuses this file as it stands.",
        ]
    lines += [
        f"rootpw --iscrypted {password_hash or PLACEHOLDER}",
        _network(hostname, ip, netmask, gateway, nameserver),
        "reboot",
    ]
    return "\n".join(lines) + "\n"


def _network(hostname: str, ip: str, netmask: str, gateway: str, nameserver: str) -> str:
    if hostname and not _HOSTNAME.fullmatch(hostname):
        raise PlanError(
            f"{hostname!r} is no host name", remedy="use letters, digits, hyphens and dots"
        )
    name = [f"--hostname={hostname}"] if hostname else []
    given = {"netmask": netmask, "gateway": gateway, "nameserver": nameserver}
    if not ip:
        if any(given.values()):
            raise PlanError(
                "a netmask, gateway or name server without an address means nothing",
                remedy="give the address (ip, --ip) too, or none of them for DHCP",
            )
        return " ".join(["network --bootproto=dhcp --device=vmnic0", *name])
    if not netmask or not gateway:
        raise PlanError(
            "a fixed address needs its netmask and gateway",
            remedy="give netmask and gateway, or no address for DHCP",
        )
    parts = [f"--ip={_address('ip', ip)}"]
    parts += [f"--{key}={_address(key, value)}" for key, value in given.items() if value]
    return " ".join(["network --bootproto=static --device=vmnic0", *parts, *name])


def _address(key: str, value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError as error:
        raise PlanError(
            f"{key} {value!r} is no IPv4 address", remedy="write it like 192.0.2.10"
        ) from error
