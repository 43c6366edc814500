"""A session with a vSphere API: verified TLS, one login, bulk reads of leaf properties.

pyVmomi supplies the types and the SOAP; how to connect, whom to trust, when to log in again
and how to read are decided here. One session has its own stub and service instance: no global.
pyVmomi is imported when a session starts, not before.
"""

from __future__ import annotations

import importlib
import re
import threading
import time
import xml.parsers.expat
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.client import HTTPException
from typing import Any, Final, TypeVar

from nestkit.addresses import Address
from nestkit.credentials import Secret
from nestkit.errors import (
    ConnectionFailed,
    CredentialsError,
    DeadlineExceeded,
    HostRefused,
    NestkitError,
    NotFound,
    SessionExpired,
    TrustError,
)
from nestkit.transport.tls import Trust, TrustedConnection, establish
from nestkit.transport.vim_errors import dropped, translate
from nestkit.transport.vim_rows import Row, row_of, short_name, signed_in
from nestkit.transport.vim_version import negotiate

REQUEST_TIMEOUT_S: Final = 60.0
PAGE: Final = 500
__all__ = ["Row", "VimSession", "load", "open_session"]
T = TypeVar("T")

# pyVmomi's modules import each other: of two threads that begin at once, one finds them half made
_IMPORTING: Final = threading.Lock()


def load(module: str = "pyVmomi") -> Any:
    """pyVmomi, imported when first needed; untyped, for its stubs know but a part of it."""
    with _IMPORTING:
        return importlib.import_module(module)


