"""A pytest plugin for nbval: notebooks get state of their own, and leave no practice host.

``pytest -p tests.nbval_state --nbval-lax … notebooks/*.ipynb``
"""

from __future__ import annotations

import os
import tempfile

_state = tempfile.TemporaryDirectory(prefix="nestkit-nbval-", ignore_cleanup_errors=True)


def pytest_configure() -> None:
    """Before a kernel starts: it inherits this environment."""
    os.environ["NESTKIT_STATE"] = _state.name
    os.environ.pop("NESTKIT_HOST", None)
    os.environ.pop("NESTKIT_PASSWORD", None)


def pytest_unconfigure() -> None:
    """After the last cell."""
    from nestkit.practice import stop

    stop()
    _state.cleanup()
