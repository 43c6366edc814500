"""Bytes and sessions: TLS, vSphere SOAP. Below hosts and runners; knows nothing of either."""
