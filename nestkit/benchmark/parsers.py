"""What the tools print, read strictly: a parse error is an error, never a zero or a NaN.

Shapes seen: sysbench 1.0.20 (text), fio 3.33 and 3.39 (JSON, sometimes after notes in plain
text), the lab's own probe (lines of a key and a value), iperf3 3.12 and 3.18 (JSON), perf bench
6.1 and 6.12 (text). Another version is judged by what it prints: every field must be there, and
its rate must fit its own count and time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from nestkit.errors import RunError

_SHOWN = 160  # characters of an offending text that a message repeats
_CONTRADICTION = 0.01  # of the whole time: rounding is far below, a wrong count far above
# a rate that far from count over time is in another unit; in a slow layer, the start of short
# runs is in one of sysbench's two times and not in the other, and they differ by 2
_OTHER_UNIT = 30
_VERSION = re.compile(r"\b(?:sysbench|fio|iperf|perf)[ -]v?\d[\w.+-]{0,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a tool said of one sample: its value, how many operations it did, in what time."""

    value: float  # in the workload's unit
    operations: int
    elapsed_s: float  # by the layer's own clock, without the tool's start
    cpu_percent: float | None = None  # of one CPU, user and system, where the tool says it


def one_line(text: str) -> str:
    """A text on one line that can be printed."""
    # runners pass on bytes that are no UTF-8 as surrogates, which cannot be printed
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def shorten(text: str) -> str:
    """The end of a text, fit for one line of a message."""
    flat = one_line(text)
    return flat if len(flat) <= _SHOWN else "…" + flat[-_SHOWN:]


