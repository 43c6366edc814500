"""Addresses: what is read, what is refused, and that no message repeats a password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestkit.addresses import parse
from nestkit.errors import AddressError, NestkitError


def test_the_user_name_ends_at_the_last_at_sign() -> None:
    address = parse("vpx://administrator@vsphere.local@vcenter.lab")
    assert (address.user, address.host, address.port) == (
        "administrator@vsphere.local",
        "vcenter.lab",
        443,
    )


def test_a_windows_domain_user_is_accepted() -> None:
    assert parse(r"hyperv://LAB\Administrator@hv01").user == r"LAB\Administrator"


def test_port_pin_and_ipv6_are_read() -> None:
    address = parse("esx://root@[::1]:8443?pin=sha256:AB:CD")
    assert (address.host, address.port, address.options["pin"]) == ("::1", 8443, "sha256:AB:CD")


@pytest.mark.parametrize(
    "url",
    [
        "esx://root:hunter2@host",
        "esx://a@b:hunter2@host",
        "esx://root@host?password=hunter2",
        "root:hunter2@host",
        "ftp://root:hunter2@host",
        "esx://root:hunter2@host:notaport",
        "esx://root:hunter2",  # written halfway, as a form may read it
        "root:hunter2",
        "esx://root@host:hunter2/",
        "esx://[::1]:hunter2",
    ],
)
def test_a_password_is_refused_and_never_repeated(url: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse(url)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("esxi01.lab", "scheme"),
        ("esx://", "names no host"),
        ("esx://root@", "names no host"),
        ("https://host", "not a scheme"),
        ("practice://xen", "no practice host"),
        ("lab://", "nk.lab.up"),
        ("esx://host/sdk", "path"),
        ("esx://host:99999", "port"),
        ("esx://host:0", "port"),
        ("esx://[::1", "port"),
    ],
)
def test_a_wrong_address_says_what_is_wrong_and_what_to_write(url: str, word: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse(url)
    assert word in str(caught.value)
    assert caught.value.remedy


@given(st.text())
def test_any_text_is_an_address_or_an_error_with_a_remedy(text: str) -> None:
    try:
        parse(text)
    except NestkitError as error:
        assert error.remedy


@given(
    user=st.text(
        st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=":?#/%"), max_size=20
    ),
    port=st.integers(1, 65535),
)
def test_an_address_reads_back_as_itself(user: str, port: int) -> None:
    address = parse(f"esx://{user}@host.example:{port}?pin=sha256:00ff")
    assert parse(str(address)) == address
