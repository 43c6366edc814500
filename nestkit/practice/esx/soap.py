"""SOAP envelopes of the vSphere API: requests in, results and faults out.

Types, names and the text of complex values come from pyVmomi's own registry and serializer;
leaf values are written directly, which is what makes bulk answers quick.
"""

from __future__ import annotations

import copy
import io
from dataclasses import dataclass
from typing import Any, Final
from xml.parsers.expat import ExpatError, ParserCreate

from nestkit.practice.esx.api import SoapAdapter, VmomiSupport, vmodl

MAX_DEPTH: Final = 64  # nested elements; the deepest request of a client has about 15
NAMESPACE: Final = "urn:vim25"
_ENVELOPE_NS: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n<soapenv:Body>\n'
)
_TAIL: Final = "\n</soapenv:Body>\n</soapenv:Envelope>"
_NS_MAP: Final = {
    NAMESPACE: "",
    VmomiSupport.XMLNS_XSD: "xsd",
    VmomiSupport.XMLNS_XSI: "xsi",
}
_FETCH_PARAMS: Final = (VmomiSupport.Object(name="prop", type=str, version="", flags=0),)


class BadRequest(Exception):
    """The body is not a SOAP request that can be read."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method call: the wire name, the target and its decoded arguments."""

    method: str
    target_type: str
    moid: str
    info: Any  # pyVmomi's description of the method; None for Fetch
    args: dict[str, Any]


class _Parser:
    """Reads one envelope with expat; refuses DTDs, entities and deep nesting."""

    def __init__(self, version: str) -> None:
        self.parser = ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.ns_map: dict[str | None, list[str]] = {None: [""]}
        self.decoder = SoapAdapter.SoapDeserializer(stub=None, version=version)
        self.path: list[str] = []
        self.method = ""
        self.this: tuple[str, str] | None = None
        self.this_type = ""
        self.text = ""
        self.info: Any = None
        self.params: dict[str, Any] = {}
        self.args: dict[str, Any] = {}
        self.pending: Any = None
        self.mine = (
            self._start,
            self._end,
            self._data,
            self._namespace,
            self._end_namespace,
        )
        SoapAdapter.SetHandlers(self.parser, self.mine)
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.ProcessingInstructionHandler = self._refuse

    def _refuse(self, *_: Any) -> None:
        raise BadRequest("document types, entities and processing instructions are not accepted")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self.ns_map.setdefault(prefix, []).append(uri or "")

    def _end_namespace(self, prefix: str | None) -> None:
        self.ns_map[prefix].pop()

    def _collect(self) -> None:
        """Take the argument the decoder has finished."""
        if self.pending is None:
            return
        param, self.pending = self.pending, None
        value = self.decoder.GetResult()
        if issubclass(param.type, list) and not isinstance(value, list):
            self.args.setdefault(param.name, []).append(value)
        else:
            self.args[param.name] = value

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._collect()
        namespace, _, name = tag.rpartition(" ")
        depth = len(self.path)
        self.text = ""
        if depth == 0 and (namespace, name) != (_ENVELOPE_NS, "Envelope"):
            raise BadRequest("the body is not a SOAP 1.1 envelope")
        if depth == 2 and self.path[1] == f"{_ENVELOPE_NS} Body":
            if self.method:
                raise BadRequest("a request holds one call")
            self._start_method(name)
        elif depth == 3 and self.path[1] == f"{_ENVELOPE_NS} Body":
            if name == "_this":
                self.this_type = attributes.get("type", "").rpartition(":")[2]
            else:
                self._start_argument(tag, name, attributes)
                return
        self.path.append(tag)
        if len(self.path) > MAX_DEPTH:
            raise BadRequest("the request is nested too deeply")

    def _start_method(self, name: str) -> None:
        self.method = name
        if name == "Fetch":  # how pyVmomi reads a property; not in its own registry
            params = _FETCH_PARAMS
        else:
            try:
                self.info = VmomiSupport.GetWsdlMethod(NAMESPACE, name).info
            except KeyError:
                return
            params = self.info.params
        self.params = {param.name: param for param in params}

    def _start_argument(self, tag: str, name: str, attributes: dict[str, str]) -> None:
        param = self.params.get(name)
        if param is None:
            if self.info is None and self.method != "Fetch":
                self.path.append(tag)  # an unknown method: its arguments are passed over
                return
            raise BadRequest(f"{self.method} has no parameter {name!r}")
        kind = param.type.Item if issubclass(param.type, list) else param.type
        self.pending = param
        self.decoder.Deserialize(self.parser, kind, False, self.ns_map)
        self.decoder.StartElementHandler(tag, attributes)

    def _end(self, tag: str) -> None:
        self._collect()
        self.path.pop()
        if tag.endswith("_this") and len(self.path) == 3:
            self.this = (self.this_type, self.text)

    def _data(self, data: str) -> None:
        self.text += data

    def call(self) -> Call:
        if not self.method or self.this is None:
            raise BadRequest("the envelope holds no call, or the call names no object")
        return Call(self.method, self.this[0], self.this[1], self.info, self.args)


