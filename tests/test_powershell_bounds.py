"""Bounds and hostile input: the evaluator always returns, and names stay data."""

from __future__ import annotations

import json
import os
import random
import re
import time
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nestkit.practice.hyperv.cmdlet_table import load
from nestkit.practice.hyperv.powershell import Interpreter, Limits, Result
from nestkit.practice.hyperv.powershell.regex import compiled
from nestkit.practice.hyperv.powershell.wildcard import matches
from nestkit.practice.hyperv.values import Invocation, PropertyObject, PsError, Value

_SMALL = Limits(seconds=5, steps=200_000)
_SELF = "$a = @(0); $a[0] = $a; "


def run(script: str, stdin: str = "", limits: Limits = _SMALL) -> Result:
    return Interpreter({}, load(), limits=limits).run(script, stdin)


@pytest.mark.parametrize(
    ("script", "error_id"),
    [
        ("while ($true) { }", "PracticeHostLimit"),
        ("for (;;) { 'x' }", "PracticeHostLimit"),
        ("do { } while (1)", "PracticeHostLimit"),
        ("$s = 'x'; while (1) { $s += $s }", "PracticeHostLimit"),
        ("$s = 'x'; while (1) { $s = \"$s$s\" }", "PracticeHostLimit"),
        ("$a = @(1); while (1) { $a += $a }", "PracticeHostLimit"),
        ("while (1) { $x = 'x' * 3000000 }", "PracticeHostLimit"),
        ("while (1) { $x = @(1) * 100000 }", "PracticeHostLimit"),
        ("1..2147483647", "PracticeHostLimit"),
        (
            "$s = '& ([ScriptBlock]::Create($s))'; & ([ScriptBlock]::Create($s))",
            "CallDepthOverflow",
        ),
        (
            "$n = 0; while (1) { $n++; $x = [ScriptBlock]::Create(\"$n\" + '; 1' * 100) }",
            "PracticeHostLimit",
        ),
        ("'x' * 2147483647", "PracticeHostLimit"),
        ("$x = 'x' * 1000000; while (1) { Write-Host $x }", "PracticeHostLimit"),
        ("$x = 'x' * 1000000; while (1) { $x }", "PracticeHostLimit"),
        ("$x = @('x' * 1000000) * 100; \"$x\"", "PracticeHostLimit"),
        ("$x = @('x' * 1000000) * 100; $x -join ''", "PracticeHostLimit"),
        ("$x = @('x' * 1000000) * 100; [string]::Join('', $x)", "PracticeHostLimit"),
        ("$x = @('x' * 1000000) * 100; ConvertTo-Json $x", "PracticeHostLimit"),
        ("$x = @('x' * 1000000) * 100; $x | Out-String", "PracticeHostLimit"),
        ("$x = 'x' * 4000000; $x -replace 'x', 'yy'", "PracticeHostLimit"),
        ("('x' * 4000000).Split('x').Count", "PracticeHostLimit"),
        ("-split ('x ' * 2000000)", "PracticeHostLimit"),
        ("('a' * 3000000) -match '(a+)+$b'", "PracticeHostLimit"),
        ("'x' * 300000 -like '*a*a*a*a*b'", "PracticeHostLimit"),
        ("while (1) { Start-Sleep 600 }", "PracticeHostLimit"),
        ("function f { f }; f", "CallDepthOverflow"),
        ("$f = { & $f }; & $f", "CallDepthOverflow"),
        ("function f { 1 | ForEach-Object { f } }; f", "CallDepthOverflow"),
        ("function f { try { f } catch { f } finally { f } }; f", "CallDepthOverflow"),
        ("try { while (1) { } } catch { 'no' } finally { 'no' }", "PracticeHostLimit"),
        ("$ErrorActionPreference = 'SilentlyContinue'; while (1) { nope }", "PracticeHostLimit"),
        ("while (1) { Write-Error x }", "PracticeHostLimit"),
        ("while (1) { Write-Progress x }", "PracticeHostLimit"),
        ("(" * 5000, None),
        ("(" * 2000 + "1" + ")" * 2000, "ScriptTooComplicated"),
        ("1" + "+1" * 5000, "ScriptTooComplicated"),
        ("$x" + ".a" * 5000, "ScriptTooComplicated"),
        ("{" * 3000 + "}" * 3000, "ScriptTooComplicated"),
        ("'" + "x" * 300_000 + "'", "PracticeHostLimit"),
        ("$h = @{}; $h.h = $h; $h | ConvertTo-Json -Depth 100", None),
        (_SELF + "$a | ConvertTo-Json -Depth 100", None),
        (_SELF + "$a.ToUpper()", None),
        (_SELF + "$a.Contains($a); \"$a\"; $a -join ','; $a -eq $a; $a -replace 'x','y'", None),
        ("$a = @(1,1); 1..60 | % { $a = @($a,$a) }; $a | ConvertTo-Json -Depth 90", None),
        ("$a = @(1,1); 1..60 | % { $a = @($a,$a) }; $a.Trim(); \"$a\"; $a.x.y; $a -eq 1", None),
        ("[math]::Pow(10, 400); [math]::Sqrt(-1); 1e308 * 10; 5 % 0.0; [int]1e300", None),
        ("'{0,99999999}' -f 1; '{0:N99}' -f 1; '{0:D99}' -f 5; '{' -f 1; '{9}' -f 1", None),
        ("$x = 1; while ($x -lt 1e300) { $x = $x * $x * 7 }; $x", None),
        ("[datetime]::MinValue.AddDays(-1); [datetime]::UtcNow.AddDays(1e300)", None),
        ("[timespan]::FromSeconds(1e300); [guid]'x'; [version]'1'; [char]99999999", None),
        ("'a' -match '(((((('; 'a' -match '[z-a]'; 'a' -match 'a{5,2}'; 'a' -match '(?=x)'", None),
    ],
)  # fmt: skip
def test_a_limit_ends_the_script_with_an_error(script: str, error_id: str | None) -> None:
    limits = _SMALL if error_id in (None, "PracticeHostLimit") else replace(_SMALL, seconds=60)
    started = time.monotonic()
    result = run(script, limits=limits)
    assert time.monotonic() - started < 60
    if error_id is not None:
        assert result.exit_code == 1
        assert error_id in result.stderr
        assert "no" not in result.stdout.split()
    assert len(result.stdout) + len(result.stderr) < 40_000_000


