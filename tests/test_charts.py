"""Figures: what is drawn is what was measured, and what must be known stands in the figure."""

from __future__ import annotations

import io
from dataclasses import replace
from html import escape

import pytest
from charted import CHOSEN, emulated_run, hardware_run, words
from fake_layers import FakeLayer, World
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nestkit import benchmark, charts
from nestkit.benchmark import WORKLOADS, Run, find_effect
from nestkit.charts import look
from nestkit.errors import RunError


@pytest.fixture(scope="module")
def emulated() -> Run:
    return emulated_run()


@pytest.fixture(scope="module")
def hardware() -> Run:
    return hardware_run(depth=1)


def dots(axes: Axes) -> list[tuple[float, float]]:
    """x and y of each marker."""
    return [
        (float(container.lines[0].get_xdata()[0]), float(container.lines[0].get_ydata()[0]))
        for container in axes.containers
    ]


def test_each_dot_stands_at_its_ratio_and_its_interval(hardware: Run) -> None:
    (axes,) = charts.slowdown(hardware).axes
    expected = [find_effect(hardware, w, "L1") for w in CHOSEN]
    assert [x for x, _ in dots(axes)] == [e.ratio for e in expected]
    for container, effect in zip(axes.containers, expected, strict=True):
        ((start, end),) = container.lines[2][0].get_segments()
        assert start[0] == pytest.approx(effect.ratio_low)
        assert end[0] == pytest.approx(effect.ratio_high)


def test_the_axis_is_log2_with_the_baseline_at_1(hardware: Run) -> None:
    (axes,) = charts.slowdown(hardware).axes
    assert axes.get_xscale() == "log"
    assert axes.xaxis.get_transform().base == 2
    low, high = axes.get_xlim()
    assert low < 1 < high
    assert any(list(line.get_xdata()) == [1.0, 1.0] for line in axes.get_lines())


def test_emulated_layers_are_labelled_and_compared_with_l1(emulated: Run) -> None:
    figure = charts.slowdown(emulated)
    assert len(figure.axes) == 1
    assert "emulated (TCG): not evidence for hardware" in words(figure)
    assert "against L1" in figure.axes[0].get_xlabel()
    assert len(dots(figure.axes[0])) == 3
    assert "emulated (TCG)" in charts.alt_text(figure)


def test_asking_for_l0_draws_two_labelled_panels(emulated: Run) -> None:
    figure = charts.slowdown(emulated, baseline="L0")
    native, guest = figure.axes
    assert native.get_title(loc="left").startswith("This machine, not emulated")
    assert "emulated (TCG)" in guest.get_title(loc="left")
    assert {x for x, _ in dots(native)} == {1.0}
    assert len(dots(guest)) == 6


def test_emulated_and_hardware_runs_never_share_an_axis(emulated: Run, hardware: Run) -> None:
    first, second = charts.slowdown([emulated, hardware]).axes
    assert "emulated" in first.get_title(loc="left")
    assert "emulated" not in second.get_title(loc="left")


@pytest.mark.parametrize(
    ("origin", "label"),
    [("recorded", "not measured here"), ("practice", "practice data"), ("published", "published")],
)
def test_what_was_not_measured_here_says_so(hardware: Run, origin: str, label: str) -> None:
    figure = charts.slowdown(replace(hardware, origin=origin))  # type: ignore[arg-type]
    assert label in words(figure)
    assert label in charts.alt_text(figure)
    assert label not in words(charts.slowdown(hardware))


def test_a_recorded_run_says_when_and_on_what(hardware: Run) -> None:
    provenance = {"date_utc": "2026-03-04T05:06:07Z", "host_cpu": "Some CPU"}
    figure = charts.slowdown(replace(hardware, origin="recorded", provenance=provenance))
    assert "recorded 2026-03-04 on Some CPU" in words(figure)


def test_a_noisy_or_cut_off_run_says_so(hardware: Run) -> None:
    noisy = tuple(replace(s, reason="steal 9.0%") for s in hardware.samples)
    figure = charts.slowdown(replace(hardware, samples=noisy, status="cancelled"))
    assert "too noisy" in words(figure)
    assert "incomplete: cancelled" in words(figure)


