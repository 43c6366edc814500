"""What all tests share: private state, and no silent skips."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LEFT_OUT = {
    "slow": "takes minutes",
    "lab": "boots virtual machines and fetches packages from the distribution",
    "kill": "kills processes at every step",
    "peer": "needs an independent peer",
    "perf": "measures ratios of time on a quiet machine",
    "browser": "drives JupyterLab in Chromium",
}
_deselected: Counter[str] = Counter()

# Set before any test module is imported: a test never sees the user's own state or password.
_state = tempfile.TemporaryDirectory(prefix="nestkit-test-", ignore_cleanup_errors=True)
os.environ["NESTKIT_STATE"] = _state.name
os.environ.pop("NESTKIT_PASSWORD", None)

# The same examples each time, however slow the machine: what fails was changed, and not unlucky.
# --hypothesis-profile=random draws others, and --hypothesis-seed=N draws those again.
_PATIENT: Final = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
settings.register_profile("random", **_PATIENT)
settings.register_profile("same", **_PATIENT, derandomize=True)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        _deselected.update({mark for mark in LEFT_OUT if item.get_closest_marker(mark)})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    # each process left out the same tests
    _deselected.update(Counter(getattr(node, "workeroutput", {}).get("deselected")) - _deselected)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for mark, count in sorted(_deselected.items()):
        terminalreporter.write_line(
            f"left to make check: {count} tests marked {mark} ({LEFT_OUT[mark]})"
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if sys.modules.get("nestkit.practice"):
        sys.modules["nestkit.practice"].stop()  # shared practice hosts of this run's state
    if hasattr(session.config, "workeroutput"):  # one of several processes: the first one sums up
        session.config.workeroutput["deselected"] = dict(_deselected)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    strict = session.config.getoption("--no-skips") or os.environ.get("CI") == "true"
    if strict and skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{skipped} tests were skipped, and no skip is allowed here", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own."""
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The distribution's Chromium, without a window."""
    from jupyter_page import chromium  # most tests need no browser
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = chromium(playwright)
        yield program
        program.close()
