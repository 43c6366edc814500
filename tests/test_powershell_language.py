"""The language: what a script prints, as Windows PowerShell 5.1 prints it."""

from __future__ import annotations

import pytest

from nestkit.practice.hyperv.cmdlet_table import load
from nestkit.practice.hyperv.powershell import Interpreter, Result


def run(script: str, stdin: str = "") -> Result:
    return Interpreter({}, load()).run(script, stdin)


def lines(script: str, stdin: str = "") -> list[str]:
    result = run(script, stdin)
    assert not result.stderr, result.stderr
    return result.stdout.split("\r\n")[:-1]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        # values and operators
        ("[int]2.5; [int]3.5; [int]'7'; [string]1.0", ["2", "4", "7", "1"]),
        ("1.5 + '2'; '1' + 2; 7 / 2; 6/2; 7 % 3; -7 % 3", ["3.5", "12", "3.5", "3", "1", "-1"]),
        ("4GB; 512MB; 0xFF; 1e3; 10kb", ["4294967296", "536870912", "255", "1000", "10240"]),
        ("2147483647 + 1; 9223372036854775807 + 1", ["2147483648", "9.22337203685478E+18"]),
        ("0.1 + 0.2; 1/3; 1e20; 0.00001", ["0.3", "0.333333333333333", "1E+20", "1E-05"]),
        ("'ABC' -eq 'abc'; 'ABC' -ceq 'abc'; 'a' -lt 'B'", ["True", "False", "True"]),
        ("1,2,1 -eq 1", ["1", "1"]),
        ("$t = 'param($a) $a + 1'; & ([ScriptBlock]::Create($t)) 41", ["42"]),
        (
            "try { [scriptblock]::Create('if (') } catch { $_.FullyQualifiedErrorId }",
            ["ParseException"],
        ),
        ("$null -eq $nothing; 0 -eq $null; '' -eq $null", ["True", "False", "False"]),
        ("[version]'10.0' -ge [version]'9.3'; '10.0' -ge '9.3'", ["True", "False"]),
        ("'9.3' -as [version] -lt [version]'10.0'", ["True"]),
        ("1,2,3 -contains 2; 'x' -in 'X','y'; 'q' -notin 'x'", ["True", "True", "True"]),
        ("'abc' -like 'A*'; 'abc' -notlike '[b-z]*'; 'a*c' -like 'a`*c'", ["True", "True", "True"]),
        ("'x12' -match '(\\d)(?<two>\\d)'; $Matches[0]; $Matches.two", ["True", "12", "2"]),
        ("'2024-05' -replace '(\\d+)-(\\d+)', '$2/$1'", ["05/2024"]),
        ("('a-b-c' -split '-').Count; 'a,b' -split ',' -join '+'", ["3", "a+b"]),
        ("-join ('a','b'); (-split ' a  b ').Count", ["ab", "2"]),
        ("'{0:N2}|{1:D3}|{2:X}|{{}}|{0,8:F1}' -f 1234.56, 7, 255", ["1,234.56|007|FF|{}|  1234.6"]),
        ("5 -is [int]; 'a' -isnot [string]; 'q' -as [int]; 5 -as [string]", ["True", "False", "5"]),
        ("1 -band 3; 1 -bor 2; 5 -bxor 1; 1 -shl 4; -not 1", ["1", "3", "4", "16", "False"]),
        ("$true -and $false; $true -or $false; $true -xor $true", ["False", "True", "False"]),
        ("'a' * 3; (1,2) + 3 -join ','", ["aaa", "1,2,3"]),
        ("(1..3) -join ','; 3..1 -join ','; $n = 2; 1..$n -join ','", ["1,2,3", "3,2,1", "1,2"]),
        ("$i = 5; $i++; $i; ++$i; $i; $i -= 2; $i; $i *= 3; $i", ["6", "7", "5", "15"]),
        # strings
        ('$x = \'v\'; "$x ${x}y $($x.Length) `$x ""q"""', ['v vy 1 $x "q"']),
        ("'it''s $x'", ["it's $x"]),
        ('"a`tb`0c"', ["a\tb\x00c"]),
        ('$h = @{a=@{b=1}}; "$h.a $($h.a.b)"', ["System.Collections.Hashtable.a 1"]),
        ('"$(1..3)"', ["1 2 3"]),
        ("@'\nlit $x\n'@", ["lit $x"]),
        ('$x = 5; @"\na $x\nb $($x + 1)\n"@', ["a 5", "b 6"]),
        ("\"é日 $('ü')\"", ["é日 ü"]),
        ("'Hello'.ToUpper().Substring(1, 3); ' x '.Trim().Length", ["ELL", "1"]),
        # collections
        ("$a = @(); $a += 1; $a += 2; $a.Count; $a[-1]; $a[9] -eq $null", ["2", "2", "True"]),
        ("$h = @{a=1}; $h.b = 2; $h['c'] = 3; $h.Count; $h.Keys -join ''", ["3", "abc"]),
        (
            "$h = @{a=1}; $h.a += 5; $h.a; $h.ContainsKey('A'); $h.Remove('a'); $h.Count",
            ["6", "True", "0"],
        ),
        ("$a, $b = 1, 2, 3; $a; $b -join '+'", ["1", "2+3"]),
        ('$a = 1, 2; $a, $b = $a[1], $a[0]; "$a$b"', ["21"]),
        ("@([pscustomobject]@{n=1},[pscustomobject]@{n=2}).n -join ','", ["1,2"]),
        ("(,1).Count; @(,@(1,2)).Count; $null.Count; (5).Count", ["1", "1", "0", "1"]),
        ("([pscustomobject]@{a=1}).PSObject.Properties.Name", ["a"]),
        ("$o = [pscustomobject]@{a=1}; $null -eq $o.PSObject.Properties['zz']", ["True"]),
        (
            "if (@()) {'y'} else {'n'}; if (@(0)) {'y'} else {'n'}; if (@(0,0)) {'y'}",
            ["n", "n", "y"],
        ),
        # statements
        ("if (0) { 'a' } elseif ('x') { 'b' } else { 'c' }", ["b"]),
        (
            "foreach ($i in 1..5) { if ($i -eq 2) { continue }; if ($i -eq 4) { break }; $i }",
            ["1", "3"],
        ),
        ("for ($i = 0; $i -lt 3; $i++) { $i }", ["0", "1", "2"]),
        ("$i = 0; while ($true) { if (++$i -gt 3) { break } }; $i", ["4"]),
        ("$i = 0; do { $i++ } while ($i -lt 3); do { $i++ } until ($i -ge 5); $i", ["5"]),
        ("switch (2) { 1 { 'one' } 2 { 'two' } default { 'other' } }", ["two"]),
        ("switch ('b','c') { 'b' { 1 } default { \"d$_\" } }", ["1", "dc"]),
        ("switch -wildcard ('abc') { 'a*' { 1; break } '*c' { 2 } }", ["1"]),
        ("switch -regex ('abc') { '^a' { 1 } 'c$' { 2 } }", ["1", "2"]),
        ("switch (5) { { $_ -gt 3 } { 'big' } }", ["big"]),
        ("$x = if ($true) { 1 } else { 2 }; $x", ["1"]),
        ("$x = foreach ($i in 1,2) { $i * 2 }; $x -join ','", ["2,4"]),
        ("return 5; 6", ["5"]),
        ("foreach ($i in $null) { 'no' }; foreach ($i in @()) { 'no' }; 'end'", ["end"]),
        # errors
        ("try { throw 'x' } catch { \"c $_\" } finally { 'f' }", ["c x", "f"]),
        ("try { Get-Nope } catch { $_.FullyQualifiedErrorId }", ["CommandNotFoundException"]),
        ("try { 1/0 } catch [System.DivideByZeroException] { 'zero' } catch { 'any' }", ["zero"]),
        ("try { throw @{a=7} } catch { $_.TargetObject.a }", ["7"]),
        ("try { try { throw 'in' } finally { 'f' } } catch { \"o $_\" }", ["f", "o in"]),
        ("try { try { throw 'a' } catch { throw } } catch { \"again $_\" }", ["again a"]),
        ('try { Write-Error bad -ErrorAction Stop } catch { "c $_" }', ["c bad"]),
        (
            "$ErrorActionPreference = 'Stop'; try { Write-Error e } catch { $_.Exception.Message }",
            ["e"],
        ),
        (
            "Write-Error e -ErrorAction SilentlyContinue; $?; $Error[0].Exception.Message",
            ["False", "e"],
        ),
        ("Write-Error e -ea 0 -ErrorVariable ev; $ev.Count", ["1"]),
        ('Write-Error e 2>$null; $r = Write-Error w 2>&1; "r $r"', ["r w"]),
        # functions and blocks
        ('function f { param($x) "got $x" }; f 3; f -x 4', ["got 3", "got 4"]),
        (
            "function f([int]$a = 3, $b = 'q', [switch]$c) { \"$a $b $c\" }; f; f 5 -c",
            ["3 q False", "5 q True"],
        ),
        ("& { param([string]$VMName) \"<$VMName>\" } 'a b'", ["<a b>"]),
        ("& { param($a, $b) $a - $b } -b 1 -a 5", ["4"]),
        ('function f { "$args" }; f 1 -x two', ["1 -x two"]),
        ('$p = @{b=2}; function f($a, $b) { "$a$b" }; f 1 @p; $l = 8,9; f @l', ["12", "89"]),
        ("function f { process { $_ * 2 } }; 1,2 | f", ["2", "4"]),
        ("function f { begin { 'b' } process { $_ } end { 'e' } } 1,2 | f", ["b", "1", "2", "e"]),
        (
            "function f { param([Parameter(ValueFromPipeline=$true)]$v) process { $v } }; 3,4 | f",
            ["3", "4"],
        ),
        ("function r($n) { if ($n -le 1) { 1 } else { $n * (r ($n - 1)) } }; r 10", ["3628800"]),
        ("$x = 5; function f { $x = 6; $script:x++ }; f; $x", ["6"]),
        ("$f = { param($x) $x * 2 }; & $f 4; . $f 5", ["8", "10"]),
        ("function f { return ,@(1,2) }; (f).Count; function g { @(1,2) }; (g).Count", ["2", "2"]),
        # pipelines
        ("1..5 | Where-Object { $_ -gt 2 } | ForEach-Object { $_ * 10 }", ["30", "40", "50"]),
        ("1..3 | % { $sum += $_ }; $sum", ["6"]),
        (
            "'a','b' | ForEach-Object -Begin { 'B' } -Process { $_ } -End { 'E' }",
            ["B", "a", "b", "E"],
        ),
        ("'x' | % ToUpper; 'abc' | % Length", ["X", "3"]),
        ("@{n=1},@{n=2} | ? n -eq 2 | % { $_.n }", ["2"]),
        ("3,1,2 | sort -Descending | select -First 1; 'b','a' | sort", ["3", "a", "b"]),
        (
            "1..4 | Measure-Object -Sum -Maximum | % { $_.Sum; $_.Maximum; $_.Count }",
            ["10", "4", "4"],
        ),
        ("1..5 | Select-Object -Skip 1 -First 2; 1,1,2 | select -Unique", ["2", "3", "1", "2"]),
        ("$e = @() | % { 1 }; $null -eq $e; @($e).Count; $e | % { 'no' }", ["True", "0"]),
        ("$null | % { 'once' }; @($null).Count", ["once", "1"]),
        ("'a1','b1','a2' | group { $_[0] } | % { \"$($_.Name)$($_.Count)\" }", ["a2", "b1"]),
        ("'x' | Out-Null; 'y' > $null; [void]5; $null = 6; 'end'", ["end"]),
        # statics, types
        ("[math]::Round(2.567, 2); [math]::Max(1, 2); [math]::Floor(-1.5)", ["2.57", "2", "-2"]),
        ("[string]::IsNullOrEmpty(''); [string]::Join('-', 'a', 'b')", ["True", "a-b"]),
        ("([guid]::NewGuid()).ToString().Length; [guid]::Empty -eq [guid]::Empty", ["36", "True"]),
        ("[int]::MaxValue; [datetime]::UtcNow.Year -gt 2000", ["2147483647", "True"]),
        (
            "([datetime]'2020-02-03T04:05:06Z').ToUniversalTime().ToString('o')",
            ["2020-02-03T04:05:06.0000000Z"],
        ),
        ("([datetime]'2020-01-31').AddDays(1).ToString('yyyy-MM-dd')", ["2020-02-01"]),
        ("[Console]::OutputEncoding = [Text.Encoding]::UTF8; 'ok'", ["ok"]),
        ("$PSVersionTable.PSVersion.Major; $env:COMPUTERNAME", ["5", "PRACTICE"]),
        ("Get-Date -Date '2020-01-01' -Format yyyy", ["2020"]),
        ("'a'.GetType().Name; (1).GetType().FullName", ["String", "System.Int32"]),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_script_prints(script: str, expected: list[str]) -> None:
    assert lines(script) == expected


def test_a_script_that_reads_stdin_gets_it_as_data() -> None:
    script = "$in = [Console]::In.ReadToEnd() | ConvertFrom-Json; $in.name"
    assert lines(script, '{"name": "it\'s $(x) `n"}') == ["it's $(x) `n"]
    assert lines('$input | % { "<$_>" }', "a\r\nb\n") == ["<a>", "<b>"]
    assert lines("[Console]::In.ReadLine(); [Console]::In.ReadToEnd()", "a\nb") == ["a", "b"]
