"""The lab's image: one folder with all that the layers run, cached and verified.

Its content::

    manifest.json      package versions, and the SHA-256 of every file
    vmlinuz, initrd    what a guest boots
    tools.img          read-only ext4: programs, libraries, drivers, QEMU and the two files above
    bin/ lib/ share/ modules/
                       the same programs for L0, run through the image's own loader
    host/              commands for L0 under their usual names
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from nestkit.errors import LabError
from nestkit.lab import assemble, packages
from nestkit.lab.progress import Cancel, Progress, check, quiet
from nestkit.state import cache_dir

SCHEMA: Final = 1
_NEEDS_BYTES: Final = 3 * 2**29  # while building: packages, unpacked packages and the image
_SOURCES: Final = ("assemble.py", "cpio.py", "kernel.py", "packages.py", "guest")


@dataclass(frozen=True, slots=True)
class Image:
    """A verified image."""

    folder: Path
    versions: Mapping[str, str]  # package name → version
    digest: str  # of the manifest: equal digests, equal bytes in every layer
    kernel: str  # the kernel's release

    @property
    def loader(self) -> Path:
        """The image's own dynamic loader."""
        return self.folder / "lib" / assemble.LOADER

    @property
    def busybox(self) -> Path:
        """A static program: runs anywhere."""
        return self.folder / "bin" / "busybox"

    def command(self, program: str) -> list[str]:
        """The start of an argument list that runs one of the image's programs at L0."""
        library = str(self.folder / "lib")
        path = str(self.folder / "bin" / program)
        return [str(self.loader), "--library-path", library, "--argv0", program, path]

    @property
    def size_mib(self) -> float:
        """Disk space of the image."""
        files = [p for p in self.folder.rglob("*") if p.is_file() and not p.is_symlink()]
        return sum(p.stat().st_blocks * 512 for p in files) / 2**20


def _builder_key() -> str:
    """A name for what this nestkit would build on this distribution."""
    digest = hashlib.sha256(str(SCHEMA).encode())
    here = Path(__file__).parent
    for name in _SOURCES:
        path = here / name
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    release = "linux"
    try:
        text = Path("/etc/os-release").read_text("utf-8")
        fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        release = "-".join(fields.get(k, "").strip('"') for k in ("ID", "VERSION_ID")).strip("-")
    except OSError:
        pass
    return f"{release}-{digest.hexdigest()[:16]}"


def image_folder() -> Path:
    """Where the image of this nestkit on this distribution lies, built or not."""
    return cache_dir("lab", "images") / _builder_key()


def is_built() -> bool:
    """True when an image lies in the cache; it is verified when it is used."""
    return (image_folder() / "manifest.json").is_file()


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.rglob("*")
        if p.is_file() and not p.is_symlink() and p.name != "manifest.json"
    )  # fmt: skip


def write_manifest(folder: Path, versions: Mapping[str, str], kernel: str) -> None:
    """Record what the image was made of, and what it must stay."""
    files = {str(p.relative_to(folder)): sha256(p) for p in _files(folder)}
    data = {"schema": SCHEMA, "kernel": kernel, "packages": dict(versions), "files": files}
    text = json.dumps(data, indent=1, sort_keys=True)
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def load(folder: Path) -> Image:
    """Read an image and verify every file of it.

    Raises
    ------
    ValueError
        If it is damaged; the text says how.
    """
    try:
        raw = (folder / "manifest.json").read_bytes()
        data: Any = json.loads(raw)
        if data["schema"] != SCHEMA:
            raise ValueError(f"its schema is {data['schema']!r}, not {SCHEMA}")
        files: dict[str, str] = dict(data["files"])
        for name, expected in files.items():
            if sha256(folder / name) != expected:
                raise ValueError(f"{name} is not the file that was built")
        return Image(
            folder=folder,
            versions=dict(data["packages"]),
            digest=hashlib.sha256(raw).hexdigest(),
            kernel=str(data["kernel"]),
        )
    except OSError as error:
        name = Path(error.filename).name if error.filename else "a file"
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("its manifest is not one of nestkit's") from error


def _require_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _NEEDS_BYTES:
        raise LabError(
            f"the disk is too full to build the lab's image: {free / 2**30:.1f} GiB free "
            f"below {folder}, {_NEEDS_BYTES / 2**30:.1f} GiB needed",
            remedy="free some space, or set NESTKIT_CACHE to a folder on a larger disk",
        )


def _build(target: Path, progress: Progress, cancel: Cancel | None) -> Image:
    packages.require_platform()
    _require_space(target.parent)
    with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as name:
        work = Path(name)
        debs = packages.Apt(work / "apt", cancel=cancel).fetch(progress)
        progress(f"unpacking {len(debs)} packages")
        packages.unpack(debs, work / "root", cancel=cancel)
        made = work / "image"
        kernel = assemble.assemble(work / "root", made, progress, cancel)
        check(cancel)
        write_manifest(made, packages.versions(debs), kernel)
        if target.exists():
            target.rename(work / "old")
        made.rename(target)
    return load(target)


def build_image(
    progress: Progress | None = None,
    *,
    cancel: Cancel | None = None,
    refresh: bool = False,
) -> Image:
    """The lab's image: from the cache if it is there and whole, else built now.

    Two builds at once are safe: the second waits, and takes what the first made.

    Parameters
    ----------
    progress
        Called with a line of text at each phase.
    cancel
        Stops the work when set.
    refresh
        Build anew with the packages of today.

    Raises
    ------
    LabError
        No network and no cached image, another kind of machine, disk full, cancelled.
    """
    tell = progress or quiet
    target = image_folder()
    lock = FileLock(target.parent / "build.lock")
    told = False
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            check(cancel)
            if not told:
                tell("another build of the image is running here: waiting for it")
                told = True
    try:
        _sweep(target.parent)
        if is_built() and not refresh:
            try:
                return load(target)
            except ValueError as damage:
                tell(f"the cached image is damaged ({damage}): building it anew")
        return _build(target, tell, cancel)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LabError(
                f"the disk is full: {error}",
                remedy="free some space, or set NESTKIT_CACHE to a folder on a larger disk",
            ) from error
        raise LabError(
            f"the lab's image cannot be built: {error}", remedy="check the folder named above"
        ) from error
    finally:
        lock.release()


def _sweep(folder: Path) -> None:
    """Remove what a killed build left; called with the lock held, so none is at work."""
    for rest in folder.glob("build-*"):
        if rest.is_dir():
            shutil.rmtree(rest, ignore_errors=True)


def clean_images() -> int:
    """Remove every cached image; bytes freed."""
    folder = cache_dir("lab", "images")
    with FileLock(folder / "build.lock"):
        entries: Sequence[Path] = [p for p in folder.iterdir() if p.is_dir()]
        freed = sum(f.lstat().st_blocks * 512 for p in entries for f in p.rglob("*"))
        for entry in entries:
            shutil.rmtree(entry)
    return freed


def fill_scratch(path: Path, size: int) -> None:
    """Write a file of random bytes: holes and zeros would be read without any disk."""
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
        file.flush()
        os.fsync(file.fileno())
