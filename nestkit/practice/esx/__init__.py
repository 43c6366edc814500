"""A practice ESXi host: the vSphere Web Services API (vim25) with ESXi's rules."""
