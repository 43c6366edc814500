"""``python -m nestkit`` is the command ``nestkit``."""

from nestkit.cli import main

main()
