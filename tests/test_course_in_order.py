"""The whole course, 00 to 10, on the practice hosts that its lessons share: nowhere a dead end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from test_course_rough import code_of, run, verdicts

import nestkit as nk
from nestkit.course import editions, progress

HERE = ("127.0.0.1", "::1", "localhost", None, "")


@pytest.fixture(autouse=True)
def _own_folders(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)  # lesson 10 writes a page
    monkeypatch.delenv("NESTKIT_HOST", raising=False)
    with matplotlib.rc_context({"backend": "agg"}):
        yield
    nk.practice.stop()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the lessons asked for beyond this machine; they get nothing."""
    found: list[Any] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def to(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in HERE:
            found.append(address)
            raise OSError("no network in this test")
        connect(self, address)

    def named(host: Any, *more: Any, **named: Any) -> Any:
        if host not in HERE:
            found.append(host)
            raise OSError("no network in this test")
        return look_up(host, *more, **named)

    monkeypatch.setattr(socket.socket, "connect", to)
    monkeypatch.setattr(socket, "getaddrinfo", named)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)  # eleven lessons
def test_each_lesson_can_be_solved_after_those_before_it_and_fetches_nothing(
    asked: list[Any],
) -> None:
    for source in editions.sources():
        shown = verdicts(run(code_of(source, "solution")))
        assert set(shown.values()) == {"passed"}, shown
    summary = progress.summary()
    assert summary.done == summary.total, str(summary)
    assert asked == []
