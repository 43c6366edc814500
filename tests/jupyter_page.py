"""A lesson in real JupyterLab in real Chromium, as a person at the keyboard meets it."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from nestkit.course import launch, outcome
from nestkit.resources import notebooks_path

expect.set_options(timeout=120_000)  # as patient as the rest, see Lesson

# Without these Chromium looks for its makers' servers at every start.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--disable-gpu",
]

# A form is an output with a button that runs it and a line that says how far it is.
FORM = ".jp-OutputArea-output:has(button.mod-primary):has(p[role=status])"
ENDINGS = tuple(outcome._ENDINGS.values())
# Every code cell that is not empty has its number, every widget of an output is there, and nothing
# was added to one since the last look: they are drawn piece by piece, after their cell has run.
HAS_RUN = r"""() => {
    const panel = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
    const prompts = [...panel.querySelectorAll('.jp-CodeCell')]
        .filter(c => c.querySelector('.cm-content').innerText.trim())
        .map(c => c.querySelector('.jp-InputPrompt').innerText);
    const widgets = [...panel.querySelectorAll('.jp-OutputArea-output.lm-Panel')];
    const before = window.nestkitDrawn;
    window.nestkitDrawn = panel.querySelectorAll('.jupyter-widgets').length;
    return prompts.length && prompts.every(p => /\[\d+\]/.test(p))
        && widgets.every(w => w.querySelector('.jupyter-widgets'))
        && window.nestkitDrawn === before;
}"""

# Which form has the focus, and on which kind of control it is.
FOCUS = """(form) => {
    const on = document.activeElement;
    const forms = [...document.querySelectorAll(form)];
    const at = forms.findIndex(each => each.contains(on));
    const kind = on.classList.contains('mod-primary') ? 'run'
        : on.tagName === 'BUTTON' && on.innerText.trim() === 'Cancel' ? 'cancel'
        : on.type === 'text' ? 'text'
        : on.type === 'checkbox' && on.closest('.widget-checkbox') ? 'checkbox' : 'other';
    return [at, kind];
}"""


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """JupyterLab over a copy of the lessons in ``folder``; gives the address, token included."""
    shutil.copytree(notebooks_path(), folder / "notebooks")
    # every cell in the page at once, else those out of sight are not there to be looked at
    _set(folder, "notebook-extension/tracker", {"windowingMode": "none"})
    # nor is a lesson saved on the way, as a slow test would be: the next one opens it unrun
    _set(folder, "docmanager-extension/plugin", {"autosave": False})
    token = secrets.token_hex(16)
    environment = launch.environment() | {
        "JUPYTER_TOKEN": token,
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "NESTKIT_STATE": str(folder / "state"),
    }
    server = subprocess.Popen(
        [
            sys.executable,
            *("-m", "jupyterlab", "-y", "--no-browser", "--allow-root"),
            *(f"--ServerApp.root_dir={folder / 'notebooks'}", "--ServerApp.log_level=ERROR"),
        ],
        env=environment,
    )
    try:
        told = folder / "runtime" / f"jpserver-{server.pid}.json"
        yield f"{_address(server, told)}lab/tree/{{page}}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(timeout=120)  # it ends the lessons' kernels first
        # practice hosts outlive the lessons that started them, and not their test
        stop = [sys.executable, "-m", "nestkit", "practice", "stop"]
        subprocess.run(stop, env=environment, check=True, capture_output=True)


def _set(folder: Path, name: str, settings: dict[str, Any]) -> None:
    path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(settings))


def _address(server: subprocess.Popen[bytes], told: Path) -> str:
    """Where it is, as it tells other programs: it takes a free port."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError, ValueError):  # not there yet, or not yet whole
            return str(json.loads(told.read_text())["url"])
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not start")


