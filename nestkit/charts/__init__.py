"""Runs as figures, each with an alternative text made from its data.

What is emulated, recorded, practice or published says so in the figure itself, and emulated
layers never share an axis with others.
"""

from nestkit.charts.cpu import throughput
from nestkit.charts.dots import slowdown
from nestkit.charts.grid import heat_map
from nestkit.charts.look import alt_text, show
from nestkit.charts.order import time_order
from nestkit.charts.others import against_published
from nestkit.charts.paging import nested_paging
from nestkit.charts.steps import waterfall

__all__ = [
    "against_published",
    "alt_text",
    "heat_map",
    "nested_paging",
    "show",
    "slowdown",
    "throughput",
    "time_order",
    "waterfall",
]
