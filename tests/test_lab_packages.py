"""Fetching packages: what goes wrong is told, with stand-ins for apt and dpkg."""

from __future__ import annotations

import os
import platform
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

from nestkit.errors import LabError
from nestkit.lab import image, packages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the lab needs Linux")


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder of programs in front of PATH; ``tools("apt-get", "exit 1")`` adds one."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NESTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    def add(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    add("apt-cache", 'echo "Package: $5"')
    add("apt-get", "exit 0")
    add("dpkg-deb", "exit 0")
    return add


def test_no_network_and_no_cached_image(tools):
    tools(
        "apt-get",
        'case "$*" in *update*) echo "W: Failed to fetch http://mirror/InRelease  Could not '
        'resolve"; exit 0 ;; esac; echo "E: Unable to locate package fio"; exit 100',
    )
    with pytest.raises(LabError, match="cannot be fetched: E: Unable to locate") as caught:
        image.build_image()
    assert "network" in caught.value.remedy
    assert not image.is_built()
    assert [p.name for p in image.image_folder().parent.iterdir()] == ["build.lock"]


def test_packages_whose_signature_is_wrong_are_not_taken(tools):
    tools("apt-get", 'echo "E: The repository is not signed."; exit 100')
    with pytest.raises(LabError, match="not signed"):
        image.build_image()


def test_apt_is_never_told_to_accept_unsigned_packages(tmp_path):
    packages.Apt(tmp_path / "apt")
    text = (tmp_path / "apt/apt.conf").read_text()
    assert 'APT::Get::AllowUnauthenticated "false"' in text
    assert 'Acquire::AllowInsecureRepositories "false"' in text


def test_an_apt_that_finds_the_disk_full(tools):
    tools("apt-get", 'echo "E: Write error - write (28: No space left on device)"; exit 100')
    with pytest.raises(LabError, match="disk is full") as caught:
        image.build_image()
    assert "NESTKIT_CACHE" in caught.value.remedy


def test_a_package_that_cannot_be_unpacked_is_named(tools):
    tools(
        "apt-get", 'case "$*" in *install*) touch "${2%/*}/cache/archives/fio_1_amd64.deb" ;; esac'
    )
    tools("dpkg-deb", 'echo "dpkg-deb: error: unexpected end of file" >&2; exit 2')
    with pytest.raises(LabError, match=r"fio_1_amd64\.deb cannot be unpacked: .*unexpected end"):
        image.build_image()


def test_a_machine_without_apt_is_told_which_machines_have_it(monkeypatch, tmp_path):
    monkeypatch.setenv("NESTKIT_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="apt-get") as caught:
        image.build_image()
    assert "Debian 12" in caught.value.remedy


@pytest.mark.parametrize(("system", "machine"), [("linux", "aarch64"), ("win32", "AMD64")])
def test_another_kind_of_machine_is_told_so(monkeypatch, system, machine):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(LabError, match="the lab needs"):
        packages.require_platform()


def test_fetching_can_be_cancelled(tools):
    tools("apt-get", "sleep 60")
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(LabError, match="cancelled"):
        image.build_image(cancel=cancel)
    assert time.monotonic() - started < 50


def test_a_tool_that_hangs_meets_its_deadline(tools):
    tools("hangs", "sleep 30")
    with pytest.raises(LabError, match="hangs did not finish"):
        packages.call(["hangs"], timeout=0.3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Reading...\nE: broken\nW: odd", "E: broken"),
        ("W: odd\nnoise", "W: odd"),
        ("only this", "only this"),
        ("", "no reason was given"),
    ],
)
def test_the_complaint_is_the_gravest_line(text, expected):
    assert packages.complaint(text) == expected


def test_versions_are_read_from_file_names():
    debs = [Path("qemu-system-x86_1%3a7.2+dfsg-7_amd64.deb"), Path("fio_3.33-3_amd64.deb")]
    assert packages.versions(debs) == {"qemu-system-x86": "1:7.2+dfsg-7", "fio": "3.33-3"}
