"""The form engine: the code shown is the call made, work goes on beside, nothing leaks."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import threading
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from unittest import mock

import ipywidgets as w
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nestkit as nk
from nestkit.course.fields import Field
from nestkit.course.forms import Form, form_for
from nestkit.errors import CourseError, HostRefused

if TYPE_CHECKING:
    from nowhere import Host

HOSTILE = [
    "'; Stop-VM *; '",
    "$(x)",
    "`id`",
    "%2f",
    "two\nlines",
    "</script><img onerror=x>",
    "Müller 日本",
    'quote " and \\ backslash',
    "{curly} %s",
    "\x00\x1b[31m",
    "a" * 200,
]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60))


@dataclass(frozen=True)
class Goal:
    name: str = ""
    memory_gib: int = 8
    reserve: bool = True
    network: Literal["promiscuous", "leave"] = "promiscuous"


def act(
    host: Host,
    vm: str,
    *,
    folder: Path = Path("here"),
    count: int = 1,
    timeout_s: float = 2.5,
    strict: bool = False,
    mode: Literal["quick", "full"] = "quick",
    note: str | None = None,
    limit: int | None = None,
    goal: Goal | None = None,
    password: str | None = None,
) -> dict[str, Any]:
    """Give back what was passed."""
    return {k: v for k, v in locals().items() if k != "host"}


def make(**options: Any) -> Form:
    return form_for(act, bind={"host": ("host", "HOST")}, **options)


def evaluated(form: Form) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The call that the form's code makes, made by Python itself."""
    tree = ast.parse(form.code, mode="eval")
    assert isinstance(tree.body, ast.Call)
    seen: list[Any] = []
    names = {
        "act": lambda *args, **kwargs: seen.append((args, kwargs)),
        "host": "HOST",
        "Goal": Goal,
        "pathlib": pathlib,
        "os": os,
        "nk": nk,
    }
    eval(compile(tree, "form", "eval"), names)
    return seen[0]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)


def tags(html: str) -> set[str]:
    parser = Tags()
    parser.feed(html)
    return parser.seen


def test_each_type_has_its_widget_and_every_field_a_label() -> None:
    form = make()
    kinds = {name: type(widget) for name, widget in form.fields.items()}
    assert kinds == {
        "vm": w.Text,
        "folder": w.Text,
        "count": w.IntText,
        "timeout_s": w.FloatText,
        "strict": w.Checkbox,
        "mode": w.Dropdown,
        "note": w.Text,
        "limit": w.Text,
        "goal.name": w.Text,
        "goal.memory_gib": w.IntText,
        "goal.reserve": w.Checkbox,
        "goal.network": w.Dropdown,
        "password": w.Password,
    }
    assert all(widget.description.strip() for widget in form.fields.values())
    assert form.fields["goal.memory_gib"].description == "Memory (GiB)"
    assert form.fields["timeout_s"].description == "Timeout (s)"


def test_what_is_typed_is_sent_whole_before_the_click_on_run() -> None:
    form = make(fields={"note": "Note", "vm": Field(lines=3), "limit": "Limit", "password": "Word"})
    typed = (w.Text, w.Textarea, w.Password)
    assert all(isinstance(each, typed) for each in form.fields.values())
    assert not any(each.continuous_update for each in form.fields.values())


def test_long_text_has_a_field_of_several_lines() -> None:
    def say(words: str, *, title: str = "") -> str:
        return words

    form = form_for(say, fields={"words": Field("Conclusion", lines=4), "title": "Title"})
    field = form.fields["words"]
    assert (type(field), field.rows, field.description) == (w.Textarea, 4, "Conclusion")
    assert type(form.fields["title"]) is w.Text
    field.value = 'It "costs".\n\nSo I would not.'
    assert ast.literal_eval(form.code.removeprefix("say(").removesuffix(")")) == field.value
    assert form.run() == field.value
    assert "costs&quot;.<br><br>So" in form.static_html()


def test_labels_units_choices_and_order_can_be_given() -> None:
    form = make(
        fields={"count": Field("How many", "VMs"), "vm": Field("Which", choices=["a", "b'c"])}
    )
    assert list(form.fields) == ["count", "vm"]
    assert form.fields["count"].description == "How many (VMs)"
    form.fields["vm"].value = 1
    assert form.code == 'act(host, "b\'c")'


def test_the_code_changes_with_each_field_and_leaves_defaults_out() -> None:
    form = make(fields={"vm": "VM", "count": "Count"})
    form.fields["vm"].value = "one"
    assert form.code == 'act(host, "one")'
    assert "act(host, &quot;one&quot;)" in form._code.value
    form.fields["count"].value = 3
    assert form.code == 'act(host, "one", count=3)'


