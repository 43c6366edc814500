"""SOAP envelopes of WS-Management: requests in, answers and faults out.

Shapes follow DMTF DSP0226 and MS-WSMV; fault codes are those of the Windows SDK's wsmerror.h.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape, quoteattr

MAX_BYTES: Final = 512_000  # WinRM's MaxEnvelopeSizekb is 500 by default
_MAX_DEPTH: Final = 32
_MAX_ELEMENTS: Final = 2_000

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER: Final = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION: Final = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
WSMAN: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
IDENTITY: Final = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
SHELL: Final = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CMD_SHELL: Final = SHELL + "/cmd"
_FAULT_NS: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
_FAULT_ACTION: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_NAMESPACES: Final = (
    f'xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" xmlns:w="{WSMAN}" '
    f'xmlns:rsp="{SHELL}" xmlns:n="{ENUMERATION}"'
)


class BadRequest(Exception):
    """The body is not an envelope that can be read."""


class Fault(Exception):
    """A SOAP fault. ``code`` is Windows' own number, ``subcode`` a qualified name."""

    def __init__(self, message: str, code: int, subcode: str, *, sender: bool = True) -> None:
        super().__init__(message)
        self.message, self.code, self.subcode, self.sender = message, code, subcode, sender


def timed_out() -> Fault:
    """Nothing to tell within the operation's time; the client asks again."""
    return Fault(
        "The operation did not finish within the time that the request allows.",
        2150858793,
        "w:TimedOut",
        sender=False,
    )


def no_shell(shell_id: str) -> Fault:
    """There is no such shell, or no longer."""
    return Fault(
        f"The shell {shell_id[:64]!r} was not found on this server: its id is wrong, "
        "or the shell has ended. Open another one.",
        2150858843,
        "w:InvalidSelectors",
    )


def no_command(command_id: str) -> Fault:
    """There is no such command in the shell (Win32 error 87, invalid parameter)."""
    return Fault(f"The shell has no command {command_id[:64]!r}.", 87, "w:InvalidParameter")


def too_many_shells(limit: int) -> Fault:
    """The user's quota of shells is used up."""
    return Fault(
        f"This user is allowed {limit} concurrent shells, and has them. Close one first.",
        2150859173,
        "w:QuotaLimit",
    )


def too_many_operations(limit: int) -> Fault:
    """Commands were started and never signalled to end."""
    return Fault(
        f"This user is allowed {limit} concurrent operations, and has them. End some first.",
        2150859174,
        "w:QuotaLimit",
    )


def invalid(message: str) -> Fault:
    """The envelope lacks something or holds a value of the wrong kind."""
    return Fault(message, 2150858817, "w:SchemaValidationError")


def unknown_action(action: str) -> Fault:
    """The action is not one of this server's."""
    return Fault(
        f"The practice host does not do the action {action[:200]!r}.",
        2150858753,
        "a:ActionNotSupported",
    )


def unknown_resource(resource: str) -> Fault:
    """The resource is not one of this server's."""
    return Fault(
        f"The practice host has no resource {resource[:200]!r}; it offers the shell {CMD_SHELL}.",
        2150858752,
        "a:DestinationUnreachable",
    )


def access_denied() -> Fault:
    """The user may not do this (Win32 error 5)."""
    return Fault("Access is denied.", 5, "w:AccessDenied")


@dataclass(frozen=True, slots=True)
class Request:
    """What an envelope asks for; ``timeout_s`` is in seconds."""

    action: str
    resource: str = ""
    message_id: str = ""
    timeout_s: float = 60.0
    selectors: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    body: Element | None = None  # the body's first child
    is_identify: bool = False


