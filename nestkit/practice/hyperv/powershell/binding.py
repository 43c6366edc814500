"""Arguments against a cmdlet's parameters, set by set, as PowerShell binds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nestkit.practice.hyperv.cmdlet_table import ALL_SETS, CmdletSpec, CmdletTable, Parameter
from nestkit.practice.hyperv.powershell import argument_types
from nestkit.practice.hyperv.powershell.argument_types import binding_error
from nestkit.practice.hyperv.powershell.convert import canonical
from nestkit.practice.hyperv.powershell.text import is_object, to_text, type_name
from nestkit.practice.hyperv.values import Hashtable, PsError, Value


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as evaluated. ``name`` without a value: a switch, or its value follows."""

    name: str | None
    value: Value = None
    has_value: bool = True
    text: str = ""  # a number as written
    quoted: bool = True


@dataclass(slots=True)
class Bound:
    """Parameters bound so far, and the parameter sets still possible."""

    values: dict[str, Value] = field(default_factory=dict)
    common: dict[str, Value] = field(default_factory=dict)
    sets: list[str] = field(default_factory=list)
    rest: list[Value] = field(default_factory=list)  # positional arguments nobody wanted


class Binder:
    """Binds the arguments of one call.

    Parameters
    ----------
    spec
        The cmdlet or function.
    table
        Where enumeration numbers are.
    """

    def __init__(self, spec: CmdletSpec, table: CmdletTable) -> None:
        self._spec = spec
        self._table = table

    # --- names ---------------------------------------------------------------------------

    def parameter(self, name: str) -> Parameter:
        """A parameter by its name, alias or an unmistakable start of either."""
        low = name.lower()
        parameters = self._spec.parameters
        if low in parameters:
            return parameters[low]
        for parameter in parameters.values():
            if any(alias.lower() == low for alias in parameter.aliases):
                return parameter
        fitting = [
            p
            for p in parameters.values()
            if any(n.lower().startswith(low) for n in (p.name, *p.aliases))
        ]
        # A cmdlet's own parameter wins over a common one.
        own = [p for p in fitting if not p.common]
        if len(own or fitting) == 1:
            return (own or fitting)[0]
        if fitting:
            matches = " ".join(f"-{p.name}" for p in own or fitting)
            raise self._error(
                "Parameter cannot be processed because the parameter name "
                f"'{name}' is ambiguous. Possible matches include: {matches}.",
                "AmbiguousParameter",
            )
        message = f"A parameter cannot be found that matches parameter name '{name}'."
        if self._spec.page and self._spec.module != "Hyper-V":
            message += " (This practice host knows the parameters that nestkit uses.)"
        raise self._error(message, "NamedParameterNotFound")

    def _error(self, message: str, error_id: str) -> PsError:
        return binding_error(self._spec, message, error_id)

    # --- the command line ------------------------------------------------------------------

    def bind(self, arguments: Sequence[Argument], *, keep_rest: bool = False) -> Bound:
        """Bind what stands on the command line.

        Raises PsError as PowerShell does; with ``keep_rest`` positional arguments that nobody
        wants are kept instead.
        """
        bound = Bound(sets=list(self._spec.sets))
        positional = self._bind_named(bound, list(arguments), keep_rest)
        self._narrow(bound)
        left = self._bind_positional(bound, positional)
        if left and not keep_rest:
            raise self._error(
                "A positional parameter cannot be found that accepts argument "
                f"'{to_text(left[0].value)[:200]}'.",
                "PositionalParameterNotFound",
            )
        bound.rest = [argument.value for argument in left]
        return bound

    def _bind_named(
        self, bound: Bound, arguments: list[Argument], keep_rest: bool
    ) -> list[Argument]:
        positional: list[Argument] = []
        at = 0
        while at < len(arguments):
            argument = arguments[at]
            at += 1
            if argument.name is None:
                positional.append(argument)
                continue
            try:
                parameter = self.parameter(argument.name)
            except PsError:
                if keep_rest:
                    positional.append(Argument(None, "-" + argument.name))
                    if argument.has_value:
                        positional.append(Argument(None, argument.value))
                    continue
                raise
            value, text = argument.value, argument.text
            if not argument.has_value:
                if canonical(parameter.type_name) == "switchparameter":
                    value = True
                elif at < len(arguments) and arguments[at].name is None:
                    value, text = arguments[at].value, arguments[at].text
                    at += 1
                else:
                    raise self._error(
                        f"Missing an argument for parameter '{parameter.name}'. Specify a "
                        f"parameter of type '{argument_types.full_name(parameter.type_name)}' "
                        "and try again.",
                        "MissingArgument",
                    )
            self._put(bound, parameter, value, text)
        return positional

    def _put(self, bound: Bound, parameter: Parameter, value: Value, text: str = "") -> None:
        where = bound.common if parameter.common else bound.values
        if parameter.name in where:
            raise self._error(
                f"Cannot bind parameter because parameter '{parameter.name}' is specified more "
                "than once. To provide multiple values to parameters that can accept multiple "
                'values, use the array syntax. For example, "-parameter value1,value2,value3".',
                "ParameterAlreadyBound",
            )
        where[parameter.name] = argument_types.convert(
            self._spec, self._table, parameter, value, text
        )

    def _narrow(self, bound: Bound) -> None:
        parameters = [self._spec.parameters[name.lower()] for name in bound.values]
        bound.sets = [s for s in bound.sets if all(p.in_set(s) for p in parameters)]
        if not bound.sets:
            raise self._ambiguous()

    def _ambiguous(self) -> PsError:
        return self._error(
            "Parameter set cannot be resolved using the specified named parameters.",
            "AmbiguousParameterSet",
        )

    def _in_order(self, sets: Iterable[str]) -> list[str]:
        """The default set first."""
        return sorted(sets, key=lambda s: s != self._spec.default_set)

    def _bind_positional(self, bound: Bound, arguments: list[Argument]) -> list[Argument]:
        while arguments:
            candidates = self._next_position(bound)
            if not candidates:
                return arguments
            argument = arguments[0]
            chosen = next((p for p in candidates if argument_types.fits(p, argument.value)), None)
            if chosen is not None:
                self._put(bound, chosen, argument.value, argument.text)
            else:
                self._put_converted(bound, candidates, argument)
            self._narrow(bound)
            arguments = arguments[1:]
        return []

    def _put_converted(self, bound: Bound, candidates: list[Parameter], argument: Argument) -> None:
        failure: PsError | None = None
        for parameter in candidates:
            try:
                self._put(bound, parameter, argument.value, argument.text)
                return
            except PsError as error:
                failure = failure or error
        assert failure is not None
        raise failure

    def _next_position(self, bound: Bound) -> list[Parameter]:
        """The parameters at the first position still open, those of the default set first."""
        open_slots: list[tuple[int, int, Parameter]] = []
        for rank, name in enumerate(self._in_order(bound.sets)):
            for parameter in self._spec.parameters.values():
                slot = parameter.in_set(name)
                if slot and slot.position is not None and parameter.name not in bound.values:
                    open_slots.append((slot.position, rank, parameter))
        if not open_slots:
            return []
        first = min(position for position, _, _ in open_slots)
        found: list[Parameter] = []
        for position, _, parameter in sorted(open_slots, key=lambda slot: slot[:2]):
            if position == first and parameter not in found:
                found.append(parameter)
        return found

    # --- the pipeline ------------------------------------------------------------------------

    def with_input(self, bound: Bound, value: Value) -> Bound:
        """Bind one object of the pipeline. Raises PsError where nothing takes it."""
        made = Bound(dict(bound.values), bound.common, list(bound.sets), bound.rest)
        by_value = self._input_parameters(made, "by_value")
        fitting = next((p for p in by_value if argument_types.fits(p, value)), None)
        if fitting is not None:
            self._put(made, fitting, value)
        elif not self._bind_by_name(made, value) and not self._bind_converted(
            made, by_value, value
        ):
            raise PsError(
                "The input object cannot be bound to any parameters for the command either "
                "because the command does not take pipeline input or the input and its properties "
                "do not match any of the parameters that take pipeline input.",
                error_id=f"InputObjectNotBound,{self._spec.class_name}",
                category="InvalidArgument",
                target=to_text(value)[:100] if not is_object(value) else type_name(value),
            )
        self._narrow(made)
        return made

    def _input_parameters(self, bound: Bound, how: str) -> list[Parameter]:
        found: list[Parameter] = []
        for name in self._in_order(bound.sets):
            for parameter in self._spec.parameters.values():
                slot = parameter.in_set(name)
                if slot is None or not getattr(slot, how) or parameter.name in bound.values:
                    continue
                if parameter not in found:
                    found.append(parameter)
        return found

    def _bind_by_name(self, bound: Bound, value: Value) -> bool:
        hits = 0
        for parameter in self._input_parameters(bound, "by_name"):
            if parameter.name in bound.values or not any(parameter.in_set(s) for s in bound.sets):
                continue
            for name in (parameter.name, *parameter.aliases):
                try:
                    found = value.get(name) if is_object(value) else value[name]
                except (KeyError, TypeError):
                    continue
                if isinstance(value, (Hashtable, str, list)):
                    continue
                try:
                    self._put(bound, parameter, found)
                except PsError:
                    continue
                hits += 1
                self._narrow(bound)
                break
        return hits > 0

    def _bind_converted(self, bound: Bound, parameters: list[Parameter], value: Value) -> bool:
        for parameter in parameters:
            try:
                self._put(bound, parameter, value)
            except PsError:
                continue
            return True
        return False

    # --- the end -----------------------------------------------------------------------------

    def parameter_set(self, bound: Bound, *, input_comes: bool = False) -> str:
        """The set the call uses. Raises PsError for missing mandatory parameters.

        With ``input_comes`` what the pipeline can still bind is not missing yet.
        """
        missing = {name: self._missing(bound, name, input_comes) for name in bound.sets}
        complete = [name for name in self._in_order(bound.sets) if not missing[name]]
        default = self._spec.default_set
        if default in complete or len(complete) == 1 or (complete and input_comes):
            return complete[0]
        if complete:
            raise self._ambiguous()
        wanted = default if default in bound.sets else bound.sets[0]
        if default not in bound.sets and len(bound.sets) > 1:
            raise self._ambiguous()
        raise self._error(
            "Cannot process command because of one or more missing mandatory parameters: "
            f"{' '.join(missing[wanted or ALL_SETS])}.",
            "MissingMandatoryParameter",
        )

    def _missing(self, bound: Bound, name: str, input_comes: bool) -> list[str]:
        found = []
        for parameter in self._spec.parameters.values():
            slot = parameter.in_set(name)
            if slot is None or not slot.mandatory or parameter.name in bound.values:
                continue
            if not (input_comes and (slot.by_value or slot.by_name)):
                found.append(parameter.name)
        return found