@settings(max_examples=60)  # the machine may be busy
@given(
    vm=TEXTS, folder=TEXTS, note=TEXTS, name=TEXTS,
    count=st.integers(-(2**40), 2**40),
    timeout_s=st.floats(allow_nan=False, allow_infinity=False),
    strict=st.booleans(), mode=st.sampled_from([0, 1]),
    limit=st.one_of(st.just(""), st.integers().map(str)), memory=st.integers(0, 2**20),
)  # fmt: skip
def test_any_text_in_a_field_is_data_in_the_code_and_in_the_call(
    vm: str, folder: str, note: str, name: str, count: int, timeout_s: float, strict: bool,
    mode: int, limit: str, memory: int,
) -> None:  # fmt: skip
    form = make()
    for key, value in {
        "vm": vm, "folder": folder, "note": note, "goal.name": name, "count": count,
        "timeout_s": timeout_s, "strict": strict, "mode": mode, "limit": limit,
        "goal.memory_gib": memory,
    }.items():  # fmt: skip
        form.fields[key].value = value
    args, kwargs = evaluated(form)
    result = form.run()
    assert form.state == "done", form.error
    assert args == ("HOST", vm)
    assert {k: v for k, v in result.items() if k in kwargs} == kwargs
    assert result["note"] == (note or None)
    assert result["goal"] == Goal(name=name, memory_gib=memory)
    assert tags(form.static_html()) <= {
        "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "pre", "code", "p", "br",
    }  # fmt: skip
    json.dumps(form._code.value).encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_an_error_stays_text(text: str) -> None:
    def fail(vm: str) -> None:
        raise HostRefused(f"no VM {vm}", remedy=f"not {vm}")

    form = form_for(fail)
    form.fields["vm"].value = text
    assert form.run() is None
    assert form.state == "failed"
    assert tags(form._output.value) <= {"div", "strong", "span", "br", "ul", "li"}
    assert isinstance(form.error, HostRefused)


def test_a_lone_surrogate_is_shown_and_round_trips() -> None:
    form = make(fields={"vm": "VM"})
    form.fields["vm"].value = "\ud800"
    assert evaluated(form)[0] == ("HOST", "\ud800")
    form._code.value.encode("utf-8")


def test_a_password_is_cleared_at_submit_and_stands_nowhere() -> None:
    form = make(fields={"vm": "VM", "password": "Password"})
    form.fields["password"].value = "s3cret!"
    assert form.code == 'act(host, "", password=os.environ["NESTKIT_PASSWORD"])'
    assert form.run()["password"] == "s3cret!"
    assert form.fields["password"].value == ""
    form.result = None
    shown = [form.code, form.static_html(), repr(form), str(form._repr_mimebundle_())]
    shown += [str(widget.get_state()) for widget in (form._output, *form.fields.values())]
    assert not any("s3cret!" in text for text in shown)


def test_a_password_in_an_exception_is_not_shown() -> None:
    def fail(password: str) -> None:
        raise RuntimeError(f"login with {password} failed")

    form = form_for(fail)
    form.fields["password"].value = "s3cret!"
    form.run()
    assert "s3cret!" not in form._output.value
    assert "RuntimeError" in form._output.value
    assert "Traceback" not in form._output.value


def test_the_code_with_a_password_evaluates_to_the_same_call() -> None:
    form = make(fields={"vm": "VM", "password": "Password"})
    form.fields["password"].value = "s3cret!"
    with mock.patch.dict(os.environ, {"NESTKIT_PASSWORD": "s3cret!"}):
        assert evaluated(form)[1] == {"password": "s3cret!"}


def slow(n: int = 3, *, progress: Any = None, cancel: threading.Event | None = None) -> int:
    """Count, slowly, and stop when asked."""
    for i in range(n):
        progress(f"step {i}", i, n)
        if cancel is not None and cancel.wait(0.02):
            raise HostRefused("stopped between steps", remedy="run it again")
    return n


def test_run_goes_through_its_states_and_shows_progress_in_words() -> None:
    form = form_for(slow)
    assert form.state == "idle"
    assert form.run() == 3
    assert form.state == "done"
    assert form.result == 3
    assert form.progress.bar.value == form.progress.bar.max == 3
    assert 'role="status"' in form.progress.line.value


def test_the_button_works_in_another_thread_and_cancel_stops_it() -> None:
    form = form_for(slow)
    form.fields["n"].value = 10_000
    form.run_button.click()
    assert form.state == "running"
    assert form.run_button.disabled
    assert not form.cancel_button.disabled
    form.cancel_button.click()
    assert form.wait(60) == "cancelled"
    assert form.result is None
    assert not form.run_button.disabled


