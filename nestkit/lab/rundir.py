"""A private folder for each running lab, swept when its lab was killed."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from filelock import FileLock, Timeout

from nestkit.state import cache_dir


class RunFolder:
    """A folder that lives as long as its lock is held; sweeps what dead labs left."""

    def __init__(self) -> None:
        base = cache_dir("lab", "run")
        # making and locking a folder, and sweeping, exclude each other
        with FileLock(base / "sweep.lock"):
            sweep(base)
            self.path = base / uuid.uuid4().hex[:12]
            self._lock = FileLock(base / f"{self.path.name}.lock")
            self._lock.acquire(timeout=0)
            self.path.mkdir(mode=0o700)

    def close(self) -> None:
        """Remove it. Safe to call twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def sweep(base: Path) -> None:
    """Remove folders whose lock nobody holds."""
    names = {p.name.removesuffix(".lock") for p in base.iterdir()} - {"sweep"}
    for name in names:
        lock = FileLock(base / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        shutil.rmtree(base / name, ignore_errors=True)
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def sweep_all() -> None:
    """Remove what dead labs left."""
    base = cache_dir("lab", "run")
    with FileLock(base / "sweep.lock"):
        sweep(base)
