"""Where the kit's data and notebooks lie: in the package when installed, beside it in a clone."""

from __future__ import annotations

from pathlib import Path

from nestkit.errors import NotFound

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    for parent in (_PACKAGE, _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise NotFound(
        f"nestkit's own folder {name}/ is missing", remedy="reinstall nestkit, or clone it anew"
    )


def data_path(*parts: str) -> Path:
    """A file or folder under ``data/``."""
    return _folder("data").joinpath(*parts)


def notebooks_path(*parts: str) -> Path:
    """A file or folder under ``notebooks/``."""
    return _folder("notebooks").joinpath(*parts)


def powershell_script(name: str) -> str:
    """The text of a PowerShell script that nestkit sends to Hyper-V hosts."""
    path = _PACKAGE / "hosts" / "powershell" / f"{name}.ps1"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise NotFound(
            f"nestkit's own script {name}.ps1 is missing", remedy="reinstall nestkit"
        ) from None
