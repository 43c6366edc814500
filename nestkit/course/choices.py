"""Several of several, as boxes to tick: the keys of a list belong to JupyterLab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import ipywidgets as w
import traitlets

from nestkit.course import markup

_BOX: Final = {"width": "auto", "margin": "0 1.2em 0 2px"}  # 2px: else its border is cut


class Choices(w.VBox):  # type: ignore[misc]
    """A labelled group of boxes. ``value`` holds what is ticked, in the order of ``options``.

    ipywidgets' own list for several is lost on the keyboard: JupyterLab takes the arrow keys.
    """

    options = traitlets.Tuple()
    value = traitlets.Tuple()

    def __init__(
        self, description: str, options: Sequence[str] = (), *, wide: bool = False
    ) -> None:
        flow = "column" if wide else "row wrap"
        self._row = w.Box(layout={"flex_flow": flow, "align_items": "flex-start"})
        label = w.HTML(f"<strong>{markup.text(description)}</strong>")
        super().__init__([label, self._row], layout={"margin": "0 0 .4em 0"})
        self._boxes: dict[str, w.Checkbox] = {}
        self._telling = False
        self.options = tuple(options)
        self.value = self.options

    @traitlets.validate("value")
    def _known(self, proposal: Mapping[str, Any]) -> tuple[str, ...]:
        wanted = set(proposal["value"])
        if unknown := wanted - set(self.options):
            raise traitlets.TraitError(f"no such choice: {', '.join(sorted(map(str, unknown)))}")
        return tuple(option for option in self.options if option in wanted)

    @traitlets.observe("options")
    def _rebuild(self, change: Mapping[str, Any]) -> None:
        """New boxes, none of them ticked."""
        self._boxes = {
            option: w.Checkbox(description=option, indent=False, layout=_BOX)
            for option in change["new"]
        }
        for box in self._boxes.values():
            box.observe(self._ticked, names="value")
        self._row.children = tuple(self._boxes.values())
        self.value = ()

    def _ticked(self, _change: Mapping[str, Any]) -> None:
        if not self._telling:
            self.value = tuple(option for option, box in self._boxes.items() if box.value)

    @traitlets.observe("value")
    def _tell(self, change: Mapping[str, Any]) -> None:
        self._telling = True
        try:
            for option, box in self._boxes.items():
                box.value = option in change["new"]
        finally:
            self._telling = False
