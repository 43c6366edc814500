"""The methods of the PropertyCollector."""

from __future__ import annotations

import time
from typing import Any, Final

from nestkit.practice.esx import collector as pc
from nestkit.practice.esx import soap
from nestkit.practice.esx.api import vim, vmodl
from nestkit.practice.esx.managed import Managed
from nestkit.practice.esx.methods import Context, method, wait
from nestkit.practice.esx.paths import declared, pick, resolve, walk
from nestkit.practice.esx.rules import bad_argument

LONGEST_WAIT_S: Final = 600.0  # a client that gave no limit asks again after this


class Xml(str):
    """A result that is XML already."""

    __slots__ = ()


def fetch(ctx: Context, target: Managed, path: str) -> Xml:
    """``Fetch``: one property of one object, as pyVmomi's attribute access asks for it."""
    steps, kind = resolve(target.kind, path, ctx.version)
    if target.unreadable and path not in pc.VIEW_ONLY:
        raise vim.fault.NoPermission(object=target.ref, privilegeId="System.Read")
    first, key = steps[0]
    if target.kind is vim.SessionManager and first == "currentSession":
        top: Any = ctx.session.as_user_session() if ctx.session else None
    else:
        top = target.value(first)
    value = declared(walk(pick(top, key), steps[1:]), kind)
    return Xml("" if value is None else soap.value_xml("returnval", value, ctx.version, kind))


def _selected(ctx: Context, specs: Any) -> list[tuple[Managed, pc.Reader]]:
    chosen: list[tuple[Managed, pc.Reader]] = []
    for spec in specs:
        reader = pc.Reader(spec, ctx.version)
        for obj in pc.select(spec, ctx.service.finder(ctx.session)):
            if ctx.session is None and obj.kind is not vim.ServiceInstance:
                raise ctx.service.not_authenticated(obj)
            reader.paths(obj)
            chosen.append((obj, reader))
    return chosen


@method("RetrieveProperties", anonymous=True)
def _retrieve(ctx: Context, target: Managed, args: dict[str, Any]) -> Xml:
    chosen = _selected(ctx, args["specSet"])
    return Xml("".join(pc.content("returnval", obj, reader) for obj, reader in chosen))


def _page(ctx: Context, target: Managed, left: list[tuple[Managed, pc.Reader]], size: int) -> Xml:
    now, rest = (left[:size], left[size:]) if size > 0 else (left, [])
    token = ""
    if rest:
        name = ctx.user.new_id("page")
        ctx.user.collector(target.moid).pages[name] = (rest, size)
        token = f"<token>{soap.escape(name)}</token>"
    objects = "".join(pc.content("objects", obj, reader) for obj, reader in now)
    return Xml(f"<returnval>{token}{objects}</returnval>" if objects else "")


@method("RetrievePropertiesEx", anonymous=True)
def _retrieve_ex(ctx: Context, target: Managed, args: dict[str, Any]) -> Xml:
    size = args["options"].maxObjects
    if size is not None and size < 1:
        raise bad_argument("options.maxObjects")
    chosen = _selected(ctx, args["specSet"])
    return _page(ctx, target, chosen, size or 0)


def _take_page(
    ctx: Context, target: Managed, token: str
) -> tuple[list[tuple[Managed, pc.Reader]], int]:
    page = ctx.user.collector(target.moid).pages.pop(token, None)
    if page is None:
        raise bad_argument("token")
    return page


@method("ContinueRetrievePropertiesEx")
def _continue(ctx: Context, target: Managed, args: dict[str, Any]) -> Xml:
    left, size = _take_page(ctx, target, args["token"])
    get = ctx.service.world.get
    return _page(ctx, target, [pair for pair in left if get(pair[0].moid)], size)


@method("CancelRetrievePropertiesEx")
def _cancel(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    _take_page(ctx, target, args["token"])


@method("CreateFilter")
def _create_filter(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    reader = pc.Reader(args["spec"], ctx.version)
    for obj in pc.select(args["spec"], ctx.service.finder(ctx.session)):
        reader.paths(obj)
    moid = ctx.user.new_id("filter")
    ctx.user.collector(target.moid).filters[moid] = pc.Filter(moid, reader)
    ctx.user.objects[moid] = Managed(
        vmodl.query.PropertyCollector.Filter,
        moid,
        {"spec": lambda: args["spec"], "partialUpdates": lambda: bool(args["partialUpdates"])},
    )
    return vmodl.query.PropertyCollector.Filter(moid)


@method("DestroyPropertyFilter")
def _destroy_filter(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    ctx.user.objects.pop(target.moid, None)
    for one in ctx.user.collectors.values():
        one.filters.pop(target.moid, None)


@method("CreatePropertyCollector")
def _create_collector(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    moid = ctx.user.new_id("collector")
    ctx.user.objects[moid] = Managed(vmodl.query.PropertyCollector, moid, {})
    return vmodl.query.PropertyCollector(moid)


@method("DestroyPropertyCollector")
def _destroy_collector(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    gone = ctx.user.collectors.pop(target.moid, None)
    ctx.user.objects.pop(target.moid, None)
    for moid in gone.filters if gone else ():
        ctx.user.objects.pop(moid, None)


def _await(
    ctx: Context, target: Managed, version: str | None, limit_s: float, limit: int
) -> Xml | None:
    collector = ctx.user.collector(target.moid)
    collector.cancelled = False
    if not version:
        collector.restart()
    elif version != str(collector.version):
        raise vmodl.query.InvalidCollectorVersion(msg="The version is not one that was given out.")
    deadline = time.monotonic() + limit_s
    find = ctx.service.finder(ctx.session)
    while True:
        found = pc.updates(collector, ctx.service.world, find, limit)
        if found:
            return Xml(f"<returnval>{found}</returnval>")
        if time.monotonic() >= deadline:
            return None
        wait(ctx, deadline)
        if collector.cancelled:
            raise vmodl.fault.RequestCanceled(msg="The wait was cancelled.")


@method("WaitForUpdatesEx")
def _wait_ex(ctx: Context, target: Managed, args: dict[str, Any]) -> Xml | None:
    options = args.get("options")
    limit_s = LONGEST_WAIT_S
    if options is not None and options.maxWaitSeconds is not None:
        if options.maxWaitSeconds < 0:
            raise bad_argument("options.maxWaitSeconds")
        limit_s = min(limit_s, float(options.maxWaitSeconds))
    limit = options.maxObjectUpdates if options is not None and options.maxObjectUpdates else 0
    return _await(ctx, target, args.get("version"), limit_s, limit)


@method("WaitForUpdates")
def _wait(ctx: Context, target: Managed, args: dict[str, Any]) -> Xml:
    version = args.get("version")
    while True:
        found = _await(ctx, target, version, LONGEST_WAIT_S, 0)
        if found is not None:
            return found


@method("CheckForUpdates")
def _check(ctx: Context, target: Managed, args: dict[str, Any]) -> Xml | None:
    return _await(ctx, target, args.get("version"), 0.0, 0)


@method("CancelWaitForUpdates")
def _cancel_wait(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    ctx.user.collector(target.moid).cancelled = True
    ctx.service.world.changed.notify_all()
