"""The HTTPS server under the practice hosts, on cheroot: loopback only, bounded, never dies."""

from __future__ import annotations

import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from cheroot import errors
from cheroot.makefile import MakeFile
from cheroot.server import Gateway, HTTPConnection, HTTPServer
from cheroot.ssl import Adapter

from nestkit.errors import NestkitError
from nestkit.practice.faults import Faults, parse
from nestkit.practice.service import DropConnection, Request, Response, Service

CONTROL_PATH: Final = "/nestkit/control"
MAX_BODY: Final = 4 * 2**20
MAX_HEADERS: Final = 64 * 2**10
THREADS: Final = 24  # waiting for updates holds a thread
MAX_THREADS: Final = 240
MAX_CONNECTIONS: Final = 400  # below the usual limit of open files
IDLE_CONNECTION_S: Final = 16 * 60  # pyVmomi keeps a connection for 15 minutes
_PIECE: Final = 2**18  # bytes sent under one time limit
STALLED_S: Final = 15  # in the middle of a handshake or a request
_REASONS: Final = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
                   405: "Method Not Allowed", 500: "Internal Server Error"}  # fmt: skip


class _Tls(Adapter):
    """TLS whose handshake happens in a worker, so that a silent client holds nobody up."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def bind(self, sock: socket.socket) -> socket.socket:
        return sock

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, Any]]:
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, {}

    def get_environ(self) -> dict[str, Any]:
        return {}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:
        return MakeFile(sock, mode, bufsize)


class _Gateway(Gateway):
    """Reads the request, asks the host, writes the answer in one piece."""

    def respond(self) -> None:
        host: PracticeServer = self.req.server.practice
        try:
            answer = host.answer(self._request())
        except DropConnection:
            self.req.close_connection = True
            self.req.conn.socket.shutdown(socket.SHUT_RDWR)
            raise errors.FatalSSLAlert from None
        except (ValueError, errors.MaxSizeExceeded):
            answer = Response(400, b"the request cannot be read\n", "text/plain")
            self.req.close_connection = True
        self._write(answer)

    def _request(self) -> Request:
        req = self.req
        body = req.rfile.read()
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in req.inheaders.items()
        }
        path = req.path.decode("latin-1")
        connection = vars(req.conn).setdefault("nestkit", {})
        is_tls = req.server.ssl_adapter is not None
        method = req.method.decode("latin-1")
        return Request(method, path, headers, body, connection, is_tls)

    def _write(self, answer: Response) -> None:
        req = self.req
        req.status = f"{answer.status} {_REASONS.get(answer.status, 'Status')}".encode()
        req.outheaders = [
            (b"Content-Type", answer.content_type.encode()),
            (b"Content-Length", str(len(answer.body)).encode()),
            *((name.encode(), value.encode()) for name, value in answer.headers),
        ]
        req.ensure_headers_sent()
        # cheroot's buffered writer copies what is left after each TLS record
        if req.method != b"HEAD":
            body = memoryview(answer.body)
            # piece by piece: the time limit is for a client that takes nothing, not for a long
            # answer to one that reads slowly
            for start in range(0, len(body), _PIECE):
                req.conn.socket.sendall(body[start : start + _PIECE])


class _Connection(HTTPConnection):
    """A connection that holds a worker only from its first byte on, and not while it stalls."""

    said_nothing = True

    def __init__(self, server: Any, sock: socket.socket, makefile: Any = MakeFile) -> None:
        sock.settimeout(STALLED_S)
        super().__init__(server, sock, makefile)


class _Http(HTTPServer):
    """cheroot's server, which knows its host and writes no log: requests may hold passwords."""

    practice: PracticeServer
    ConnectionClass = _Connection
    _connections: Any

    def process_conn(self, conn: _Connection) -> None:
        """Let a new connection wait for its first byte, others for a worker."""
        if not conn.said_nothing:
            waiting_for_worker = self.requests.qsize
            if self.requests.idle <= waiting_for_worker:
                self.requests.grow(waiting_for_worker + THREADS)
            super().process_conn(conn)
            return
        conn.said_nothing = False
        waiting = [(fd, one) for fd, one in self._connections._selector.connections if one != self]
        if len(waiting) >= MAX_CONNECTIONS:  # the one that has been silent for longest goes
            fd, oldest = min(waiting, key=lambda pair: pair[1].last_used)
            self._connections._selector.unregister(fd)
            oldest.close()
        self._connections.put(conn)

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Write nothing."""


class PracticeServer:
    """A service behind HTTPS, and the control channel beside it."""

    def __init__(
        self, service: Service, context: ssl.SSLContext, token: str, stop: Callable[[], None]
    ) -> None:
        self.service = service
        self.last_used = time.monotonic()
        self._token = token.encode()
        self._stop = stop
        self._servers = [self._listen(_Tls(context))]
        self.https_port = self.port = self._servers[0].bind_addr[1]
        if service.plain_http:
            self._servers.append(self._listen(None))
            self.port = self._servers[1].bind_addr[1]

    def _listen(self, tls: _Tls | None) -> _Http:
        server = _Http(("127.0.0.1", 0), _Gateway, minthreads=THREADS, maxthreads=MAX_THREADS)
        server.practice = self
        server.server_name = "nestkit practice host"
        server.ssl_adapter = tls
        server.max_request_body_size = MAX_BODY
        server.max_request_header_size = MAX_HEADERS
        server.timeout = IDLE_CONNECTION_S
        server.keep_alive_conn_limit = MAX_CONNECTIONS
        server.request_queue_size = 128
        server.shutdown_timeout = 1
        server.expiration_interval = 0.1  # also how long stopping takes
        server.prepare()
        threading.Thread(target=server.serve, name="practice-http", daemon=True).start()
        return server

    def close(self) -> None:
        """Stop listening and end the workers."""
        for server in self._servers:
            server.stop()
        self.service.close()

    def answer(self, request: Request) -> Response:
        """Answer a request; what goes wrong inside never ends the host."""
        if request.path == CONTROL_PATH and request.is_tls:
            return self._control(request)
        self.last_used = time.monotonic()
        try:
            return self.service.answer(request)
        except DropConnection:
            raise
        except Exception as error:  # noqa: BLE001  (the host stays up; the client is told)
            text = f"internal error of the practice host: {type(error).__name__}\n"
            return Response(500, text.encode(), "text/plain")

    def _control(self, request: Request) -> Response:
        given = request.header("Authorization").removeprefix("Bearer ").encode("latin-1")
        if not hmac.compare_digest(given, self._token):
            return Response(401, b"{}\n", "application/json")
        try:
            data = json.loads(request.body)
            answer, status = self._command(data), 200
        except NestkitError as error:
            answer, status = {"error": error.message, "remedy": error.remedy}, 400
        except (ValueError, KeyError, TypeError) as error:
            answer, status = {"error": f"not a command: {error}", "remedy": ""}, 400
        return Response(status, json.dumps(answer).encode(), "application/json")

    def _command(self, data: dict[str, Any]) -> dict[str, Any]:
        command = data["command"]
        if command == "reset":
            self.service.reset()
        elif command == "faults":
            over = self.service.faults.now if data.get("add") else Faults()
            self.service.faults.set(parse(data["faults"], over=over))
        elif command == "stop":
            # after the answer has left
            threading.Timer(0.05, self._stop).start()
        elif command != "status":
            raise KeyError(command)
        idle = time.monotonic() - self.last_used
        return {
            "kind": self.service.kind,
            "idle_s": round(idle, 1),
            "faults": self.service.faults.now.to_json(),
        }
