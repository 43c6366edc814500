"""pyVmomi's registry of API types.

Its type stubs describe what clients call, and no constructors; here all of it is ``Any``.
"""

from __future__ import annotations

import importlib
from typing import Any

import pyVmomi

_all: Any = pyVmomi
vim: Any = _all.vim
vmodl: Any = _all.vmodl
SoapAdapter: Any = importlib.import_module("pyVmomi.SoapAdapter")
VmomiSupport: Any = importlib.import_module("pyVmomi.VmomiSupport")
