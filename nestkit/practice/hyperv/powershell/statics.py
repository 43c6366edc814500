"""Static members a script may use: a list, and nothing beyond it."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nestkit.practice.hyperv.powershell.convert import (
    INTEGERS,
    canonical,
    cast,
    known_type,
    to_date,
    unknown_type,
)
from nestkit.practice.hyperv.powershell.convert_numbers import to_integer, to_number
from nestkit.practice.hyperv.powershell.errors import ParseError, unspoken
from nestkit.practice.hyperv.powershell.lowering import read_script
from nestkit.practice.hyperv.powershell.operators import fit, join
from nestkit.practice.hyperv.powershell.session import Session, Stdin
from nestkit.practice.hyperv.powershell.text import (
    is_object,
    to_text,
)
from nestkit.practice.hyperv.values import (
    PropertyObject,
    PsError,
    ScriptBlock,
    SecureString,
    Value,
)


def encoding(kind: str = "utf-8") -> PropertyObject:
    """An Encoding; the practice host only ever writes UTF-8."""
    return PropertyObject(
        {"WebName": kind, "EncodingName": "Unicode (UTF-8)", "CodePage": 65001},
        type_name="System.Text.UTF8Encoding",
    )


def reader(stdin: Stdin) -> PropertyObject:
    """``[Console]::In``."""
    return PropertyObject(
        {},
        type_name="System.IO.TextReader",
        methods={"readtoend": stdin.read, "readline": stdin.readline},
    )


_PROPERTIES: dict[tuple[str, str], Callable[[Session], Value]] = {
    ("console", "in"): lambda s: reader(s.stdin),
    ("console", "outputencoding"): lambda s: encoding(),
    ("console", "inputencoding"): lambda s: encoding(),
    ("text.encoding", "utf8"): lambda s: encoding(),
    ("datetime", "utcnow"): lambda s: datetime.now(UTC),
    ("datetime", "now"): lambda s: datetime.now(UTC),
    ("datetime", "minvalue"): lambda s: datetime(1, 1, 1, tzinfo=UTC),
    ("guid", "empty"): lambda s: uuid.UUID(int=0),
    ("string", "empty"): lambda s: "",
    ("environment", "newline"): lambda s: "\r\n",
    ("environment", "machinename"): lambda s: s.environment.get("computername", ""),
    ("math", "pi"): lambda s: math.pi,
    ("timespan", "zero"): lambda s: timedelta(),
}


def get_static(session: Session, kind: str, name: str) -> Value:
    """``[kind]::name``."""
    low, member = canonical(kind), name.lower()
    found = _PROPERTIES.get((low, member))
    if found is not None:
        return found(session)
    if low in INTEGERS and member in {"maxvalue", "minvalue"}:
        return INTEGERS[low][member == "maxvalue"]
    raise _unknown_static(kind, name)


def set_static(kind: str, name: str, value: Value) -> None:
    """``[Console]::OutputEncoding = [Text.Encoding]::UTF8`` and nothing else."""
    target = (canonical(kind), name.lower())
    allowed = {("console", "outputencoding"), ("console", "inputencoding")}
    if target in allowed and is_object(value) and value.type_name == "System.Text.UTF8Encoding":
        return
    raise unspoken(f"setting [{kind}]::{name} to that")


def _unknown_static(kind: str, name: str) -> PsError:
    if not _spoken(kind) and not known_type(kind):
        return unknown_type(kind)
    return unspoken(f"[{kind}]::{name}")


def _spoken(kind: str) -> bool:
    low = canonical(kind)
    return low in INTEGERS or any(low == k for k, _ in (*_PROPERTIES, *_STATIC))


def credential(args: Sequence[Value]) -> Value:
    """A PSCredential out of user name and secure string."""
    name, secret = args
    if not isinstance(secret, SecureString):
        raise PsError(
            'Cannot convert the password to type "System.Security.SecureString".',
            error_id="ConstructorInvokedThrowException",
            category="InvalidOperation",
        )
    return PropertyObject(
        {"UserName": to_text(name), "Password": secret},
        type_name="System.Management.Automation.PSCredential",
    )


def _rounded(args: Sequence[Value]) -> Value:
    digits = to_integer(args[1], "int32") if len(args) > 1 else 0
    number = float(to_number(args[0]))
    return number if not math.isfinite(number) else float(round(number, max(0, min(15, digits))))


def _of_numbers(function: Callable[..., Any]) -> Callable[[Sequence[Value]], Value]:
    def run(args: Sequence[Value]) -> Value:
        try:
            return fit(function(*(to_number(a) for a in args)))
        except (ValueError, OverflowError):
            return math.nan

    return run


_STATIC: dict[tuple[str, str], Callable[[Sequence[Value]], Value]] = {
    ("math", "max"): _of_numbers(lambda a, b: max(a, b)),
    ("math", "min"): _of_numbers(lambda a, b: min(a, b)),
    ("math", "abs"): _of_numbers(lambda a: abs(a)),
    ("math", "floor"): _of_numbers(lambda a: float(math.floor(a))),
    ("math", "ceiling"): _of_numbers(lambda a: float(math.ceil(a))),
    ("math", "truncate"): _of_numbers(lambda a: float(math.trunc(a))),
    ("math", "sqrt"): _of_numbers(lambda a: math.sqrt(a)),
    ("math", "pow"): _of_numbers(lambda a, b: math.pow(a, b)),
    ("math", "round"): _rounded,
    ("guid", "newguid"): lambda a: uuid.uuid4(),
    ("guid", "parse"): lambda a: cast("guid", a[0]),
    ("version", "parse"): lambda a: cast("version", a[0]),
    ("version", "new"): lambda a: cast("version", ".".join(to_text(x) for x in a)),
    ("datetime", "parse"): lambda a: to_date(a[0]),
    ("timespan", "fromseconds"): lambda a: timedelta(seconds=float(to_number(a[0]))),
    ("timespan", "fromminutes"): lambda a: timedelta(minutes=float(to_number(a[0]))),
    ("string", "isnullorempty"): lambda a: to_text(a[0]) == "",
    ("string", "isnullorwhitespace"): lambda a: to_text(a[0]).strip() == "",
    ("string", "equals"): lambda a: to_text(a[0]) == to_text(a[1]),
    ("text.utf8encoding", "new"): lambda a: encoding(),
    ("pscredential", "new"): credential,
    ("regex", "unescape"): lambda a: _unescaped(to_text(a[0])),
}

_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}


def _unescaped(text: str) -> str:
    """``[regex]::Unescape``: escapes by number, of controls, and of signs; no others."""

    def sign(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2] in _CONTROLS:
            return _CONTROLS[found[2]]
        if found[2].isalnum():
            raise unspoken(f"[regex]::Unescape of \\{found[2]}")
        return found[2]

    units = _ESCAPE.sub(sign, text).encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "surrogatepass")


def _block(session: Session, text: str) -> ScriptBlock:
    """``[ScriptBlock]::Create(text)``: reading counts as work, or a loop of it would be free."""
    session.budget.step(len(text) // 8 + 10)
    try:
        return ScriptBlock(text, read_script(text, session.budget.limits))
    except ParseError as error:
        raise PsError(
            f'Exception calling "Create" with "1" argument(s): "{error.message}"',
            error_id="ParseException",
            category="NotSpecified",
        ) from None


def call_static(session: Session, kind: str, name: str, args: Sequence[Value]) -> Value:
    """``[kind]::name(args)``. Raises PsError for what is not on the list."""
    if (canonical(kind), name.lower()) == ("string", "join") and args:
        items = [x for one in args[1:] for x in (one if isinstance(one, list) else [one])]
        return join(items, args[0], session.budget)
    if (canonical(kind), name.lower()) == ("scriptblock", "create") and args:
        return _block(session, to_text(args[0]))
    method = _STATIC.get((canonical(kind), name.lower()))
    if method is None:
        raise _unknown_static(kind, name)
    try:
        return method(args)
    except (IndexError, TypeError, ValueError, OverflowError):
        raise PsError(
            f'Cannot find an overload for "{name}" and the argument count: "{len(args)}".',
            error_id="MethodCountCouldNotFindBest",
            category="NotSpecified",
        ) from None
