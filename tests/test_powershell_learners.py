"""What a learner types: it does what 5.1 does, or is refused out loud."""

from __future__ import annotations

import pytest
from played_hyperv import PlayedSession

from nestkit.practice.hyperv.playing import play
from nestkit.practice.hyperv.shells import Command


def run(script: str, stdin: str = "") -> tuple[str, str]:
    played = play(script, PlayedSession().session, lambda: stdin, clixml_errors=False)
    return played.stdout.replace("\r\n", "\n"), played.stderr


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        # every value has these two methods
        ("(Get-VM nested-hv-0[1-3]).Where({ $_.Name -like '*2' }).Name", ["nested-hv-02"]),
        ("('a','b').ForEach({ $_.ToUpper() }) -join ','; (5).ForEach({ $_ + 1 })", ["A,B", "6"]),
        ("(1, 2, 3).Where{ $_ -gt 1 }", ["2", "3"]),
        # dashes of a word processor, sizes in quotes, programs
        ("Stop-VM –Name nested-hv-02 —Confirm:$false; [string](Get-VM *-02).State", ["Off"]),
        ("Set-VMMemory nested-hv-12 -StartupBytes '8.5GB'; (Get-VMMemory *-12).Startup / 1MB",
         ["8704"]),
        ("[long]'2kb'; '1MB' / 1KB", ["2048", "1024"]),
        ("hostname; whoami.exe; $LASTEXITCODE", ["HV01", "hv01\\administrator", "0"]),
        # lists of arguments that begin with an expression and go on with a bare word
        ("Get-VM *-01 | Select-Object @{n='a';e={1}}, Name | % { \"$($_.a) $($_.Name)\" }",
         ["1 nested-hv-01"]),
        ("(Get-VM 'nested-hv-01', nested-hv-02, *-03).Name",
         ["nested-hv-01", "nested-hv-02", "nested-hv-03"]),
        ("'b','a' | Sort-Object { $_ }, Length -Desc", ["b", "a"]),
        # the preference variables of -WhatIf and -Confirm are obeyed, and a switch is stronger
        (
            "$WhatIfPreference = $true; Stop-VM nested-hv-02; \"$((Get-VM nested-hv-02).State)\"",
            ['What if: Performing the operation "Stop-VM" on target "nested-hv-02".', "Running"],
        ),
        (
            "$WhatIfPreference = 1; Stop-VM nested-hv-02 -WhatIf:$false; "
            '"$((Get-VM nested-hv-02).State)"',
            ["Off"],
        ),
        ("$ConfirmPreference = 'None'; Remove-VM nested-hv-12; @(Get-VM *-12).Count", ["0"]),
        ("Get-VM *-01 | Remove-VM -Force -WhatIf; Set-VMProcessor *-01 -Count 2 -WhatIf",
         ['What if: Performing the operation "Remove-VM" on target "nested-hv-01".',
          'What if: Performing the operation "Set-VMProcessor" on target "*-01".']),
        # spans, enumerations and identifiers under a format
        ("'{0:hh\\:mm}|{0:d\\.hh}' -f [timespan]'1.02:03:04'", ["02:03|1.02"]),
        ("([timespan]'02:03:04').ToString('h\\h\\ mm')", ["2h 03"]),
        ("'{0:d} {0}' -f (Get-VM nested-hv-12).State", ["3 Off"]),
        ("'{0:N}' -f [guid]'00112233-4455-6677-8899-aabbccddeeff'",
         ["00112233445566778899aabbccddeeff"]),
        # a format of a column
        (
            "Get-VM nested-hv-01 | Format-Table @{n='GiB';e={$_.MemoryStartup/1GB};f='N1';w=9}",
            ["", "      GiB", "      ---", "     16.0", "", ""],
        ),
        ("Get-VM *-01 | Get-Member -MemberType NoteProperty", []),
        # what came before an error, or a break, was put out already
        ("1..3 | % { if ($_ -eq 3) { throw 'x' }; $_ }", ["1", "2"]),
        ("1..3 | % { if ($_ -eq 2) { break }; $_ }; 'not reached'", ["1"]),
        # each object goes through both blocks before the next one comes
        ("1..3 | ? { $_ -match '(\\d)' } | % { $Matches[1] }", ["1", "2", "3"]),
        ("1..2 | % { Write-Host a$_; $_ } | % { Write-Host b$_ }", ["a1", "b1", "a2", "b2"]),
        ("1..3 | % { if ($_ -eq 2) { break }; $_ } | % { $_ * 10 }", ["10"]),
        # ${} sets a name off from what follows
        ("$n = 'vm'; \"${n}: x ${n}:$n\"", ["vm: x vm:vm"]),
        ("@{ a = 1 } | Format-List", ["", "Name  : a", "Value : 1", "", ""]),
        # a function's own $input is not the program's
        ("function f { $input | % { $_ * 2 } }; 1, 2 | f", ["2", "4"]),
        ("$x = 1; Invoke-Command { $x = 2 }; $x; Invoke-Command { $x = 3 } -NoNewScope; $x",
         ["1", "3"]),
        ("$env:USERNAME; $env:OS", ["Administrator", "Windows_NT"]),
    ],
)  # fmt: skip
def test_it_does_what_51_does(script: str, lines: list[str]) -> None:
    assert run(script)[0].split("\n")[:-1] == lines


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("(1, 2).Where({ $_ }, 'First')", ".Where() with anything but one script block"),
        ("$ConfirmPreference = 'Low'; Stop-VM nested-hv-02", "$ConfirmPreference = 'low'"),
        ("$PSDefaultParameterValues = @{ '*:WhatIf' = $true }", "$psdefaultparametervalues"),
        ("$OFS = ','", "$ofs"),
        ("$ErrorActionPreference = 'Stopp'", "$erroractionpreference = 'Stopp'"),
        ("$x = 1, bar", "Unexpected token"),
        ("Get-VM | Format-Table | ConvertTo-Json", "as input of ConvertTo-Json"),
        ("$Host.UI.RawUI", "the automatic variable $host"),
        ("\"$env:PATH\"", "the environment variable path"),
        ("function f { [CmdletBinding(SupportsShouldProcess)] param() }", "of CmdletBinding"),
        ("1 | Invoke-Command { $input }", "piped into Invoke-Command"),
        ("'{0:X}' -f [timespan]'00:00:01'", "the format 'X' is not spoken"),
        ("Get-VM | Select-Object @{n='a';e={1};f='N1'}", "The f key is not valid"),
        ("Stop-VM “nested-hv-02”", "typographic quotation marks"),
        ("$x = ‘a b’", "typographic quotation marks"),
        ("Get-VM | Select-Object -SkipLast 2", "the parameters that nestkit uses"),
        ("Get-VM | Tee-Object -Variable x", "does not speak Tee-Object"),
        ("Wait-VM nested-hv-02", "does not speak Wait-VM"),
        ("New-VM x -MemoryStartupBytes 1GB -BootDevice CD", "booting from anything but a disk"),
    ],
)  # fmt: skip
def test_it_is_refused_out_loud(script: str, words: str) -> None:
    out, errors = run(script)
    assert words in errors
    assert out == ""


