"""The independent vSphere peers under ``tests/peers``: built once, started for a test.

They are Go programs on the govmomi library as Debian packages it (``golang-go`` and
``golang-github-vmware-govmomi-dev``, which ``make peers`` installs); nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

SOURCES = Path(__file__).parent / "peers"
LIBRARY = Path("/usr/share/gocode")


def build(name: str) -> Path:
    """The program ``peers/NAME``, built when its source is new."""
    source = SOURCES / name / "main.go"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    folder = platformdirs.user_cache_path("nestkit") / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"{name}-{digest}"
    with filelock.FileLock(folder / "build.lock"):
        if program.exists():
            return program
        go = shutil.which("go")
        here = (LIBRARY / "src/github.com/vmware/govmomi").is_dir()
        assert go and here, "no Go, or no govmomi library here: run `make peers`"
        environment = {
            **os.environ,
            "CGO_ENABLED": "0",  # no C compiler is needed
            "GO111MODULE": "off",
            "GOPATH": str(LIBRARY),
            "GOCACHE": str(folder / "go-build"),
            "GOFLAGS": "",
        }
        command = [go, "build", "-o", str(program), f"./{name}"]
        subprocess.run(command, cwd=SOURCES, env=environment, check=True, timeout=840)
    return program


@dataclass(frozen=True)
class Peer:
    """A running simulator, with the names a practice host has."""

    kind: str
    host: str
    port: int
    user: str
    password: str
    pid: int

    @property
    def url(self) -> str:
        """Its address for ``nk.connect``."""
        pem = ssl.get_server_certificate((self.host, self.port))
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
        return f"{self.kind}://{self.user}@{self.host}:{self.port}?pin=sha256:{digest}"


@contextlib.contextmanager
def simulator(kind: str, vms: int = 3) -> Iterator[Peer]:
    """Start the simulator; it ends with the block."""
    password = secrets.token_urlsafe(12)
    process = subprocess.Popen(
        [build("vcsim"), "-kind", kind, "-vms", str(vms)],
        env={**os.environ, "PEER_PASSWORD": password},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin and process.stdout
    try:
        facts = json.loads(process.stdout.readline())
        host, _, port = facts["address"].rpartition(":")
        yield Peer(kind, host, int(port), facts["user"], password, process.pid)
    finally:
        process.stdin.close()  # how it is told to end
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
