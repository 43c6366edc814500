"""Errors: parameter binding, refusals, 5.1's grammar, CLIXML and exit codes."""

from __future__ import annotations

import html
import re

import pytest

from nestkit.practice.hyperv.cmdlet_table import load
from nestkit.practice.hyperv.powershell import Interpreter, Result
from nestkit.practice.hyperv.values import Invocation, PropertyObject, PsError, Value

_VM = "Microsoft.HyperV.PowerShell.VirtualMachine"
_CLASS = "Microsoft.HyperV.PowerShell.Commands."


def echo(inv: Invocation) -> list[Value]:
    """Say how the call was bound."""
    text = ";".join(f"{k}={_text(v)}" for k, v in inv.bound.items())
    return [f"{inv.name}[{inv.parameter_set}] {text}"]


def _text(value: Value) -> str:
    if isinstance(value, list):
        return "(" + ",".join(_text(v) for v in value) + ")"
    return getattr(value, "name", None) or getattr(value, "type_name", None) or str(value)


def get_vm(inv: Invocation) -> list[Value]:
    found: list[Value] = []
    for name in inv.bound.get("Name", ["a", "b"]):
        if name == "missing":
            inv.streams.error(
                PsError(
                    f'Hyper-V was unable to find a virtual machine with name "{name}".',
                    error_id="InvalidParameter",
                    category="InvalidArgument",
                    target=name,
                )
            )
            continue
        found.append(PropertyObject({"Name": name, "State": "Off"}, type_name=_VM))
    return found


def run(script: str) -> Result:
    table = load()
    played = {spec.name: echo for spec in table if spec.module == "Hyper-V" and spec.played}
    return Interpreter({**played, "Get-VM": get_vm}, table).run(script)


def errors(result: Result) -> str:
    parts = re.findall(r'<S S="Error">(.*?)_x000D__x000A_</S>', result.stderr)
    return html.unescape("\n".join(parts))


@pytest.mark.parametrize(
    ("script", "bound"),
    [
        ("Stop-VM a", "Stop-VM[Name] Name=(a)"),
        ("Stop-VM -VMName a -TurnOff", "Stop-VM[Name] Name=(a);TurnOff=True"),
        ("Stop-VM a, b -Confirm:$false", "Stop-VM[Name] Confirm=False;Name=(a,b)"),
        ("Stop-VM (Get-VM a)", f"Stop-VM[VMObject] VM=({_VM})"),
        ("Get-VM a | Stop-VM -Pas", f"Stop-VM[VMObject] Passthru=True;VM=({_VM})"),
        ("'a' | Stop-VM", "Stop-VM[Name] Name=(a)"),
        ("Stop-VM 1.0", "Stop-VM[Name] Name=(1.0)"),
        ("Hyper-V\\Stop-VM a", "Stop-VM[Name] Name=(a)"),
        (
            "Set-VMProcessor a -ExposeV $true -Count 4",
            "Set-VMProcessor[VMName] ExposeVirtualizationExtensions=True;Count=4;VMName=(a)",
        ),
        (
            "Set-VMMemory a -StartupBytes 4GB -Dyn $false",
            "Set-VMMemory[VMName] StartupBytes=4294967296;DynamicMemoryEnabled=False;VMName=(a)",
        ),
        (
            "Set-VM a -AutomaticStartAction StartIf",
            "Set-VM[Name] AutomaticStartAction=StartIfRunning;Name=(a)",
        ),
        (
            "New-VM x -Memory 2GB -NewVHDPath p -NewVHDSizeBytes 1GB -Generation 2",
            "New-VM[New VHD] MemoryStartupBytes=2147483648;NewVHDPath=p;"
            "NewVHDSizeBytes=1073741824;Generation=2;Name=x",
        ),
        ("$p = @{Name='a'; Force=$true}; Stop-VM @p", "Stop-VM[Name] Name=(a);Force=True"),
        ("Get-VMSnapshot -VMName a", "Get-VMSnapshot[VMName] VMName=(a)"),
    ],
)
def test_parameters_are_bound_by_set(script: str, bound: str) -> None:
    result = run("$ProgressPreference = 'SilentlyContinue'; " + script)
    assert not result.stderr
    assert result.stdout == bound + "\r\n"


