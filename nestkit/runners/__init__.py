"""Run programs inside a layer; each runner keeps :class:`nestkit.runners.base.Runner`."""

from nestkit.runners.base import ExecResult, LayerFacts, Runner
from nestkit.runners.local import LocalRunner
from nestkit.runners.ssh import SshRunner

__all__ = ["ExecResult", "LayerFacts", "LocalRunner", "Runner", "SshRunner"]
