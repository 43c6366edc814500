"""[char], text as .NET counts it, and the side of a table's columns, as in Windows PowerShell 5.1.

Expected by hand from the language specification 3.0 (chapters 4.2.2, 6.2 to 6.4), Microsoft Learn's
String.Length, and PowerShell's FormatViewGenerator_Table.cs.
"""

from __future__ import annotations

import pytest
from test_powershell_language import lines, run


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("[int][char]'A'; [int]'5'[0]; [long][char]97; [bool][char]0", ["65", "53", "97", "False"]),
        ("'abc'[1].GetType().FullName; 'abc'[-1] -is [char]", ["System.Char", "True"]),
        ("[char]65 -eq 'a'; [char]65 -ceq 'a'; 'x' + [char]65; \"$([char]66)\"",
         ["True", "False", "xA", "B"]),
        ("-join [char[]](72, 105); -join [char[]]'Hi'; ([char[]]'Hi').Count", ["Hi", "Hi", "2"]),
        ("'az'.ToCharArray() | ForEach-Object { [int]$_ }", ["97", "122"]),
        ("$n = 'vm-1'; $n[0].ToString().ToUpper() + $n.Substring(1)", ["Vm-1"]),
        ("$h = @{}; 'aAa'.ToCharArray() | ForEach-Object { $h[$_]++ }; $h.Count; $h['a']", ["2"]),
        ("([char]'z' | ConvertTo-Json); ('{0}|{1}' -f 'ab'[0], [char]'c')", ['"z"', "a|c"]),
        ("[int][char]'a'..[int][char]'c' | ForEach-Object { [string][char]$_ }", ["a", "b", "c"]),
    ],
)  # fmt: skip
def test_a_character_is_a_type_of_its_own(script: str, expected: list[str]) -> None:
    assert lines(script) == expected


@pytest.mark.parametrize(
    "script", ["[char]'a' + 1", "1 + [char]'a'", "[char]'-' * 3", "-[char]'a'", "[char]'a' + 'b'"]
)
def test_sums_of_characters_are_refused_with_what_to_write_instead(script: str) -> None:
    result = run(script)
    assert result.stdout == ""
    assert "a [char] as a number: cast it, [int] or [string]" in result.stderr


@pytest.mark.parametrize("script", ["'abc'[0].Substring(0)", "([char]'a').Trim()"])
def test_a_character_has_not_the_methods_of_text(script: str) -> None:
    assert "of System.Char" in run(script).stderr


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("'\U0001f600'.Length; 'a\U0001f600b'.IndexOf('b'); 'a\U0001f600b'[3]", ["2", "3", "b"]),
        ("'a\U0001f600b'.Substring(1, 2); 'a\U0001f600b'.PadLeft(5, '.')",
         ["\U0001f600", ".a\U0001f600b"]),
        ("'\U0001f600' -match '^.$'; '\U0001f600' -match '^..$'; $Matches[0]",
         ["False", "True", "\U0001f600"]),
        ("'\U0001f600' -like '?'; '\U0001f600' -like '??'", ["False", "True"]),
        ("'a\U0001f600b' -replace '\U0001f600', '-'; 'a\U0001f600b' -split '\U0001f600'",
         ["a-b", "a", "b"]),
        ("'{0,4}|{0,-4}|' -f '\U0001f600'", ["  \U0001f600|\U0001f600  |"]),
    ],
)  # fmt: skip
def test_a_sign_beyond_ffff_counts_as_two(script: str, expected: list[str]) -> None:
    assert lines(script) == expected


@pytest.mark.parametrize(
    "script",
    ["'\U0001f600'[0]", "'\U0001f600'.ToCharArray()", "'\U0001f600'.Substring(1)",
     "[char]0xD83D", "'\U0001f600' -replace '^.', 'x'"],
)  # fmt: skip
def test_half_of_such_a_sign_is_refused(script: str) -> None:
    result = run(script)
    assert result.stdout == ""
    assert "does not speak half of a surrogate pair" in result.stderr


def test_scalars_but_text_stand_at_the_right_of_their_column() -> None:
    made = (
        "[PSCustomObject]@{Name='a'; N=7; On=$true}, [PSCustomObject]@{Name='b'; N=1234; On=$false}"
    )
    assert lines(made) == [
        "",
        "Name    N    On",
        "----    -    --",
        "a       7  True",
        "b    1234 False",
        "",
        "",
    ]


def test_the_first_row_decides_and_a_column_may_say_its_side() -> None:
    script = (
        "[PSCustomObject]@{A='x'; B=1}, [PSCustomObject]@{A=12345; B='long'} | Format-Table "
        "A, B, @{n='C'; e={1}; align='left'}, @{n='Days'; e={2.5}; f='N1'}"
    )
    shown = ["A        B C Days", "-        - - ----", "x        1 1  2.5", "12345 long 1  2.5"]
    assert lines(script)[1:5] == shown


def test_a_column_as_wide_as_it_was_told_cuts_with_dots() -> None:
    script = (
        "[PSCustomObject]@{A='abcdefgh'; B=12345678} | Format-Table "
        "@{n='A'; e={$_.A}; width=6}, @{n='B'; e={$_.B}; width=5}, @{n='C'; e={$_.A}; width=2}"
    )
    shown = ["A          B C", "-          - -", "abc... ...78 ab"]
    assert lines(script)[1:4] == shown


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("align='center'", "alignment 'center'"),
        ("width=-1", "column of width -1"),
        ("colour=1", "valid"),
    ],
)
def test_what_a_column_cannot_be_told_is_refused(key: str, said: str) -> None:
    assert said in run(f"[PSCustomObject]@{{A=1}} | Format-Table @{{n='x'; e={{1}}; {key}}}").stderr