def chromium(playwright: Playwright) -> Browser:
    """The distribution's Chromium."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "no Chromium here: run `make peers`"
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    sandbox = ["--no-sandbox"] if as_root else []
    return playwright.chromium.launch(executable_path=program, args=QUIET + sandbox)


# Outputs whose words do not fit: a list that scrolls by its nature is none.
CLIPPED = """() => {
    const panel = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
    return [...panel.querySelectorAll('.jp-OutputArea *:not(select):not(textarea)')]
        .filter(e => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 3
            && getComputedStyle(e).overflowX !== 'visible')
        .map(e => e.innerText.slice(0, 60));
}"""
# What has the focus: its element, its label or its own words, and what is chosen in a list.
HERE = """() => {
    const on = document.activeElement;
    const label = on.closest('label') || (on.id && document.querySelector(`label[for="${on.id}"]`));
    const chosen = on.tagName === 'SELECT' ? on.selectedOptions[0].innerText : '';
    return [on.tagName, (label || on).innerText.trim(), chosen];
}"""


class Lesson:
    """One notebook that is open in the page."""

    def __init__(self, page: Page, address: str, name: str) -> None:
        self.page = page
        self.name = Path(name).stem
        page.set_default_timeout(120_000)  # the machine may be slow: what is awaited comes
        page.goto(address.format(page=name))
        self.notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
        self.notebook.wait_for()
        page.get_by_text("(ipykernel) | Idle").wait_for()

    def run_all(self, timeout_s: float = 300) -> None:
        """Run every cell from the Run menu, and wait until the last one has run."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        self.wait_idle(timeout_s)

    def wait_idle(self, timeout_s: float) -> None:
        """Wait until every code cell has run, and what it shows is there."""
        self.page.wait_for_function(HAS_RUN, timeout=timeout_s * 1000, polling=500)

    def errors(self) -> list[str]:
        """Tracebacks on the page."""
        return self.notebook.locator(
            ".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']"
        ).all_inner_texts()

    def serious(self) -> list[str]:
        """What axe finds serious or critical in the notebook, with the elements."""
        found: dict[str, Any] = (
            Axe()
            .run(self.page, context=".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
            .response
        )
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def clipped(self) -> list[str]:
        """Words in outputs that have less room than they need, and are cut off or scrolled."""
        return self.page.evaluate(CLIPPED)  # type: ignore[no-any-return]

    def forms(self) -> int:
        """How many forms are on the page."""
        return self.notebook.locator(FORM).count()

    def tab_to(self, number: int, kind: str) -> None:
        """Press Tab until the focus is on such a control of that form; agree where it asks."""
        for _ in range(600):
            self.page.keyboard.press("Tab")
            form, control = self.page.evaluate(FOCUS, FORM)
            if form == number and control == "checkbox" and self._asks(number):
                self.page.keyboard.press("Space")
                expect(self._form(number).locator("button.mod-primary")).to_be_enabled()
            if form == number and control == kind:
                return
        raise AssertionError(f"Tab does not reach the {kind} of form {number}")

    def tab_to_words(self, words: str, tag: str = "") -> None:
        """Press Tab until the focus is on the control of that label, or with those words."""
        for _ in range(600):
            self.page.keyboard.press("Tab")
            element, label, _chosen = self.page.evaluate(HERE)
            if label == words and tag in ("", element):
                return
        raise AssertionError(f"Tab does not reach {words!r}")

    def chosen(self) -> str:
        """What is chosen in the list that has the focus."""
        element, _label, words = self.page.evaluate(HERE)
        assert element == "SELECT", element
        chosen: str = words
        return chosen

    def use_form(self, number: int, timeout_s: float = 300) -> str:
        """Run a form by Tab, Space and Enter alone; gives the words it ends with."""
        self.tab_to(number, "run")
        self.page.keyboard.press("Enter")
        return self.ending(number, timeout_s)

    def cancel_form(self, number: int) -> str:
        """Run a form and cancel it while it shows how far it is; gives the words it ends with."""
        self.tab_to(number, "run")
        self.page.keyboard.press("Enter")
        expect(self._form(number).get_by_role("button", name="Cancel")).to_be_enabled()
        self.tab_to(number, "cancel")
        assert self.status(number) not in (*ENDINGS, "Ready.")
        self.page.keyboard.press("Enter")
        return self.ending(number)

    def status(self, number: int) -> str:
        """What a form's line of progress says."""
        return self._form(number).locator("p[role=status]").first.inner_text()

    def ending(self, number: int, timeout_s: float = 300) -> str:
        """Wait until a form has ended; gives the words it ends with."""
        deadline = time.monotonic() + timeout_s
        while (words := self.status(number)) not in ENDINGS:
            assert time.monotonic() < deadline, f"form {number} still says {words!r}"
            time.sleep(0.05)
        return words

    def text_of(self, number: int) -> str:
        """All that a form shows."""
        return self._form(number).inner_text()

    def picture(self, number: int, path: Path) -> None:
        """A picture of that form and of what it shows."""
        self._form(number).scroll_into_view_if_needed()
        _keep(self._form(number).screenshot(), path)

    def opening(self, path: Path) -> None:
        """A picture of JupyterLab with the lesson's first cells, as one who opens it sees them."""
        shown = self.page.viewport_size
        self.page.set_viewport_size({"width": 1280, "height": 800})
        self.notebook.locator(".jp-Cell").first.scroll_into_view_if_needed()
        _keep(self.page.screenshot(), path)
        if shown:
            self.page.set_viewport_size(shown)

    def _form(self, number: int) -> Locator:
        return self.notebook.locator(FORM).nth(number)

    def _asks(self, number: int) -> bool:
        """Whether a form runs only when a box is ticked, and it is not yet."""
        return self._form(number).locator("button.mod-primary").is_disabled()


def _keep(png: bytes, path: Path) -> None:
    """Write a picture in few colours, as text and plain areas need no more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(path, optimize=True)
