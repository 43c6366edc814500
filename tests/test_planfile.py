"""Plans read back from files: damaged, edited and hostile ones are refused, never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_configure_fake import FakeHost

from nestkit import configure
from nestkit.errors import PlanError
from nestkit.plans import Plan

Change = Callable[[dict[str, Any]], None]


def whole() -> dict[str, Any]:
    return configure.plan(FakeHost(), "l1").to_json()


def at(*path: str | int) -> Callable[[Any], Change]:
    """Put a value at a place in the plan."""

    def put(value: Any) -> Change:
        def change(data: dict[str, Any]) -> None:
            inner: Any = data
            for name in path[:-1]:
                inner = inner[name]
            inner[path[-1]] = value

        return change

    return put


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (at("goal")([]), "goal"),
        (at("goal", "cpu_count")("2"), "goal.cpu_count"),
        (at("goal", "cpu_count")(-1), "goal.cpu_count"),
        (at("goal", "start")(1), "goal.start"),
        (at("steps")({"a": 1}), "steps"),
        (at("steps")("abc"), "steps"),
        (at("steps")([3]), "steps[0]"),
        (at("notes")("abc"), "notes"),
        (at("notes")([1]), "notes"),
        (at("vm")([]), "vm"),
        (at("vm", "id")({}), "vm.id"),
        (at("vm", "kind")("port_group"), "vm.kind"),
        (at("host")(5), "plan.host"),
        (at("host_name")(None), "plan.host_name"),
        (at("is_practice")("no"), "plan.is_practice"),
        (at("evil")(1), "'evil' is not known"),
        (at("steps", 0, "evil")(1), "'evil' is not known"),
        (at("steps", 0, "id")(["a"]), "steps[0].id"),
        (at("steps", 1, "id")("1-shutdown_guest"), "same id"),
        (at("steps", 1, "op")([]), "steps[1].op"),
        (at("steps", 1, "op")("power_on"), "steps[1].property"),
        (at("steps", 0, "op")("set_property"), "steps[0].property"),
        (at("steps", 1, "property")(["x"]), "steps[1].property"),
        (at("steps", 1, "consent")("all"), "steps[1].consent"),
        (at("steps", 1, "needs_off")("maybe"), "steps[1].needs_off"),
        (at("steps", 0, "timeout_s")("x"), "steps[0].timeout_s"),
        (at("steps", 0, "timeout_s")(True), "steps[0].timeout_s"),
        (at("steps", 0, "timeout_s")(float("nan")), "steps[0].timeout_s"),
        (at("steps", 0, "timeout_s")(float("inf")), "steps[0].timeout_s"),
        (at("steps", 0, "timeout_s")(-1), "steps[0].timeout_s"),
        (at("steps", 0, "target", "kind")([]), "steps[0].target.kind"),
        (at("steps", 0, "target", "id")("another"), "another VM"),
        (at("steps", 1, "after")("yes"), "steps[1].after"),
        (at("steps", 2, "after")({"count": 4}), "steps[2].after"),
        (at("steps", 2, "after", "count")([4]), "steps[2].after"),
        (at("steps", 3, "after", "size_mib")(float("nan")), "steps[3].after"),
    ],
)
def test_what_is_not_a_plan_is_refused_with_its_place(change: Change, place: str) -> None:
    data = whole()
    change(data)
    with pytest.raises(PlanError) as caught:
        Plan.from_json(data)
    assert place in caught.value.message


def test_a_whole_plan_is_read() -> None:
    assert Plan.from_json(whole()) == configure.plan(FakeHost(), "l1")


@pytest.mark.parametrize("schema", [True, 1.0, "1", None, 2, []])
def test_another_schema_is_refused(schema: Any) -> None:
    with pytest.raises(PlanError, match="schema"):
        Plan.from_json(whole() | {"schema": schema})


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"[" * 200_000, bytes(range(256)), b"NaN", b"1" * 5000, b" " * 5_000_000],
    ids=["empty", "list", "deep", "binary", "NaN", "long number", "huge"],
)
def test_a_file_that_holds_no_plan_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(raw)
    with pytest.raises(PlanError):
        Plan.load(path)


def test_a_plan_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be written"):
        configure.plan(FakeHost(), "l1").save(tmp_path)


@given(name=st.text(min_size=1))
def test_any_name_goes_through_a_file(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    plan = configure.plan(FakeHost(vm_name=name), name)
    path = plan.save(tmp_path_factory.mktemp("plan") / "plan.json")
    assert Plan.load(path) == plan


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def places(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    for name, part in inner:
        deeper = isinstance(part, dict | list)
        found += places(part, (*path, name)) if deeper else [(*path, name)]
    return found


@given(data=st.data())
def test_whatever_stands_in_a_plan_it_is_read_or_refused(data: st.DataObject) -> None:
    plan = copy.deepcopy(whole())
    place = data.draw(st.sampled_from(places(plan)))
    at(*place)(data.draw(anything))(plan)
    try:
        again = Plan.from_json(plan)
    except PlanError:
        return
    assert json.loads(json.dumps(again.to_json())) == again.to_json()
    hash((again.vm, *(step.target for step in again.steps)))  # a plan may have no steps
    assert str(again)
