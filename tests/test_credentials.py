"""Where passwords come from, and that they never show."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import time
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestkit import credentials
from nestkit.credentials import Secret, find
from nestkit.errors import CredentialsError

WHERE = "esx://root@esxi01.lab"


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch):
    monkeypatch.delenv("NESTKIT_PASSWORD", raising=False)
    keyring(monkeypatch, lambda service, user: None)


def keyring(monkeypatch, get_password):
    module = types.ModuleType("keyring")
    module.get_password = get_password
    monkeypatch.setitem(sys.modules, "keyring", module)


def test_the_argument_comes_first(monkeypatch):
    monkeypatch.setenv("NESTKIT_PASSWORD", "from environment")
    assert find(WHERE, "given").reveal() == "given"
    kept = Secret("kept")
    assert find(WHERE, kept) is kept


def test_the_environment_comes_before_the_keyring(monkeypatch):
    monkeypatch.setenv("NESTKIT_PASSWORD", "from environment")
    keyring(monkeypatch, lambda service, user: "from keyring")
    found = find(WHERE)
    assert found.reveal() == "from environment" and "NESTKIT_PASSWORD" in found.origin


def test_the_keyring_is_asked_under_the_documented_name(monkeypatch):
    asked = []
    keyring(monkeypatch, lambda *args: asked.append(args) or "from keyring")
    assert find(WHERE, interactive=False).reveal() == "from keyring"
    assert asked == [("nestkit", WHERE)]


def test_a_keyring_that_hangs_counts_as_absent(monkeypatch):
    keyring(monkeypatch, lambda *_: time.sleep(60))
    monkeypatch.setattr(credentials, "KEYRING_DEADLINE_S", 0.1)
    began = time.monotonic()
    with pytest.raises(CredentialsError):
        find(WHERE, interactive=False)
    assert time.monotonic() - began < 50


@pytest.mark.parametrize("error", [RuntimeError("locked"), SystemExit(1), ImportError("none")])
def test_a_keyring_that_fails_counts_as_absent(monkeypatch, error):
    def fail(*_):
        raise error

    keyring(monkeypatch, fail)
    with pytest.raises(CredentialsError) as caught:
        find(WHERE, interactive=False)
    assert "NESTKIT_PASSWORD" in caught.value.remedy and WHERE in caught.value.remedy


def test_a_person_is_asked_last_and_only_on_a_terminal(monkeypatch):
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda text: asked.append(text) or "typed")
    assert find(WHERE, interactive=True).reveal() == "typed"
    assert WHERE in asked[0]
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: False))
    with pytest.raises(CredentialsError):
        find(WHERE)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CredentialsError):
        find(WHERE)
    assert len(asked) == 1


def test_a_prompt_that_is_closed_is_no_password(monkeypatch):
    def closed(_):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", closed)
    with pytest.raises(CredentialsError):
        find(WHERE, interactive=True)


@given(st.text(min_size=8))
def test_a_secret_shows_itself_nowhere(value):
    secret = Secret(value, "a test")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>30}",
        f"{secret!r}",
        str([secret])[1:-1],
    ]
    assert all(text.strip() == "Secret(…)" for text in shown)
    for write in (pickle.dumps, json.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            write(secret)
    assert secret.reveal() == value
