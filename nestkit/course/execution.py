"""Run a lesson to its end with state of its own, and keep outputs that read well on a page."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from nestkit.errors import CourseError

WIDGET: Final = "application/vnd.jupyter.widget-view+json"
_TIMEOUT_S: Final = 120
# what must never be published: folders of this machine, ports that differ with each run
_PRIVATE: Final = re.compile(
    r"(/home/|/root/|/tmp/|/var/|[A-Z]:\\\\Users)[^\s'\"<]*|127\.0\.0\.1:\d+"
)

# a page that a lesson writes for its reader is not published with it
_WRITTEN: Final = re.compile(r'<a href="[^":/]+\.html"[^>]*>[^<]*</a>')


def executed(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """The notebook with its outputs, widgets replaced by what they say without a browser.

    Raises
    ------
    CourseError
        If a cell fails, or an output holds a path or address of this machine.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    node = nbformat.from_dict(notebook)  # type: ignore[no-untyped-call]
    with _own_state() as state:
        client = NotebookClient(
            node, timeout=_TIMEOUT_S, kernel_name="python3", record_timing=False,
            store_widget_state=False, resources={"metadata": {"path": str(state)}},
        )  # fmt: skip
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError) as error:
            raise CourseError(
                f"{name} does not run to its end: {error}", remedy="mend the cell in its source"
            ) from error
        hidden = {
            str(state.resolve()): "~/.local/state/nestkit",
            str(state): "~/.local/state/nestkit",
        }
        return {
            **notebook,
            "cells": [kept(cell, hidden, name) for cell in node.cells],
        }


@contextmanager
def _own_state() -> Iterator[Path]:
    """A state folder of the run's own; practice hosts started in it end with it."""
    before = {key: os.environ.get(key) for key in ("NESTKIT_STATE", "NESTKIT_HOST")}
    with tempfile.TemporaryDirectory(prefix="nestkit-lesson-", ignore_cleanup_errors=True) as name:
        os.environ["NESTKIT_STATE"] = name
        os.environ.pop("NESTKIT_HOST", None)
        try:
            yield Path(name)
        finally:
            from nestkit.practice import stop

            stop()
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value


def kept(cell: dict[str, Any], hidden: dict[str, str], name: str) -> dict[str, Any]:
    """A cell as it may be published; ``hidden`` maps what is replaced to its replacement.

    Raises
    ------
    CourseError
        If an output still holds a path or an address of this machine.
    """
    made = {key: cell[key] for key in ("cell_type", "id", "metadata", "source")}
    if cell["cell_type"] != "code":
        return made
    outputs = [_clean(dict(output), hidden) for output in cell["outputs"]]
    for output in outputs:
        if found := _PRIVATE.search(repr({k: v for k, v in output.items() if k != "metadata"})):
            raise CourseError(
                f"{name}: an output holds {found.group(0)!r}, which belongs to this machine alone",
                remedy="print less in the cell that begins " + repr(str(cell["source"])[:60]),
            )
    return {**made, "execution_count": cell["execution_count"], "outputs": outputs}


def _clean(output: dict[str, Any], hidden: dict[str, str]) -> dict[str, Any]:
    for key in ("text", "data"):
        if key in output:
            output[key] = _replace(output[key], hidden)
    data = output.get("data")
    if data is not None:
        data.pop(WIDGET, None)  # without a kernel it would only say that its model is missing
        if "text/html" in data:
            data["text/html"] = _WRITTEN.sub("", data["text/html"])
    return output


def _replace(value: Any, hidden: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replace(item, hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, hidden) for item in value]
    if isinstance(value, str):
        for private, shown in hidden.items():
            value = value.replace(private, shown)
    return value
