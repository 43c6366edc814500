"""Runs as figures, each with an alternative text made from its data.

What is emulated, recorded, practice or published says so in the figure itself, and emulated
layers never share an axis with others.
"""

from nestkit.charts.dots import slowdown
from nestkit.charts.look import alt_text, show

__all__ = ["alt_text", "show", "slowdown"]
