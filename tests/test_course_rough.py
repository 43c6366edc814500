"""What happens to a course in use: cells twice, restarts, two notebooks, broken hosts."""

from __future__ import annotations

import ast
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyVim.connect import Disconnect, SmartConnect
from pyVim.task import WaitForTask

import nestkit as nk
from nestkit.cli.app import cli
from nestkit.course import checks, editions, progress
from nestkit.course.checks import check
from nestkit.errors import NestkitError, StalePlan

ROUGH = ("00", "01", "02", "03", "07", "08", "09", "10")
LESSONS = [source for source in editions.sources() if source.stem[:2] in ROUGH]
# packets that nobody answers are waited for, and VMs are shut down and started
LONG = [
    pytest.param(source, marks=pytest.mark.slow if source.stem[:2] > "01" else ())
    for source in LESSONS
]


@pytest.fixture(autouse=True)
def _end_practice_hosts(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Shared practice hosts outlive the notebook that started them, and not its test."""
    monkeypatch.chdir(state_dir.parent)  # where the capstone's page goes
    yield
    monkeypatch.setenv("NESTKIT_STATE", str(state_dir))
    nk.practice.stop()


def ids(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


def code_of(source: Path, edition: str) -> list[str]:
    cells = editions.generate(source, edition)["cells"]
    return [cell["source"] for cell in cells if cell["cell_type"] == "code"]


def run(cells: list[str], space: dict[str, Any] | None = None) -> list[Any]:
    """Run cells as a notebook does; what the last expressions of the cells are."""
    space = {} if space is None else space
    shown = []
    for cell in cells:
        tree = ast.parse(cell)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), space)
        if last is not None:
            shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), space))  # type: ignore[attr-defined]
    return shown


@contextmanager
def sdk() -> Iterator[Any]:
    """The practice host as another program sees it."""
    practice = nk.practice.join("esx")
    context = ssl._create_unverified_context()
    session = SmartConnect(
        host=practice.host, port=practice.port, user=practice.user, pwd=practice.password,
        sslContext=context,
    )  # fmt: skip
    yield session.content
    Disconnect(session)


def verdicts(shown: list[Any]) -> dict[str, str]:
    return {each.item: each.status for each in shown if isinstance(each, checks.Verdict)}


@pytest.mark.parametrize("source", LONG, ids=ids)
def test_an_untouched_lesson_runs_twice_and_after_a_restart(source: Path, state_dir: Path) -> None:
    cells = code_of(source, "learner")
    space: dict[str, Any] = {}
    first = verdicts(run(cells, space))
    assert verdicts(run(cells, space)) == first  # every cell twice
    assert verdicts(run(cells)) == first  # the kernel was restarted
    if source.stem[:2] != "00":  # whose checks pass by themselves
        assert set(first.values()) == {"not done yet"}


@pytest.mark.parametrize("source", LONG, ids=ids)
def test_a_solved_lesson_runs_again_after_a_restart(source: Path, state_dir: Path) -> None:
    cells = code_of(source, "solution")
    for _ in range(2):
        shown = verdicts(run(cells))
        assert set(shown.values()) == {"passed"}, shown
    learner = verdicts(run(code_of(source, "learner")))
    assert "not right" not in learner.values()  # and the lesson itself, on the host as it is now


@pytest.mark.parametrize("source", LONG[1:], ids=ids)
def test_checks_before_their_exercise_say_not_done_yet(source: Path, state_dir: Path) -> None:
    """Whoever jumps to the check first: what it needs is not there, or it says so."""
    cells = code_of(source, "learner")
    jumped = [cell for cell in cells if "nk.course.check(" in cell]
    space: dict[str, Any] = {}
    run(cells[:1], space)
    for cell in jumped:
        with pytest.raises(NameError):
            run([cell], space)
    for cell in cells:
        run([cell], space)
    assert set(verdicts(run(jumped[::-1], space)).values()) == {"not done yet"}


@pytest.mark.parametrize("number", ["03", "04", "07"])
def test_taking_back_before_the_apply_says_that_nothing_was_applied(number: str) -> None:
    (source,) = (each for each in editions.sources() if each.stem.startswith(number))
    take_back = re.compile(r"^\w+ = nk\.configure\.rollback\(", re.MULTILINE)
    (cell,) = (each for each in code_of(source, "solution") if take_back.search(each))
    with nk.practice.start("esx") as private:
        host = nk.connect(private.url, password=private.password)
        form = nk.course.apply_form(nk.configure.plan(host, "nested-esxi-16"), host)
        space = dict.fromkeys(("form", "form_apply", "damage"), form) | {"nk": nk, "host": host}
        with pytest.raises(NestkitError, match="nothing was applied yet"):
            run([cell], space)
        host.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Set-VMMemory nested-hv-04 -DynamicMemoryEnabled false", "Cannot convert value"),
        ("Set-VMMemory nested-hv-4 -DynamicMemoryEnabled $false", "unable to find"),
        ("Disable-VMDynamicMemory nested-hv-04", "not recognized"),
        ("Set-VMMemory nested-hv-04 -DynamicMemoryEnabled 0", ""),
    ],
)
def test_a_line_that_fails_between_others_is_shown_in_lesson_04(
    line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (source,) = (each for each in editions.sources() if each.stem.startswith("04"))
    cells = code_of(source, "learner")
    space: dict[str, Any] = {}
    run([cells[0], next(cell for cell in cells if "def run_ps" in cell)], space)
    capsys.readouterr()
    space["run_ps"](f"Stop-VM nested-hv-04 -Confirm:$false\n{line}\nStart-VM nested-hv-04")
    shown = capsys.readouterr().out
    assert ("failed:" in shown) == bool(words)
    assert words in shown
    assert "CLIXML" not in shown
    space["host"].close()


def test_two_notebooks_on_one_host_one_plan_is_stale(state_dir: Path) -> None:
    first, second = nk.connect("practice://esx"), nk.connect("practice://esx")
    name = nk.course.vm_for(first, "esx.vm.nested-hv")
    assert nk.course.vm_for(second, "esx.vm.nested-hv") == name
    plans = [nk.configure.plan(host, name) for host in (first, second)]
    forms = [
        nk.course.apply_form(plan, host) for plan, host in zip(plans, (first, second), strict=True)
    ]
    for form in forms:
        form.confirm.value = True
        form.run()
    assert [form.state for form in forms] == ["done", "failed"]
    assert isinstance(forms[1].error, StalePlan)
    assert "What to do" in forms[1].static_html()
    assert check("03.applied", second, plan=plans[1]).ok  # the host is as planned: that counts
    first.close()
    second.close()


def test_a_broken_practice_host_is_put_back_and_the_lesson_goes_on(state_dir: Path) -> None:
    host = nk.connect("practice://esx")
    name = nk.course.vm_for(host, "esx.vm.nested-hv")
    before = nk.configure.plan(host, name)
    nk.configure.apply(before, host, accept=before.digest)
    for other in ("esx.nic.promiscuous", "esx.vm.memory"):
        plan = nk.configure.plan(host, nk.course.vm_for(host, other))
        nk.configure.apply(plan, host, accept=plan.digest)
    assert nk.practice.reset() == 1
    assert nk.configure.plan(host, name).steps == before.steps  # the same connection still works
    assert check("03.applied", host, plan=before).status == "not done yet"
    nk.practice.stop()
    with pytest.raises(NestkitError) as raised:
        host.read()
    assert raised.value.remedy
    again = nk.connect("practice://esx")
    assert nk.configure.plan(again, name).steps == before.steps
    again.close()


def test_a_vm_that_a_learner_deleted_is_back_after_a_reset_and_the_check_says_how(
    state_dir: Path,
) -> None:
    host = nk.connect("practice://esx")
    name = nk.course.vm_for(host, "esx.vm.nested-hv")
    plan = nk.configure.plan(host, name)
    form = nk.course.apply_form(plan, host)
    with sdk() as content:
        vm = content.searchIndex.FindByUuid(None, plan.vm.id, True, True)
        WaitForTask(vm.PowerOffVM_Task())
        WaitForTask(vm.Destroy_Task())
    verdict = check("03.applied", host, plan=plan)
    assert verdict.status == "not right"
    assert any("nestkit reset" in hint for hint in verdict.hints)
    form.confirm.value = True
    assert form.run() is None
    assert "What to do" in form.static_html()
    assert CliRunner().invoke(cli, ["reset"]).output == "1 practice host reset\n"
    assert check("03.applied", host, plan=plan).status == "not done yet"
    assert nk.configure.plan(host, name).steps == plan.steps
    host.close()


def test_where_nothing_can_be_written_lesson_01_works_and_a_host_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path / "file" / "state"))
    shown = verdicts(run(code_of(LESSONS[1], "solution")))
    assert set(shown.values()) == {"passed"}
    assert "not recorded" in check("01.types", {}).note
    with pytest.raises(NestkitError) as raised:
        nk.connect("practice://esx")
    assert "NESTKIT_STATE" in raised.value.remedy


def test_a_newer_record_is_kept_when_the_course_goes_on(state_dir: Path) -> None:
    newer = '{"schema": 99, "items": {}, "what": "a later nestkit wrote"}'
    progress.path().write_text(newer)
    verdict = check("01.types", {})
    kept = list(progress.path().parent.glob("progress-kept-*.json"))
    assert [path.read_text() for path in kept] == [newer]
    assert kept[0].name in verdict.note
    assert "newer nestkit" in verdict._repr_html_()