def test_absolute_values_stand_beside_every_ratio(emulated: Run) -> None:
    figure = charts.slowdown(emulated)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == 3
    assert all("×" in text and "(" in text for text in texts)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert all("L1:" in label for label in labels)


def test_hollow_markers_stand_for_no_measurable_difference(hardware: Run) -> None:
    same = find_effect(hardware, "arithmetic", "L1")
    assert same.verdict == "no measurable difference"
    figure = charts.slowdown(hardware)
    faces = [c.lines[0].get_markerfacecolor() for c in figure.axes[0].containers]
    assert faces[0] == "white"
    assert "white" not in faces[1:]
    assert "hollow: no measurable difference" in words(figure)
    assert "no measurable difference" in charts.alt_text(figure)


def test_layers_differ_in_colour_and_in_shape(emulated: Run) -> None:
    guest = charts.slowdown(emulated, baseline="L0").axes[1]
    lines = [container.lines[0] for container in guest.containers]
    assert len({line.get_marker() for line in lines}) == 2
    assert len({line.get_color() for line in lines}) == 2


def test_the_alternative_text_holds_every_figure(hardware: Run) -> None:
    text = charts.alt_text(charts.slowdown(hardware))
    for name in CHOSEN:
        effect = find_effect(hardware, name, "L1")
        assert f"{WORKLOADS[name].title}, L1 against L0: {effect.ratio:.3g}×" in text
    assert "10 rounds" in text


def test_the_same_run_gives_the_same_text(emulated: Run) -> None:
    texts = {charts.alt_text(charts.slowdown(emulated)) for _ in range(2)}
    assert len(texts) == 1


def test_show_passes_the_alternative_text_on(
    hardware: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[object] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figure = charts.slowdown(hardware)
    charts.show(figure)
    (picture,) = shown
    data, metadata = picture._repr_mimebundle_()  # type: ignore[attr-defined]
    assert f'alt="{escape(charts.alt_text(figure))}"' in data["text/html"]
    assert metadata["image/png"]["alt"] == charts.alt_text(figure)


def test_a_foreign_figure_has_no_alternative_text() -> None:
    with pytest.raises(RunError, match="no alternative text"):
        charts.alt_text(Figure())


def test_figures_need_no_display_and_leave_no_global_state(hardware: Run) -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    buffer = io.BytesIO()
    charts.slowdown(hardware).savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    "cpu", ["AMD EPYC", "An Unusually Long Name of a CPU @ 3 GHz", "Intel(R) Xeon(R) Gold 6154"]
)
def test_nothing_leaves_the_figure(emulated: Run, cpu: str) -> None:
    """Titles and numbers lie within the page, also with the longest labels."""
    run = replace(
        emulated,
        origin="recorded",
        status="out of time",
        provenance={
            "date_utc": "2026-03-04",
            "host_cpu": "An Unusually Long Name of a CPU @ 3 GHz",
        },
        samples=tuple(replace(s, reason="x") for s in emulated.samples),
    )
    figure = charts.slowdown(run, baseline="L0")
    figure.canvas.draw()
    page = figure.bbox
    for axes in figure.axes:
        for text in [axes._left_title, *axes.texts]:
            box = text.get_window_extent()
            assert page.x0 <= box.x0
            assert box.x1 <= page.x1 + 1, text.get_text()


def test_ticks_below_1_are_fractions() -> None:
    assert look.ratio_tick(1 / 64, 0) == "1/64×"
    assert look.ratio_tick(1024.0, 0) == "1,024×"


def test_one_layer_alone_has_nothing_to_compare() -> None:
    run = benchmark.run([FakeLayer(World())], seed=1, rounds=1)
    with pytest.raises(RunError, match="nothing to compare"):
        charts.slowdown(run)
    with pytest.raises(RunError, match="nothing to compare"):
        charts.slowdown([])


def test_an_unknown_baseline_is_refused(hardware: Run) -> None:
    with pytest.raises(RunError, match="no layer 'L9'"):
        charts.slowdown(hardware, baseline="L9")