def test_the_interpreter_serves_again_after_a_limit() -> None:
    interpreter = Interpreter({}, load(), limits=_SMALL)
    assert interpreter.run("while (1) { }").exit_code == 1
    assert interpreter.run("'fine'").stdout == "fine\r\n"


def test_sleep_does_not_wait_but_tells_the_model() -> None:
    told: list[float] = []
    started = time.monotonic()
    Interpreter({}, load(), on_sleep=told.append).run("Start-Sleep 100; Start-Sleep -m 500")
    assert told == [100, 0.5]
    assert time.monotonic() - started < 50


# --- names -----------------------------------------------------------------------------------

_NASTY = [
    "'; Stop-VM *; '",
    "$(Stop-VM *)",
    "$(x)",
    "`",
    "`n$x",
    "%2f",
    "a\nb",
    "</script><img onerror=x>",
    "Müller 日本",
    "O’Brien “x”",
    '"; Stop-VM *; "',
    "@{a=1}",
    "-TurnOff",
    "*",
    "[a-z]*",
    "{0}",
    "\u2028",
    "😀",
]
_free = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60)

_SCRIPT = """\
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$in = [Console]::In.ReadToEnd() | ConvertFrom-Json
$vm = Get-VM | Where-Object { $_.Name -ceq $in.name }
$h = @{ VMName = $in.name }
Set-VMMemory @h -DynamicMemoryEnabled $false
Stop-VM -Name $in.name -Confirm:$false
$out = [ordered]@{
  name = [string]$vm.Name
  text = "vm: $($in.name)"
  format = '{0}' -f $in.name
  list = @($in.name, [string]$vm.Name)
}
Write-Output '-----BEGIN'
ConvertTo-Json -InputObject $out -Depth 5 -Compress
"""


