"""What the tools print, read strictly: a parse error is an error, never a zero or a NaN.

Shapes seen: sysbench 1.0.20 (text), fio 3.x (JSON, sometimes after notes in plain text), and the
lab's own probe (lines of a key and a value).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from typing import Any

from nestkit.errors import RunError

_SHOWN = 160  # characters of an offending text that a message repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a tool said of one sample: its value, how many operations it did, in what time."""

    value: float  # in the workload's unit
    operations: int
    elapsed_s: float  # by the layer's own clock, without the tool's start


def shorten(text: str) -> str:
    """The end of a text, fit for one line of a message."""
    # runners pass on bytes that are no UTF-8 as surrogates, which cannot be printed
    flat = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
    return flat if len(flat) <= _SHOWN else "…" + flat[-_SHOWN:]


def _unreadable(tool: str, what: str, text: str) -> RunError:
    return RunError(
        f"{tool}'s output {what}: {shorten(text)!r}",
        remedy=f"run it by hand in that layer: it may be cut off, or {tool} may be of a version "
        "that prints something else",
    )


def _positive(tool: str, name: str, raw: object, text: str) -> float:
    value = 0.0
    # bool is an int to Python, and no measurement
    if isinstance(raw, (str, int, float)) and not isinstance(raw, bool):
        with suppress(ValueError, OverflowError):
            value = float(raw)
    if not isfinite(value) or value <= 0:
        raise _unreadable(tool, f"has no usable {name} ({raw!r})", text)
    return value


def _field(tool: str, pattern: str, name: str, text: str) -> float:
    found = re.findall(pattern, text, flags=re.MULTILINE)
    if len(found) != 1:
        raise _unreadable(tool, f"has {len(found)} lines with {name}, not one", text)
    return _positive(tool, name, found[0], text)


def parse_sysbench_cpu(text: str) -> Reading:
    """``sysbench cpu``: events per second."""
    tool = "sysbench"
    value = _field(tool, r"^\s*events per second:\s+([\d.]+)\s*$", "events per second", text)
    events = _field(
        tool, r"^\s*total number of events:\s+(\d+)\s*$", "total number of events", text
    )
    elapsed = _field(tool, r"^\s*total time:\s+([\d.]+)s\s*$", "total time", text)
    if not text.rstrip().splitlines()[-1].strip().startswith("execution time"):
        raise _unreadable(tool, "is cut off", text)
    return Reading(value=value, operations=int(events), elapsed_s=elapsed)


def parse_probe(text: str) -> Reading:
    """The lab's probe: ``ops N`` and ``ns_per_op X``."""
    tool = "nestkit-probe"
    operations = _field(tool, r"^ops\s+(\d+)$", "ops", text)
    value = _field(tool, r"^ns_per_op\s+(\d+(?:\.\d+)?)$", "ns_per_op", text)
    if not text.endswith("\n"):
        raise _unreadable(tool, "is cut off", text)
    return Reading(value=value, operations=int(operations), elapsed_s=operations * value / 1e9)


def _fio_job(text: str) -> Mapping[str, Any]:
    start = text.find("{")
    try:
        data, _ = json.JSONDecoder().raw_decode(text, max(start, 0))
        job = data["jobs"][0]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise _unreadable("fio", "is not fio's JSON", text) from error
    if not isinstance(job, dict):
        raise _unreadable("fio", "is not fio's JSON", text)
    if job.get("error") != 0:
        raise RunError(
            f"fio ended with error {job.get('error')!r}: {shorten(text[: max(start, 0)])!r}",
            remedy="look at the disk of that layer: it must take direct I/O",
        )
    return job


def parse_fio_read(text: str) -> Reading:
    """``fio --rw=randread --output-format=json``: reads per second."""
    side = _fio_job(text).get("read")
    if not isinstance(side, dict):
        raise _unreadable("fio", "has no read side", text)
    operations = _positive("fio", "read.total_ios", side.get("total_ios"), text)
    value = _positive("fio", "read.iops", side.get("iops"), text)
    elapsed_ms = _positive("fio", "read.runtime", side.get("runtime"), text)
    return Reading(value=value, operations=int(operations), elapsed_s=elapsed_ms / 1e3)
