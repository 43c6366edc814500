"""What expressions evaluate to."""

from __future__ import annotations

from nestkit.practice.hyperv.powershell import comparison, members, methods, operators, statics
from nestkit.practice.hyperv.powershell.assignment import assign_to, type_named
from nestkit.practice.hyperv.powershell.builtins_objects import picked
from nestkit.practice.hyperv.powershell.convert import cast
from nestkit.practice.hyperv.powershell.convert_numbers import to_bool, to_integer, to_number
from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.evaluator import Evaluator, collapsed, expression
from nestkit.practice.hyperv.powershell.pipelines import run_pipeline
from nestkit.practice.hyperv.powershell.session import NOTHING, Scope
from nestkit.practice.hyperv.powershell.text import Statics, to_text
from nestkit.practice.hyperv.powershell.tree import (
    ArrayLiteral,
    ArrayOf,
    Assign,
    Binary,
    BlockLiteral,
    Call,
    Cast,
    Command,
    Expandable,
    HashLiteral,
    Index,
    Literal,
    Member,
    Paren,
    Pipeline,
    Step,
    SubExpression,
    TypeLiteral,
    Unary,
    Variable,
)
from nestkit.practice.hyperv.values import Hashtable, PsError, ScriptBlock, Value

_CONSTANTS = {"true": True, "false": False, "null": None}
# about_Automatic_Variables and about_Preference_Variables (5.1): set in a real session, or obeyed
_UNSPOKEN = frozenset({
    "executioncontext", "formatenumerationlimit", "home", "host", "myinvocation", "ofs", "pid",
    "profile", "pscmdlet", "pscommandpath", "psdefaultparametervalues", "pshome", "psscriptroot",
    "pwd", "shellid",
})  # fmt: skip


@expression(Literal)
def _literal(ev: Evaluator, node: Literal) -> Value:
    return node.value


@expression(Expandable)
def _expandable(ev: Evaluator, node: Expandable) -> Value:
    texts = [part if isinstance(part, str) else to_text(ev.value(part)) for part in node.parts]
    ev.budget.chars(sum(map(len, texts)))
    return "".join(texts)


@expression(Variable)
def variable(ev: Evaluator, node: Variable) -> Value:
    """A variable's raw value."""
    name, session = node.name, ev.session
    if node.scope == "env":
        if name not in session.environment:
            raise unspoken(f"the environment variable {name}")
        return session.environment[name]
    if node.scope == "using":
        if session.using is None:
            raise PsError(
                "A Using variable cannot be retrieved. A Using variable can be used only with "
                "Invoke-Command, Start-Job, or InlineScript in the script workflow.",
                error_id="UsingWithoutInvokeCommand",
                category="InvalidOperation",
            )
        return session.using(name)
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    if name == "?":
        return session.ok
    if name == "error":
        return session.errors
    if name == "psitem":
        name = "_"
    scope: Scope | None = ev.scope
    if node.scope in {"script", "global"}:
        scope = ev.scope.top()
    found = scope.find(name) if scope is not None else None
    if found is not None:
        return found.variables[name]
    if name == "input":
        return session.stdin.lines()
    if name in _UNSPOKEN:
        raise unspoken(f"the automatic variable ${name}")
    if session.strict:
        raise PsError(
            f"The variable '${name}' cannot be retrieved because it has not been set.",
            error_id="VariableIsUndefined",
            category="InvalidOperation",
            target=name,
        )
    return None


@expression(ArrayLiteral)
def _array_literal(ev: Evaluator, node: ArrayLiteral) -> Value:
    ev.budget.items(len(node.items))
    return [ev.value(item) for item in node.items]


@expression(ArrayOf)
def _array_of(ev: Evaluator, node: ArrayOf) -> Value:
    out: list[Value] = []
    ev.run(node.body, out)
    return out


@expression(SubExpression)
def _sub(ev: Evaluator, node: SubExpression) -> Value:
    out: list[Value] = []
    ev.run(node.body, out)
    return collapsed(out)


@expression(Paren)
def _paren(ev: Evaluator, node: Paren) -> Value:
    return ev.raw(node.inner)


@expression(HashLiteral)
def _hash(ev: Evaluator, node: HashLiteral) -> Value:
    ev.budget.items(len(node.pairs) + 1)
    made = Hashtable()
    for key, value in node.pairs:
        name = ev.value(key)
        if name in made if isinstance(name, (str, int)) else False:
            raise PsError(
                f"Item has already been added. Key in dictionary: '{to_text(name)}'",
                error_id="System.ArgumentException",
                category="OperationStopped",
            )
        members.set_index(made, name, ev.value(value))
    return made


@expression(BlockLiteral)
def _block_literal(ev: Evaluator, node: BlockLiteral) -> Value:
    return ScriptBlock(node.block.source, node.block)


@expression(TypeLiteral)
def _type_literal(ev: Evaluator, node: TypeLiteral) -> Value:
    return Statics(node.name)


@expression(Cast)
def _cast(ev: Evaluator, node: Cast) -> Value:
    value = ev.value(node.operand)
    if node.type_name.lower() == "void":
        return NOTHING
    made = cast(node.type_name, value)
    if isinstance(made, list):
        ev.budget.items(len(made))
    elif isinstance(made, str) and made is not value:
        ev.budget.chars(len(made))
    return made