def _checked(name: str) -> None:
    seen: list[tuple[str, Value]] = []

    def get(inv: Invocation) -> list[Value]:
        kind = "Microsoft.HyperV.PowerShell.VirtualMachine"
        return [PropertyObject({"Name": n}, type_name=kind) for n in ("other", name)]

    def act(inv: Invocation) -> list[Value]:
        seen.append((inv.name, inv.bound.get("Name") or inv.bound.get("VMName")))
        return []

    interpreter = Interpreter({"Get-VM": get, "Stop-VM": act, "Set-VMMemory": act}, load())
    result = interpreter.run(_SCRIPT, json.dumps({"name": name}))
    assert result.exit_code == 0, result.stderr
    assert seen == [("Set-VMMemory", [name]), ("Stop-VM", [name])]
    made = json.loads(result.stdout.split("-----BEGIN\r\n")[1])
    assert made == {"name": name, "text": f"vm: {name}", "format": name, "list": [name, name]}


@pytest.mark.parametrize("name", _NASTY)
def test_a_hostile_name_stays_data(name: str) -> None:
    _checked(name)


@given(_free.filter(lambda n: n != "other"))
@settings(max_examples=60)
@example("\x00")
@example("/Date(1)")
def test_any_name_stays_data(name: str) -> None:
    _checked(name)


@given(_free)
@settings(max_examples=60)
def test_any_text_in_single_quotes_is_itself_or_a_parse_error(text: str) -> None:
    result = run("'" + text.replace("'", "''") + "' | ConvertTo-Json")
    if re.search("[‘’‚‛]", text):
        assert result.exit_code in {0, 1}
    elif result.exit_code == 0:
        assert json.loads(result.stdout) == text
    else:
        assert "ParserError" in result.stderr


# --- fuzz --------------------------------------------------------------------------------------

_PIECES = (
    """
$x = @{a=1;b=@(1,2)}; $x.a; $x['b'][1]|foreach ($i in 1..3) { if ($i -eq 2) { continue }; $i }
try { throw 'x' } catch { "c $_" } finally { 'f' }|function f { param([int]$a = 3, $b) "$a $b" }
switch -wildcard ('abc') { 'a*' { 1; break } default { 2 } }|& { param($n) $n } -n 5
Get-VM -Name 'a','b' | Where-Object { $_.State -eq 'Off' } | % Name
Stop-VM nested -Confirm:$false -WhatIf|Set-VMMemory -VMName $x -DynamicMemoryEnabled $false
'{0:N2} {1,5}' -f 1.5, 'q'|'a-b' -split '-' -join '+' -replace '(a)', '$1$1'
$x -match '^(\\d+|a*?)$'
[version]'10.0' -ge [version]'9.3'|[math]::Max(1, 2)|[guid]::NewGuid().ToString()
[pscustomobject]@{A=1;B=$(if ($x) {1})} | ConvertTo-Json -Depth 3|'[1,{"a":2}]' | ConvertFrom-Json
1..5 | Sort-Object -Descending | Select-Object -First 2 | Measure-Object -Sum
$a, $b = 1, 2; $a += $b
while ($i -lt 3) { $i++ }|do { 1 } until ($true)|for ($i = 0; $i -lt 2; $i++) { $i }|exit 3|return 5
"a $($x.b[0]) ${x} $env:y `n"|[int]'7' + 4GB / 2 % 3|-not $x -and $y -or 1 -band 2|$x::y.z()[0]
Invoke-Command -VMName x -Credential $c -ScriptBlock { Install-WindowsFeature Hyper-V }|@'
lit
'@|@"
$x
"@|$x > $null 2>&1|Write-Error x -ErrorAction Stop|$Error[0].Exception.Message|@x|%|?|,|..|&|<|`
""".strip("\n")
    .replace("\n", "|")
    .split("|")
)
_MARKS = list("${}()\"'|;\n`@-[],=.:<>&%?*!+/\\#~^ x1é日’\x00\r\t")


