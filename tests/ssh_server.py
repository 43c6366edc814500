"""A real sshd on loopback, run by the tests' own user, with keys of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nestkit.runners import SshRunner


@dataclass
class Server:
    """Where it listens, and what a client needs."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def target(self) -> str:
        return f"{getpass.getuser()}@127.0.0.1"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def trust(self, key: Path) -> None:
        """Write the one key that clients are to expect."""
        words = key.read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {words[0]} {words[1]}\n")

    def runner(self, **more: Any) -> SshRunner:
        options = {
            "depth": 0,
            "acceleration": "none",
            "stack": "this machine",
            "port": self.port,
            "identity": self.folder / "user",
            "known_hosts": self.known_hosts,
            **more,
        }
        return SshRunner(options.pop("target", self.target), **options)


def make_key(path: Path) -> None:
    """A key without a passphrase, and path.pub beside it."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True
    )


def _free_port() -> int:
    while True:
        port = 10_000 + secrets.randbelow(20_000)  # the system gives out higher ones by itself
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def ssh_server(folder: Path) -> Iterator[Server]:
    """Start it, and end it with all that it started."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert program, "sshd is needed: apt-get install openssh-server"
    if os.getuid() == 0:
        # where root's sshd drops its rights; the package's service makes it at its start
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    make_key(folder / "host")
    make_key(folder / "user")
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    port = _free_port()
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"PermitRootLogin prohibit-password\nAllowUsers {getpass.getuser()}\nUseDNS no\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log
        )
    server = Server(folder, port, process)
    server.trust(folder / "host.pub")
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(60)
