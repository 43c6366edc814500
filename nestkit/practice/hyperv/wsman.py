"""The WS-Management service: what each action does (MS-WSMV 3.1.4)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from nestkit.practice.hyperv import envelope
from nestkit.practice.hyperv.envelope import (
    CMD_SHELL,
    ENUMERATION,
    IDENTITY,
    SHELL,
    TRANSFER,
    BadRequest,
    Fault,
    Request,
)
from nestkit.practice.hyperv.programs import codec
from nestkit.practice.hyperv.shells import Piece, Shell, Shells

_STATE: Final = SHELL + "/CommandState/"
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_MAX_VARIABLES: Final = 100
_MAX_WAIT_S: Final = 60.0


class Service:
    """Answers envelopes.

    Parameters
    ----------
    shells
        Where shells live.
    machine
        The host's name, as it stands in faults.
    os_version
        As ``Identify`` tells it: "10.0.20348".
    """

    def __init__(self, shells: Shells, machine: str, os_version: str) -> None:
        self.shells = shells
        self.machine = machine
        self.os_version = os_version
        self._actions: dict[str, Callable[[Request, str], tuple[str, str]]] = {
            TRANSFER + "/Create": self._create,
            TRANSFER + "/Delete": self._delete,
            TRANSFER + "/Get": self._get,
            ENUMERATION + "/Enumerate": self._enumerate,
            SHELL + "/Command": self._command,
            SHELL + "/Send": self._send,
            SHELL + "/Receive": self._receive,
            SHELL + "/Signal": self._signal,
        }

    def handle(self, body: bytes, user: str) -> tuple[int, bytes]:
        """Answer one envelope of an authenticated user: HTTP status and body."""
        request = Request("")
        try:
            request = envelope.read(body)
            if request.is_identify:
                return 200, envelope.answer("", request, self._identity())
            act = self._actions.get(request.action)
            if act is None:
                raise envelope.unknown_action(request.action)
            action, content = act(request, user)
        except BadRequest as error:
            return 400, envelope.fault(envelope.invalid(str(error)), request, self.machine)
        except Fault as error:
            return 500, envelope.fault(error, request, self.machine)
        return 200, envelope.answer(action, request, content)

    def _identity(self) -> str:
        return (
            f'<id:IdentifyResponse xmlns:id="{IDENTITY}">'
            "<id:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
            "</id:ProtocolVersion><id:ProductVendor>nestkit practice host</id:ProductVendor>"
            f"<id:ProductVersion>OS: {escape(self.os_version)} SP: 0.0 Stack: 3.0"
            "</id:ProductVersion></id:IdentifyResponse>"
        )

    # -- shells ---------------------------------------------------------------------------

    def _create(self, request: Request, user: str) -> tuple[str, str]:
        if request.resource != CMD_SHELL:
            raise envelope.unknown_resource(request.resource)
        body = _body(request, "Shell")
        codepage = request.options.get("WINRS_CODEPAGE", "437")
        if not re.fullmatch(r"[0-9]{1,5}", codepage) or codec(int(codepage)) is None:
            raise envelope.invalid("WINRS_CODEPAGE must be the number of a code page.")
        wanted = body.get("ShellId", "")
        if wanted and not _GUID.fullmatch(wanted):
            raise envelope.invalid("ShellId must be a GUID.")
        variables = body.findall(f"{{{SHELL}}}Environment/{{{SHELL}}}Variable")
        if len(variables) > _MAX_VARIABLES:
            raise envelope.invalid("The shell is given too many environment variables.")
        idle = body.findtext(f"{{{SHELL}}}IdleTimeOut") or ""
        shell = self.shells.open(
            user,
            codepage=int(codepage),
            idle_s=min(envelope.seconds(idle.strip(), self.shells.idle_s), 7_200.0),
            environment={v.get("Name", ""): v.text or "" for v in variables},
            wanted=wanted,
        )
        return TRANSFER + "/CreateResponse", (
            f"<x:ResourceCreated><a:Address>{envelope.ADDRESSING}/role/anonymous</a:Address>"
            f"<a:ReferenceParameters><w:ResourceURI>{CMD_SHELL}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
            f"</a:ReferenceParameters></x:ResourceCreated>{self._shell_xml(shell)}"
        )

    def _shell_xml(self, shell: Shell) -> str:
        return (
            f"<rsp:Shell><rsp:ShellId>{shell.id}</rsp:ShellId>"
            f"<rsp:ResourceUri>{CMD_SHELL}</rsp:ResourceUri>"
            f"<rsp:Owner>{escape(envelope.clean(shell.owner))}</rsp:Owner>"
            "<rsp:ClientIP>127.0.0.1</rsp:ClientIP>"
            f"<rsp:IdleTimeOut>PT{shell.idle_s:.3f}S</rsp:IdleTimeOut>"
            "<rsp:InputStreams>stdin</rsp:InputStreams>"
            "<rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
            f"<rsp:ShellInactivity>PT{shell.idle_for():.3f}S</rsp:ShellInactivity></rsp:Shell>"
        )

    def _shell(self, request: Request, user: str) -> Shell:
        shell_id = request.selectors.get("SHELLID", "")
        if not shell_id:
            raise envelope.no_shell("")
        return self.shells.get(shell_id, user)

    def _delete(self, request: Request, user: str) -> tuple[str, str]:
        self.shells.close(self._shell(request, user))
        return TRANSFER + "/DeleteResponse", ""

    def _get(self, request: Request, user: str) -> tuple[str, str]:
        if request.resource not in (SHELL, CMD_SHELL):
            raise envelope.unknown_resource(request.resource)
        return TRANSFER + "/GetResponse", self._shell_xml(self._shell(request, user))

    def _enumerate(self, request: Request, user: str) -> tuple[str, str]:
        if request.resource not in (SHELL, CMD_SHELL):
            raise envelope.unknown_resource(request.resource)
        mine = "".join(self._shell_xml(s) for s in self.shells.all() if s.owner == user)
        return ENUMERATION + "/EnumerateResponse", (
            "<n:EnumerateResponse><n:EnumerationContext/>"
            f"<w:Items>{mine}</w:Items><w:EndOfSequence/></n:EnumerateResponse>"
        )

    # -- commands -------------------------------------------------------------------------

    def _command(self, request: Request, user: str) -> tuple[str, str]:
        shell = self._shell(request, user)
        body = _body(request, "CommandLine")
        line = body.findtext(f"{{{SHELL}}}Command") or ""
        if not line.strip():
            raise envelope.invalid("The command is empty.")
        wanted = body.get("CommandId", "")
        if wanted and not _GUID.fullmatch(wanted):
            raise envelope.invalid("CommandId must be a GUID.")
        arguments = tuple(one.text or "" for one in body.findall(f"{{{SHELL}}}Arguments"))
        skip_cmd = request.options.get("WINRS_SKIP_CMD_SHELL", "").upper() == "TRUE"
        command = self.shells.start(shell, line, arguments, wanted=wanted, skip_cmd=skip_cmd)
        return SHELL + "/CommandResponse", (
            f"<rsp:CommandResponse><rsp:CommandId>{command.id}</rsp:CommandId>"
            "</rsp:CommandResponse>"
        )

    def _send(self, request: Request, user: str) -> tuple[str, str]:
        shell = self._shell(request, user)
        for stream in _body(request, "Send").findall(f"{{{SHELL}}}Stream"):
            if stream.get("Name") != "stdin":
                raise envelope.invalid("Only the stream stdin takes input.")
            try:
                data = base64.b64decode((stream.text or "").strip(), validate=True)
            except (binascii.Error, ValueError) as error:
                raise envelope.invalid("The input is not base64.") from error
            end = stream.get("End", "").lower() in ("true", "1")
            shell.command(stream.get("CommandId", "")).feed(data, end=end)
        return SHELL + "/SendResponse", "<rsp:SendResponse/>"

    def _receive(self, request: Request, user: str) -> tuple[str, str]:
        shell = self._shell(request, user)
        wanted = _body(request, "Receive").find(f"{{{SHELL}}}DesiredStream")
        if wanted is None:
            raise envelope.invalid("Receive names no stream.")
        command = shell.command(wanted.get("CommandId", ""))
        with shell.in_use():
            piece = command.receive(min(request.timeout_s, _MAX_WAIT_S))
        if piece is None:
            raise envelope.timed_out()
        return SHELL + "/ReceiveResponse", _received(command.id, piece)

    def _signal(self, request: Request, user: str) -> tuple[str, str]:
        shell = self._shell(request, user)
        body = _body(request, "Signal")
        command = shell.command(body.get("CommandId", ""))
        code = (body.findtext(f"{{{SHELL}}}Code") or "").strip()
        kind = code.removeprefix(SHELL + "/signal/").lower()
        if kind not in ("terminate", "ctrl_c", "ctrl_break"):
            raise envelope.invalid(f"There is no signal {code[:100]!r}.")
        command.cancel()
        if kind == "terminate":
            shell.commands.pop(command.id, None)
        return SHELL + "/SignalResponse", "<rsp:SignalResponse/>"


def _body(request: Request, name: str) -> Element:
    if request.body is None or request.body.tag != f"{{{SHELL}}}{name}":
        raise envelope.invalid(f"The body must be a {name} element of {SHELL}.")
    return request.body


def _received(command_id: str, piece: Piece) -> str:
    parts = ["<rsp:ReceiveResponse>"]
    for name, data in (("stdout", piece.stdout), ("stderr", piece.stderr)):
        if data:
            text = base64.b64encode(data).decode("ascii")
            parts.append(f'<rsp:Stream Name="{name}" CommandId="{command_id}">{text}</rsp:Stream>')
    if piece.exit_code is None:
        state = f'<rsp:CommandState CommandId="{command_id}" State="{_STATE}Running"/>'
    else:
        ends = (
            f'<rsp:Stream Name="{name}" CommandId="{command_id}" End="true"/>'
            for name in ("stdout", "stderr")
        )
        parts.extend(ends)
        state = (
            f'<rsp:CommandState CommandId="{command_id}" State="{_STATE}Done">'
            f"<rsp:ExitCode>{piece.exit_code}</rsp:ExitCode></rsp:CommandState>"
        )
    return "".join((*parts, state, "</rsp:ReceiveResponse>"))