def _script(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        return rng.choice([" ", ";", "|", "\n", ""]).join(
            rng.choice(_PIECES) for _ in range(rng.randint(1, 4))
        )
    if kind < 0.6:
        first, second = rng.choice(_PIECES), rng.choice(_PIECES)
        return first[: rng.randint(0, len(first))] + second[rng.randint(0, len(second)) :]
    if kind < 0.85:
        text = list(rng.choice(_PIECES) + rng.choice(_PIECES))
        for _ in range(rng.randint(1, 6)):
            text.insert(rng.randint(0, len(text)), rng.choice(_MARKS))
        return "".join(text)
    return "".join(rng.choice(_MARKS) for _ in range(rng.randint(1, 80)))


def _fuzz(count: int, seed: int) -> None:
    rng = random.Random(seed)
    table = load()

    def play(inv: Invocation) -> list[Value]:
        if rng.random() < 0.2:
            raise PsError("no", error_id="Nope")
        return [PropertyObject({"Name": "x", "State": "Off"})]

    names = ("Get-VM", "Stop-VM", "Set-VMMemory", "Install-WindowsFeature")
    limits = Limits(seconds=2, steps=20_000)
    interpreter = Interpreter(dict.fromkeys(names, play), table, limits=limits)
    for number in range(count):
        script = _script(rng)
        try:
            result = interpreter.run(script, "in\n")
        except Exception as error:
            raise AssertionError(f"script {number} of seed {seed}: {script!r}") from error
        assert isinstance(result, Result)
        assert not result.stderr or result.stderr.startswith("#< CLIXML")


def test_any_script_ends_in_a_result() -> None:
    _fuzz(600, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.soak
def test_ten_thousand_scripts_end_in_results() -> None:
    soak = bool(os.environ.get("NESTKIT_SOAK"))
    _fuzz(100_000 if soak else 10_000, seed=random.SystemRandom().randrange(2**32) if soak else 2)


# --- patterns ------------------------------------------------------------------------------------

_PATTERNS = [
    "a*b", "(a|b)*c", "^a+$", "a{2,3}b?", "(a+)(b*)", "[ab]+c", "[^a]", "(?:ab|a)(c|bcd)?",
    "a*?b", "(x?)y", r"\bfoo\b", "(a|ab)(bc|c)", r"\d+\.\d", "a|b|", "x*", r"[\w.-]+", "(a)|(b)",
]  # fmt: skip


@given(st.sampled_from(_PATTERNS), st.text("aabbcx1. \nfo", max_size=10))
@settings(max_examples=300)
def test_patterns_match_as_a_backtracking_engine_does(pattern: str, text: str) -> None:
    expected = re.search(pattern, text)
    found = compiled(pattern, False).search(text, 0, lambda n: None)
    assert (expected is None) == (found is None)
    if expected is not None and found is not None:
        assert (found.start, found.end) == expected.span()
        assert tuple(found.group(i) for i in range(1, len(found.spans))) == expected.groups()


def test_a_pattern_that_explodes_elsewhere_does_not_here() -> None:
    spent = []
    assert compiled("(a+)+$", True).search("a" * 3000 + "b", 0, spent.append) is None
    assert sum(spent) < 200_000


@given(st.text("ab*?[]", max_size=8), st.text("ab", max_size=8))
def test_wildcards_never_fail(pattern: str, text: str) -> None:
    matches(pattern, text)
    if not set(pattern) & set("[]"):
        wanted = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        assert matches(pattern, text) == bool(re.fullmatch(wanted, text, re.DOTALL))
