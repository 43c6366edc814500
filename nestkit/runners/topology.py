"""Does what a layer says of itself fit the way it was reached?

The way decides; CPUID, flags and DMI only cross-check it. Signatures and product names are those
that the hypervisors' own documents give.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Final

from nestkit.facts import Unknown
from nestkit.runners.base import Acceleration, LayerFacts

_TCG: Final = "TCGTCGTCGTCG"
_SIGNATURES: Final[dict[Acceleration, str]] = {
    "kvm": "KVMKVMKVM",
    "tcg": _TCG,
    "hyper-v": "Microsoft Hv",
    "esxi": "VMwareVMware",
}
_PRODUCTS: Final[dict[str, tuple[Acceleration, ...]]] = {
    "VMware": ("esxi",),
    "Microsoft Corporation Virtual Machine": ("hyper-v",),
    "QEMU": ("kvm", "tcg"),
}


def contradictions(facts: LayerFacts) -> list[str]:
    """What in a layer's facts speaks against the way it was reached, in words."""
    found = []
    leaves = facts.hypervisor_leaves
    if not isinstance(leaves, Unknown):
        expected = _SIGNATURES.get(facts.acceleration)
        named = ", ".join(leaves) or "no hypervisor"
        if expected is not None and expected not in leaves:
            found.append(f"it should run on {facts.acceleration}, and CPUID names {named}")
        if _TCG in leaves and not facts.emulated:
            found.append("CPUID names an emulator (TCG), and the layer is not marked emulated")
    if facts.depth > 0 and facts.extra.get("hypervisor_flag") == "no":
        found.append(f"it should be a guest at depth {facts.depth}, and its CPU has no such flag")
    for product, fitting in _PRODUCTS.items():
        if facts.depth > 0 and facts.extra.get("dmi", "").startswith(product):
            if facts.acceleration not in fitting:
                found.append(f"it should run on {facts.acceleration}, and DMI names {product}")
            break
    return found


def cross_checked(facts: LayerFacts) -> LayerFacts:
    """The same facts; contradictions are warned of and kept as ``extra["contradiction"]``."""
    found = contradictions(facts)
    if not found:
        return facts
    text = f"{facts.layer} is not what the way to it says: {'; '.join(found)}"
    warnings.warn(text, stacklevel=3)
    return replace(facts, extra={**facts.extra, "contradiction": text})
