"""A pytest plugin for nbval: each notebook gets state of its own, and leaves no practice host.

``pytest -p tests.nbval_state --nbval-lax … notebooks/*.ipynb``
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

_state = tempfile.TemporaryDirectory(prefix="nestkit-nbval-", ignore_cleanup_errors=True)
_notebook: Path | None = None


def pytest_configure() -> None:
    """Before a kernel starts: it inherits this environment."""
    os.environ["NESTKIT_STATE"] = _state.name
    os.environ.pop("NESTKIT_HOST", None)
    os.environ.pop("NESTKIT_PASSWORD", None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Before the kernel of the next notebook starts: what the last one changed is not its own."""
    global _notebook
    if item.path != _notebook:
        _notebook = item.path
        _stop()
        os.environ["NESTKIT_STATE"] = tempfile.mkdtemp(dir=_state.name)


def pytest_unconfigure() -> None:
    """After the last cell."""
    _stop()
    _state.cleanup()


def _stop() -> None:
    from nestkit.practice import stop

    stop()