@pytest.mark.parametrize(
    ("script", "error_id", "message"),
    [
        (
            "Stop-VM a -Nope",
            "NamedParameterNotFound",
            "A parameter cannot be found that matches parameter name 'Nope'.",
        ),
        (
            "Set-VMNetworkAdapter a -MacAddressSpoofing Maybe",
            "CannotConvertArgumentNoMessage",
            "Specify one of the following enumerator names and try again: On, Off",
        ),
        (
            "Set-VMProcessor a -ExposeVirtualizationExtensions yes",
            "CannotConvertArgumentNoMessage",
            "Boolean parameters accept only Boolean values and numbers",
        ),
        (
            "Set-VMProcessor a -Count many",
            "CannotConvertArgumentNoMessage",
            "Cannot bind parameter 'Count'. Cannot convert value \"many\" to type "
            '"System.Int64". Error: "Input string was not in a correct format."',
        ),
        (
            "Start-VM",
            "MissingMandatoryParameter",
            "Cannot process command because of one or more missing mandatory parameters: Name.",
        ),
        (
            "Set-VMProcessor -VMName",
            "MissingArgument",
            "Missing an argument for parameter 'VMName'. Specify a parameter of type "
            "'System.String[]' and try again.",
        ),
        ("Stop-VM a b", "PositionalParameterNotFound", "accepts argument 'b'."),
        (
            "Set-VMProcessor a -Re 1",
            "AmbiguousParameter",
            "Possible matches include: -RelativeWeight -Reserve -ResourcePoolName.",
        ),
        ("Stop-VM a -Name b -Name c", "ParameterAlreadyBound", "is specified more than once."),
        (
            "Set-VMProcessor -VMName a -VM (Get-VM a)",
            "AmbiguousParameterSet",
            "Parameter set cannot be resolved using the specified named parameters.",
        ),
        (
            "Set-VMProcessor -VM a",
            "CannotConvertArgumentNoMessage",
            'value of type "System.String" to type "Microsoft.HyperV.PowerShell.VirtualMachine"',
        ),
        (
            "Stop-VM $null",
            "ParameterArgumentValidationErrorNullNotAllowed",
            "Cannot bind argument to parameter 'Name' because it is null.",
        ),
        (
            "Stop-VM ''",
            "ParameterArgumentValidationErrorEmptyStringNotAllowed",
            "Cannot bind argument to parameter 'Name' because it is an empty string.",
        ),
        (
            "New-VM a -Generation 3",
            "ParameterArgumentValidationError",
            'does not belong to the set "1,2" specified by the ValidateSet attribute',
        ),
        ("5 | New-VMSwitch x", "InputObjectNotBound", "The input object cannot be bound"),
    ],
)
def test_what_does_not_bind_is_refused_as_powershell_refuses_it(
    script: str, error_id: str, message: str
) -> None:
    result = run(script)
    text = errors(result)
    assert result.exit_code == 1
    assert message in text
    assert f"FullyQualifiedErrorId : {error_id},{_CLASS}" in text
    assert not result.stdout


@pytest.mark.parametrize(
    ("script", "error_id", "message"),
    [
        ("Get-VM && Get-VM", "InvalidEndOfLine", "The token '&&' is not a valid statement"),
        ("$x || $y", "InvalidEndOfLine", "The token '||' is not a valid statement"),
        ("$a ?? 1", "UnexpectedToken", "Unexpected token '??'"),
        ("$a = $b ? 1 : 2", "UnexpectedToken", "Unexpected token '?'"),
        ("$a?.b", "UnexpectedToken", "Unexpected token '?.'"),
        ("$a ??= 1", "UnexpectedToken", "??"),
        ("try { 1 }", "MissingCatchOrFinally", "missing its Catch or Finally block"),
        ("if ($x) {", "MissingEndCurlyBrace", "Missing closing '}'"),
        ("(1 + 2", "", "Missing closing ')'"),
        ("'open", "TerminatorExpectedAtEndOfString", "missing the terminator: '"),
        ('"$name: x"', "InvalidVariableReferenceWithDrive", "Variable reference is not valid."),
        ("1 | 2", "ExpressionsMustBeFirstInPipeline", "first element of a pipeline"),
        ("1 = 2", "InvalidLeftHandSide", "The assignment expression is not valid."),
        ("@{a=1;a=2}", "DuplicateKeyInHashLiteral", "Duplicate keys 'a'"),
        ("$x = @y", "SplattingNotPermitted", "The splatting operator"),
        ("Stop-VM 'O’Brien'", "TerminatorExpectedAtEndOfString", "typographic quotation mark"),
        ("class A { }", "PracticeHostNotSpoken", "does not speak classes"),
        ("using namespace System", "PracticeHostNotSpoken", "does not speak using"),
        ("workflow w { 1 }", "PracticeHostNotSpoken", "does not speak workflows"),
        (". .\\x.ps1", "PracticeHostNotSpoken", "does not speak dot-sourcing"),
        ("Get-VM > out.txt", "PracticeHostNotSpoken", "does not speak redirection to files"),
        ("trap { 1 }", "PracticeHostNotSpoken", "does not speak trap"),
        ("[List[int]]::new()", "PracticeHostNotSpoken", "does not speak generic types"),
    ],
)
def test_what_51_or_this_host_does_not_read_runs_nothing(
    script: str, error_id: str, message: str
) -> None:
    result = run("'before'\n" + script)
    text = errors(result)
    assert result.exit_code == 1
    assert not result.stdout
    assert message in text
    assert "ParserError" in text
    assert error_id in text


