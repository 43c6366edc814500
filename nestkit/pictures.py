"""A figure as a picture that a screen reader can tell."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Picture:
    """A figure as PNG with its alternative text."""

    def __init__(self, figure: Figure, alt: str) -> None:
        self.figure = figure
        self.alt = alt

    def png(self) -> bytes:
        """The picture's bytes; the same figure gives the same ones."""
        from PIL import Image

        drawn, written = io.BytesIO(), io.BytesIO()
        self.figure.savefig(drawn, format="png", dpi=110, metadata={"Software": None})
        with Image.open(drawn) as image:
            # a palette makes a notebook with ten charts a third as large, and looks the same
            colours = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        colours.save(written, format="png", optimize=True)
        return written.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data = base64.b64encode(self.png()).decode("ascii")
        # JupyterLab gives an image/png no alternative text; nbconvert takes it from the metadata
        html = f'<img alt="{escape(self.alt)}" src="data:image/png;base64,{data}">'
        return (
            {"text/html": html, "image/png": data, "text/plain": self.alt},
            {"image/png": {"alt": self.alt}},
        )

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"