def test_a_result_that_says_it_was_cancelled_is_kept_and_called_cancelled() -> None:
    @dataclass
    class Part:
        cancelled: bool = True

    def partial(cancel: threading.Event | None = None) -> Part:
        return Part()

    form = form_for(partial)
    assert isinstance(form.run(), Part)
    assert form.state == "cancelled"


def test_a_form_in_use_refuses_a_second_run_and_keeps_the_first() -> None:
    gate = threading.Event()
    calls: list[str] = []

    def wait(name: str = "first") -> str:
        calls.append(name)
        gate.wait(60)
        return name

    form = form_for(wait)
    form.start()
    assert form.fields["name"].disabled
    form.fields["name"].value = "second"  # what a program may still do
    assert form.run() is None
    assert "Still running" in form.progress.words
    form.run_button.click()
    gate.set()
    assert form.wait(60) == "done"
    assert calls == ["first"]
    assert form.result == "first"


def test_two_forms_do_not_share_anything() -> None:
    one, other = form_for(slow), form_for(slow)
    one.fields["n"].value = 50
    one.start()
    assert other.run() == 3
    assert one.wait(60) == "done"
    assert one.result == 50


def test_fields_may_be_changed_from_many_threads_at_once() -> None:
    form = make(fields={"vm": "VM", "count": "Count"})

    def change(n: int) -> None:
        for i in range(50):
            form.fields["vm"].value = f"{n}-{i}"
            form.fields["count"].value = i
            ast.parse(form.code, mode="eval")

    threads = [threading.Thread(target=change, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert evaluated(form)[0][1] == form.fields["vm"].value


def test_what_needs_a_tick_does_nothing_without_it_and_needs_it_each_time() -> None:
    calls: list[int] = []
    form = form_for(lambda: calls.append(1), name="apply", confirm="I have read plan 3f2a")
    assert form.run_button.disabled
    assert form.run() is None
    assert isinstance(form.error, CourseError)
    assert calls == []
    form.confirm.value = True
    assert not form.run_button.disabled
    form.run()
    assert calls == [1]
    assert not form.confirm.value
    form.run()
    assert calls == [1]


def test_a_number_that_is_none_is_said_in_the_form_and_nothing_runs() -> None:
    form = make(fields={"vm": "VM", "limit": "Limit"})
    form.fields["limit"].value = "ten\nos.system('x')"
    assert ast.dump(ast.parse(form.code)) == ast.dump(ast.parse(""))
    assert form.run() is None
    assert form.state == "failed"
    assert "is not a number" in form._output.value
    form.fields["limit"].value = "10"
    assert form.run()["limit"] == 10


def test_an_unexpected_error_is_a_message_and_a_remedy() -> None:
    def broken() -> None:
        raise ZeroDivisionError("<b>oops</b>")

    form = form_for(broken)
    form.run()
    assert form.state == "failed"
    assert "What to do" in form._output.value
    assert "<b>" not in form._output.value


def test_a_result_that_cannot_show_itself_does_not_hide_that_the_call_worked() -> None:
    class Odd:
        def _repr_html_(self) -> str:
            raise ValueError("no")

    form = form_for(Odd, name="Odd")
    assert isinstance(form.run(), Odd)
    assert form.state == "done"
    assert "It worked" in form._output.value


def test_ctrl_c_cancels_a_run_in_the_foreground() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    form = form_for(interrupted)
    assert form.run() is None
    assert form.state == "cancelled"


def test_what_a_form_cannot_show_is_refused_with_a_way_out() -> None:
    def odd(thing: Host) -> None: ...

    def strange(pairs: dict[str, int]) -> None: ...

    with pytest.raises(CourseError, match="thing") as first:
        form_for(odd)
    assert "bind" in first.value.remedy
    with pytest.raises(CourseError, match="pairs"):
        form_for(strange)
    with pytest.raises(CourseError, match="no parameter 'nme'"):
        form_for(act, fields={"nme": "Name"})


def test_a_page_without_widgets_gets_the_form_as_text() -> None:
    form = make(fields={"vm": "VM"}, title="Do it")
    bundle = form._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "act(host" in bundle["text/html"]
    assert "Do it" in bundle["text/plain"]


def test_nestkits_own_functions_are_written_as_lessons_write_them() -> None:
    form = form_for(
        nk.configure.plan, bind={"host": ("host", None)}, fields={"vm": "VM", "goal": ""}
    )
    form.fields["vm"].value = "a"
    form.fields["goal.memory_gib"].value = 16
    assert form.code == 'nk.configure.plan(host, "a", goal=nk.NestedGoal(memory_gib=16))'


def test_a_run_is_over_before_wait_returns() -> None:
    form = form_for(slow)
    form.start()
    begun = time.monotonic()
    assert form.wait(60) == "done"
    assert time.monotonic() - begun < 60
    assert form.result == 3
