"""Run a program in the guest of a VM, through VMware Tools.

Source: vSphere Web Services API reference 8.0, ``GuestProcessManager``: a program's output is not
told, its exit code is.
"""

from __future__ import annotations

import time
from typing import Final

from nestkit.credentials import Secret, find
from nestkit.errors import DeadlineExceeded
from nestkit.hosts.esx import NAME_PATHS, EsxHost, pick
from nestkit.transport.vim import load

VARIABLE: Final = "NESTKIT_GUEST_PASSWORD"
_POLL_S: Final = 0.25


def run_in_guest(
    host: EsxHost,
    vm: str,
    program: str,
    arguments: str = "",
    *,
    user: str = "root",
    password: str | Secret | None = None,
    deadline_s: float = 30.0,
) -> int:
    """Start a program in a running guest, wait for its end, and return its exit code.

    Parameters
    ----------
    host, vm
        The host, and the name or instance UUID of the VM; its VMware Tools must run.
    program, arguments
        Path of the program in the guest, and its arguments as one text.
    user, password
        Of the guest. Without a password ``NESTKIT_GUEST_PASSWORD`` or the keyring has it; a
        practice host's guests take the practice host's own.
    deadline_s
        How long it may take, seconds.

    Raises
    ------
    DeadlineExceeded
        It did not end in time, seconds; it may still run.
    NestkitError
        The guest cannot be spoken to, or refuses the user or the program.
    """
    vim, session = load().vim, host._session
    if password is None and host.is_practice:
        secret = session._secret
    else:
        secret = find(f"guest://{user}@{vm}", password, variable=VARIABLE)
    ref = pick(session.retrieve_all(vim.VirtualMachine, NAME_PATHS), vm).ref
    doing = f"running {program} in the guest of {vm!r}"
    manager = session.call(lambda: session.content.guestOperationsManager.processManager, doing)
    auth = vim.vm.guest.NamePasswordAuthentication(
        username=user, password=secret.reveal(), interactiveSession=False
    )
    spec = vim.vm.guest.ProcessManager.ProgramSpec(programPath=program, arguments=arguments)
    pid = session.call(lambda: manager.StartProgramInGuest(ref, auth, spec), doing, write=True)
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        (process, *_) = session.call(lambda: manager.ListProcessesInGuest(ref, auth, [pid]), doing)
        if process.endTime is not None:
            return int(process.exitCode)
        time.sleep(_POLL_S)
    raise DeadlineExceeded(
        f"{program} in the guest of {vm!r} did not end within {deadline_s:g} s",
        remedy="give it longer, or look at it in the guest",
    )
