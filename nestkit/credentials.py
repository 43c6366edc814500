"""Where a password comes from, and how it stays unseen.

In this order: the argument, ``NESTKIT_PASSWORD``, the keyring (service "nestkit", user name =
the address without its options, such as ``esx://root@esxi01.lab``), a prompt on a terminal.
"""

from __future__ import annotations

import getpass
import os
import queue
import sys
import threading
from typing import Final, NoReturn

from nestkit.errors import CredentialsError

KEYRING_SERVICE: Final = "nestkit"
KEYRING_DEADLINE_S: Final = 2.0  # a locked keyring may wait for a window nobody sees
VARIABLE: Final = "NESTKIT_PASSWORD"


class Secret:
    """A password that shows itself only when asked by name.

    Its repr and str are dots, it cannot be pickled, copied or written as JSON.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str = "the argument") -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        """The password itself. Hand it straight on; keep it in no variable."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not written anywhere")


def find(
    where: str,
    password: str | Secret | None = None,
    *,
    interactive: bool | None = None,
    variable: str = VARIABLE,
) -> Secret:
    """The password for an address.

    Parameters
    ----------
    where
        The address without options, as shown in the prompt and kept in the keyring.
    password
        Used as it is, when given.
    interactive
        Whether a person may be asked; by default, when standard input is a terminal.
    variable
        The environment variable that may hold it.

    Raises
    ------
    CredentialsError
        There is none, and nobody to ask.
    """
    if isinstance(password, Secret):
        return password
    if password is not None:
        return Secret(password)
    if variable in os.environ:
        return Secret(os.environ[variable], f"the environment variable {variable}")
    kept = _from_keyring(where)
    if kept is not None:
        return kept
    if sys.stdin is not None and sys.stdin.isatty() if interactive is None else interactive:
        try:
            return Secret(getpass.getpass(f"Password for {where}: "), "the prompt")
        except EOFError:
            pass
    argument = variable.removeprefix("NESTKIT_").lower()
    raise CredentialsError(
        f"no password for {where}",
        remedy=f"pass {argument}=…, set {variable}, or keep it in the keyring: "
        f"`keyring set {KEYRING_SERVICE} {where}`",
    )


def _from_keyring(where: str) -> Secret | None:
    """What the keyring has, or None: no back end, locked, slow and broken all count as absent."""
    answer: queue.SimpleQueue[Secret | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            import keyring

            value = keyring.get_password(KEYRING_SERVICE, where)
            answer.put(None if value is None else Secret(value, "the keyring"))
        except BaseException:  # noqa: BLE001  (back ends raise whatever they like)
            answer.put(None)

    threading.Thread(target=ask, name="nestkit-keyring", daemon=True).start()
    try:
        return answer.get(timeout=KEYRING_DEADLINE_S)
    except queue.Empty:
        return None
