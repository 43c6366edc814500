"""Look at runs by controls: which runs, layers and workloads, against what, in which chart.

All it does can be done without a browser too: set ``.value`` of a control and look at
``figure``, ``frame()`` and ``message``.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w

from nestkit import charts
from nestkit.benchmark import Published, Run, compare_machines, published_figures
from nestkit.course import markup
from nestkit.course.choices import Choices
from nestkit.course.explore_charts import CHARTS, PUBLISHED, by_source, published_frame
from nestkit.course.outcome import problem_html
from nestkit.course.runs import as_data, find_runs, part_of, safe_name
from nestkit.errors import CourseError, NestkitError
from nestkit.state import state_dir

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DEFAULT: Final = "each run's own"
_NARROW: Final = {"width": "22em"}


class Explorer:
    """Controls over all runs that can be found, and what they show; made by :func:`explorer`.

    Attributes
    ----------
    runs, layers, workloads, baseline, chart, published
        The controls; ``published`` holds the sources of the figures drawn beside a run.
    figure
        What is shown now, or None.
    message
        HTML of what must be said: a problem, files that cannot be read, where a file went.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._found = find_runs()
        self._sources = by_source(published_figures())
        self._filling = False
        self.figure: Figure | None = None
        self.runs = Choices("Runs", wide=True)
        self.layers = Choices("Layers")
        self.workloads = Choices("Workloads")
        self.baseline = w.Dropdown(description="Baseline", layout=_NARROW)
        self.chart = w.Dropdown(description="Chart", options=list(CHARTS), layout=_NARROW)
        self.published = Choices("Published sources", list(self._sources), wide=True)
        self.reload_button = w.Button(description="Look for runs again")
        self.png_button = w.Button(description="Save PNG")
        self.csv_button = w.Button(description="Save CSV")
        self._message, self._picture, self._table = w.HTML(), w.HTML(), w.HTML()
        self.widget = w.VBox(
            [
                self.runs,
                self.layers,
                self.workloads,
                w.HBox([self.baseline, self.chart]),
                self.published,
                w.HBox([self.reload_button, self.png_button, self.csv_button]),
                self._message,
                self._picture,
                self._table,
            ]
        )
        self._fill()
        self.runs.observe(lambda _: self._runs_changed(), names="value")
        for control in (self.layers, self.workloads, self.baseline, self.chart, self.published):
            control.observe(lambda _: self.draw(), names="value")
        self.reload_button.on_click(lambda _: self.reload())
        self.png_button.on_click(lambda _: self._save(self.save_png))
        self.csv_button.on_click(lambda _: self._save(self.save_csv))
        self.draw()

    @property
    def message(self) -> str:
        """What must be said, as HTML."""
        return str(self._message.value)

    def chosen(self) -> list[Run]:
        """The chosen runs with the chosen layers, the baseline's and the chosen workloads only."""
        base = None if self.baseline.value == DEFAULT else self.baseline.value
        parts = []
        for label in self.runs.value:
            run = self._found.runs[label]
            kept = {*self.layers.value, base or run.default_baseline}
            parts.append(part_of(run, tuple(kept), self.workloads.value))
        return parts

    def _asked(self) -> list[Run]:
        """What is chosen, if of each kind something is: else a chart's error would mislead."""
        for what, control in (
            ("run", self.runs), ("layer", self.layers), ("workload", self.workloads)
        ):  # fmt: skip
            if not control.value:
                raise CourseError(
                    f"no {what} is chosen", remedy=f"choose one in the list of {what}s"
                )
        return self.chosen()

    def figures(self) -> list[Published]:
        """The published figures of the chosen sources."""
        return [figure for name in self.published.value for figure in self._sources[name]]

    def frame(self) -> pd.DataFrame:
        """The chosen runs' summaries, one row a run, workload and layer.

        With the chart of published figures, these stand below, with the origin "published".

        Raises
        ------
        CourseError
            If no run, no layer or no workload is chosen.
        """
        import pandas as pd

        base = None if self.baseline.value == DEFAULT else self.baseline.value
        frames = []
        for run in self._asked():
            frame = run.summary(base)
            about = {
                "run_id": run.run_id,
                "origin": run.origin,
                "host_cpu": run.provenance.get("host_cpu", ""),
                "status": run.status,
            }
            for place, (name, value) in enumerate(about.items()):
                frame.insert(place, name, value)
            frames.append(frame)
        if self.chart.value == PUBLISHED:
            frames.append(published_frame(self.figures()))
        return pd.concat(frames, ignore_index=True)

    def draw(self) -> None:
        """Show what is chosen now; a problem is shown, not raised."""
        with self._lock:
            if self._filling:  # one drawing for all that changes together
                return
            shown = self.chart.value == PUBLISHED
            self.published.layout.display = None if shown else "none"
            said = [markup.notice("warn", f"{name} was left out", str(error))
                    for name, error in self._found.broken]  # fmt: skip
            self.figure, self._picture.value, self._table.value = None, "", ""
            base = None if self.baseline.value == DEFAULT else self.baseline.value
            try:
                runs = self._asked()
                self.figure = CHARTS[self.chart.value](runs, self.figures(), base)
                self._picture.value = self._image(self.figure)
                if len(runs) > 1:
                    self._table.value = self._numbered() + (
                        _side_by_side(*runs) if len(runs) == 2 else ""
                    )
                elif self.chart.value == PUBLISHED:
                    self._table.value = self._citations()
            except NestkitError as error:
                said.append(problem_html(error))
            else:
                said += self._left_out()
            self._message.value = "".join(said)

    def reload(self) -> None:
        """Look for runs again; what is chosen stays chosen where it is still there."""
        with self._lock:
            before = self.runs.value
            self._found = find_runs()
            self._fill(before)
            self.draw()

    def save_png(self) -> Path:
        """Save the chart that is shown in the state folder's ``exports``; the answer is where.

        Raises
        ------
        CourseError
            If no chart is shown.
        """
        if self.figure is None:
            raise CourseError("there is no chart to save", remedy="choose what can be drawn")
        path = self._target("png")
        path.write_bytes(_png(self.figure, dpi=150))
        return path

    def save_csv(self) -> Path:
        """Save :meth:`frame` beside the charts; the answer is where."""
        frame, path = self.frame().map(as_data), self._target("csv")
        frame.to_csv(path, index=False, lineterminator="\n")
        return path

    def _target(self, kind: str) -> Path:
        name = safe_name("-".join([self.chart.value, *(run.run_id for run in self.chosen())]))
        return state_dir("exports") / f"{name}.{kind}"

    def _save(self, save: Callable[[], Path]) -> None:
        try:
            self._message.value = markup.notice("pass", "Saved", str(save()))
        except NestkitError as error:
            self._message.value = problem_html(error)
        except OSError as error:
            self._message.value = markup.notice("fail", "It could not be saved", str(error))

    def _fill(self, before: Sequence[str] = ()) -> None:
        self._filling = True
        labels = list(self._found.runs)
        self.runs.options = tuple(labels)
        self.runs.value = tuple(label for label in before if label in labels) or tuple(labels[:1])
        self._fill_parts()
        self._filling = False

    def _runs_changed(self) -> None:
        with self._lock:
            if self._filling:
                return
            self._filling = True
            self._fill_parts()
            self._filling = False
            self.draw()

    def _fill_parts(self) -> None:
        """Layers and workloads of the chosen runs, all of them chosen."""
        runs = [self._found.runs[label] for label in self.runs.value]
        layers = sorted({(f.depth, f.layer) for run in runs for f in run.layers})
        names = [name for _, name in layers]
        workloads = list(dict.fromkeys(name for run in runs for name in run.workloads))
        for control, options in ((self.layers, names), (self.workloads, workloads)):
            if list(control.options) != options:
                control.options = control.value = tuple(options)
        shared = [n for n in names if all(n in {f.layer for f in run.layers} for run in runs)]
        if list(self.baseline.options) != [DEFAULT, *shared]:
            before = self.baseline.value
            self.baseline.options = [DEFAULT, *shared]
            # else nothing is chosen, and the browser shows an empty field
            self.baseline.value = before if before in shared else DEFAULT

    def _left_out(self) -> list[str]:
        """A part of a suite is said to be one: who chooses workloads chooses the result."""
        gone = [n for n in self.workloads.options if n not in self.workloads.value]
        words = f"Not shown: {', '.join(gone)}. Report the whole suite." if gone else ""
        return [markup.notice("note", words)] if gone else []

    def _image(self, figure: Figure) -> str:
        data = base64.b64encode(_png(figure, dpi=110)).decode("ascii")
        alt = markup.text(charts.alt_text(figure))
        return (
            f'<img alt="{alt}" src="data:image/png;base64,{data}" style="max-width:100%">'
            f"<details><summary>The same in words</summary><p>{alt}</p></details>"
        )

    def _numbered(self) -> str:
        """Which run has which number in the chart."""
        order = (", first", ", second") if len(self.runs.value) == 2 else ()
        names = [
            f"Run {number}{order[number - 1] if order else ''}: {label}"
            for number, label in enumerate(self.runs.value, start=1)
        ]
        return markup.status("\n".join(names))

    def _citations(self) -> str:
        columns = {
            "run_id": "source", "host_cpu": "on", "workload": "workload", "layer": "layer",
            "median": "value", "unit": "unit", "note": "citation",
        }  # fmt: skip
        shown = published_frame(self.figures())[list(columns)].rename(columns=columns)
        table = markup.Table(shown, caption="Published by others, on hardware")._repr_html_()
        words = (
            f"All {len(shown)} figures of the chosen sources, with their citations; "
            "the chart draws those of work like yours"
        )
        return markup.block(f"<details><summary>{words}</summary>{table}</details>")

    def static_html(self) -> str:
        """What is shown now, for pages that run no widgets."""
        said = markup.status("Explore runs: run this cell in JupyterLab to use the controls.")
        return str(said + self._message.value + self._picture.value + self._table.value)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = dict(self.widget._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        bundle["text/html"] = self.static_html()
        return bundle

    def __repr__(self) -> str:
        return f"<Explorer: {self.chart.value} of {len(self.runs.value)} run(s)>"


def _side_by_side(first: Run, second: Run) -> str:
    frame = compare_machines(first, second)
    if frame.empty:
        return markup.notice(
            "note", "No table of the two", "No workload was measured in the same layer of both."
        )
    caption = "Two machines: ratio is the second's time per operation over the first's"
    return markup.block(markup.Table(frame, caption)._repr_html_())


def _png(figure: Figure, *, dpi: int) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def explorer() -> Explorer:
    """The controls of the explore page, over your own runs and the recorded ones."""
    return Explorer()
