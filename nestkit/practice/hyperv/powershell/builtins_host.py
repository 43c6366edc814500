"""Cmdlets that write, convert, wait and look about."""

from __future__ import annotations

from datetime import UTC, datetime

from nestkit.practice.hyperv.powershell import json51, statics
from nestkit.practice.hyperv.powershell.builtins_shape import given
from nestkit.practice.hyperv.powershell.calls import (
    BUILTINS,
    builtin,
    call_block,
    report_progress,
)
from nestkit.practice.hyperv.powershell.convert import canonical
from nestkit.practice.hyperv.powershell.convert_numbers import to_integer
from nestkit.practice.hyperv.powershell.display import shown
from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.evaluator import Evaluator
from nestkit.practice.hyperv.powershell.formats import date_text
from nestkit.practice.hyperv.powershell.text import to_text
from nestkit.practice.hyperv.powershell.wildcard import has_wildcard, matches
from nestkit.practice.hyperv.values import (
    Hashtable,
    Invocation,
    PropertyObject,
    PsError,
    SecureString,
    Value,
    Version,
)

PS_VERSION = Version(5, 1, 20348, 1)


@builtin("Write-Output")
def write_output(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Its arguments; arrays member by member unless told."""
    out: list[Value] = []
    for item in given(inv):
        if inv.bound.get("NoEnumerate"):
            out.append(item)
        else:
            ev.put(item, out)
    return out


@builtin("Write-Error")
def write_error(ev: Evaluator, inv: Invocation) -> list[Value]:
    """A non-terminating error of the script's own."""
    inv.streams.error(
        PsError(
            inv.bound["Message"],
            error_id=inv.bound.get("ErrorId", "Microsoft.PowerShell.Commands.WriteErrorException"),
            category=inv.bound.get("Category", "NotSpecified"),
            target=to_text(inv.bound.get("TargetObject")),
        )
    )
    return []


@builtin("Write-Warning")
def write_warning(ev: Evaluator, inv: Invocation) -> list[Value]:
    """A warning."""
    inv.streams.warning(inv.bound["Message"])
    return []


@builtin("Write-Verbose")
def write_verbose(ev: Evaluator, inv: Invocation) -> list[Value]:
    """A verbose message, shown where verbose is on."""
    inv.streams.verbose(inv.bound["Message"])
    return []


@builtin("Write-Host")
def write_host(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Text for the console, not for the pipeline."""
    value = inv.bound.get("Object")
    glue = to_text(inv.bound.get("Separator", " "))
    items = value if isinstance(value, list) else [value]
    text = glue.join(to_text(item) for item in items)
    ev.budget.chars(len(text))
    if not ev.session.muted & {"6", "*"}:
        ev.session.console.host(text + ("" if inv.bound.get("NoNewline") else "\r\n"))
    return []


@builtin("Write-Progress")
def write_progress(ev: Evaluator, inv: Invocation) -> list[Value]:
    """A progress record."""
    report_progress(
        ev,
        inv.bound["Activity"],
        inv.bound.get("Status", "Processing"),
        done=bool(inv.bound.get("Completed")),
    )
    return []


@builtin("Out-Null")
def out_null(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Nothing."""
    return []


@builtin("Out-Host")
def out_host(ev: Evaluator, inv: Invocation) -> list[Value]:
    """What the console would show."""
    for line in shown(given(inv), ev.budget):
        ev.session.console.host(line + "\r\n")
    return []


@builtin("Out-String")
def out_string(ev: Evaluator, inv: Invocation) -> list[Value]:
    """What the console would show, as text."""
    lines: list[Value] = []
    size = 0
    width = inv.bound.get("Width")
    for line in shown(given(inv), ev.budget):
        if width is not None and len(line) > width:
            raise unspoken(f"lines longer than the {width} characters of -Width")
        size += len(line) + 2
        ev.budget.chars(len(line) + 2)
        if size > ev.budget.limits.string_chars:
            ev.budget.chars(size)
        lines.append(line)
    if inv.bound.get("Stream"):
        return lines
    return ["".join(f"{line}\r\n" for line in lines)]


@builtin("ConvertTo-Json")
def convert_to_json(ev: Evaluator, inv: Invocation) -> list[Value]:
    """One JSON document; a single object piped in is no array."""
    depth = inv.bound.get("Depth", 2)
    if not 1 <= depth <= 100:
        raise PsError(
            "The maximum depth allowed for serialization is 100.",
            error_id="ReachedMaximumDepthAllowed",
            category="InvalidOperation",
        )
    if inv.pipeline is None:
        value = inv.bound["InputObject"]
    elif not inv.pipeline:
        return []
    else:
        value = inv.pipeline[0] if len(inv.pipeline) == 1 else inv.pipeline
    compress = bool(inv.bound.get("Compress"))
    return [json51.dump(value, depth=depth, compress=compress, budget=ev.budget)]


@builtin("ConvertFrom-Json")
def convert_from_json(ev: Evaluator, inv: Invocation) -> list[Value]:
    """The value of a JSON text; 5.1 puts an array out whole."""
    if inv.pipeline is None:
        text = inv.bound["InputObject"]
    else:
        texts = [to_text(item) for item in inv.pipeline]
        ev.budget.chars(sum(map(len, texts)) + len(texts))
        text = "\n".join(texts)
    if not text.strip():
        return []
    return [json51.load(text, ev.budget)]


@builtin("New-Object")
def new_object(ev: Evaluator, inv: Invocation) -> list[Value]:
    """A custom object, a credential, the UTF-8 encoding; nothing else."""
    kind = canonical(inv.bound["TypeName"])
    arguments = inv.bound.get("ArgumentList", [])
    if kind in {"pscustomobject", "object"} and not arguments:
        given_properties = inv.bound.get("Property", Hashtable())
        return [PropertyObject({to_text(k): v for k, v in given_properties.items()})]
    if kind == "pscredential" and len(arguments) == 2:
        return [statics.credential(arguments)]
    if kind in {"text.utf8encoding", "utf8encoding"}:
        return [statics.encoding()]
    raise unspoken(f"New-Object {inv.bound['TypeName'][:100]}")


@builtin("ConvertTo-SecureString")
def to_secure_string(ev: Evaluator, inv: Invocation) -> list[Value]:
    """A SecureString out of plain text."""
    if not (inv.bound.get("AsPlainText") and inv.bound.get("Force")):
        raise PsError(
            "The system cannot protect plain text input. To suppress this warning and convert the "
            "plain text to a SecureString, reissue the command specifying the Force parameter.",
            error_id="ImportSecureString_ForceRequired",
            category="InvalidArgument",
        )
    return [SecureString(inv.bound["String"])]


@builtin("Get-Date")
def get_date(ev: Evaluator, inv: Invocation) -> list[Value]:
    """The time, here in UTC."""
    moment = inv.bound.get("Date") or datetime.now(UTC)
    if "Format" in inv.bound:
        return [date_text(moment, inv.bound["Format"])]
    return [moment]


@builtin("Start-Sleep")
def start_sleep(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Virtual sleep: time passes in the model, the script does not wait."""
    seconds = inv.bound.get("Seconds", 0) + inv.bound.get("Milliseconds", 0) / 1000
    if seconds < 0:
        raise PsError(
            "Cannot validate argument on parameter 'Seconds'. The argument is less than the "
            "minimum allowed range of 0.",
            error_id="ParameterArgumentValidationError",
            category="InvalidData",
        )
    ev.budget.sleep(seconds)
    if ev.session.on_sleep is not None:
        ev.session.on_sleep(seconds)
    return []


@builtin("Set-StrictMode")
def set_strict_mode(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Unset variables and missing properties become errors."""
    if inv.bound.get("Off"):
        ev.session.strict = False
        return []
    word = inv.bound["Version"].lower()
    if word != "latest":
        to_integer(word.partition(".")[0], "int32")
    ev.session.strict = True
    return []


@builtin("Invoke-Command")
def invoke_command(ev: Evaluator, inv: Invocation) -> list[Value]:
    """A block on this computer; the model plays the other forms."""
    if inv.pipeline:
        raise unspoken("objects piped into Invoke-Command on this computer")
    arguments = inv.bound.get("ArgumentList", [])
    is_apart = not inv.bound.get("NoNewScope")
    return call_block(ev, inv.bound["ScriptBlock"], *arguments, new_scope=is_apart)


# --- modules and commands ----------------------------------------------------------------------


def _modules(ev: Evaluator) -> dict[str, str]:
    """Modules here, by lower-case name."""
    found = {}
    for spec in ev.session.table:
        if spec.name in ev.session.cmdlets or spec.name.lower() in BUILTINS:
            found[spec.module.lower()] = spec.module
    return found


@builtin("Import-Module")
def import_module(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Nothing to load: what this host plays is there; what it does not is an error."""
    here = _modules(ev)
    for name in inv.bound["Name"]:
        if name.lower() not in here:
            inv.streams.error(
                PsError(
                    f"The specified module '{name}' was not loaded because no valid module file "
                    "was found in any module directory.",
                    error_id="Modules_ModuleNotFound",
                    category="ResourceUnavailable",
                    target=name,
                )
            )
    return []


@builtin("Get-Module")
def get_module(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Modules by name."""
    wanted = inv.bound.get("Name", ["*"])
    return [
        PropertyObject(
            {"Name": name, "ModuleType": "Binary", "Version": Version(2, 0, 0, 0)},
            type_name="System.Management.Automation.PSModuleInfo",
        )
        for low, name in sorted(_modules(ev).items())
        if any(matches(pattern, low) for pattern in wanted)
    ]


@builtin("Get-Command")
def get_command(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Cmdlets by name."""
    out: list[Value] = []
    modules = inv.bound.get("Module", ["*"])
    for pattern in inv.bound.get("Name", ["*"]):
        hits = [
            spec
            for spec in ev.session.table
            if (spec.name in ev.session.cmdlets or spec.name.lower() in BUILTINS)
            and matches(pattern, spec.name)
            and any(matches(m, spec.module) for m in modules)
        ]
        ev.budget.step(300)
        if not hits and not has_wildcard(pattern):
            inv.streams.error(
                PsError(
                    f"The term '{pattern[:100]}' is not recognized as the name of a cmdlet, "
                    "function, script file, or operable program.",
                    error_id="CommandNotFoundException",
                    category="ObjectNotFound",
                    target=pattern[:60],
                )
            )
        out += [
            PropertyObject(
                {
                    "CommandType": "Cmdlet",
                    "Name": spec.name,
                    "Version": Version(2, 0, 0, 0),
                    "Source": spec.module,
                },
                type_name="System.Management.Automation.CmdletInfo",
                methods={"tostring": lambda name=spec.name: name},
            )
            for spec in hits
        ]
    return out
