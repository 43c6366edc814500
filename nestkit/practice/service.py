"""What the HTTP server and a kind of practice host say to each other."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from nestkit.practice.faults import Switchboard
from nestkit.practice.options import Options


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request whose body has been read."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    connection: MutableMapping[str, Any] = field(default_factory=dict)  # lives as long as it
    is_tls: bool = True

    def header(self, name: str) -> str:
        """A header's value, or ""."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


class DropConnection(Exception):
    """Break the connection instead of answering."""


class Service(Protocol):
    """One kind of practice host, without its HTTP server."""

    kind: str
    user: str
    plain_http: bool  # whether it is also spoken to without TLS
    faults: Switchboard

    def __init__(self, options: Options, password: str, faults: Switchboard) -> None: ...

    def answer(self, request: Request) -> Response:
        """Answer a request."""

    def reset(self) -> None:
        """Back to the first state."""

    def close(self) -> None:
        """Let go of what outlives the process."""
