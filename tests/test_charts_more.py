"""Heat map, waterfall, nested paging, time order, throughput, yours against published."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from charted import CHOSEN, emulated_run, hardware_run, words
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from nestkit import charts
from nestkit.benchmark import WORKLOADS, Run, Sample, find_effect
from nestkit.benchmark.published import Published
from nestkit.benchmark.texts import format_ratio
from nestkit.charts import steps
from nestkit.charts.steps import nanoseconds
from nestkit.errors import RunError
from nestkit.facts import Unknown
from nestkit.resources import data_path


@pytest.fixture(scope="module")
def emulated() -> Run:
    return emulated_run()


@pytest.fixture(scope="module")
def hardware() -> Run:
    return hardware_run(depth=2)


def with_paging(run: Run, word: str, times: float = 1.0) -> Run:
    """The run with its L2 marked, and its exits there that much longer."""
    layers = tuple(
        replace(f, extra={**f.extra, "nested_paging": word}) if f.depth == 2 else f
        for f in run.layers
    )
    samples = tuple(
        replace(s, value=s.value * times) if (s.layer, s.workload) == ("L2", "exit") else s
        for s in run.samples
    )
    return replace(run, layers=layers, samples=samples)


def paging_of(run: Run) -> Figure:
    return charts.nested_paging(with_paging(run, "on"), with_paging(run, "off", 3.0))


def throughput_of(run: Run) -> Figure:
    samples = [
        replace(s, cpu_percent=20.0 + 30 * s.depth if s.workload == "disk-read" else None)
        for s in run.samples
    ]
    return charts.throughput(replace(run, samples=tuple(samples)))


EVERY: dict[str, Callable[[Run], Figure]] = {
    "heat map": charts.heat_map,
    "waterfall": charts.waterfall,
    "nested paging": paging_of,
    "time order": charts.time_order,
    "throughput": throughput_of,
    "published": charts.against_published,
}
every = pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY.keys())


# -- what holds for each of them ------------------------------------------------------------------


@every
def test_emulated_layers_say_so_in_the_figure_and_in_its_text(
    draw: Callable[[Run], Figure], emulated: Run, hardware: Run
) -> None:
    assert "emulated (TCG): not evidence" in words(draw(emulated)).replace("\n", " ")
    assert "emulated (TCG)" in charts.alt_text(draw(emulated))
    assert "emulated" not in words(draw(hardware))


@every
@pytest.mark.parametrize(
    ("origin", "label"), [("recorded", "not measured here"), ("practice", "practice data")]
)
def test_what_was_not_measured_here_says_so(
    draw: Callable[[Run], Figure], hardware: Run, origin: Any, label: str
) -> None:
    figure = draw(replace(hardware, origin=origin))
    assert label in words(figure).replace("\n", " ")
    assert label in charts.alt_text(figure)
    assert label not in words(draw(hardware)).replace("\n", " ")


@every
def test_no_word_leaves_the_page_or_covers_another(
    draw: Callable[[Run], Figure], emulated: Run
) -> None:
    provenance = {"date_utc": "2026-03-04", "host_cpu": "An Unusually Long Name of a CPU @ 3 GHz"}
    noisy = tuple(replace(s, reason="x") for s in emulated.samples)
    figure = draw(
        replace(
            emulated, origin="recorded", status="out of time", provenance=provenance, samples=noisy
        )
    )
    figure.draw_without_rendering()
    assert figure.get_figwidth() == 7.0
    page = figure.bbox
    for axes in figure.axes:
        for text in [axes._left_title, *axes.texts, *axes.get_yticklabels()]:
            box = text.get_window_extent()
            assert page.x0 - 1 <= box.x0, text.get_text()
            assert box.x1 <= page.x1 + 1, text.get_text()
            assert page.y0 - 1 <= box.y0 <= box.y1 <= page.y1 + 1, text.get_text()
        boxes = [t.get_window_extent() for t in axes.get_yticklabels() if t.get_text()]
        boxes.sort(key=lambda box: box.y0)
        assert all(b.y0 >= a.y1 - 1 for a, b in pairwise(boxes))


@every
def test_the_same_run_gives_the_same_text(draw: Callable[[Run], Figure], emulated: Run) -> None:
    assert charts.alt_text(draw(emulated)) == charts.alt_text(draw(emulated))


# -- heat map -------------------------------------------------------------------------------------


def test_each_field_has_its_ratio_and_is_hatched_where_nothing_is_shown(hardware: Run) -> None:
    (axes,) = charts.heat_map(hardware).axes
    fields = {str(patch.get_gid()): patch for patch in axes.patches}
    assert len(fields) == len(CHOSEN) * 3
    texts = [text.get_text() for text in axes.texts]
    for workload in CHOSEN:
        assert not fields[f"{workload} L0"].get_hatch()
        for layer in ("L1", "L2"):
            effect = find_effect(hardware, workload, layer)
            assert effect.ratio is not None
            unsure = effect.verdict == "no measurable difference"
            assert bool(fields[f"{workload} {layer}"].get_hatch()) == unsure
            assert any(text.startswith(format_ratio(effect.ratio)) for text in texts)
    assert fields["arithmetic L1"].get_hatch()


def test_emulated_and_hardware_runs_get_panels_of_their_own(emulated: Run, hardware: Run) -> None:
    first, second = charts.heat_map([emulated, hardware]).axes
    assert "emulated" in first.get_title(loc="left")
    assert "emulated" not in second.get_title(loc="left")
    assert [t.get_text() for t in first.get_xticklabels()] == ["L1", "L2"]


def test_dots_of_the_two_kinds_have_scales_of_their_own(emulated: Run, hardware: Run) -> None:
    first, second = charts.slowdown([emulated, hardware]).axes
    assert not first.get_shared_x_axes().joined(first, second)
    assert first.get_xlim() != second.get_xlim()


# -- waterfall ------------------------------------------------------------------------------------


def test_the_steps_add_up_to_the_innermost_layer(hardware: Run) -> None:
    figure = charts.waterfall(hardware)
    for axes, workload in zip(figure.axes, CHOSEN, strict=True):
        *steps, total = [bar.get_width() for bar in axes.patches]
        inner = statistics.median(
            1e9 * s.time_per_operation if s.direction == "higher" else s.value
            for s in hardware.counted
            if (s.workload, s.layer) == (workload, "L2")
        )
        assert sum(steps) == pytest.approx(inner)
        assert total == pytest.approx(inner)
        assert axes.get_xlim()[0] == 0
    assert [bool(bar.get_hatch()) for bar in figure.axes[0].patches] == [False, True, True, False]


@pytest.mark.parametrize(
    ("unit", "direction", "expected"),
    [
        ("ns", "lower", 50.0), ("us", "lower", 50e3), ("1/s", "higher", 2e7),
        ("MiB/s", "higher", None), ("Mbit/s", "higher", None), ("%", "lower", None),
    ],
)  # fmt: skip
def test_only_times_per_operation_become_nanoseconds(
    hardware: Run, unit: str, direction: Any, expected: float | None
) -> None:
    sample = replace(hardware.samples[0], unit=unit, direction=direction, value=50.0)
    assert nanoseconds(sample) == expected


def test_a_workload_without_a_time_per_operation_is_left_out_and_named(hardware: Run) -> None:
    def in_mib(sample: Sample) -> Sample:
        return replace(sample, unit="MiB/s") if sample.workload == "disk-read" else sample

    figure = charts.waterfall(replace(hardware, samples=tuple(map(in_mib, hardware.samples))))
    assert len(figure.axes) == 2
    assert "left out, as they have no time per operation: Disk read" in words(figure)
    assert "Left out, as they have no time per operation: Disk read" in charts.alt_text(figure)


def test_what_was_not_measured_is_left_out_for_that_reason_and_all_of_it_is_on_the_page(
    hardware: Run,
) -> None:
    run = replace(hardware, workloads=(*hardware.workloads, *WORKLOADS))
    figure = charts.waterfall(run)
    said = words(figure).replace("\n", " ")
    assert "left out, as they were not measured in two layers: System call" in said
    assert "Network, from the layer outside" in said
    figure.draw_without_rendering()
    note = figure._supxlabel.get_window_extent()  # type: ignore[attr-defined]
    assert figure.bbox.x0 <= note.x0 < note.x1 <= figure.bbox.x1


@pytest.mark.parametrize("draw", [charts.slowdown, charts.heat_map])
def test_a_workload_with_nothing_to_compare_is_named(
    draw: Callable[[Run], Figure], hardware: Run, emulated: Run
) -> None:
    """As the network on hardware: the baseline, L0, has no layer outside it to measure it from."""
    samples = tuple(s for s in hardware.samples if (s.workload, s.layer) != ("exit", "L0"))
    figure = draw(replace(hardware, samples=samples))
    assert "nothing to compare with L0: Exit (CPUID)" in words(figure)
    assert "Nothing to compare with L0: Exit (CPUID)." in charts.alt_text(figure)
    assert "nothing to compare" not in words(draw(hardware)) + words(draw(emulated))
    both = draw([emulated, replace(hardware, samples=samples)])  # type: ignore[arg-type]
    assert "run 2, nothing to compare with L0: Exit" in words(both)
    alone = replace(hardware, layers=hardware.layers[:1])
    assert "run 1 has nothing to compare" in words(draw([alone, emulated]))  # type: ignore[arg-type]


@every
def test_a_disk_that_a_cache_answers_for_is_warned_of_in_each_chart(
    draw: Callable[[Run], Figure], hardware: Run
) -> None:
    samples = tuple(
        replace(s, value=s.value * 50) if (s.workload, s.layer) == ("disk-read", "L2") else s
        for s in hardware.samples
    )
    figure = draw(replace(hardware, samples=samples))
    assert "a cache answers, not the disk" in words(figure).replace("\n", " ")
    assert "a cache answers, not the disk" in charts.alt_text(figure)
    assert "a cache answers" not in words(draw(hardware))


@pytest.mark.parametrize("draw", [charts.heat_map, charts.waterfall])
def test_too_few_rounds_are_not_said_to_be_no_difference(
    draw: Callable[[Run], Figure], hardware: Run
) -> None:
    few = replace(hardware, samples=tuple(s for s in hardware.samples if s.round < 4))
    said = words(draw(few))
    assert "too few rounds" in said
    assert "no measurable difference" not in said + charts.alt_text(draw(few))


@every
def test_what_a_run_says_is_text_and_no_formula(
    draw: Callable[[Run], Figure], emulated: Run
) -> None:
    odd = replace(emulated, origin="recorded", provenance={"host_cpu": r"a $\nosuch{ $ b"})
    figure = draw(odd)
    figure.draw_without_rendering()
    assert r"$\nosuch{ $" in words(figure)


def test_a_native_layer_is_never_added_to_an_emulated_one(emulated: Run) -> None:
    assert "L0" not in words(charts.waterfall(emulated))
    with pytest.raises(RunError, match="no layer to add to L0") as caught:
        charts.waterfall(emulated, "L0")
    assert "start from L1" in caught.value.remedy


# -- nested paging --------------------------------------------------------------------------------


def test_what_switching_it_off_costs_is_written_beside_each_pair(hardware: Run) -> None:
    figure = paging_of(hardware)
    (axes,) = figure.axes
    labels = {
        t.get_text().split(",")[0].strip(): t.get_text().splitlines()[1]
        for t in axes.get_yticklabels()
    }
    assert labels["Exit (CPUID)"] == "3× the slowdown when off"
    assert labels["Arithmetic"] == "no measurable difference"
    assert "nested paging off" in words(figure)
    faces = {c.lines[0].get_markerfacecolor() for c in axes.containers}
    assert "white" in faces
    assert len(faces) == 2
    assert "3× the slowdown when off" in charts.alt_text(figure)


def test_runs_that_are_not_a_pair_are_refused(emulated: Run, hardware: Run) -> None:
    on, off = with_paging(hardware, "on"), with_paging(hardware, "off")
    with pytest.raises(RunError, match="wrong way round"):
        charts.nested_paging(off, on)
    with pytest.raises(RunError, match="not one with nested paging on"):
        charts.nested_paging(hardware, hardware)
    with pytest.raises(RunError, match="share no axis"):
        charts.nested_paging(on, with_paging(emulated, "off"))


def test_too_few_rounds_claim_nothing_and_are_no_equality(hardware: Run) -> None:
    few = replace(
        with_paging(hardware, "on"),
        samples=tuple(s for s in hardware.samples if s.round <= 5),
        status="cancelled",
    )
    off = replace(with_paging(hardware, "off", 3.0), status="cancelled")
    figure = charts.nested_paging(few, off)
    assert "too few rounds" in words(figure)
    assert "no measurable" not in words(figure)
    assert "incomplete: cancelled, off, incomplete: cancelled" in charts.alt_text(figure)


def test_two_machines_are_named(hardware: Run) -> None:
    on = replace(with_paging(hardware, "on"), provenance={"host_cpu": "A"})
    off = replace(with_paging(hardware, "off"), provenance={"host_cpu": "B"})
    assert "two machines: on A, off B" in words(charts.nested_paging(on, off))


# -- time order -----------------------------------------------------------------------------------


def test_each_sample_stands_at_its_place_and_flags_are_hollow(hardware: Run) -> None:
    flagged = hardware.counted[5]
    samples = tuple(
        replace(s, reason="steal 9.0%") if s == flagged else s for s in hardware.samples
    )
    figure = charts.time_order(replace(hardware, samples=samples))
    places: list[float] = []
    hollow = []
    for axes in figure.axes:
        for line in axes.get_lines():
            if line.get_linestyle() == "None":
                places.append(float(line.get_xdata()[0]))
                if line.get_markerfacecolor() == "white":
                    hollow.append(places[-1])
    assert sorted(places) == [s.order for s in sorted(samples, key=lambda s: s.order)]
    assert hollow == [flagged.order]
    assert "hollow: flagged" in words(figure)
    text = charts.alt_text(figure)
    assert f"1 of {len(hardware.counted)} samples that count are flagged" in text


def test_drift_is_told_in_words(hardware: Run) -> None:
    last = max(s.order for s in hardware.samples)
    slower = tuple(
        replace(s, value=s.value * (1.5 if s.order > last / 2 else 1.0))
        if s.workload == "exit" else s
        for s in hardware.samples
    )  # fmt: skip
    figure = charts.time_order(replace(hardware, samples=slower), workloads=["exit"])
    told = re.search(r"second half against first \+(\d+\.\d)%", charts.alt_text(figure))
    assert told is not None
    assert 45 < float(told[1]) < 56


def test_native_and_emulated_samples_have_panels_of_their_own(emulated: Run) -> None:
    figure = charts.time_order(emulated)
    assert len(figure.axes) == 2 * len(CHOSEN)
    left, right = figure.axes[:2]
    assert left.get_title(loc="left").startswith("This machine, not emulated")
    assert "emulated (TCG)" in right.get_title(loc="left").replace("\n", " ")


def test_nothing_counted_is_nothing_to_order(hardware: Run) -> None:
    with pytest.raises(RunError, match="no samples that count"):
        charts.time_order(replace(hardware, samples=()))


# -- throughput -----------------------------------------------------------------------------------


def test_throughput_stands_beside_its_cpu(hardware: Run) -> None:
    figure = throughput_of(hardware)
    left, right = figure.axes[:2]
    assert [t.get_text() for t in left.get_yticklabels()] == ["L0", "L1", "L2"]
    assert [t.get_text() for t in right.texts] == ["20 %", "50 %", "80 %"]
    assert left.get_xlim()[0] == right.get_xlim()[0] == 0
    assert "with 80 % of one CPU" in charts.alt_text(figure)
    assert "Exit" not in words(figure)


def test_without_a_cpu_column_the_chart_says_what_to_do(hardware: Run) -> None:
    with pytest.raises(RunError, match="no workload here has a throughput") as caught:
        charts.throughput(hardware, workloads=["exit"])
    assert "disk or network workload" in caught.value.remedy


# -- yours against published ----------------------------------------------------------------------


def figures(outer: float, inner: float, **changes: Any) -> list[Published]:
    base = Published(
        source="Someone", year=2020, platform_l0="KVM, Xeon X", platform_l1="KVM", cpu="Xeon X",
        workload="cpuid loop", metric="time", unit="us", layer="L1", value=outer,
        relative_to_l0=None, citation="Someone, Table 1",
    )  # fmt: skip
    return [replace(base, **changes), replace(base, **{"layer": "L2", "value": inner} | changes)]


def test_published_rows_carry_year_and_cpu(hardware: Run) -> None:
    figure = charts.against_published(hardware, figures(2, 14))
    labels = words(figure)
    assert "Someone, 2020: cpuid loop" in labels
    assert "KVM, Xeon X" in labels
    assert "7×" in labels
    assert "Published by others" in labels
    assert "7×, 2020, KVM, Xeon X (Someone, Table 1)" in charts.alt_text(figure)
    unnamed = figures(2, 14, platform_l0="KVM", cpu=Unknown("not named"))
    assert "KVM, CPU not named" in words(charts.against_published(hardware, unnamed))


def test_what_has_no_counterpart_is_not_drawn(hardware: Run) -> None:
    for other in (figures(2, 14, workload="kernbench"), figures(2, 14)[:1], figures(0, 14), []):
        with pytest.raises(RunError, match="also published"):
            charts.against_published(hardware, other)
    first, second = figures(2, 14)
    with pytest.raises(RunError, match="also published"):
        charts.against_published(hardware, [first, replace(second, unit="cycles")])


def test_higher_is_better_is_turned_round(hardware: Run) -> None:
    assert "4×" in words(charts.against_published(hardware, figures(80, 20, unit="IOPS")))


def test_emulated_results_share_no_scale_with_published_hardware(
    emulated: Run, hardware: Run
) -> None:
    mine, theirs = charts.against_published(emulated).axes
    assert mine.get_xlim() != theirs.get_xlim()
    mine, theirs = charts.against_published(hardware).axes
    assert mine.get_xlim() == theirs.get_xlim()


# -- a run that was really taken ------------------------------------------------------------------


RECORDED = {path.stem: path for path in sorted(data_path("runs").glob("*.json"))}
ALONE: dict[str, Callable[[Run], Figure]] = {
    "slowdown": charts.slowdown,
    "slowdown against L0": lambda run: charts.slowdown(run, "L0"),
    "two runs": lambda run: charts.slowdown([run, run]),
    "heat map": charts.heat_map,
    "waterfall": charts.waterfall,
    "time order": charts.time_order,
    "throughput": charts.throughput,
    "published": charts.against_published,
}


def labels_along_x(axes: Axes) -> list[Text]:
    """Those that are drawn: matplotlib keeps labels of ticks beyond the axis too."""
    low, high = sorted(axes.get_xlim())
    pairs = zip(axes.get_xticks(), axes.get_xticklabels(), strict=False)  # inner ones have none
    return [label for place, label in pairs if low <= place <= high and label.get_text()]


@pytest.mark.parametrize("draw", ALONE.values(), ids=ALONE.keys())
@pytest.mark.parametrize("name", ["lab-depth2-tcg", "lab-depth3-tcg"])
def test_of_a_recorded_run_every_word_is_on_the_page_and_labels_keep_apart(
    name: str, draw: Callable[[Run], Figure]
) -> None:
    figure = draw(Run.load(RECORDED[name]))
    figure.draw_without_rendering()
    assert "recorded" in charts.alt_text(figure)
    assert "emulated (TCG)" in charts.alt_text(figure)
    assert figure.get_figheight() < 14
    page = figure.bbox
    for axes in figure.axes:
        along = labels_along_x(axes)
        for text in (axes._left_title, *axes.texts, *axes.get_yticklabels(), *along):
            box = text.get_window_extent()
            if text.get_text():
                assert page.x0 - 1 <= box.x0 <= box.x1 <= page.x1 + 1, text
                assert page.y0 - 1 <= box.y0 <= box.y1 <= page.y1 + 1, text
        places = sorted((label.get_window_extent() for label in along), key=lambda box: box.x0)
        assert all(b.x0 > a.x1 for a, b in pairwise(places)), name


def test_the_recorded_runs_show_what_nested_paging_saves() -> None:
    on, off = (Run.load(RECORDED[n]) for n in ("lab-depth2-tcg", "lab-depth2-tcg-npt-off"))
    text = charts.alt_text(charts.nested_paging(on, off))
    assert "First touch of a page, L2" in text
    first = text.partition("First touch of a page, L2")[2].partition(".  ")[0]
    assert "the slowdown when off" in first
    assert "recorded" in text


def test_several_runs_are_numbered_and_one_is_not(hardware: Run, emulated: Run) -> None:
    figure = charts.slowdown([hardware, emulated])
    assert [a.get_title(loc="left").partition(":")[0] for a in figure.axes] == ["Run 1", "Run 2"]
    assert "Run 2: TCG" in charts.alt_text(charts.heat_map([hardware, emulated]))
    assert "Run 1" not in words(charts.slowdown(hardware))


@pytest.mark.parametrize(
    ("ns", "words"), [(5.0, "5 ns"), (999.0, "999 ns"), (4.85e6, "4.85 ms"), (-2.5e9, "-2.5 s")]
)
def test_times_stand_in_a_unit_that_fits(ns: float, words: str) -> None:
    assert steps._ns(ns) == words
