"""A real VM in a VM (in a VM) on this machine.

``with nestkit.lab.up(depth=2) as lab: lab.run(["uname", "-a"])`` runs a program inside a guest
inside a guest. Everything the guests run comes from the distribution's signed packages; root
is not needed, nor hardware virtualization.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "Image": "image",
    "Lab": "session",
    "build_image": "image",
    "capability": "accelerator",
    "clean": "session",
    "here": "local",
    "queue": "turns",
    "up": "session",
}
__all__ = ["Image", "Lab", "build_image", "capability", "clean", "here", "queue", "up"]

if TYPE_CHECKING:
    from nestkit.lab.accelerator import capability
    from nestkit.lab.image import Image, build_image
    from nestkit.lab.local import here
    from nestkit.lab.session import Lab, clean, up
    from nestkit.lab.turns import queue


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"nestkit.lab.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'nestkit.lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
