"""Open JupyterLab at a lesson."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from nestkit.course.lessons import lessons
from nestkit.errors import CourseError
from nestkit.resources import notebooks_path

_READY_DEADLINE_S = 180.0  # a slow machine; one that ends says so at once
# JupyterLab's settings, unless a person chose others: it asks nobody for news and updates, and no
# learner whether it may
SETTINGS = Path(__file__).with_name("jupyter")


def _workspace() -> Path:
    """The clone's notebooks, or beside the caller a copy of those an installed kit carries."""
    folder = notebooks_path()
    if folder.parent.name != "nestkit" or (folder.parent.parent / "pyproject.toml").exists():
        return folder
    copy = Path.cwd() / "nestkit-course"
    if not copy.exists():
        shutil.copytree(folder, copy)
        print(f"The lessons were copied to {copy}.")  # noqa: T201  (spoken to a person)
    return copy


def has_display() -> bool:
    """Whether a browser can be expected to open here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_lesson(lesson: str = "00", *, browser: bool | None = None) -> int:
    """Run JupyterLab at a lesson until it ends; return its exit status.

    Parameters
    ----------
    lesson
        The lesson's number.
    browser
        Open a browser; by default when there is a display. The address is printed either way.

    Raises
    ------
    CourseError
        There is no such lesson, JupyterLab has no folder to write to, or did not start.
    """
    known = {each.number: each.file for each in lessons()}
    if lesson not in known:
        raise CourseError(
            f"there is no lesson {lesson!r}", remedy=f"choose one of {', '.join(known)}"
        )
    page = known[lesson]
    _check_home()
    token = secrets.token_urlsafe(24)
    command = [sys.executable, "-m", "jupyterlab", "-y", "--ServerApp.log_level=WARN"]
    command += [f"--ServerApp.root_dir={_workspace()}", f"--LabApp.default_url=/lab/tree/{page}"]
    if not (has_display() if browser is None else browser):
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # containers such as Binder's run as root
    # asked to end, it ends JupyterLab too: see the finally below
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # the token travels in the environment: an argument list is readable by every user
    server = subprocess.Popen(command, env=environment() | {"JUPYTER_TOKEN": token})
    try:
        address = _wait_for_address(server)
        print(  # noqa: T201
            f"\nLesson {lesson} is at\n\n    {address}lab/tree/{page}?token={token}\n\n"
            "Ctrl-C here ends JupyterLab.\n",
            flush=True,
        )
        return server.wait()
    except KeyboardInterrupt:
        return server.wait(timeout=120)  # it ends the kernels first
    finally:
        signal.signal(signal.SIGTERM, previous)
        if server.poll() is None:
            server.terminate()
            server.wait(timeout=120)


def environment() -> dict[str, str]:
    """What JupyterLab is started with: its settings, and the nestkit command for its terminals."""

    def first(folder: Path, name: str) -> str:
        return os.pathsep.join(filter(None, [str(folder), os.environ.get(name)]))

    return os.environ | {
        "JUPYTER_CONFIG_PATH": first(SETTINGS, "JUPYTER_CONFIG_PATH"),
        "PATH": first(Path(sys.executable).parent, "PATH"),
    }


def _check_home() -> None:
    """Say what to do in a home that cannot be written: JupyterLab would end in a traceback."""
    from jupyter_core.paths import jupyter_runtime_dir

    folder = Path(jupyter_runtime_dir())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CourseError(
            f"JupyterLab keeps its files in {folder}, which cannot be written: {error.strerror}",
            remedy="name a folder you can write to as your home: HOME=/that/folder make course",
        ) from error


def _wait_for_address(server: subprocess.Popen[bytes]) -> str:
    # the file that tells other programs of a running server; importing the server to read it
    # would take as long as it takes to start
    from jupyter_core.paths import jupyter_runtime_dir

    told = Path(jupyter_runtime_dir()) / f"jpserver-{server.pid}.json"
    deadline = time.monotonic() + _READY_DEADLINE_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with suppress(OSError, ValueError, KeyError):  # not there yet, or not yet whole
            return str(json.loads(told.read_text(encoding="utf-8"))["url"])
        time.sleep(0.05)
    raise CourseError(
        "JupyterLab did not start", remedy="read what it printed above; `make clean` and try again"
    )
