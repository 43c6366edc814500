"""Views and the SearchIndex: how clients find objects."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from nestkit.practice.esx.api import VmomiSupport, vim
from nestkit.practice.esx.managed import REFS, Managed
from nestkit.practice.esx.methods import Context, method
from nestkit.practice.esx.vm_object import VmObject


@method("CreateContainerView")
def _container_view(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    world, container = ctx.service.world, args["container"]
    top = world.find(VmomiSupport.GetWsdlName(type(container)), container._GetMoId())
    kinds = tuple(args.get("type") or ())
    recursive = bool(args["recursive"])

    def members() -> Any:
        found: dict[str, Managed] = {}
        queue = list(world.children(top.moid))
        for moid in queue:  # grows while it is walked
            obj = world.get(moid)
            if obj is None or moid in found:
                continue
            found[moid] = obj
            if recursive and not isinstance(obj, VmObject):
                queue.extend(world.children(moid))
        return REFS(obj.ref for obj in found.values() if not kinds or issubclass(obj.kind, kinds))

    moid = ctx.user.new_id("view")
    ctx.user.objects[moid] = Managed(
        vim.view.ContainerView,
        moid,
        {
            "view": members,
            "container": lambda: container,
            "type": lambda: list(kinds),
            "recursive": lambda: recursive,
        },
    )
    return vim.view.ContainerView(moid)


@method("CreateListView")
def _list_view(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    world, moid = ctx.service.world, ctx.user.new_id("view")
    refs = args.get("obj") or []
    ctx.user.objects[moid] = Managed(
        vim.view.ListView,
        moid,
        {"view": lambda: REFS(ref for ref in refs if world.get(ref._GetMoId()))},
    )
    return vim.view.ListView(moid)


@method("DestroyView")
def _destroy_view(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    ctx.user.objects.pop(target.moid, None)


@method("FindByUuid")
def _find_by_uuid(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    found = _find_all_by_uuid(ctx, target, args)
    return found[0] if found else None


@method("FindAllByUuid")
def _find_all_by_uuid(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    inventory, uuid = ctx.service.world.inventory, args["uuid"].lower()
    if not args["vmSearch"]:
        hosts = inventory.hosts.values()
        return [vim.HostSystem(host.moid) for host in hosts if host.uuid == uuid]
    vm = inventory.vms.find_uuid(uuid)
    if vm is None:
        return []
    wanted = vm.instance_uuid if args.get("instanceUuid") else vm.uuid
    return [vim.VirtualMachine(vm.moid)] if uuid == wanted else []


@method("FindByInventoryPath")
def _find_by_path(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    world = ctx.service.world
    moid = world.layout.root
    for part in args["inventoryPath"].strip("/").split("/"):
        name = unquote(part)
        below = [world.get(child) for child in world.children(moid)]
        found = next((obj for obj in below if obj and obj.value("name") in (part, name)), None)
        if found is None:
            return None
        moid = found.moid
    return world.refs([moid])[0]
