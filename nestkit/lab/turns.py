"""Labs on one machine take turns: two at once would spoil each other's figures.

Each lab holds a ticket, a locked file in one folder that all users of the machine share. The
lowest number has its turn. The kernel drops a lock however its process ends, so a dead lab
holds nobody up. The folder is sticky like the system's temporary folder: nobody can remove
another's ticket. Nothing is read from tickets but their names, owners and times.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nestkit.errors import LabError
from nestkit.lab.progress import Cancel, Progress, check

_TICKET: Final = re.compile(r"(\d{1,12})\.depth([1-3])\.pid(\d{1,10})", re.ASCII)
_DOOR: Final = "door"
_LOOK_EVERY_S: Final = 0.3
_DOOR_DEADLINE_S: Final = 20.0
_MAX_SHOWN: Final = 5
_REMEDY: Final = (
    "wait until the labs ahead have ended, or set NESTKIT_LAB_QUEUE to a folder of your own "
    "(two labs at once spoil each other's figures)"
)
_held: set[str] = set()  # names of this process's own tickets


@dataclass(frozen=True, slots=True)
class Ticket:
    """A lab that runs, or waits for its turn."""

    name: str
    number: int
    depth: int
    pid: int
    user: str
    since_s: float  # seconds it has run, or waited

    def __str__(self) -> str:
        return f"{self.user}, depth {self.depth}, pid {self.pid}, {_span(self.since_s)}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(max(int(seconds), 0), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def queue_folder() -> Path:
    """Where the machine's labs queue; ``NESTKIT_LAB_QUEUE`` names another place."""
    named = os.environ.get("NESTKIT_LAB_QUEUE")
    # not $TMPDIR: that may be each user's own, and the queue is everybody's
    return Path(named) if named else Path("/tmp/nestkit-lab-queue")  # noqa: S108


class Turn:
    """A lab's place in the queue, taken at once; :meth:`wait` until it is its turn."""

    def __init__(self, depth: int) -> None:
        self._folder = _open_folder(queue_folder())
        self._lock = -1
        self._number = 0
        self.name = ""
        try:
            with _door(self._folder):
                tickets = _tickets(self._folder)
                self._number = max((t.number for t in tickets), default=0) + 1
                self.name = f"{self._number:06d}.depth{depth}.pid{os.getpid()}"
                self._lock = _create(self._folder, self.name)
                _flock(self._lock, wait=True)
            _held.add(self.name)
        except BaseException:
            self.close()
            raise

    def ahead(self) -> list[Ticket]:
        """The labs before this one, the running one first."""
        with _door(self._folder):
            tickets = _tickets(self._folder)
        return [t for t in tickets if t.number < self._number]

    def wait(self, tell: Progress, cancel: Cancel | None, wait_s: float | None) -> float:
        """Wait for the turn; seconds waited.

        Raises
        ------
        LabError
            If it does not come in ``wait_s`` seconds, when cancelled, or if this very process
            has the lab ahead: waiting for oneself would never end.
        """
        started = time.monotonic()
        told: list[str] = []
        while ahead := self.ahead():
            if own := [t for t in ahead if t.name in _held]:
                raise LabError(
                    f"this program has a lab of depth {own[0].depth} up already",
                    remedy="close it first, `lab.close()`, or use `with nk.lab.up() as lab:`",
                )
            waited = time.monotonic() - started
            if wait_s is not None and waited >= wait_s:
                raise LabError(f"another lab has the machine: {_queue_text(ahead)}", remedy=_REMEDY)
            if told != [t.name for t in ahead]:
                told = [t.name for t in ahead]
                tell(f"waiting for the machine: {_queue_text(ahead)}")
            check(cancel)
            time.sleep(_LOOK_EVERY_S)
        with contextlib.suppress(OSError):
            os.utime(self._lock)  # from now on the ticket's time says how long the lab runs
        return time.monotonic() - started

    def close(self) -> None:
        """Give the turn to the next. Safe to call twice."""
        _held.discard(self.name)
        if self._lock >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self.name, dir_fd=self._folder)
            os.close(self._lock)
            self._lock = -1
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


def queue() -> list[Ticket]:
    """The labs of this machine: the first runs, the others wait."""
    if sys.platform == "win32":
        return []  # none can run there
    folder = _open_folder(queue_folder())
    try:
        with _door(folder):
            return _tickets(folder)
    finally:
        os.close(folder)


def _queue_text(ahead: list[Ticket]) -> str:
    shown = [f"running: {ahead[0]}", *(f"waiting: {t}" for t in ahead[1:_MAX_SHOWN])]
    if len(ahead) > _MAX_SHOWN:
        shown.append(f"and {len(ahead) - _MAX_SHOWN} more")
    return f"{len(ahead)} ahead ({'; '.join(shown)})"


def _open_folder(path: Path) -> int:
    """The queue's folder; everything else goes through this descriptor, never by path again."""
    with contextlib.suppress(OSError):  # mostly: it is there; what else is wrong shows below
        path.mkdir(mode=0o700)
        path.chmod(0o1777)
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise LabError(
            f"the queue of this machine's labs, {path}, cannot be used: {error.strerror}",
            remedy="remove what stands there, or set NESTKIT_LAB_QUEUE to a folder of your own",
        ) from error
    mode = os.fstat(folder).st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        os.close(folder)
        raise LabError(
            f"{path} may be written by everybody, and everybody could remove others' files",
            remedy=f"make it sticky (chmod 1777 {path}), or set NESTKIT_LAB_QUEUE",
        )
    return folder


@contextlib.contextmanager
def _door(folder: int) -> Iterator[None]:
    """Only one looks at the queue, or joins it, at a time."""
    deadline = time.monotonic() + _DOOR_DEADLINE_S
    door = _create(folder, _DOOR)
    try:
        while not _flock(door):
            if time.monotonic() > deadline:
                raise LabError("the queue of this machine's labs is held", remedy=_REMEDY)
            time.sleep(0.02)
        yield
    finally:
        os.close(door)


def _create(folder: int, name: str) -> int:
    """Open a file of the queue, read-only: locks need no more, and others' files allow no more."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        with contextlib.suppress(FileNotFoundError):
            # first without O_CREAT: a sticky folder refuses that for the files of others
            return os.open(name, flags, dir_fd=folder)
        try:
            made = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
        except FileExistsError:
            return os.open(name, flags, dir_fd=folder)
        os.fchmod(made, 0o644)  # whatever the umask: others lock it too
        return made
    except OSError as error:
        raise LabError(
            f"the queue of this machine's labs cannot be used: {error.strerror} ({name})",
            remedy="set NESTKIT_LAB_QUEUE to a folder of your own",
        ) from error


def _flock(descriptor: int, *, wait: bool = False) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _tickets(folder: int) -> list[Ticket]:
    """The tickets of living labs, first come first; removes those of dead ones."""
    tickets = []
    for name in os.listdir(folder):
        found = _TICKET.fullmatch(name)
        if not found:
            continue
        try:
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError:
            continue  # a link, or gone
        try:
            about = os.fstat(opened)
            if not stat.S_ISREG(about.st_mode):
                continue
            if _flock(opened):  # nobody holds it
                with contextlib.suppress(OSError):  # a dead lab of another user's stays
                    os.unlink(name, dir_fd=folder)
                continue
        finally:
            os.close(opened)
        since = time.time() - about.st_mtime
        number, depth, pid = map(int, found.groups())
        tickets.append(Ticket(name, number, depth, pid, _user(about.st_uid), since))
    return sorted(tickets, key=lambda t: t.number)


def _user(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"user {uid}"