@expression(Unary)
def _unary(ev: Evaluator, node: Unary) -> Value:
    value = ev.value(node.operand)
    match node.op:
        case "not":
            return not to_bool(value)
        case "-":
            return operators.subtract(0, value, ev.budget)
        case "+":
            return to_number(value)
        case ",":
            return [value]
        case "join":
            return operators.join(value, "", ev.budget)
        case "split":
            items = value if isinstance(value, list) else [value]
            out: list[Value] = []
            for text in map(to_text, items):
                ev.budget.items(1 + sum(map(text.count, " \t\r\n")))
                out += text.split()
            return out
        case "bnot":
            return ~to_integer(value, "int64")
    raise unspoken(f"the operator {node.op}")


@expression(Step)
def _step(ev: Evaluator, node: Step) -> Value:
    before = to_number(ev.value(node.target))
    after = operators.fit(before + node.by)
    assign_to(ev, node.target, after)
    return after if node.prefix else before


@expression(Binary)
def _binary(ev: Evaluator, node: Binary) -> Value:
    operator, budget = node.op, ev.budget
    if operator in {"and", "or"}:
        left = to_bool(ev.value(node.left))
        if left == (operator == "or"):
            return left
        return to_bool(ev.value(node.right))
    first, second = ev.value(node.left), ev.value(node.right)
    if operator in operators.ARITHMETIC:
        return operators.ARITHMETIC[operator](first, second, budget)
    if comparison.is_comparison(operator):
        return comparison.compare(operator, first, second, budget)
    plain = operator[1:] if operator[:1] in {"i", "c"} else operator
    ignore_case = not operator.startswith("c")
    if operator == "xor":
        return to_bool(first) != to_bool(second)
    if operator == "join":
        return operators.join(first, second, budget)
    if operator == "f":
        return operators.form(first, second, budget)
    if operator == "is":
        return operators.type_test(first, second)
    if operator == "isnot":
        return not operators.type_test(first, second)
    if operator == "as":
        return operators.type_as(first, second)
    if operator in {"band", "bor", "bxor", "shl", "shr"}:
        return operators.bitwise(operator, first, second)
    if operator == "replace" or plain == "replace":
        return operators.replace(first, second, budget, ignore_case=ignore_case)
    if operator == "split" or plain == "split":
        return operators.split(first, second, budget, ignore_case=ignore_case)
    for name in (operator, plain):
        if name in {"match", "notmatch"}:
            return _match(ev, first, second, ignore_case, negate=name == "notmatch")
    raise unspoken(f"the operator -{operator}")


def _match(ev: Evaluator, left: Value, right: Value, ignore_case: bool, *, negate: bool) -> Value:
    if isinstance(left, list):
        return [
            item
            for item in left
            if (operators.find(right, to_text(item), ev.budget, ignore_case=ignore_case) is None)
            == negate
        ]
    found = operators.find(right, to_text(left), ev.budget, ignore_case=ignore_case)
    if found is not None and not negate:
        groups = Hashtable()
        for number in range(len(found.spans)):
            text = found.group(number)
            if text is not None:
                names = [n for n, at in found.names if at == number]
                groups[names[0] if names else number] = text
        ev.scope.set("matches", groups)
    return (found is None) == negate


@expression(Member)
def _member(ev: Evaluator, node: Member) -> Value:
    name = to_text(ev.value(node.name))
    target = ev.value(node.target)
    if node.static:
        return statics.get_static(ev.session, type_named(target), name)
    return members.get_member(target, name, strict=ev.session.strict)


@expression(Index)
def _index(ev: Evaluator, node: Index) -> Value:
    target = ev.value(node.target)
    index = ev.value(node.index)
    if isinstance(index, list):
        ev.budget.items(len(index))
    return members.get_index(target, index)


@expression(Call)
def _call(ev: Evaluator, node: Call) -> Value:
    target = ev.value(node.target)
    name = to_text(ev.value(node.name))
    arguments = [ev.value(argument) for argument in node.args]
    if node.static:
        made = statics.call_static(ev.session, type_named(target), name, arguments)
    elif name.lower() in {"where", "foreach"} and target is not None:
        made = picked(ev, name, target, arguments)
    else:
        made = methods.call(target, name, arguments)
    if isinstance(made, list):
        ev.budget.items(len(made))
    elif isinstance(made, str):
        ev.budget.chars(len(made))
    # A method without a result puts nothing out.
    return NOTHING if made is None and name.lower() in {"add", "remove", "clear"} else made


@expression(Pipeline)
def _pipeline(ev: Evaluator, node: Pipeline) -> Value:
    """In an expression a lone value stays whole; commands' output is collapsed."""
    if len(node.parts) == 1 and not isinstance(node.parts[0], Command):
        value = ev.raw(node.parts[0])
        ev.session.ok = True
        return value
    out: list[Value] = []
    run_pipeline(ev, node, out)
    return collapsed(out)


@expression(Assign)
def _assign(ev: Evaluator, node: Assign) -> Value:
    """``$x = …`` inside an expression is worth what was assigned."""
    value = ev.raw(node.value)
    if node.op != "=":
        before = ev.value(node.target)
        after = None if value is NOTHING else value
        value = operators.ARITHMETIC[node.op[0]](before, after, ev.budget)
    assign_to(ev, node.target, value)
    return value
