"""What is shipped: the wheel carries data and lessons, the locks carry no index address."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ["requirements.lock", "requirements-dev.lock"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_the_wheel_carries_data_lessons_and_the_type_marker(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        "nestkit/py.typed",
        "nestkit/data/requirements.toml",
        "nestkit/data/practice/esx.toml",
        "nestkit/notebooks/00-start-here.ipynb",
        "nestkit/lab/guest/probe.c",
    }
    assert wanted <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/")]


def test_an_installed_copy_finds_its_data(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import nestkit; from nestkit.requirements import rules; "
        'print(nestkit.__file__); print(len(rules("esx")))'
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    place, rules = done.stdout.split()
    assert place.startswith(str(tmp_path))
    assert int(rules) > 20


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_index_and_hashes_every_package(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(blocks) > 50
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]


def test_the_lock_has_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["build"]
    names = {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in wanted}  # type: ignore[index]
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / LOCKS[0]).read_text(), re.M))
    assert names <= locked


def test_both_locks_agree() -> None:
    pins = [
        dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.M))
        for lock in LOCKS
    ]
    assert pins[0].items() <= pins[1].items()


def test_binder_installs_the_lock_file_and_runs_what_is_executable() -> None:
    binder = ROOT / "binder"
    assert (binder / "requirements.txt").read_text().strip() == "-r ../requirements.lock"
    version = (binder / "runtime.txt").read_text().strip().removeprefix("python-")
    assert tuple(map(int, version.split("."))) >= (3, 11)
    for script in ("postBuild", "start"):
        assert (binder / script).read_text().startswith("#!/bin/bash\n")
        assert (binder / script).stat().st_mode & 0o111, f"{script} is not executable"


@pytest.mark.parametrize(("pip", "lab", "status"), [(0, 0, 0), (0, 2, 0), (1, 0, 1)])
def test_binder_is_built_without_the_lab_but_not_without_nestkit(
    tmp_path: Path, pip: int, lab: int, status: int
) -> None:
    for name, ends in (("python", pip), ("nestkit", lab)):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} $*\nexit {ends}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash", str(ROOT / "binder" / "postBuild")],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status
    assert ("nestkit lab build" in done.stdout) == (pip == 0)
    assert ("no image of the lab" in done.stderr) == (lab != 0)


@pytest.mark.skipif(os.name != "posix", reason="make is for Unix, as the README says")
@pytest.mark.parametrize(
    ("python3", "said"),
    [
        ("", "needs Python 3.11 or newer, and none was found"),
        ("exit 1", "needs Python 3.11 or newer, and none was found"),  # it is too old
        ("case $* in *ensurepip*) exit 1;; *print*) echo 3.12;; esac", "install python3.12-venv"),
    ],
    ids=["none", "too old", "without venv"],
)
def test_make_says_what_to_install_where_no_python_serves(
    tmp_path: Path, python3: str, said: str
) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    path = tmp_path / "bin"
    path.mkdir()
    if python3:
        (path / "python3").write_text(f"#!/bin/sh\n{python3}\n")
        (path / "python3").chmod(0o755)
    done = subprocess.run(
        [str(shutil.which("make")), "-C", str(tmp_path), "course"],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / ".venv").exists()
