"""What a notebook calls a thing, so that the code a form shows runs in the cell below it."""

from __future__ import annotations

from typing import Any

from IPython.core.getipython import get_ipython


def name_of(thing: Any, otherwise: str) -> str:
    """The notebook's variable that holds ``thing``; ``otherwise`` where none does."""
    shell = get_ipython()
    variables = {} if shell is None else shell.user_ns
    # copied: cells run on while a form is made
    names = [name for name, value in tuple(variables.items()) if value is thing]
    mine = [name for name in names if not name.startswith("_")]
    return otherwise if otherwise in mine or not mine else mine[0]
