"""What can go wrong, to what, and what to do about it.

Every error nestkit raises on purpose is a :class:`NestkitError` and carries a
remedy. Forms and the command line show ``str(error)`` and never a traceback.
"""

from __future__ import annotations

from pathlib import Path


class NestkitError(Exception):
    """Something could not be done.

    Parameters
    ----------
    message
        What happened, and to what. Never holds a secret.
    remedy
        What to do next, as a sentence.

    Attributes
    ----------
    journal
        The journal of an apply that was cut short; None for all others.
    """

    journal: Path | None = None

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.remedy}"

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return str(self).splitlines()


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in the middle of an apply, a resume or a rollback.

    Attributes
    ----------
    journal
        Where it stands what was begun.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__()
        self.journal = journal

    def __str__(self) -> str:
        return (
            "interrupted in the middle of a step, which the host may still finish\n"
            f"  → `nestkit resume URL {self.journal}` goes on, "
            f"`nestkit rollback URL {self.journal}` takes back what was done"
        )

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return str(self).splitlines()


class AddressError(NestkitError):
    """An address that cannot be read, or names something that is not a host."""


class CredentialsError(NestkitError):
    """No password was found, or the host refused it."""


class TrustError(NestkitError):
    """The peer's certificate is not the one expected; nothing was sent to it."""


class ConnectionFailed(NestkitError):
    """The host cannot be reached, hung up, or is not what its address says."""


class SessionExpired(ConnectionFailed):
    """The session ended and could not be re-established."""


class PermissionRefused(NestkitError):
    """The user is known, but may not do this."""


class NotFound(NestkitError):
    """There is no such VM, host or file."""


class Ambiguous(NestkitError):
    """The name fits more than one VM."""


class HostRefused(NestkitError):
    """The host understood the request and refused it (wrong state, bad value)."""


class DeadlineExceeded(NestkitError):
    """The host did not finish in time; what it is doing may still go on."""


class PlanError(NestkitError):
    """The plan cannot be made, read or applied as it stands."""


class StalePlan(PlanError):
    """The host changed since the plan was made."""


class ConsentNeeded(PlanError):
    """A step does something that must be agreed to first."""


class JournalError(NestkitError):
    """The journal is damaged, locked, newer than this nestkit, or of another host."""


class DataFileError(NestkitError):
    """A data file is malformed.

    The message starts with ``file:line: field``.
    """


class PracticeError(NestkitError):
    """A practice host could not be started, joined or stopped."""


class LabError(NestkitError):
    """The lab could not be built, booted or reached."""


class RunError(NestkitError):
    """A benchmark run could not be taken, read or compared."""


class CourseError(NestkitError):
    """A lesson, form, quiz or progress file could not be used."""
