"""``python -m nestkit.practice``: the process under ``start`` and ``join``.

``esx --json`` serves in the foreground; ``--private`` and ``--shared`` are for nestkit itself and
take all options as one JSON text on the command line (none of them is secret).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from nestkit.errors import NestkitError
from nestkit.practice.options import Options, make
from nestkit.practice.serve import IDLE_END_S, Running, serve_foreground, watch_stdin
from nestkit.state import write_private


def _private(options: Options) -> None:
    """Tell the parent by a pipe how to reach the host; end with the parent."""
    running = Running(options)
    watch_stdin(running.ended.set)
    sys.stdout.write(json.dumps(running.describe()) + "\n")
    sys.stdout.flush()
    running.wait()
    running.close()


def _shared(options: Options, state: Path, idle_s: float) -> None:
    """Tell everyone of this user by a private file; end when idle."""
    running = Running(options)
    facts = running.describe() | {"options": json.loads(options.to_json())}
    write_private(state, json.dumps(facts))

    def ours() -> bool:
        try:
            told = json.loads(state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(told, dict) and told.get("token") == facts["token"]

    try:
        running.wait_while(ours, idle_s)  # nobody finds a host whose file is gone
    finally:
        running.close()
        if ours():
            state.unlink(missing_ok=True)


def main() -> int:
    """Run one practice host."""
    parser = argparse.ArgumentParser(prog="python -m nestkit.practice")
    parser.add_argument("kind")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--vms", type=int, default=0)
    parser.add_argument("--faults", default="")
    parser.add_argument("--inventory", default="")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--private", metavar="OPTIONS", help=argparse.SUPPRESS)
    parser.add_argument("--shared", metavar="OPTIONS", help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--idle", type=float, default=IDLE_END_S, help=argparse.SUPPRESS)
    given = parser.parse_args()
    try:
        if given.private:
            _private(Options.from_json(given.private))
        elif given.shared:
            _shared(Options.from_json(given.shared), given.state, given.idle)
        else:
            names = ("profile", "vms", "faults", "inventory", "seed")
            options = make(given.kind, {name: getattr(given, name) for name in names})
            serve_foreground(options, json_output=given.json)
    except NestkitError as error:
        told = {"error": type(error).__name__, "message": error.message, "remedy": error.remedy}
        if given.private or given.shared or given.json:
            sys.stdout.write(json.dumps(told) + "\n")
        else:
            sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
