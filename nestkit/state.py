"""The user's own state: practice hosts that run, journals, progress, the lab's cache.

``NESTKIT_STATE`` and ``NESTKIT_CACHE`` name other folders than the platform's usual ones.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

from nestkit.errors import NestkitError


def _private(base: Path, parts: tuple[str, ...], variable: str) -> Path:
    # absolute: a practice host works in another folder than the one it was started from
    path = base.absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in parts:
            path /= part
            path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise NestkitError(
            f"the folder {path} cannot be made: {error.strerror}",
            remedy=f"set {variable} to a folder you can write to",
        ) from error
    return path


def state_dir(*parts: str) -> Path:
    """A private folder (mode 0700) that is kept between sessions; made when first asked for."""
    root = os.environ.get("NESTKIT_STATE")
    base = Path(root) if root else platformdirs.user_state_path("nestkit", appauthor=False)
    return _private(base, parts, "NESTKIT_STATE")


def cache_dir(*parts: str) -> Path:
    """A private folder whose content can be fetched or built again."""
    root = os.environ.get("NESTKIT_CACHE")
    base = Path(root) if root else platformdirs.user_cache_path("nestkit", appauthor=False)
    return _private(base, parts, "NESTKIT_CACHE")


def write_private(path: Path, text: str) -> None:
    """Replace a file at once (mode 0600): readers see the old text or the new, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:  # mkstemp files are 0600
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