@pytest.mark.parametrize(
    "script",
    [
        "Invoke-Expression '1'",
        "iex '1'",
        "Add-Type -TypeDefinition 'x'",
        "[IO.File]::ReadAllText('C:\\x')",
        "[System.Diagnostics.Process]::Start('x')",
        "[Reflection.Assembly]::Load('x')",
        "[Environment]::GetFolderPath('x')",
        "''.GetType().Assembly.GetTypes()",
        "'x'.Normalize()",
        "ping localhost",
        "C:\\Windows\\system32\\cmd.exe /c dir",
        ".\\x.ps1",
        "dir",
        "Get-Content C:\\x",
        "New-Object System.Net.WebClient",
        "Start-Process x",
        "Get-VMSan",
        "$env:x = 1",
        "Get-VM -OutBuffer 3",
        "bcdedit /enum {current}",
    ],
)
def test_what_reaches_outside_is_refused_out_loud(script: str) -> None:
    result = run(f"try {{ {script} }} catch {{ 'refused: ' + $_ }}")
    said = result.stdout + errors(result)
    assert "not speak" in said or "null-valued" in said or "is not recognized" in said
    assert run(script).exit_code == 1


def test_an_unknown_vm_is_a_non_terminating_error() -> None:
    result = run("Get-VM missing, a | % Name; $?; 'after'")
    text = errors(result)
    assert result.stdout.split("\r\n")[0] == "a"
    assert "after" in result.stdout
    assert 'Get-VM : Hyper-V was unable to find a virtual machine with name "missing".' in text
    assert "CategoryInfo          : InvalidArgument: (missing:String) [Get-VM]" in text
    assert f"FullyQualifiedErrorId : InvalidParameter,{_CLASS}GetVM" in text


@pytest.mark.parametrize(
    ("script", "stdout"),
    [
        ("try { Get-VM missing -ErrorAction Stop; 'no' } catch { 'caught' }", "caught"),
        ("$ErrorActionPreference = 'Stop'; try { Get-VM missing } catch { 'caught' }", "caught"),
        ("Get-VM missing -ErrorAction SilentlyContinue; $Error.Count", "1"),
        ("Get-VM missing -ErrorAction Ignore; $Error.Count", "0"),
        ("Get-VM missing 2>$null; $Error[0].CategoryInfo.TargetName", "missing"),
        ("(Get-VM missing 2>&1).FullyQualifiedErrorId", f"InvalidParameter,{_CLASS}GetVM"),
    ],
)
def test_error_action_decides(script: str, stdout: str) -> None:
    result = run("$ProgressPreference = 'SilentlyContinue'\n" + script)
    assert result.stdout == stdout + "\r\n"
    assert not result.stderr


def test_stop_inside_a_function_ends_the_script() -> None:
    result = run("function f { $ErrorActionPreference = 'Stop'; Get-VM missing; 'x' }\nf; 'y'")
    assert result.stdout == ""
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("'x'", 0),
        ("exit 7", 7),
        ("exit", 0),
        ("throw 'x'", 1),
        ("Write-Error x", 1),
        ("Write-Error x; 'fine'", 0),
        ("Get-Nope; 'fine'", 0),
        ("try { throw 'x' } catch { }", 0),
        ("if (", 1),
        ("try { exit 4 } finally { 'f' }", 4),
    ],
)
def test_exit_codes(script: str, code: int) -> None:
    assert run(script).exit_code == code


def test_progress_is_clixml_unless_silenced_first() -> None:
    noisy = run("Get-VM a | Out-Null; 'x'")
    assert noisy.stderr.startswith("#< CLIXML\r\n<Objs ")
    assert 'S="progress"' in noisy.stderr
    assert "Preparing modules for first use." in noisy.stderr
    assert noisy.exit_code == 0
    assert not run("$ProgressPreference = 'SilentlyContinue'; Get-VM a | Out-Null").stderr


def test_errors_and_warnings_are_clixml_lines() -> None:
    result = run("Write-Warning 'a_x <b>'; Write-Verbose v -Verbose; Write-Error \"two`nlines\"")
    assert '<S S="warning">a_x005F_x &lt;b&gt;_x000D__x000A_</S>' in result.stderr
    assert '<S S="verbose">v_x000D__x000A_</S>' in result.stderr
    assert '<S S="Error">lines_x000D__x000A_</S>' in result.stderr
    assert result.stderr.endswith("</Objs>")


def test_confirm_without_anybody_to_ask_is_an_error() -> None:
    assert "NonInteractive mode" in errors(run("Stop-VM a -Confirm"))


def test_a_cmdlet_is_called_once_for_each_object_and_never_for_none() -> None:
    calls: list[Invocation] = []

    def play(inv: Invocation) -> list[Value]:
        calls.append(inv)
        return []

    interpreter = Interpreter({"Get-VM": get_vm, "Stop-VM": play}, load())
    interpreter.run("Get-VM | Stop-VM")
    assert [inv.bound["VM"][0].get("Name") for inv in calls] == ["a", "b"]
    calls.clear()
    assert not Interpreter({"Stop-VM": play}, load()).run("@() | Stop-VM").exit_code
    assert not calls


def test_native_programs_set_the_exit_code() -> None:
    def bcdedit(arguments: object) -> tuple[int, list[str]]:
        return 3, [f"args {arguments}"]

    interpreter = Interpreter({}, load(), natives={"bcdedit": bcdedit})
    result = interpreter.run("bcdedit.exe /enum '{current}' -v; \"$LASTEXITCODE $?\"")
    assert result.stdout == "args ['/enum', '{current}', '-v']\r\n3 False\r\n"
