"""The inventory tree: which managed objects there are, and what is in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nestkit.practice.esx import host_view, network_view
from nestkit.practice.esx.api import vim, vmodl
from nestkit.practice.esx.managed import add, entity
from nestkit.practice.esx.model import Datastore, Host
from nestkit.practice.esx.tree_networks import (
    add_dv_group,
    add_dv_switch,
    add_network,
    networks,
)

if TYPE_CHECKING:
    from nestkit.practice.esx.world import World


def grow(world: World) -> None:
    """Make the managed objects of a world, but for its VMs."""
    inventory = world.inventory
    _grow_services(world)
    _grow_folders(world)
    _grow_compute(world)
    for host in inventory.hosts.values():
        _grow_host(world, host)
        for group in host.port_groups.values():
            add_network(world, group.moid, group.name)
    for store in inventory.datastores.values():
        _grow_datastore(world, store)
    for switch in inventory.dv_switches.values():
        add_dv_switch(world, switch)
    for dv_group in inventory.dv_groups.values():
        add_dv_group(world, dv_group)


def _grow_services(world: World) -> None:
    layout = world.layout
    add(
        world,
        vim.ServiceInstance,
        "ServiceInstance",
        content=lambda: content(world),
        serverClock=lambda: datetime.now(UTC),
        capability=lambda: vim.Capability(
            provisioningSupported=True, multiHostSupported=layout.is_vcenter
        ),
    )
    add(world, vmodl.query.PropertyCollector, layout.collector)
    add(world, vim.view.ViewManager, "ViewManager")
    add(world, vim.SessionManager, layout.sessions, defaultLocale=lambda: "en")
    add(world, vim.TaskManager, layout.tasks, recentTask=world.recent_tasks)
    add(world, vim.SearchIndex, layout.search)
    processes = f"{layout.guest_operations}-process"
    add(
        world,
        vim.vm.guest.GuestOperationsManager,
        layout.guest_operations,
        processManager=lambda: vim.vm.guest.ProcessManager(processes),
    )
    add(world, vim.vm.guest.ProcessManager, processes)


def _folder(world: World, moid: str, name: str, parent: Any, child_type: list[str]) -> None:
    entity(
        world,
        vim.Folder,
        moid,
        name,
        parent,
        childEntity=lambda: world.refs(world.children(moid)),
        childType=lambda: child_type,
    )


def _grow_folders(world: World) -> None:
    ids = world.layout
    root, datacenter = vim.Folder(ids.root), vim.Datacenter(ids.datacenter)
    _folder(world, ids.root, ids.root_name, None, ["Datacenter"])
    entity(
        world,
        vim.Datacenter,
        ids.datacenter,
        ids.datacenter_name,
        root,
        vmFolder=lambda: vim.Folder(ids.vm_folder),
        hostFolder=lambda: vim.Folder(ids.host_folder),
        datastoreFolder=lambda: vim.Folder(ids.datastore_folder),
        networkFolder=lambda: vim.Folder(ids.network_folder),
        datastore=lambda: world.refs(world.children(ids.datastore_folder)),
        network=lambda: networks(world),
    )
    inside = ["VirtualMachine", "VirtualApp"] if ids.is_vcenter else ["VirtualMachine"]
    _folder(world, ids.vm_folder, "vm", datacenter, inside)
    _folder(world, ids.host_folder, "host", datacenter, ["ComputeResource"])
    _folder(world, ids.datastore_folder, "datastore", datacenter, ["Datastore"])
    _folder(world, ids.network_folder, "network", datacenter, ["Network"])
    for moid, name in world.inventory.vapps.items():
        _grow_vapp(world, moid, name)


def _grow_vapp(world: World, moid: str, name: str) -> None:
    ids = world.layout
    entity(
        world,
        vim.VirtualApp,
        moid,
        name,
        vim.ResourcePool(ids.pool),
        parentFolder=lambda: vim.Folder(ids.vm_folder),
        owner=lambda: _compute(world),
        vm=lambda: world.refs(world.children(moid)),
    )


def _compute(world: World) -> Any:
    kind = vim.ClusterComputeResource if world.layout.is_vcenter else vim.ComputeResource
    return kind(world.layout.compute)


def _grow_compute(world: World) -> None:
    inventory, ids = world.inventory, world.layout
    hosts = list(inventory.hosts.values())
    ready = [h for h in hosts if h.connection == "connected" and not h.maintenance_mode]
    kind = vim.ClusterComputeResource if ids.is_vcenter else vim.ComputeResource
    of = kind.Summary if not ids.is_vcenter else vim.ClusterComputeResource.Summary
    more = {"currentFailoverLevel": 0, "numVmotions": 0} if ids.is_vcenter else {}
    entity(
        world,
        kind,
        ids.compute,
        ids.compute_name,
        vim.Folder(ids.host_folder),
        host=lambda: world.refs(list(inventory.hosts)),
        resourcePool=lambda: vim.ResourcePool(ids.pool),
        datastore=lambda: world.refs(world.children(ids.datastore_folder)),
        network=lambda: networks(world),
        summary=lambda: of(
            totalCpu=sum(host.mhz * host.cores for host in hosts),
            totalMemory=sum(host.memory_gib for host in hosts) * 2**30,
            numCpuCores=sum(host.cores for host in hosts),
            numCpuThreads=sum(host.threads for host in hosts),
            effectiveCpu=sum(host.mhz * host.cores for host in ready),
            effectiveMemory=sum(host.memory_mb for host in ready),
            numHosts=len(hosts),
            numEffectiveHosts=len(ready),
            overallStatus="green",
            **more,
        ),
    )
    entity(
        world,
        vim.ResourcePool,
        ids.pool,
        "Resources",
        _compute(world),
        owner=lambda: _compute(world),
        resourcePool=lambda: world.refs(list(inventory.vapps)),
        vm=lambda: world.refs(world.loose_vms()),
    )


def _grow_host(world: World, host: Host) -> None:
    inventory, system = world.inventory, world.host_part(host, "networkSystem")
    storage = world.host_part(host, "storageSystem")
    switches = inventory.dv_switches.values()
    entity(
        world,
        vim.HostSystem,
        host.moid,
        host.name,
        _compute(world),
        hardware=lambda: host_view.hardware(host),
        capability=lambda: host_view.capability(host),
        runtime=lambda: host_view.runtime(host),
        summary=lambda: host_view.summary(host, world.used_mb(host)),
        config=lambda: host_view.config(host, switches),
        configManager=lambda: vim.host.ConfigManager(
            networkSystem=vim.host.NetworkSystem(system),
            storageSystem=vim.host.StorageSystem(storage),
        ),
        vm=lambda: world.refs([vm.moid for vm in inventory.vms.values() if vm.host is host]),
        datastore=lambda: world.refs(world.children(world.layout.datastore_folder)),
        network=lambda: world.refs(
            [g.moid for g in host.port_groups.values()] + [g.moid for g in host.dv_groups.values()]
        ),
        overallStatus=lambda: "green" if host.connection == "connected" else "red",
    )
    add(
        world,
        vim.host.NetworkSystem,
        system,
        networkInfo=lambda: network_view.network(host, switches),
    )
    add(
        world,
        vim.host.StorageSystem,
        storage,
        storageDeviceInfo=lambda: host_view.storage(host),
    )


def _grow_datastore(world: World, store: Datastore) -> None:
    inventory, browser = world.inventory, f"datastoreBrowser-{store.moid}"
    entity(
        world,
        vim.Datastore,
        store.moid,
        store.name,
        vim.Folder(world.layout.datastore_folder),
        summary=lambda: host_view.datastore_summary(store),
        browser=lambda: vim.host.DatastoreBrowser(browser),
        vm=lambda: world.refs([vm.moid for vm in inventory.vms.values() if vm.datastore is store]),
    )
    add(world, vim.host.DatastoreBrowser, browser, datastore=lambda: world.refs([store.moid]))


def content(world: World) -> Any:
    """``ServiceInstance.content``."""
    ids = world.layout
    return vim.ServiceInstanceContent(
        rootFolder=vim.Folder(ids.root),
        propertyCollector=vmodl.query.PropertyCollector(ids.collector),
        viewManager=vim.view.ViewManager("ViewManager"),
        about=host_view.about(world.inventory),
        sessionManager=vim.SessionManager(ids.sessions),
        taskManager=vim.TaskManager(ids.tasks),
        searchIndex=vim.SearchIndex(ids.search),
        guestOperationsManager=vim.vm.guest.GuestOperationsManager(ids.guest_operations),
    )
