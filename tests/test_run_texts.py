"""A run as text and as HTML: the table, and every warning that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from fake_layers import FakeLayer, World, emulated_lab

from nestkit import benchmark
from nestkit.benchmark import Run
from nestkit.benchmark.html import as_html
from nestkit.runners.base import Runner

CHOSEN = ("arithmetic", "exit", "disk-read")
CONTRADICTION = "L1 is not what the way to it says: " + "; ".join(
    f"it should run on kvm, and CPUID names hypervisor number {i}" for i in range(4)
)
both = pytest.mark.parametrize(
    "show", [str, lambda run: unescape(as_html(run))], ids=["str", "html"]
)
Show = Callable[[Run], str]


def pair(inner: float = 2.0, outer_steal: float = 0.0, **knobs: object) -> list[Runner]:
    world = World()
    costs = dict.fromkeys(CHOSEN, inner)
    return [FakeLayer(world, steal=outer_steal), FakeLayer(world, "L1", 1, slowdown=costs, **knobs)]  # type: ignore[arg-type]


def taken(layers: Sequence[Runner], rounds: int = 10) -> Run:
    return benchmark.run(layers, seed=1, rounds=rounds, workloads=CHOSEN)


@both
def test_a_layer_that_contradicts_the_way_to_it_is_warned_of_in_full(show: Show) -> None:
    run = taken(pair(paths={"contradiction": CONTRADICTION}))
    assert CONTRADICTION in show(run)
    assert show(run).count(CONTRADICTION) == 1
    forgotten = replace(run, notes=())
    assert CONTRADICTION in show(forgotten), "the layer's own facts say it too"
    assert "is not what the way" not in show(taken(pair()))


@both
def test_rows_of_another_binary_are_shown_and_marked(show: Show) -> None:
    text = show(taken(pair(hashes={"sysbench": "b" * 64})))
    assert "not comparable: sysbench is another binary" in text
    assert "arithmetic in L0" in text, "in a tie the innermost is right"


@both
def test_a_disk_that_a_cache_answers_for_is_warned_of(show: Show) -> None:
    assert "a cache answers, not the disk" in show(taken(pair(inner=0.5)))
    assert "cache" not in show(taken(pair()))


@both
def test_what_lacks_rounds_is_named_once_for_all_its_layers(show: Show) -> None:
    run = taken(pair())
    cut = tuple(s for s in run.samples if s.round < 4 and (s.workload, s.layer) != ("exit", "L0"))
    whole = tuple(s for s in run.samples if (s.workload, s.layer) == ("exit", "L0"))
    text = show(replace(run, samples=cut + whole))
    assert "arithmetic in L0, L1: incomplete: 3 of 10 rounds" in text
    assert "exit in L1: incomplete: 3 of 10 rounds" in text


@both
def test_a_noisy_machine_is_warned_of_with_its_share(show: Show) -> None:
    text = show(taken(pair(steal=0.05, outer_steal=0.05)))
    assert "this machine is too noisy: 60 of 60 samples are flagged" in text
    assert "10 flagged" in text


@both
def test_an_emulated_lab_says_that_it_is_no_evidence(show: Show) -> None:
    text = show(taken([*emulated_lab()]))
    assert "no evidence about hardware virtualization" in text
    assert "this machine, not emulated" in text
    assert "baseline L1" in text


class Balanced(HTMLParser):
    """Every tag that is opened is closed in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_html_is_whole_and_nothing_a_layer_says_gets_into_it() -> None:
    evil = "<script>alert(1)</script>\udcff & so on"
    page = taken(pair(paths={"contradiction": evil}), rounds=2)._repr_html_()
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    assert {"table", "caption", "th", "td", "li"} <= set(parser.seen)
    assert "script" not in parser.seen
    assert "&lt;script&gt;" in page
    page.encode("utf-8")


def test_warnings_stand_before_the_table() -> None:
    page = as_html(taken(pair(inner=0.5)))
    assert page.index("a cache answers, not the disk") < page.index("<table")
    assert "Know this" not in as_html(taken(pair()))


def test_a_run_without_samples_can_be_shown() -> None:
    run = replace(taken(pair(), rounds=1), samples=())
    assert "not measured" in str(run)
    assert "not measured" in as_html(run)


def test_the_repr_of_a_run_is_short() -> None:
    assert "Sample(" not in repr(taken(pair(), rounds=2))