class VimSession:
    """A logged-in session. Make it with :func:`open_session`."""

    def __init__(self, address: Address, trust: Trust, secret: Secret, version: str) -> None:
        self.address = address
        self._secret = secret
        self._closed = False
        self.stub = load("pyVmomi.SoapAdapter").SoapStubAdapter(
            host=address.host, port=address.port, path="/sdk", version=version
        )
        self.stub.scheme = TrustedConnection
        self.stub.schemeArgs = {"trust": trust, "timeout": REQUEST_TIMEOUT_S}
        service = load().vim.ServiceInstance("ServiceInstance", self.stub)
        self.content: Any = self.call(service.RetrieveContent, "reading what the service offers")
        self._login()

    @property
    def place(self) -> str:
        """Where this session goes, for messages."""
        return f"{self.address.host}:{self.address.port}"

    def call(self, do: Callable[[], T], doing: str, *, write: bool = False) -> T:
        """Make one call of the API.

        A read whose connection drops is made once more. A write never is: nobody knows
        whether it was done. A session that has expired is established again, once.

        Raises
        ------
        NestkitError
            The fault or the lost connection, translated. It refers to nothing of the call, so
            that no traceback can show what was sent.
        """
        if self._closed:
            raise ConnectionFailed(
                f"the connection to {self.place} was closed", remedy="connect again"
            )
        if write:
            # a kept connection may have died unnoticed; a new one shows it before the request
            self.stub.DropConnections()
        renewed = retried = False
        while True:
            result, failure = self._attempt(do, doing, write=write)
            if failure is None:
                return result  # type: ignore[return-value]
            if isinstance(failure, SessionExpired) and not renewed:
                renewed = True
                self._login()
            elif isinstance(failure, ConnectionFailed) and not (
                write or retried or isinstance(failure, SessionExpired)
            ):
                retried = True
            elif isinstance(failure, SessionExpired):
                raise SessionExpired(
                    f"the session with {self.place} ended, and the new one is refused as well",
                    remedy="connect again; if it stays so, look at the host's session limit",
                )
            else:
                raise failure

    def _attempt(
        self, do: Callable[[], T], doing: str, *, write: bool
    ) -> tuple[T | None, NestkitError | None]:
        """The result, or the failure: for the caller to raise, out of its cause's reach."""
        try:
            return do(), None
        except load().vmodl.MethodFault as error:
            return None, translate(error, doing)
        except TrustError as error:
            return None, error
        except (OSError, HTTPException) as error:
            return None, dropped(self.place, str(error) or type(error).__name__, write=write)
        except xml.parsers.expat.ExpatError as error:
            return None, dropped(self.place, f"the answer is cut off: {error}", write=write)

    def _login(self) -> None:
        manager = self.content.sessionManager
        user, secret = self.address.user, self._secret

        def log_in() -> None:
            manager.Login(user, secret.reveal(), None)

        if not all(map(_sendable, (user, secret.reveal()))):
            raise CredentialsError(
                f"the user or the password for {self.place} holds a character that cannot be sent",
                remedy="look for control characters in it that were copied along",
            )
        self.stub.cookie = ""  # a session that still holds would be taken for a wrong password
        doing = f"logging in to {self.place} as {user!r}"
        _, failure = self._attempt(log_in, doing, write=False)
        if isinstance(failure, ConnectionFailed):
            _, failure = self._attempt(log_in, doing, write=False)
        if isinstance(failure, CredentialsError):
            failure = CredentialsError(
                f"{self.place} refused the password of {user!r} (from {secret.origin})",
                remedy=failure.remedy,
            )
        if failure is not None:
            raise failure

    def retrieve(self, kind: Any, paths: Iterable[str], objects: Sequence[Any]) -> list[Row]:
        """Leaf properties of the given managed objects, in one call, paged.

        A property that the user may not read, or that cannot be told, becomes Unknown.
        """
        if not objects:
            return []
        query = load().vmodl.query.PropertyCollector
        spec = query.FilterSpec(
            objectSet=[query.ObjectSpec(obj=item) for item in objects],
            propSet=[query.PropertySpec(type=kind, all=False, pathSet=list(paths))],
        )
        return [row for page in self._pages(spec, kind.__name__) for row in page]

    def retrieve_all(self, kind: Any, paths: Iterable[str]) -> list[Row]:
        """Leaf properties of every object of a kind in the inventory, in one call, paged."""
        return [row for page in self.stream(kind, paths) for row in page]

    def stream(self, kind: Any, paths: Iterable[str]) -> Iterator[list[Row]]:
        """As :meth:`retrieve_all`, page by page as they come, each object once.

        Raises
        ------
        NestkitError
            Between two pages as well: what came before is good.
        """
        paths = list(paths)
        seen: set[str] = set()
        for last in (False, True):
            try:
                for page in self._list(kind, paths):
                    fresh = [row for row in page if row.ref._moId not in seen]
                    seen.update(row.ref._moId for row in fresh)
                    yield fresh
            except (HostRefused, NotFound):
                # when a session ends on the way, its view and the next page go with it
                if last:
                    raise
            else:
                return

    def _list(self, kind: Any, paths: list[str]) -> Iterator[list[Row]]:
        vim, query = load().vim, load().vmodl.query.PropertyCollector
        doing = f"listing every {short_name(kind.__name__)}"
        view = self.call(
            lambda: self.content.viewManager.CreateContainerView(
                self.content.rootFolder, [kind], True
            ),
            doing,
        )
        try:
            follow = query.TraversalSpec(
                name="view", path="view", skip=False, type=vim.view.ContainerView
            )
            spec = query.FilterSpec(
                objectSet=[query.ObjectSpec(obj=view, skip=True, selectSet=[follow])],
                propSet=[query.PropertySpec(type=kind, all=False, pathSet=paths)],
            )
            yield from self._pages(spec, kind.__name__)
        finally:
            self._attempt(view.DestroyView, doing, write=False)  # the session's end does it too

    def _pages(self, spec: Any, kind: str) -> Iterator[list[Row]]:
        collector = self.content.propertyCollector
        options = load().vmodl.query.PropertyCollector.RetrieveOptions(maxObjects=PAGE)
        doing = f"reading properties of {short_name(kind)}"
        page = self.call(lambda: signed_in(collector.RetrievePropertiesEx([spec], options)), doing)
        while page is not None:
            token = page.token
            yield [row_of(item) for item in page.objects]
            if not token:
                break
            page = self.call(
                lambda token=token: signed_in(collector.ContinueRetrievePropertiesEx(token)),  # type: ignore[misc]
                doing,
            )

    def wait(self, task: Any, deadline_s: float, doing: str) -> None:
        """Return when the task has succeeded.

        Raises
        ------
        DeadlineExceeded
            It still runs after ``deadline_s`` seconds. It is not cancelled.
        NestkitError
            It failed: its fault, translated.
        """
        until = time.monotonic() + deadline_s
        pause = 0.05
        while True:
            (row,) = self.retrieve(load().vim.Task, ("info.state", "info.error"), [task])
            state = row.fact("info.state")
            if state == "success":
                return
            if state == "error":
                raise translate(row.values.get("info.error"), doing)
            if time.monotonic() >= until:
                raise DeadlineExceeded(
                    f"{doing}: the host's task is still {state} after {deadline_s:g} s; "
                    "it was not cancelled",
                    remedy="look at the host's task list; when the task has ended, go on",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def close(self) -> None:
        """Log out and hang up. Safe to call twice."""
        if self._closed:
            return
        manager = self.content.sessionManager
        self._closed = True  # a late call must not log in again
        self._attempt(manager.Logout, "logging out", write=False)
        self.stub.DropConnections()


def open_session(address: Address, secret: Callable[[], Secret]) -> VimSession:
    """Judge the peer, see that it is a vSphere API that is new enough, log in.

    ``secret`` is asked only after the peer was found to be what it should be.

    Raises
    ------
    TrustError, ConnectionFailed, CredentialsError
        See :func:`nestkit.transport.tls.establish`; not vSphere; too old; wrong password.
    """
    trust = establish(address)
    version = negotiate(address, trust)
    return VimSession(address, trust, secret(), version)


def _sendable(text: str) -> bool:
    """Whether XML 1.0 can carry the text."""
    return not re.search("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
