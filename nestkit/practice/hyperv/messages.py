"""Errors as Hyper-V raises them: words, ids and categories, in English and in German.

Ids and categories were taken from errors that users reported (kubernetes/minikube #16679, #18049,
PlagueHO/LabBuilder #251, Varying-Vagrant-Vagrants/VVV #2534); the words are close to them. German
texts are this practice host's own: clients must not depend on words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nestkit.practice.hyperv.values import PsError


@dataclass(frozen=True, slots=True)
class _Kind:
    error_id: str
    category: str
    english: str
    german: str


_KINDS: Final = {
    "no-vm": _Kind(
        "ObjectNotFound",
        "ObjectNotFound",
        'Hyper-V was unable to find a virtual machine with name "{name}".',
        'Hyper-V konnte keinen virtuellen Computer mit dem Namen "{name}" finden.',
    ),
    "no-vm-id": _Kind(
        "ObjectNotFound",
        "ObjectNotFound",
        'Hyper-V was unable to find a virtual machine with id "{name}".',
        'Hyper-V konnte keinen virtuellen Computer mit der ID "{name}" finden.',
    ),
    "no-switch": _Kind(
        "ObjectNotFound",
        "ObjectNotFound",
        'Hyper-V was unable to find a virtual switch with name "{name}".',
        'Hyper-V konnte keinen virtuellen Switch mit dem Namen "{name}" finden.',
    ),
    "no-part": _Kind(
        "ObjectNotFound",
        "ObjectNotFound",
        'The virtual machine "{vm}" has no {what} with name "{name}".',
        'Der virtuelle Computer "{vm}" hat kein Element {what} mit dem Namen "{name}".',
    ),
    "denied": _Kind(
        "AccessDenied",
        "PermissionDenied",
        "You do not have the required permission to complete this task. Contact the "
        "administrator of the authorization policy for the computer '{computer}'.",
        "Sie besitzen nicht die erforderliche Berechtigung für diesen Vorgang. Wenden Sie sich "
        "an den Administrator der Autorisierungsrichtlinie für den Computer '{computer}'.",
    ),
    "state": _Kind(
        "InvalidState",
        "InvalidOperation",
        "{what} failed: the virtual machine '{name}' is in a state that does not allow it "
        "({state}). (Virtual machine ID {id})",
        "{what} ist fehlgeschlagen: Der Zustand des virtuellen Computers '{name}' lässt dies "
        "nicht zu ({state}). (ID des virtuellen Computers {id})",
    ),
    "unreadable": _Kind(
        "Unspecified",
        "NotSpecified",
        "The configuration of the virtual machine '{name}' could not be loaded. (Virtual machine "
        "ID {id})",
        "Die Konfiguration des virtuellen Computers '{name}' ist nicht lesbar. (ID {id})",
    ),
    "unsupported": _Kind(
        "NotSupported",
        "InvalidOperation",
        "Failed to modify device '{device}' of '{name}'. {why} (Virtual machine ID {id})",
        "Fehler beim Ändern des Geräts '{device}' von '{name}'. {why} (ID {id})",
    ),
    "value": _Kind("InvalidParameter", "InvalidArgument", "{why}", "Ungültiger Parameter. {why}"),
    "memory": _Kind(
        "OutOfMemory",
        "FromStdErr",
        "'{name}' failed to start.\r\nNot enough memory in the system to start the virtual "
        "machine {name} with ram size {mib} megabytes. (0x8007000E) (Virtual machine ID {id})",
        "'{name}' konnte nicht gestartet werden.\r\nNicht genügend Arbeitsspeicher, um den "
        "virtuellen Computer {name} mit {mib} Megabyte zu starten. (0x8007000E) (ID {id})",
    ),
    "no-nesting": _Kind(
        "Unspecified",
        "NotSpecified",
        "'{name}' failed to start.\r\nThe virtual machine '{name}' could not be started because "
        "this platform does not support nested virtualization. (Virtual machine ID {id})",
        "'{name}' konnte nicht gestartet werden.\r\nDer virtuelle Computer '{name}' kann nicht "
        "gestartet werden: Diese Plattform unterstützt keine geschachtelte Virtualisierung. "
        "(ID {id})",
    ),
    "no-hypervisor": _Kind(
        "Unspecified",
        "NotSpecified",
        "'{name}' failed to start.\r\nThe virtual machine could not be started because the "
        "hypervisor is not running. (Virtual machine ID {id})",
        "'{name}' konnte nicht gestartet werden.\r\nDer Hypervisor läuft nicht. (ID {id})",
    ),
    "version": _Kind(
        "NotSupported",
        "InvalidOperation",
        "'{name}' failed to start: its configuration version {version} is not supported on this "
        "host. (Virtual machine ID {id})",
        "'{name}' konnte nicht gestartet werden: Die Konfigurationsversion {version} wird auf "
        "diesem Host nicht unterstützt. (ID {id})",
    ),
    "start": _Kind(
        "Unspecified",
        "NotSpecified",
        "'{name}' failed to start. Unspecified error (0x80004005). (Virtual machine ID {id})",
        "'{name}' konnte nicht gestartet werden. Unbekannter Fehler (0x80004005). (ID {id})",
    ),
    "not-ready": _Kind(
        "DeviceNotReady",
        "NotSpecified",
        "'{name}' failed to stop: the guest's shutdown service is not ready for use. "
        "(0x80070015) (Virtual machine ID {id})",
        "'{name}' konnte nicht beendet werden: Der Dienst zum Herunterfahren ist nicht bereit. "
        "(0x80070015) (ID {id})",
    ),
    "timeout": _Kind(
        "OperationTimeout",
        "OperationTimeout",
        "'{name}' failed to stop: the operation timed out. (0x800705B4) (Virtual machine ID {id})",
        "'{name}' konnte nicht beendet werden: Zeitüberschreitung. (0x800705B4) (ID {id})",
    ),
    "no-file": _Kind(
        "ObjectNotFound",
        "ObjectNotFound",
        "The system cannot find the file specified: '{path}'. (0x80070002)",
        "Das System kann die angegebene Datei nicht finden: '{path}'. (0x80070002)",
    ),
    "confirm": _Kind(
        "InvalidOperation",
        "InvalidOperation",
        "{what} asks for confirmation, and nobody can answer here. Use -Force or -Confirm:$false.",
        "{what} verlangt eine Bestätigung, die hier niemand geben kann. Verwenden Sie -Force "
        "oder -Confirm:$false.",
    ),
    # PowerShell Direct: the ids are PowerShell's own resource names
    "direct-no-vm": _Kind(
        "InvalidVMName",
        "InvalidArgument",
        "The input VMName or VMId {name} does not resolve to a single virtual machine.",
        "Der VMName oder die VMId {name} bezeichnet nicht genau einen virtuellen Computer.",
    ),
    "direct-state": _Kind(
        "InvalidVMState",
        "InvalidArgument",
        "The virtual machine {name} is not in running state.",
        "Der virtuelle Computer {name} wird nicht ausgeführt.",
    ),
    "direct-credential": _Kind(
        "PSDirectException",
        "OpenError",
        "The credential is invalid.",
        "Die Anmeldeinformationen sind ungültig.",
    ),
    "direct-broken": _Kind(
        "PSSessionStateBroken",
        "OpenError",
        "An error has occurred which Windows PowerShell cannot handle. A remote session might "
        "have ended.",
        "Ein Fehler ist aufgetreten, den Windows PowerShell nicht behandeln kann. Eine "
        "Remotesitzung wurde möglicherweise beendet.",
    ),
    "no-cmdlet": _Kind(
        "CommandNotFoundException",
        "ObjectNotFound",
        "The term '{name}' is not recognized as the name of a cmdlet, function, script file, or "
        "operable program. Check the spelling of the name and try again.",
        'Die Benennung "{name}" wurde nicht als Name eines Cmdlet, einer Funktion, einer '
        "Skriptdatei oder eines ausführbaren Programms erkannt.",
    ),
    "not-modelled": _Kind(
        "PracticeHostLimit",
        "NotImplemented",
        "This practice host does not model {what}. A real Hyper-V host may do it.",
        "Dieser Übungshost bildet {what} nicht ab.",
    ),
}
_BARE: Final = frozenset(
    {"no-cmdlet", "not-modelled", *(key for key in _KINDS if key.startswith("direct-"))}
)


def error(key: str, cmdlet: str, *, german: bool = False, **words: object) -> PsError:
    """The error of this key as ``cmdlet`` raises it."""
    kind = _KINDS[key]
    error_id = kind.error_id
    if key == "no-vm" and cmdlet == "Get-VM":  # differs from every other cmdlet
        error_id, category = "InvalidParameter", "InvalidArgument"
    else:
        category = kind.category
    if key not in _BARE:
        error_id += f",Microsoft.HyperV.PowerShell.Commands.{cmdlet.replace('-', '')}"
    text = (kind.german if german else kind.english).format(**words)
    return PsError(text, error_id=error_id, category=category, target=str(words.get("name", "")))
