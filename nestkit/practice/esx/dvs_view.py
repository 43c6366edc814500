"""Distributed switches and their port groups as the vSphere API shows them.

Field meanings: vSphere Web Services API reference 8.0, data objects ``VMwareDVSConfigInfo``,
``DVPortgroupConfigInfo`` and ``DVSMacManagementPolicy`` (API 6.7, distributed switch 6.6).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from nestkit.practice.esx.api import vim
from nestkit.practice.esx.model import DvGroup, DvSwitch

Vds = vim.dvs.VmwareDistributedVirtualSwitch
_MADE: Final = datetime(2025, 3, 1, tzinfo=UTC)


def _product(switch: DvSwitch) -> Any:
    return vim.dvs.ProductSpec(
        name="DVS", vendor="nestkit (practice host, not VMware)", version=switch.version
    )


def capability(switch: DvSwitch) -> Any:
    """``DistributedVirtualSwitch.capability``."""
    return vim.DistributedVirtualSwitch.Capability(
        dvsOperationSupported=True,
        dvPortGroupOperationSupported=True,
        dvPortOperationSupported=True,
        featuresSupported=Vds.FeatureCapability(
            networkResourceManagementSupported=True, macLearningSupported=switch.learns_macs
        ),
    )


def summary(switch: DvSwitch, groups: list[DvGroup]) -> Any:
    """``DistributedVirtualSwitch.summary``."""
    return vim.DistributedVirtualSwitch.Summary(
        name=switch.name,
        uuid=switch.uuid,
        numPorts=128,
        productInfo=_product(switch),
        hostMember=[vim.HostSystem(moid) for moid in switch.hosts],
        host=[vim.HostSystem(moid) for moid in switch.hosts],
        portgroupName=[group.name for group in groups],
        numHosts=len(switch.hosts),
    )


def config(switch: DvSwitch, groups: list[DvGroup]) -> Any:
    """``DistributedVirtualSwitch.config``."""
    return Vds.ConfigInfo(
        uuid=switch.uuid,
        name=switch.name,
        numStandalonePorts=0,
        numPorts=128,
        maxPorts=2**31 - 1,
        uplinkPortPolicy=vim.DistributedVirtualSwitch.NameArrayUplinkPortPolicy(
            uplinkPortName=["Uplink 1"]
        ),
        uplinkPortgroup=[
            vim.dvs.DistributedVirtualPortgroup(group.moid) for group in groups if group.uplink
        ],
        defaultPortConfig=Vds.VmwarePortConfigPolicy(vlan=_vlan(0)),
        productInfo=_product(switch),
        configVersion=str(switch.config_version),
        contact=vim.DistributedVirtualSwitch.ContactInfo(),
        createTime=_MADE,
        networkResourceManagementEnabled=True,
        maxMtu=switch.mtu,
        host=[
            vim.dvs.HostMember(
                config=vim.dvs.HostMember.ConfigInfo(
                    host=vim.HostSystem(moid),
                    maxProxySwitchPorts=2560,
                    backing=vim.dvs.HostMember.PnicBacking(),
                ),
                productInfo=_product(switch),
                status="up",
                uplinkPortKey=[],
            )
            for moid in switch.hosts
        ],
    )


def _vlan(number: int) -> Any:
    if number == 4095:  # every VLAN: a trunk, as the standard switch's 4095
        everything = vim.NumericRange(start=0, end=4094)
        return Vds.TrunkVlanSpec(inherited=False, vlanId=[everything])
    return Vds.VlanIdSpec(inherited=False, vlanId=number)


def _flag(value: bool | None) -> Any:
    return vim.BoolPolicy(inherited=value is None, value=bool(value))


def _security(group: DvGroup) -> Any:
    own = group.security
    return Vds.SecurityPolicy(
        inherited=False,
        allowPromiscuous=_flag(own.promiscuous),
        macChanges=_flag(own.mac_changes),
        forgedTransmits=_flag(own.forged_transmits),
    )


def _mac_management(group: DvGroup) -> Any:
    """None on a switch that is too old to know it."""
    if not group.switch.learns_macs:
        return None
    own, learning = group.security, group.learning
    return Vds.MacManagementPolicy(
        inherited=False,
        allowPromiscuous=bool(own.promiscuous),
        macChanges=bool(own.mac_changes),
        forgedTransmits=bool(own.forged_transmits),
        macLearningPolicy=Vds.MacLearningPolicy(
            inherited=False,
            enabled=learning.enabled,
            allowUnicastFlooding=learning.unicast_flooding,
            limit=learning.limit,
            limitPolicy=learning.limit_policy,
        ),
    )


def group_config(group: DvGroup) -> Any:
    """``DistributedVirtualPortgroup.config``."""
    return vim.dvs.DistributedVirtualPortgroup.ConfigInfo(
        key=group.moid,
        name=group.name,
        numPorts=8,
        distributedVirtualSwitch=Vds(group.switch.moid),
        defaultPortConfig=Vds.VmwarePortConfigPolicy(
            vlan=_vlan(group.vlan),
            securityPolicy=_security(group),
            macManagementPolicy=_mac_management(group),
        ),
        description=group.description,
        type="earlyBinding",
        backingType="standard",
        policy=Vds.VMwarePortgroupPolicy(
            blockOverrideAllowed=True,
            shapingOverrideAllowed=False,
            vendorConfigOverrideAllowed=False,
            livePortMovingAllowed=False,
            portConfigResetAtDisconnect=True,
            vlanOverrideAllowed=False,
            uplinkTeamingOverrideAllowed=False,
            securityPolicyOverrideAllowed=False,
            macManagementOverrideAllowed=False,
        ),
        configVersion=str(group.config_version),
        autoExpand=True,
        uplink=group.uplink,
    )