def test_vms_are_shown_in_hyper_vs_own_columns() -> None:
    heads = ["Name", "State", "CPUUsage(%)", "MemoryAssigned(M)", "Uptime", "Status", "Version"]
    for script in ("Get-VM nested-hv-01, nested-hv-12", "Get-VM *-01, *-12 | Format-Table"):
        _, head, _, first, second, *_ = run(script)[0].split("\n")
        assert head.split() == heads
        assert first.split()[:4] == ["nested-hv-01", "Running", "0", "16384"]
        assert second.split()[:4] == ["nested-hv-12", "Off", "0", "0"]
    assert run("Get-VMMemory nested-hv-04")[0].split("\n")[1].split() == [
        "VMName", "DynamicMemoryEnabled", "Minimum(M)", "Startup(M)", "Maximum(M)",
    ]  # fmt: skip
    assert "MemoryStartup : " in " ".join(run("Get-VM nested-hv-01 | Format-List")[0].split())


def test_an_unknown_vm_is_said_once() -> None:
    assert run("Get-VMProcessor nobody")[1].count("unable to find") == 1


def test_standard_input_that_never_ends_is_given_up() -> None:
    command = Command("id", "powershell", ())
    command.feed(b"half", end=False)
    assert command.read_stdin(0.1) == b"half"
