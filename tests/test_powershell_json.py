"""JSON as 5.1 writes and reads it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestkit.practice.hyperv.cmdlet_table import load
from nestkit.practice.hyperv.powershell import Interpreter
from nestkit.practice.hyperv.values import EnumValue, Invocation, PropertyObject, Value


def vm(inv: Invocation) -> list[Value]:
    state = EnumValue("Microsoft.HyperV.PowerShell.VMState", "Running", 2)
    return [
        PropertyObject(
            {"Name": "a", "State": state}, type_name="Microsoft.HyperV.PowerShell.VirtualMachine"
        )
    ]


def out(script: str, stdin: str = "") -> str:
    prefix = "$ProgressPreference = 'SilentlyContinue'\n"
    result = Interpreter({"Get-VM": vm}, load()).run(prefix + script, stdin)
    assert not result.stderr, result.stderr
    return result.stdout.removesuffix("\r\n")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("@{a=@{b=@{c=@{d=1}}}} | ConvertTo-Json -Compress", None),
        ("ConvertTo-Json -Compress @(1)", "[1]"),
        ("@(1) | ConvertTo-Json -Compress", "1"),
        ("1,2 | ConvertTo-Json -Compress", "[1,2]"),
        ("@() | ConvertTo-Json", ""),
        ("ConvertTo-Json -Compress -InputObject @()", "[]"),
        ("Get-VM | ConvertTo-Json -Compress", '{"Name":"a","State":2}'),
        ("Get-VM | Select-Object @{n='s';e={[string]$_.State}} | ConvertTo-Json -Compress",
         '{"s":"Running"}'),
        ("[datetime]'2020-01-02T03:04:05Z' | ConvertTo-Json", '"\\/Date(1577934245000)\\/"'),
        ("[version]'10.0' | ConvertTo-Json -Compress",
         '{"Major":10,"Minor":0,"Build":-1,"Revision":-1}'),
        ("1.0, 1.5, $true, $null | ConvertTo-Json -Compress", "[1,1.5,true,null]"),
        ("\"<'&>`\"\\é`n\" | ConvertTo-Json", '"\\u003c\\u0027\\u0026\\u003e\\"\\\\é\\n"'),
        ("[ordered]@{b=1;a=2} | ConvertTo-Json -Compress", '{"b":1,"a":2}'),
        ("@{a=1} | ConvertTo-Json", '{\r\n    "a":  1\r\n}'),
        ("ConvertTo-Json @{a=@(1,@{b=2})}",
         '{\r\n    "a":  [\r\n              1,\r\n              {\r\n'
         '                  "b":  2\r\n              }\r\n          ]\r\n}'),
    ],
)  # fmt: skip
def test_convert_to_json(script: str, expected: str | None) -> None:
    wanted = '{"a":{"b":{"c":"System.Collections.Hashtable"}}}' if expected is None else expected
    assert out(script) == wanted


def test_depth_cuts_silently_and_a_depth_given_does_not() -> None:
    deep = "@{a=@{b=@{c=@{d=1}}}} | ConvertTo-Json -Compress"
    assert json.loads(out(deep))["a"]["b"]["c"] == "System.Collections.Hashtable"
    assert json.loads(out(deep + " -Depth 5"))["a"]["b"]["c"]["d"] == 1
    custom = "[pscustomobject]@{a=@{b=@{c=[pscustomobject]@{d=1;e='x'}}}}"
    assert json.loads(out(custom + " | ConvertTo-Json"))["a"]["b"]["c"] == "@{d=1; e=x}"


@pytest.mark.parametrize(
    ("text", "script", "expected"),
    [
        ("[1,2]", "$x.Count", "2"),
        ("[1,2]", "($x | % { 1 }) -join ','", "1,1"),
        ('{"a":{"b":[{"c":"v"}]}}', "$x.a.b[0].c", "v"),
        ('"/Date(1577934245000)/"', "$x.Year", "2020"),
        ("null", "$null -eq $x", "True"),
        ('{"A b":1}', "$x.'a B'", "1"),
        ("123456789012345678901234567890", "$x -gt 1e29", "True"),
    ],
)
def test_convert_from_json(text: str, script: str, expected: str) -> None:
    assert out(f"$x = [Console]::In.ReadToEnd() | ConvertFrom-Json; {script}", text) == expected


def test_an_array_is_put_out_whole_as_5_1_does() -> None:
    assert out("('[1,2]' | ConvertFrom-Json | % { 'once' }) -join ','") == "once"


@pytest.mark.parametrize(
    "text", ["{", "nope", '{"a":1,"a":2}', "[1,]", "NaN", "[" * 5000, '{"":1}']
)
def test_what_is_not_json_is_an_error_a_script_can_catch(text: str) -> None:
    script = (
        "try { [Console]::In.ReadToEnd() | ConvertFrom-Json } catch { $_.FullyQualifiedErrorId }"
    )
    assert out(script, text) == (
        "System.ArgumentException,Microsoft.PowerShell.Commands.ConvertFromJsonCommand"
    )


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=20).filter(
        lambda s: not s.startswith("/Date")
    ),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=4)
        | st.dictionaries(st.text("abcdefgh", min_size=1, max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(_values)
def test_what_goes_through_both_ways_is_the_same(value: object) -> None:
    script = (
        "$x = [Console]::In.ReadToEnd() | ConvertFrom-Json; "
        "ConvertTo-Json -InputObject $x -Depth 20 -Compress"
    )
    assert json.loads(out(script, json.dumps(value))) == value


@given(_values)
def test_indented_and_compressed_say_the_same(value: object) -> None:
    script = "$x = [Console]::In.ReadToEnd() | ConvertFrom-Json; ConvertTo-Json $x -Depth 20"
    assert json.loads(out(script, json.dumps({"v": value}))) == {"v": value}
