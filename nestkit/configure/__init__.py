"""Make a VM ready to host a hypervisor: plan, apply, resume, verify, roll back.

>>> plan = nk.configure.plan(host, "nested-esxi-01")
>>> done = nk.configure.apply(plan, host)
>>> nk.configure.rollback(done.journal, host)
"""

from nestkit.configure.engine import apply, resume
from nestkit.configure.planning import plan, plan_new
from nestkit.configure.results import Left, Mismatch, Outcome, RollbackResult, Verification
from nestkit.configure.undo import rollback
from nestkit.configure.verifying import verify

__all__ = [
    "Left",
    "Mismatch",
    "Outcome",
    "RollbackResult",
    "Verification",
    "apply",
    "plan",
    "plan_new",
    "resume",
    "rollback",
    "verify",
]