def decode(body: bytes, version: str) -> Call:
    """Read a request.

    Raises
    ------
    BadRequest
        If it is not well-formed, is dangerous, or does not fit the method's parameters.
    """
    if body.count(b"<") > 200_000:
        raise BadRequest("the request has too many elements")
    reader = _Parser(version)
    try:
        reader.parser.Parse(body, True)
        call = reader.call()
        for param in reader.params.values():
            value = call.args.get(param.name)
            if value is not None or not param.flags & VmomiSupport.F_OPTIONAL:
                VmomiSupport.CheckField(param, value)
    except BadRequest:
        raise
    except ExpatError as error:
        raise BadRequest(f"the body is not well-formed XML: {error}") from error
    except (
        AttributeError,
        LookupError,  # of an encoding that there is not, too
        TypeError,
        ValueError,
        RecursionError,
        OverflowError,
    ) as error:
        raise BadRequest(f"the request does not fit the API: {error}") from error
    return call


def escape(text: str) -> str:
    """Text as XML content; carriage returns survive."""
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    )


def value_xml(tag: str, value: Any, version: str, kind: Any = object) -> str:
    """Any value of the API as an element, by pyVmomi's serializer."""
    info = VmomiSupport.Object(
        name=tag,
        type=kind,
        version=VmomiSupport.BASE_VERSION,
        flags=VmomiSupport.F_OPTIONAL,
    )
    writer = io.StringIO()
    serializer = SoapAdapter.SoapSerializer(writer, version, _NS_MAP)
    serializer.outermostAttrs = ""
    serializer.Serialize(value, info)
    return writer.getvalue().replace("\r", "&#13;")


def result(method: str, content: str) -> bytes:
    """The answer to a call; ``content`` is already XML."""
    return (
        f'{_HEAD}<{method}Response xmlns="{NAMESPACE}">{content}</{method}Response>{_TAIL}'
    ).encode("utf-8", "replace")


def returned(call: Call, value: Any, version: str) -> bytes:
    """The answer to a call whose result is a value of the API."""
    if value is None:
        return result(call.method, "")
    kind = call.info.result if call.info is not None else object
    return result(call.method, value_xml("returnval", value, version, kind))


def fault(error: Any, version: str, code: str = "ServerFaultCode") -> bytes:
    """A fault of the API as a SOAP fault; ``error.msg`` is what people read."""
    kind = VmomiSupport.GetCompatibleType(type(error), version)
    tag = f"{VmomiSupport.GetWsdlName(kind)}Fault"
    bare = copy.copy(error)
    message, bare.msg = error.msg or VmomiSupport.GetWsdlName(kind), None
    detail = SoapAdapter.SerializeFaultDetail(
        bare,
        VmomiSupport.Object(name=tag, type=object, version=version, flags=0),
        version,
        _NS_MAP,
    ).replace(f"<{tag}", f'<{tag} xmlns="{NAMESPACE}"', 1)
    return (
        f"{_HEAD}<soapenv:Fault><faultcode>{code}</faultcode>"
        f"<faultstring>{escape(message)}</faultstring>"
        f"<detail>{detail}</detail></soapenv:Fault>{_TAIL}"
    ).encode("utf-8", "replace")


def invalid_request(message: str) -> Any:
    """The fault for a request that cannot be read."""
    return vmodl.fault.InvalidRequest(msg=message)
