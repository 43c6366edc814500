"""Where a run comes from: the machine, the tools by hash, the exact commands."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from nestkit.benchmark.parsers import one_line
from nestkit.facts import Unknown
from nestkit.runners.base import LayerFacts, Runner
from nestkit.runners.replay import facts_to_json

_NOTE = 500  # characters of a note: its beginning says which layer
_SHA256 = re.compile(r"^\\?([0-9a-f]{64})\b")


def host_cpu() -> str:
    """The CPU of the machine nestkit runs on, as Linux or Python names it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def describe(**more: Any) -> dict[str, Any]:
    """Provenance of a run on this machine, now (UTC)."""
    from nestkit import __version__

    return {
        "date_utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "nestkit": __version__,
        "python": platform.python_version(),
        "host_os": f"{platform.system()} {platform.release()}",
        "host_machine": platform.machine(),
        "host_cpu": host_cpu(),
        **more,
    }


def shareable(facts: LayerFacts) -> LayerFacts:
    """The facts without paths of this machine: they differ each time and may name its user."""
    extra = {k: v for k, v in facts.extra.items() if not k.startswith("path:")}
    if facts.depth == 0 and "disk" in extra:
        extra["disk"] = PurePath(extra["disk"]).name
    return replace(facts, extra=extra)


def env_id(facts: LayerFacts, hashes: Mapping[str, str]) -> str:
    """A short name of a layer's environment: equal facts and tools, equal name."""
    text = json.dumps([facts_to_json(shareable(facts)), dict(hashes)], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def program_hash(runner: Runner, program: str, facts: LayerFacts, timeout: float) -> str | None:
    """SHA-256 of the file that a program's name stands for in a layer.

    "" where the hash cannot be had, None where there is no such program.
    """
    path = facts.extra.get(f"path:{program}", "")
    if not path:
        found = runner.run(["which", program], timeout=timeout)
        path = found.stdout.strip()
        if found.rc != 0 or not path:
            return None
    result = runner.run(["sha256sum", path], timeout=timeout)
    match = _SHA256.match(result.stdout)
    return match.group(1) if result.rc == 0 and match else ""


def base_is_virtual(base: LayerFacts) -> str:
    """Whether the outermost layer is itself a VM, as far as it says."""
    said = base.extra.get("base_is_virtual", "")
    leaves = base.hypervisor_leaves
    if isinstance(leaves, tuple) and leaves:
        return f"yes: {', '.join(leaves)}"
    return said or (str(leaves) if isinstance(leaves, Unknown) else "no")


def not_comparable(program: str, hashes: Mapping[str, str]) -> dict[str, str]:
    """For each layer whose binary is not the one most layers have: why its rows do not count.

    ``hashes`` goes from the outermost layer to the innermost; in a tie the innermost is right.
    """
    known = [value for value in hashes.values() if value]
    counts = Counter(known)
    right = max(counts, key=lambda h: (counts[h], known[::-1].index(h) * -1)) if counts else ""
    reasons = {}
    for layer, value in hashes.items():
        if not value:
            reasons[layer] = f"not comparable: the hash of {program} is unknown"
        elif value != right:
            reasons[layer] = f"not comparable: {program} is another binary"
    return reasons


def run_notes(layers: Sequence[LayerFacts]) -> list[str]:
    """What a reader of the whole run must know about its layers."""
    notes = []
    if any(f.emulated for f in layers):
        names = ", ".join(f.layer for f in layers if f.emulated)
        notes.append(f"{names}: emulated (TCG); no evidence about hardware virtualization")
    counts = {f.layer: f.extra.get("cpus_used", str(f.cpu_count)) for f in layers}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{layer} {count}" for layer, count in counts.items())
        notes.append(f"CPUs differ between layers: {shown}")
    for facts in layers:
        cache = facts.extra.get("disk_cache", "none")
        if not cache.startswith("none"):
            notes.append(f"{facts.layer}: disk figures may be a cache's, not the disk's ({cache})")
    return [*(one_line(note)[:_NOTE] for note in notes), *contradictions(layers)]


def contradictions(layers: Sequence[LayerFacts]) -> list[str]:
    """Layers that are not what the way to them says: kept with the figures they speak against."""
    found = [f.extra["contradiction"] for f in layers if "contradiction" in f.extra]
    return [one_line(text)[:_NOTE] for text in found]
