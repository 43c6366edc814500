"""The DatastoreBrowser: which files there are.

vSphere Web Services API reference 8.0, ``HostDatastoreBrowser.SearchDatastore_Task``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from nestkit.practice.esx.api import vim
from nestkit.practice.esx.managed import Managed
from nestkit.practice.esx.methods import Context, method
from nestkit.practice.esx.model import Datastore
from nestkit.practice.esx.tasks import Subject
from nestkit.practice.esx.world import World

Browser = vim.host.DatastoreBrowser
_PATH: Final = re.compile(r"\[([^\]]+)\] ?(.*)")
_MADE: Final = datetime(2025, 3, 1, tzinfo=UTC)


def _files(world: World, store: Datastore) -> dict[str, int]:
    """Paths of files and their sizes in bytes."""
    files = {iso.path: iso.size_mib * 2**20 for iso in store.isos}
    for vm in world.inventory.vms.values():
        if vm.datastore is store:
            files[f"{vm.folder}/vm.vmx"] = 4096
            for number, disk in enumerate(vm.disks):
                size = round(disk.size_gib * 2**30)
                files[f"{vm.folder}/disk-{number}.vmdk"] = 0 if disk.thin else size
    return files


def _info(name: str, size: int | None, spec: Any) -> Any:
    """One entry; a size of None means a folder."""
    kind = Browser.FileInfo
    if size is None:
        kind = Browser.FolderInfo
    elif name.lower().endswith(".iso"):
        kind = Browser.IsoImageInfo
    elif name.endswith(".vmdk"):
        kind = Browser.VmDiskInfo
    info, details = kind(path=name), spec.details if spec else None
    if details is not None and details.fileSize:
        info.fileSize = size or 0
    if details is not None and details.modification:
        info.modification = _MADE
    return info


def _wanted(name: str, is_folder: bool, spec: Any) -> bool:
    patterns = list(spec.matchPattern) if spec else []
    fold = spec is not None and spec.searchCaseInsensitive is not False
    given = name.lower() if fold else name
    if patterns and not any(fnmatchcase(given, p.lower() if fold else p) for p in patterns):
        return False
    kinds = [type(query) for query in (spec.query if spec else [])]
    if not kinds:
        return True
    if is_folder:
        return Browser.FolderQuery in kinds
    suffixes = {".iso": Browser.IsoImageQuery, ".vmdk": Browser.VmDiskQuery,
                ".vmx": Browser.VmConfigQuery}  # fmt: skip
    dot = name.lower()[name.rfind(".") :] if "." in name else ""
    return suffixes.get(dot) in kinds or Browser.Query in kinds


def search(world: World, path: str, spec: Any, *, below: bool) -> Any:
    """The results of a search, one for each folder.

    Raises
    ------
    vmodl.MethodFault
        The path is none, or names no datastore or folder.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise vim.fault.InvalidDatastorePath(
            datastorePath=path, msg="A datastore path is needed, such as '[datastore1] iso'."
        )
    store = world.inventory.datastores.get(match[1])
    if store is None:
        raise vim.fault.InvalidDatastore(name=match[1], msg=f"There is no datastore '{match[1]}'.")
    top = match[2].strip("/")
    files = _files(world, store)
    folders = {""} | {name.rpartition("/")[0] for name in files}
    if top not in folders:
        raise vim.fault.FileNotFound(file=path, msg=f"File {path} was not found.")
    chosen = [top]
    if below:
        chosen += sorted(one for one in folders if one != top and f"{one}/".startswith(
            f"{top}/" if top else ""))  # fmt: skip
    return [_result(store, folder, files, folders, spec) for folder in chosen]


def _result(
    store: Datastore, folder: str, files: dict[str, int], folders: set[str], spec: Any
) -> Any:
    inside: dict[str, int | None] = {
        one: None for one in sorted(folders) if one and one.rpartition("/")[0] == folder
    }
    inside |= {name: size for name, size in files.items() if name.rpartition("/")[0] == folder}
    rows = [(name.rpartition("/")[2], size) for name, size in inside.items()]
    return Browser.SearchResults(
        datastore=vim.Datastore(store.moid),
        folderPath=f"[{store.name}] {folder}".rstrip(" ") + ("/" if folder else ""),
        file=[_info(name, size, spec) for name, size in rows if _wanted(name, size is None, spec)],
    )


def _start(ctx: Context, target: Managed, args: dict[str, Any], name: str, *, below: bool) -> Any:
    world, path, spec = ctx.service.world, args["datastorePath"], args.get("searchSpec")

    def work() -> Any:
        found = search(world, path, spec, below=below)
        return vim.host.DatastoreBrowser.SearchResults.Array(found) if below else found[0]

    store = target.value("datastore")[0]
    subject = Subject(store, path)
    return ctx.service.tasks.start(
        subject, f"HostDatastoreBrowser.{name}", wire(name), ctx.user.user, work, slow=False
    )


def wire(name: str) -> str:
    """A method's wire name."""
    return f"{name[0].upper()}{name[1:]}_Task"


@method("SearchDatastore_Task")
def _search(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    return _start(ctx, target, args, "searchDatastore", below=False)


@method("SearchDatastoreSubFolders_Task")
def _search_below(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    return _start(ctx, target, args, "searchDatastoreSubFolders", below=True)
