"""The same verbs for a terminal.

Exit status: 0 ok, 1 findings that block, 2 could not be done, 130 interrupted.
What a script reads goes to standard output, what a person follows to standard error.
"""

from nestkit.cli.app import main

__all__ = ["main"]
