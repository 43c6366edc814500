"""Sessions: who is logged in, what their views and collectors are, and when they end."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from nestkit.practice.esx.api import vim
from nestkit.practice.esx.collector import Collector
from nestkit.practice.esx.managed import Managed

# hostd's own default; clients meet it as pyvmomi issues 349 and 953
IDLE_S: Final = 30 * 60
COOKIE: Final = "vmware_soap_session"
MAX_SESSIONS: Final = 200


@dataclass(slots=True)
class Session:
    """One login."""

    user: str
    agent: str
    token: str = field(default_factory=lambda: secrets.token_hex(26), repr=False)
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    login_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    last_used: float = field(default_factory=time.monotonic)
    calls: int = 0
    objects: dict[str, Managed] = field(default_factory=dict)
    collectors: dict[str, Collector] = field(default_factory=dict)
    made: int = 0

    def new_id(self, kind: str) -> str:
        """An id for an object that lives in this session."""
        self.made += 1
        return f"session[{self.key}]{kind}-{self.made}"

    def collector(self, moid: str) -> Collector:
        """The collector of this id; the session's first one is made when first used."""
        return self.collectors.setdefault(moid, Collector(moid))

    def as_user_session(self) -> Any:
        """The API's ``UserSession``."""
        return vim.UserSession(
            key=self.key,
            userName=self.user,
            fullName=self.user,
            loginTime=self.login_time,
            lastActiveTime=datetime.now(UTC),
            locale="en",
            messageLocale="en",
            extensionSession=False,
            ipAddress="127.0.0.1",
            userAgent=self.agent,
            callCount=self.calls,
        )


class Sessions:
    """The host's sessions. Used under the world's lock."""

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self.idle_s = idle_s
        self._by_token: dict[str, Session] = {}

    def open(self, user: str, agent: str) -> Session:
        """A new session; the oldest ends when there are too many."""
        while len(self._by_token) >= MAX_SESSIONS:
            oldest = min(self._by_token.values(), key=lambda one: one.last_used)
            self.close(oldest)
        session = Session(user, agent[:200])
        self._by_token[session.token] = session
        return session

    def get(self, token: str | None) -> Session | None:
        """The session of a cookie, unless it has ended."""
        session = self._by_token.get(token or "")
        if session is None:
            return None
        now = time.monotonic()
        if now - session.last_used > self.idle_s:
            self.close(session)
            return None
        session.last_used = now
        session.calls += 1
        return session

    def close(self, session: Session) -> None:
        """End a session and what lives in it."""
        self._by_token.pop(session.token, None)
        for collector in session.collectors.values():
            collector.cancelled = True

    def close_all(self) -> None:
        """End every session."""
        for session in list(self._by_token.values()):
            self.close(session)


def cookie_token(header: str) -> str | None:
    """The session token in a Cookie header; its value may stand in quotes or not."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name.strip() == COOKIE:
            return value.strip().strip('"')
    return None
