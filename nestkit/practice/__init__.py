"""Practice hosts: models that speak the true wire protocols, for learning and for tests.

>>> with nk.practice.start("esx") as p:  # private, ends with the block
...     host = nk.connect(p.url, password=p.password)

``practice://esx`` joins the user's shared one instead. Nothing done here proves anything about a
real host.
"""

from __future__ import annotations

from nestkit.practice.client import PracticeHost
from nestkit.practice.launch import join, reset, start, status, stop
from nestkit.practice.options import KINDS, Options, make
from nestkit.practice.serve import serve_foreground

__all__ = [
    "KINDS",
    "Options",
    "PracticeHost",
    "join",
    "make",
    "reset",
    "serve_foreground",
    "start",
    "status",
    "stop",
]
