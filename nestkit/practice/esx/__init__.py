"""A practice ESXi host or vCenter: the vSphere Web Services API (vim25) with their rules."""