class _Tree:
    """Builds elements with expat; refuses DTDs, entities, instructions and storms."""

    def __init__(self) -> None:
        self.builder = TreeBuilder()
        self.parser = ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self.builder.data
        for handler in ("StartDoctypeDecl", "EntityDecl", "ProcessingInstruction"):
            setattr(self.parser, handler + "Handler", self._refuse)
        self.depth = self.count = 0

    def _refuse(self, *_: Any) -> None:
        raise BadRequest("document types, entities and processing instructions are not accepted")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.count += 1
        if self.depth > _MAX_DEPTH or self.count > _MAX_ELEMENTS:
            raise BadRequest("the envelope is nested too deeply or has too many elements")
        self.builder.start(_clark(tag), {_clark(k): v for k, v in attributes.items()})

    def _end(self, tag: str) -> None:
        self.depth -= 1
        self.builder.end(_clark(tag))


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def parse_xml(body: bytes) -> Element:
    """Read XML safely.

    Raises
    ------
    BadRequest
        Too large, not well-formed, too deep, or with a document type.
    """
    if len(body) > MAX_BYTES:
        raise BadRequest(f"the envelope is larger than {MAX_BYTES} bytes")
    tree = _Tree()
    try:
        tree.parser.Parse(body, True)
        return tree.builder.close()
    except (ExpatError, ValueError, LookupError) as error:
        raise BadRequest(f"the body is not well-formed XML: {error}") from error


def read(body: bytes) -> Request:
    """Read a request's envelope.

    Raises
    ------
    BadRequest
        It is no SOAP 1.2 envelope.
    Fault
        It is one, but lacks what WS-Management needs.
    """
    root = parse_xml(body)
    if root.tag != f"{{{SOAP}}}Envelope":
        raise BadRequest("the body is not a SOAP 1.2 envelope")
    content = root.find(f"{{{SOAP}}}Body")
    header = root.find(f"{{{SOAP}}}Header")
    first = content[0] if content is not None and len(content) else None
    if first is not None and first.tag == f"{{{IDENTITY}}}Identify":
        return Request("", is_identify=True)
    if header is None:
        raise invalid("The envelope has no header.")
    message_id = _text(header, ADDRESSING, "MessageID")
    if len(message_id) > 200:
        raise invalid("The message id is too long.")
    return Request(
        action=_text(header, ADDRESSING, "Action"),
        resource=_text(header, WSMAN, "ResourceURI"),
        message_id=message_id,
        timeout_s=seconds(_text(header, WSMAN, "OperationTimeout"), 60.0),
        selectors=_named(header, "Selector"),
        options=_named(header, "Option"),
        body=first,
    )


def _text(parent: Element, namespace: str, name: str) -> str:
    return (parent.findtext(f"{{{namespace}}}{name}") or "").strip()


def _named(header: Element, name: str) -> dict[str, str]:
    found = header.iterfind(f"{{{WSMAN}}}{name}Set/{{{WSMAN}}}{name}")
    return {one.get("Name", "").upper(): (one.text or "").strip() for one in found}


def seconds(text: str, default: float) -> float:
    """An XML Schema duration, or a plain number of seconds, as seconds (at most a day)."""
    match = re.fullmatch(
        r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", text
    )
    if match and any(match.groups()):
        days, hours, minutes, rest = (float(part or 0) for part in match.groups())
        return min(86_400.0, days * 86_400 + hours * 3_600 + minutes * 60 + rest)
    if re.fullmatch(r"\d{1,9}", text):
        return min(86_400.0, float(text))
    return default


def clean(text: str) -> str:
    """Text that XML 1.0 can carry: what it cannot becomes U+FFFD."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def answer(action: str, request: Request, content: str) -> bytes:
    """An envelope that answers a request; ``content`` is XML already."""
    relates = (
        f"<a:RelatesTo>{escape(clean(request.message_id))}</a:RelatesTo>"
        if request.message_id
        else ""
    )
    return (
        f'<s:Envelope xml:lang="en-US" {_NAMESPACES}><s:Header>'
        f"<a:Action>{escape(clean(action))}</a:Action>"
        f"<a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>"
        f"<a:To>{ADDRESSING}/role/anonymous</a:To>{relates}</s:Header>"
        f"<s:Body>{content}</s:Body></s:Envelope>"
    ).encode()


def fault(error: Fault, request: Request, machine: str) -> bytes:
    """A fault as Windows words it: SOAP code, sub-code, reason and WSManFault detail."""
    text = escape(clean(error.message))
    content = (
        f"<s:Fault><s:Code><s:Value>s:{'Sender' if error.sender else 'Receiver'}</s:Value>"
        f"<s:Subcode><s:Value>{error.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason><s:Detail>'
        f'<f:WSManFault xmlns:f="{_FAULT_NS}" Code="{error.code}" '
        f"Machine={quoteattr(clean(machine))}><f:Message>{text}</f:Message></f:WSManFault>"
        "</s:Detail></s:Fault>"
    )
    return answer(_FAULT_ACTION, request, content)