def _unreadable(tool: str, what: str, text: str) -> RunError:
    named = _VERSION.search(text[:1000])
    version = f" ({named.group()})" if named else ""
    return RunError(
        f"{tool}'s output{version} {what}: {shorten(text)!r}",
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


def _count(tool: str, name: str, raw: object, text: str) -> int:
    value = _positive(tool, name, raw, text)
    if value < 1:
        raise _unreadable(tool, f"has no usable {name} ({raw!r})", text)
    return int(value)


def _checked(tool: str, reading: Reading, expected: float, text: str) -> Reading:
    """The reading, if its value is what its own count and time give, in the unit expected."""
    if not 1 / _OTHER_UNIT < reading.value / expected < _OTHER_UNIT:
        what = f"contradicts itself ({reading.value:.4g}, by count and time {expected:.4g})"
        raise _unreadable(tool, what, text)
    return reading


def _share(raw: object) -> float | None:
    """A percentage of one CPU, where it is one: a figure beside the figure, not the figure."""
    if isinstance(raw, (int, float)) and isfinite(raw) and raw >= 0:
        return float(raw)
    return None


def _field(tool: str, pattern: str, name: str, text: str) -> float:
    found = re.findall(pattern, text, flags=re.MULTILINE)
    if len(found) != 1:
        raise _unreadable(tool, f"has {len(found)} lines with {name}, not one", text)
    return _positive(tool, name, found[0], text)


def _sysbench_times(text: str) -> tuple[int, float, float]:
    """Number of events, seconds in all, and seconds in events (of its one thread).

    sysbench's own rate counts the start of its thread, which in an inner layer can take longer
    than a short sample; the sum of its events' latencies is their time alone.
    """
    tool = "sysbench"
    events = _field(
        tool, r"^\s*total number of events:\s+(\d+)\s*$", "total number of events", text
    )
    elapsed = _field(tool, r"^\s*total time:\s+([\d.]+)s\s*$", "total time", text)
    in_events = _field(tool, r"^\s*sum:\s+([\d.]+)\s*$", "the sum of latencies", text) / 1e3
    if not text.rstrip().splitlines()[-1].strip().startswith("execution time"):
        raise _unreadable(tool, "is cut off", text)
    return int(events), elapsed, in_events


def parse_sysbench_cpu(text: str) -> Reading:
    """``sysbench cpu`` with one thread: events per second, of the time spent in events."""
    said = _field("sysbench", r"^\s*events per second:\s+([\d.]+)\s*$", "events per second", text)
    events, elapsed, in_events = _sysbench_times(text)
    reading = Reading(value=events / in_events, operations=events, elapsed_s=elapsed)
    return _checked("sysbench", _checked("sysbench", reading, said, text), events / elapsed, text)


def parse_sysbench_memory(text: str) -> Reading:
    """``sysbench memory`` with one thread: MiB per second, of the time spent in events."""
    pattern = r"^\s*[\d.]+ MiB transferred \(([\d.]+) MiB/sec\)\s*$"
    said = _field("sysbench", pattern, "MiB/sec", text)
    moved = _field("sysbench", r"^\s*([\d.]+) MiB transferred ", "MiB transferred", text)
    events, elapsed, in_events = _sysbench_times(text)
    reading = Reading(value=moved / in_events, operations=events, elapsed_s=elapsed)
    return _checked("sysbench", _checked("sysbench", reading, said, text), events / elapsed, text)


def parse_probe(text: str) -> Reading:
    """The lab's probe: ``guest_s S``, ``ops N`` and ``ns_per_op X``.

    Recordings of an older probe have no ``guest_s``.
    """
    tool = "nestkit-probe"
    operations = _field(tool, r"^ops\s+(\d+)$", "ops", text)
    value = _field(tool, r"^ns_per_op\s+(\d+(?:\.\d+)?)$", "ns_per_op", text)
    if not text.endswith("\n"):
        raise _unreadable(tool, "is cut off", text)
    elapsed = operations * value / 1e9
    if "guest_s" in text:
        whole = _field(tool, r"^guest_s\s+(\d+(?:\.\d+)?)$", "guest_s", text)
        if elapsed > whole * (1 + _CONTRADICTION):
            raise _unreadable(tool, f"contradicts itself ({elapsed:.3g} s in {whole:.3g} s)", text)
    return Reading(value=value, operations=int(operations), elapsed_s=elapsed)


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


def _fio(text: str, name: str) -> Reading:
    job = _fio_job(text)
    side = job.get(name)
    if not isinstance(side, dict):
        raise _unreadable("fio", f"has no {name} side", text)
    operations = _count("fio", f"{name}.total_ios", side.get("total_ios"), text)
    value = _positive("fio", f"{name}.iops", side.get("iops"), text)
    elapsed_ms = _positive("fio", f"{name}.runtime", side.get("runtime"), text)
    shares = [job.get("usr_cpu"), job.get("sys_cpu")]
    cpu = [share for share in map(_share, shares) if share is not None]
    reading = Reading(
        value=value,
        operations=operations,
        elapsed_s=elapsed_ms / 1e3,
        cpu_percent=sum(cpu) if len(cpu) == len(shares) else None,
    )
    return _checked("fio", reading, operations * 1e3 / elapsed_ms, text)


def parse_fio_read(text: str) -> Reading:
    """``fio --rw=randread --output-format=json``: reads per second."""
    return _fio(text, "read")


def parse_fio_write(text: str) -> Reading:
    """``fio --rw=randwrite --output-format=json``: writes per second."""
    return _fio(text, "write")


def parse_iperf3(text: str, *, cpu_of: Literal["host", "remote"] = "host") -> Reading:
    """``iperf3 -c HOST -J``: bits per second received; operations are bytes.

    The CPU is that of the client ("host") or of the server ("remote").
    """
    tool = "iperf3"
    try:
        data = json.loads(text)
        said = data.get("error")
    except (ValueError, AttributeError, RecursionError) as error:
        raise _unreadable(tool, "is not iperf3's JSON", text) from error
    if said:
        raise RunError(
            f"iperf3 ended with {shorten(str(said))!r}",
            remedy="start `iperf3 -s` in the layer outside, and check that it can be reached",
        )
    end = data.get("end")
    received = end.get("sum_received") if isinstance(end, dict) else None
    if not isinstance(received, dict):
        raise _unreadable(tool, "has no end.sum_received", text)
    cpu = end.get("cpu_utilization_percent")
    share = cpu.get(f"{cpu_of}_total") if isinstance(cpu, dict) else None
    reading = Reading(
        value=_positive(tool, "bits_per_second", received.get("bits_per_second"), text),
        operations=_count(tool, "bytes", received.get("bytes"), text),
        elapsed_s=_positive(tool, "seconds", received.get("seconds"), text),
        cpu_percent=_share(share),
    )
    return _checked(tool, reading, reading.operations * 8 / reading.elapsed_s, text)


def parse_perf_bench(text: str) -> Reading:
    """``perf bench syscall basic``: microseconds per call."""
    tool = "perf bench"
    count = _field(tool, r"^# Executed (\d+) \w+\(\) calls$", "calls", text.replace(",", ""))
    elapsed = _field(tool, r"^\s*Total time:\s+([\d.]+) \[sec\]$", "Total time", text)
    value = _field(tool, r"^\s*([\d.]+) usecs/op$", "usecs/op", text)
    _field(tool, r"^\s*([\d.]+) ops/sec$", "ops/sec", text.replace(",", ""))
    reading = Reading(value=value, operations=int(count), elapsed_s=elapsed)
    return _checked(tool, reading, elapsed * 1e6 / count, text)
