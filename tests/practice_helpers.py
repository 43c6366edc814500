"""An unmodified pyVmomi client, as the tests of the practice ESXi host use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pyVmomi
from pyVim.connect import SmartConnect

vim: Any = pyVmomi.vim
vmodl: Any = pyVmomi.vmodl
PC = vmodl.query.PropertyCollector


def connect(p: Any, **more: Any) -> Any:
    given = {"user": p.user, "pwd": p.password, "disableSslCertValidation": True, **more}
    return SmartConnect(host=p.host, port=p.port, **given)


def datacenter(si: Any) -> Any:
    return si.content.rootFolder.childEntity[0]


def esx(si: Any) -> Any:
    return datacenter(si).hostFolder.childEntity[0].host[0]


def vm_named(si: Any, name: str) -> Any:
    (found,) = [vm for vm in datacenter(si).vmFolder.childEntity if vm.name == name]
    return found


def filter_spec(si: Any, paths: list[str] | None, kind: Any = None) -> Any:
    """All VMs through a container view, the way clients fetch in bulk."""
    content, kind = si.content, kind or vim.VirtualMachine
    view = content.viewManager.CreateContainerView(content.rootFolder, [kind], True)
    step = PC.TraversalSpec(name="all", type=vim.view.ContainerView, path="view", skip=False)
    return PC.FilterSpec(
        propSet=[PC.PropertySpec(type=kind, pathSet=paths or [], all=paths is None)],
        objectSet=[PC.ObjectSpec(obj=view, skip=True, selectSet=[step])],
    )


def retrieve(si: Any, paths: list[str] | None, **options: Any) -> Any:
    collector = si.content.propertyCollector
    return collector.RetrievePropertiesEx([filter_spec(si, paths)], PC.RetrieveOptions(**options))


def rows(objects: Any) -> dict[str, dict[str, Any]]:
    """moid → path → value."""
    return {o.obj._moId: {p.name: p.val for p in o.propSet} for o in objects}


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
