"""Make a VM ready to host a hypervisor: plan, apply, resume, verify, roll back.

>>> plan = nk.configure.plan(host, "nested-esxi-01")
>>> done = nk.configure.apply(plan, host)
>>> nk.configure.rollback(done.journal, host)
"""

from nestkit.configure.engine import apply, resume, verify
from nestkit.configure.planning import plan
from nestkit.configure.results import Left, Mismatch, Outcome, RollbackResult, Verification
from nestkit.configure.undo import rollback

__all__ = [
    "Left",
    "Mismatch",
    "Outcome",
    "RollbackResult",
    "Verification",
    "apply",
    "plan",
    "resume",
    "rollback",
    "verify",
]
