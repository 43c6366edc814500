"""A plan as one step of a pipeline: a POSIX shell script of nestkit's own commands.

It asks preflight first and changes nothing where nothing blocks, so it may run every time.
"""

from __future__ import annotations

import json

from nestkit.plans import Plan
from nestkit.scripts.outline import header
from nestkit.scripts.quoting import remark, shell

_TOP = """
# NESTKIT_URL says where and as whom, NESTKIT_PASSWORD comes from the pipeline's secrets. Exit
# status: 0 the VM is ready, 1 something still blocks, 2 it could not be done.
set -eu
: "${NESTKIT_URL:?set NESTKIT_URL to the address of the host}"
"""
_FIRST = """
status=0
nestkit preflight "$NESTKIT_URL" --vm "$vm" || status=$?
case $status in
    0) echo "nothing blocks: nothing is changed"; exit 0 ;;
ELSE
esac

plan=$(mktemp)
trap 'rm -f "$plan"' EXIT
cat >"$plan" <<'PLAN'
"""
_BLOCKED = """    1) ;;
    *) exit "$status" ;;"""
_ABSENT = "    *) ;; # not there yet, so it is created; apply refuses whatever else may be wrong"
_THEN = """PLAN

status=0
journal=$(nestkit apply "$NESTKIT_URL" "$plan" --accept "$digest") || status=$?
echo "journal: $journal"
if [ "$status" -eq 0 ]; then
    nestkit preflight "$NESTKIT_URL" --vm "$vm" || status=$?
fi
if [ "$status" -ne 0 ] && [ -n "$journal" ]; then
    echo "not ready (status $status): it is taken back" >&2
    nestkit rollback "$NESTKIT_URL" "$journal" || true
fi
exit "$status"
"""


def write(plan: Plan) -> str:
    """The script, for any POSIX shell."""
    head = "\n".join(["#!/bin/sh", *(f"# {remark(line)}" for line in header(plan))])
    # one line of ASCII JSON: it cannot hold the line that ends it
    held = json.dumps(plan.to_json() | {"digest": plan.digest})
    names = "\n".join([*shell("vm", plan.vm.id), f"digest={plan.digest}"]) + "\n"
    first = _FIRST.replace("ELSE", _ABSENT if plan.creates_vm else _BLOCKED)
    return f"{head}{_TOP}{names}{first}{held}\n{_THEN}"
