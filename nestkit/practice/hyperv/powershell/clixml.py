"""Errors and noise as powershell.exe writes them to stderr: one CLIXML document."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

# What XML 1.0 cannot hold, and an underscore that would read as the start of an escape.
_SPECIAL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\ufffe\\uffff]|_(?=[xX])")

_HEAD = (
    '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
)
_TAIL = "</Objs>"


def encoded(text: str) -> str:
    """Text inside CLIXML: control characters become ``_x000A_``, markup is escaped."""
    return escape(_SPECIAL.sub(_escaped, text))


def _escaped(match: re.Match[str]) -> str:
    return f"_x{ord(match[0]):04X}_"


def line(stream: str, text: str) -> str:
    """One line of a stream: ``Error``, ``warning``, ``verbose``, ``debug``."""
    return f'<S S="{stream}">{encoded(text)}_x000D__x000A_</S>'


def progress(number: int, activity: str, status: str, *, done: bool) -> str:
    """A progress record."""
    kind = "Completed" if done else "Processing"
    return (
        f'<Obj S="progress" RefId="{number}"><TN RefId="{number}">'
        "<T>System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN>"
        f'<MS><I64 N="SourceId">1</I64><PR N="Record"><AV>{encoded(activity)}</AV><AI>0</AI>'
        f"<Nil /><PI>-1</PI><PC>-1</PC><T>{kind}</T><SR>-1</SR><SD>{encoded(status) or ' '}</SD>"
        "</PR></MS></Obj>"
    )


def document(parts: list[str]) -> str:
    """All of it; nothing at all where there is nothing to say."""
    return _HEAD + "".join(parts) + _TAIL if parts else ""
