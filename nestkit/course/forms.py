"""A form made from the signature of one public function.

The code that a form shows is the call its Run button makes: both come from one
:class:`~nestkit.course.calls.Call`. Run works in a thread of its own; ``form.run()`` does the
same work at once, so that tests and readers need no browser.
"""

from __future__ import annotations

import inspect
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Literal

import ipywidgets as w

from nestkit.course import markup
from nestkit.course.calls import Call, Part, call_of, parts_for
from nestkit.course.fields import Field, label_of, public_name
from nestkit.course.outcome import Cancel, Progress, problem_html, redacted, result_html
from nestkit.errors import CourseError

State = Literal["idle", "running", "done", "failed", "cancelled"]


class Form:
    """Labelled fields, the call they make, Run and Cancel; made by :func:`form_for`.

    Attributes
    ----------
    state
        "idle", "running", "done", "failed" or "cancelled".
    result
        What the function returned last, or None.
    error
        The exception it ended with, or None.
    fields
        The widgets by parameter name; a dataclass's fields as ``goal.cpu_count``.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        parts: tuple[Part, ...],
        bind: Mapping[str, tuple[str, Any]],
        *,
        name: str,
        title: str,
        confirm: str,
        render: Callable[[Any], str] | None,
        run_label: str,
    ) -> None:
        self.function = function
        self.parts = parts
        self.bind = dict(bind)
        self.name = name
        self.title = title
        self.fields = {part.name: part.widget for part in parts}
        self.state: State = "idle"
        self.result: Any = None
        self.error: BaseException | None = None
        self._signature = inspect.signature(function)
        self._render = render
        self._lock = threading.RLock()
        self._cancel = Cancel()
        self._ended = threading.Event()
        self._ended.set()
        can_cancel = "cancel" in self._signature.parameters
        self.confirm = w.Checkbox(description=confirm, indent=False, layout={"width": "auto"})
        self.run_button = w.Button(description=run_label, button_style="primary")
        self.cancel_button = w.Button(
            description="Cancel",
            disabled=True,
            tooltip="Stop after the step in hand",
        )
        self.progress = Progress()
        self._code = w.HTML()
        self._output = w.HTML()
        self.widget = w.VBox(
            [
                w.HTML(f"<strong>{markup.text(title)}</strong>"),
                *self.fields.values(),
                self._code,
                *([self.confirm] if confirm else []),
                w.HBox([self.run_button, self.cancel_button] if can_cancel else [self.run_button]),
                self.progress.widget,
                self._output,
            ]
        )
        for widget in (*self.fields.values(), self.confirm):
            widget.observe(lambda _change: self._refresh(), names="value")
        self.run_button.on_click(lambda _button: self.start())
        self.cancel_button.on_click(lambda _button: self.cancel())
        self.progress.say("Ready.")
        self._refresh()

    @property
    def code(self) -> str:
        """The call that Run makes now, as an expression; a comment where a field is wrong."""
        try:
            return self._call().source
        except CourseError as error:
            return "# " + " ".join(error.message.split())

    def run(self) -> Any:
        """Make the call now, in this thread, and return its result.

        What goes wrong is shown in the form and kept in ``error``; the answer is then None.
        """
        call = self._begin()
        if call is not None:
            self._work(call)
        return self.result if call is not None else None

    def start(self) -> None:
        """Make the call in a thread of its own; what the Run button does."""
        call = self._begin()
        if call is not None:
            threading.Thread(
                target=self._work, args=(call,), name=f"form {self.name}", daemon=True
            ).start()

    def wait(self, timeout_s: float | None = None) -> State:
        """Wait until nothing runs, or the time is over; the answer is the state."""
        self._ended.wait(timeout_s)
        return self.state

    def cancel(self) -> None:
        """Ask the running call to stop after the step in hand."""
        with self._lock:
            if self.state == "running":
                self._cancel.set()
                self.cancel_button.disabled = True
                self.progress.say("Stopping after the step in hand …")

    def _call(self) -> Call:
        return call_of(self.function, self.name, self.parts, self.bind)

    def _refresh(self) -> None:
        with self._lock:
            self._code.value = markup.code(self.code)
            blocked = self.state == "running" or (
                bool(self.confirm.description) and not self.confirm.value
            )
            self.run_button.disabled = blocked

    def _begin(self) -> Call | None:
        """Claim the form for one call; None where it may not run, with the reason shown."""
        with self._lock:
            if self.state == "running":
                self.progress.say("Still running: wait for it, or press Cancel.")
                return None
            self.result, self.error = None, None
            try:
                if self.confirm.description and not self.confirm.value:
                    raise CourseError(
                        "nothing was done: what will happen was not agreed to",
                        remedy=f"read it, then tick “{self.confirm.description}”",
                    )
                call = self._call()
            except CourseError as error:
                self._finish("failed", error=error)
                return None
            for part in self.parts:
                if part.is_secret:
                    part.widget.value = ""  # else it would be saved with the notebook
            self.state = "running"
            self._ended.clear()
            self._cancel = Cancel()
            self._output.value = ""
            self._enable(False)
            self.progress.begin()
            return call

    def _enable(self, on: bool) -> None:
        for widget in (*self.fields.values(), self.confirm):
            widget.disabled = not on
        self.cancel_button.disabled = on or "cancel" not in self._signature.parameters
        self._refresh()

    def _work(self, call: Call) -> None:
        controls = {
            name: value
            for name, value in (("cancel", self._cancel), ("progress", self.progress))
            if name in self._signature.parameters and name not in self.bind
        }
        cancelled = self._cancel
        try:
            result = self.function(*call.args, **call.kwargs, **controls)
        except KeyboardInterrupt:
            self._finish("cancelled")
        except Exception as error:  # noqa: BLE001  (a form shows what happened, whatever it was)
            traceback.clear_frames(error.__traceback__)  # locals of frames may hold a password
            state: State = "cancelled" if cancelled.is_set() else "failed"
            self._finish(state, error=error, secrets=call.secrets)
        else:
            stopped = (
                getattr(result, "cancelled", False) is True
                or getattr(result, "status", "") == "cancelled"
            )
            self._finish("cancelled" if stopped else "done", result=result, secrets=call.secrets)

    def _finish(
        self,
        state: State,
        *,
        result: Any = None,
        error: BaseException | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        with self._lock:
            self.result, self.error = result, error
            kind = "warn" if state == "cancelled" else "fail"
            html = result_html(result, self._render) if error is None else problem_html(error, kind)
            self._output.value = redacted(html, secrets)
            self.state = state
            self.confirm.value = False  # each run is agreed to anew
            self._enable(True)
            self.progress.end(state)
            self._ended.set()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live form, and beside it what it says for pages that run no widgets."""
        bundle: dict[str, Any] = dict(self.widget._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = f"{self.title}\n{self.code}\n[{self.state}]"
        bundle["text/html"] = self.static_html()
        return bundle

    def static_html(self) -> str:
        """The form as it stands, without widgets."""
        rows = [
            (part.widget.description, "(not shown)" if part.is_secret else _shown(part.widget))
            for part in self.parts
        ]
        html: str = (
            (
                markup.table(self.title, ("Field", "Value"), rows)
                if rows
                else f"<p>{markup.text(self.title)}</p>"
            )
            + markup.code(self.code)
            + markup.status(f"Form, {self.state}. Run this cell in JupyterLab to use it.")
            + self._output.value
        )
        return html

    def __repr__(self) -> str:
        return f"<Form {self.name}: {self.state}>"


def _shown(widget: w.Widget) -> object:
    return widget.label if isinstance(widget, w.Dropdown) else widget.value


def form_for(
    function: Callable[..., Any],
    *,
    fields: Mapping[str, Field | str] | None = None,
    bind: Mapping[str, tuple[str, Any]] | None = None,
    name: str = "",
    title: str = "",
    confirm: str = "",
    render: Callable[[Any], str] | None = None,
    run_label: str = "Run",
) -> Form:
    """Make a form from the signature of ``function``.

    Parameters
    ----------
    function
        What Run calls. If it takes ``cancel``, it is given a :class:`threading.Event` that
        may also be called; if it takes ``progress``, a callable for
        ``progress(words, done, total)``.
    fields
        Labels, units, choices by parameter name (``goal.memory_gib`` for a field of a
        dataclass); a plain string is a label. Given at all, it also says which parameters are
        shown, and in which order: ``{}`` shows none, ``goal`` all fields of that dataclass.
    bind
        Arguments that are not asked for: parameter → (how the code writes it, its value).
    name
        How the code writes the function; by default its public name (``nk.preflight.check``).
    title, run_label
        Words above the form and on its button.
    confirm
        Text of a box that must be ticked before each run.
    render
        Result → HTML; by default the result's own HTML, else its text. It must escape.

    Raises
    ------
    CourseError
        If a parameter's type has no field, or a named parameter does not exist.
    """
    bound = dict(bind or {})
    return Form(
        function,
        parts_for(function, fields, bound),
        bound,
        name=name or public_name(function),
        title=title or label_of(function.__name__, Field()),
        confirm=confirm,
        render=render,
        run_label=run_label,
    )
