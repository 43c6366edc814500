"""The explore page: controls, exports, two machines; it never raises at a learner."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from fake_layers import FakeLayer, World, emulated_lab
from traitlets import TraitError

from nestkit import benchmark, charts
from nestkit.benchmark import Run, compare_machines
from nestkit.course import editions, explore
from nestkit.course.choices import Choices
from nestkit.course.runs import find_runs, keep_run, part_of, safe_name
from nestkit.errors import CourseError

CHOSEN = ("arithmetic", "exit", "disk-read")


@pytest.fixture(scope="module")
def emulated() -> Run:
    return replace(benchmark.run(emulated_lab(), seed=1, workloads=CHOSEN), run_id="emulated")


def taken(seed: int, exit_cost: float = 8.0) -> Run:
    world = World(seed)
    costs = {"exit": exit_cost, "disk-read": 2.0}
    layers = [FakeLayer(world), FakeLayer(world, "L1", 1, slowdown=costs)]
    return benchmark.run(layers, seed=seed, workloads=CHOSEN)


@pytest.fixture(scope="module")
def hardware() -> Run:
    return replace(taken(1), run_id="hardware")


@pytest.fixture(autouse=True)
def _own_state(state_dir: Path) -> Path:
    return state_dir


def choose(bench: explore.Explorer, *words: str) -> None:
    labels = [label for word in words for label in bench.runs.options if f" {word} " in label]
    assert len(labels) == len(words)
    bench.runs.value = tuple(labels)


# -- which runs there are -------------------------------------------------------------------------


def test_your_own_runs_stand_before_the_recorded_ones(hardware: Run) -> None:
    keep_run(hardware)
    labels = list(find_runs().runs)
    assert labels[0].startswith("yours · hardware")
    assert labels[1].startswith("recorded · lab-depth2-tcg ·")  # with nested paging, not without
    assert find_runs().runs[labels[0]] == hardware
    keep_run(replace(hardware, run_id="later", origin="practice"))
    assert next(iter(find_runs().runs)).endswith("· practice")


@pytest.mark.parametrize("content", ["", "{}", '{"samples": []}', "\xff", "[" * 100_000])
def test_a_file_that_is_no_run_is_named_and_the_rest_works(
    state_dir: Path, hardware: Run, content: str
) -> None:
    keep_run(hardware)
    (state_dir / "runs" / "broken.json").write_bytes(content.encode("latin-1"))
    bench = explore.explorer()
    assert "broken.json was left out" in bench.message
    assert bench.figure is not None


@pytest.mark.parametrize("run_id", ["../../evil", "/etc/passwd", "a/b", "", "..", "x" * 500, "é ü"])
def test_a_run_is_kept_inside_the_state_folder(state_dir: Path, hardware: Run, run_id: str) -> None:
    path = keep_run(replace(hardware, run_id=run_id))
    assert path.parent == state_dir / "runs"
    assert path.is_file()
    assert safe_name(run_id) not in ("", ".", "..")


# -- the controls ---------------------------------------------------------------------------------


def test_the_bench_opens_with_a_chart(hardware: Run) -> None:
    keep_run(hardware)
    bench = explore.explorer()
    assert bench.figure is not None
    assert bench.chart.value == "Slowdowns"
    assert list(bench.layers.value) == ["L0", "L1"]
    assert list(bench.workloads.value) == list(CHOSEN)
    assert bench.baseline.value == explore.DEFAULT
    html = bench.static_html()
    assert "data:image/png;base64," in html
    assert 'alt="Dots and intervals' in html


def test_layers_workloads_and_baseline_decide_what_is_drawn(emulated: Run) -> None:
    keep_run(emulated)
    bench = explore.explorer()
    bench.workloads.value = ("exit",)
    bench.baseline.value = "L0"
    frame = bench.frame()
    assert set(frame["workload"]) == {"exit"}
    assert set(frame["baseline"]) == {"L0"}
    assert "Not shown: arithmetic, disk-read" in bench.message
    bench.layers.value = ("L2",)
    assert set(bench.frame()["layer"]) == {"L0", "L2"}  # the baseline stays
    assert bench.figure is not None
    assert "Arithmetic" not in charts.alt_text(bench.figure)


@pytest.mark.parametrize("chart", list(explore.CHARTS))
def test_each_chart_is_drawn_or_says_what_to_do(emulated: Run, chart: str) -> None:
    keep_run(emulated)
    bench = explore.explorer()
    bench.chart.value = chart
    assert bench.figure is not None or "What to do:" in bench.message
    drawn = chart not in ("Nested paging on and off",)
    assert (bench.figure is not None) == drawn, bench.message


def test_the_quiet_part_of_a_noisy_run_is_still_of_a_noisy_run(hardware: Run) -> None:
    flagged = tuple(
        replace(s, reason="steal 9.0%") if s.workload != "exit" else s for s in hardware.samples
    )
    noisy = replace(hardware, samples=flagged, notes=("this machine is too noisy: 40 of 60",))
    assert noisy.too_noisy
    keep_run(noisy)
    bench = explore.explorer()
    bench.workloads.value = ("exit",)
    assert bench.figure is not None
    assert "too noisy" in charts.alt_text(bench.figure)


def test_choosing_another_run_draws_once(
    hardware: Run, emulated: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_run(hardware)
    keep_run(emulated)
    bench = explore.explorer()
    drawn = []
    slowdown = explore.CHARTS["Slowdowns"]
    monkeypatch.setitem(
        explore.CHARTS, "Slowdowns", lambda *asked: drawn.append(1) or slowdown(*asked)
    )
    choose(bench, "emulated")
    assert list(bench.layers.value) == ["L0", "L1", "L2"]
    assert drawn == [1]
    bench.reload()
    assert drawn == [1, 1]


def test_a_baseline_stays_chosen_where_the_next_run_has_it(hardware: Run, emulated: Run) -> None:
    keep_run(hardware)
    keep_run(emulated)
    bench = explore.explorer()
    choose(bench, "emulated")
    bench.baseline.value = "L2"
    choose(bench, "hardware")
    assert bench.baseline.value == explore.DEFAULT
    bench.baseline.value = "L1"
    choose(bench, "emulated")
    assert bench.baseline.value == "L1"


def test_nothing_chosen_is_said_and_not_raised(hardware: Run) -> None:
    keep_run(hardware)
    bench = explore.explorer()
    for what, control in (
        ("layer", bench.layers), ("workload", bench.workloads), ("run", bench.runs)
    ):  # fmt: skip
        control.value = ()
        assert bench.figure is None
        assert f"no {what} is chosen" in bench.message
        with pytest.raises(CourseError, match=f"no {what} is chosen"):
            bench.frame()
        control.value = control.options
    bench.workloads.value = ()
    with pytest.raises(CourseError, match="no chart to save"):
        bench.save_png()
    bench.png_button.click()
    bench.csv_button.click()
    assert "What to do:" in bench.message


def test_two_paging_runs_are_put_the_right_way_round(hardware: Run, emulated: Run) -> None:
    def marked(word: str) -> Run:
        layers = tuple(
            replace(f, extra={**f.extra, "nested_paging": word}) if f.depth == 2 else f
            for f in emulated.layers
        )
        return replace(emulated, run_id=word, layers=layers)

    for word in ("off", "on"):
        keep_run(marked(word))
    bench = explore.explorer()
    bench.chart.value = "Nested paging on and off"
    assert "needs two runs, and 1 are chosen" in bench.message
    choose(bench, "off", "on")
    assert bench.figure is not None, bench.message


def test_reload_finds_new_runs_and_keeps_the_choice(hardware: Run, emulated: Run) -> None:
    keep_run(hardware)
    bench = explore.explorer()
    chosen = bench.runs.value
    keep_run(emulated)
    bench.reload_button.click()
    assert any("emulated" in label for label in bench.runs.options)
    assert bench.runs.value == chosen


def test_a_chart_for_one_run_says_so_when_two_are_chosen(hardware: Run, emulated: Run) -> None:
    keep_run(hardware)
    keep_run(emulated)
    bench = explore.explorer()
    choose(bench, "hardware", "emulated")
    assert bench.figure is not None
    assert "Run 1, first: yours · hardware" in bench.static_html()
    assert "Run 2:" in charts.alt_text(bench.figure)
    assert "not comparable: one is emulated (TCG)" in bench.static_html()
    bench.chart.value = "Samples in time order"
    assert "this chart shows one run, and 2 are chosen" in bench.message


def test_two_runs_without_a_common_workload_get_words_instead_of_an_empty_table(
    hardware: Run,
) -> None:
    layers = [facts.layer for facts in hardware.layers]
    keep_run(replace(part_of(hardware, layers, ["exit"]), run_id="one"))
    keep_run(replace(part_of(hardware, layers, ["disk-read"]), run_id="other"))
    bench = explore.explorer()
    choose(bench, "other", "one")
    html = bench.static_html()
    assert bench.figure is not None
    assert "No workload was measured in the same layer of both" in html
    assert "<table" not in html


def test_with_three_runs_the_page_says_which_number_is_which(hardware: Run) -> None:
    for name in "abc":
        keep_run(replace(hardware, run_id=name))
    bench = explore.explorer()
    choose(bench, "c", "b", "a")
    html = bench.static_html()
    assert "Run 1: yours · c" in html
    assert "Run 3: yours · a" in html
    assert "<table" not in html


def test_published_sources_are_picked_and_cited(hardware: Run, emulated: Run) -> None:
    keep_run(emulated)
    bench = explore.explorer()
    bench.chart.value = "Yours and published"
    assert len(bench.published.options) > 1
    assert list(bench.published.value) == list(bench.published.options)
    assert bench.figure is not None
    assert "Turtles" in charts.alt_text(bench.figure)
    (turtles,) = [name for name in bench.published.options if name.startswith("Turtles")]
    bench.published.value = tuple(n for n in bench.published.options if n != turtles)
    assert bench.figure is not None
    assert "Turtles" not in charts.alt_text(bench.figure)
    html = bench.static_html()
    assert "PVM, SOSP 2023, Table 2" in html
    assert "Turtles" not in html
    bench.published.value = ()
    assert bench.figure is None
    assert "no published source is chosen" in bench.message
    bench.chart.value = "Slowdowns"
    assert bench.figure is not None


def test_published_rows_stand_below_the_runs_own_and_only_with_their_chart(emulated: Run) -> None:
    keep_run(emulated)
    bench = explore.explorer()
    assert "published" not in set(bench.frame()["origin"])
    bench.chart.value = "Yours and published"
    back = pd.read_csv(bench.save_csv())
    theirs = back[back["origin"] == "published"]
    assert len(theirs) == len(bench.figures())
    assert theirs["note"].notna().all()
    assert theirs["ratio"].isna().all()
    assert (back["origin"] == "measured").sum() == len(emulated.summary())


# -- exports --------------------------------------------------------------------------------------


def test_png_and_csv_are_saved_in_the_state_folder(state_dir: Path, hardware: Run) -> None:
    keep_run(replace(hardware, run_id="../x"))
    bench = explore.explorer()
    png, csv = bench.save_png(), bench.save_csv()
    assert png.parent == csv.parent == state_dir / "exports"
    assert png.read_bytes().startswith(b"\x89PNG")
    back = pd.read_csv(csv)
    assert list(back["ratio"].dropna()) == pytest.approx(list(bench.frame()["ratio"].dropna()))
    assert {"run_id", "origin", "host_cpu", "status", "verdict"} <= set(back.columns)
    bench.csv_button.click()
    assert "Saved" in bench.message


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " \n="])
def test_a_run_file_puts_no_formula_into_a_spreadsheet(hardware: Run, start: str) -> None:
    keep_run(replace(hardware, provenance={"host_cpu": f"{start}HYPERLINK(1)"}))
    with explore.explorer().save_csv().open(encoding="utf-8", newline="") as file:
        assert {row["host_cpu"] for row in csv.DictReader(file)} == {
            f"'{start.strip()}HYPERLINK(1)"
        }


def test_what_a_run_file_says_is_escaped(hardware: Run) -> None:
    evil = "<img src=x onerror=alert(1)>"
    keep_run(replace(hardware, origin="recorded", provenance={"host_cpu": evil}))
    bench = explore.explorer()
    choose_all = tuple(bench.runs.options)
    bench.runs.value = choose_all
    html = bench.static_html()
    assert evil not in html
    assert "onerror=alert" in html


def test_the_notebook_state_holds_what_is_shown(hardware: Run) -> None:
    keep_run(hardware)
    bundle = explore.explorer()._repr_mimebundle_()
    assert bundle["text/plain"] == "<Explorer: Slowdowns of 1 run(s)>"
    assert "<img alt=" in bundle["text/html"]
    json.dumps(bundle)


# -- two machines ---------------------------------------------------------------------------------


def test_a_slower_machine_is_found_and_an_equal_one_is_not(hardware: Run) -> None:
    frame = compare_machines(hardware, taken(2, exit_cost=24.0)).set_index(["workload", "layer"])
    slower = frame.loc[("exit", "L1")]
    assert slower["ratio"] == pytest.approx(3.0, rel=0.1)
    assert slower["verdict"] == "second is slower"
    assert frame.loc[("exit", "L0"), "verdict"] == "no measurable difference"
    same = compare_machines(hardware, hardware)
    assert set(same["verdict"]) == {"no measurable difference"}
    assert list(same["ratio"]) == [1.0] * len(same)


def test_more_per_second_is_faster(hardware: Run) -> None:
    doubled = tuple(
        replace(s, value=s.value * 2) if s.direction == "higher" else s for s in hardware.samples
    )
    frame = compare_machines(hardware, replace(hardware, samples=doubled))
    found = dict(zip(frame["workload"], frame["verdict"], strict=True))
    assert found["arithmetic"] == "second is faster"
    assert found["exit"] == "no measurable difference"


def test_emulated_and_native_layers_get_no_ratio(hardware: Run, emulated: Run) -> None:
    frame = compare_machines(hardware, emulated).set_index(["workload", "layer"])
    row = frame.loc[("exit", "L1")]
    assert row["verdict"] == "not comparable: one is emulated (TCG)"
    assert pd.isna(row["ratio"])
    assert not pd.isna(frame.loc[("exit", "L0"), "ratio"])


def test_other_binaries_get_no_ratio(hardware: Run) -> None:
    tools = {**hardware.provenance["tools"], "L1": {"nestkit-probe": "0" * 64}}
    other = replace(hardware, provenance={**hardware.provenance, "tools": tools})
    frame = compare_machines(hardware, other).set_index(["workload", "layer"])
    assert frame.loc[("exit", "L1"), "verdict"] == "not comparable: other binaries"
    assert frame.loc[("exit", "L0"), "verdict"] == "no measurable difference"
    unknown = replace(hardware, provenance={})
    verdicts = set(compare_machines(unknown, unknown)["verdict"])
    assert verdicts == {"not comparable: the hash of a binary is unknown"}


def test_runs_with_nothing_in_common_give_an_empty_table(hardware: Run) -> None:
    frame = compare_machines(hardware, part_of(hardware, (), ()))
    assert frame.empty
    assert "verdict" in frame.columns


# -- the page -------------------------------------------------------------------------------------


def test_the_page_is_generated_beside_the_lessons() -> None:
    (page,) = editions.pages()
    assert page.name == "explore.py"
    assert page not in editions.sources()
    notebook = editions.generate(page, "learner")
    assert notebook["metadata"]["nestkit"] == {"title": "Explore", "edition": "learner"}
    path = editions.target(page, "learner")
    assert path.read_text(encoding="utf-8") == editions.text_of(notebook)
    for link in re.findall(r"\]\(([^)#]+\.ipynb)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).is_file(), link


# -- boxes instead of lists -----------------------------------------------------------------------


def test_boxes_and_value_are_one_and_the_same() -> None:
    choices = Choices("Fruit", ["apple", "pear", "plum"])
    seen: list[tuple[str, ...]] = []
    choices.observe(lambda change: seen.append(change["new"]), names="value")
    label, row = choices.children
    assert "Fruit" in label.value
    assert [box.description for box in row.children] == ["apple", "pear", "plum"]
    assert choices.value == ("apple", "pear", "plum")
    row.children[1].value = False
    assert choices.value == ("apple", "plum")
    choices.value = ("plum", "pear")  # kept in the order of the options
    assert choices.value == ("pear", "plum")
    assert [box.value for box in row.children] == [False, True, True]
    assert seen == [("apple", "plum"), ("pear", "plum")]
    with pytest.raises(TraitError, match="no such choice: fig"):
        choices.value = ("fig",)
    assert choices.value == ("pear", "plum")


def test_new_options_begin_with_none_ticked() -> None:
    choices = Choices("Fruit", ["apple"])
    choices.options = ("kiwi", "lime")
    assert choices.value == ()
    _, row = choices.children
    row.children[0].value = True
    assert choices.value == ("kiwi",)
    choices.options = ()
    assert choices.value == ()
