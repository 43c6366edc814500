"""The machine that nestkit runs on as a layer, with the tools of the lab: nothing to install."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from nestkit.errors import LabError
from nestkit.lab import boot, packages
from nestkit.lab.image import build_image, is_built
from nestkit.lab.progress import Progress, quiet
from nestkit.lab.rundir import RunFolder
from nestkit.runners.local import LocalRunner


@contextlib.contextmanager
def here(progress: Progress | None = None) -> Iterator[LocalRunner]:
    """A runner of this machine (L0) with the image's programs and a scratch file to read and write.

    The programs are those that a lab's guests run, through the image's own loader, pinned to as
    many CPUs. Where no image can be had, the programs installed here are used, and ``progress``
    is told why.
    """
    tell = progress or quiet
    reason = packages.wrong_machine() or ("" if is_built() else packages.missing_tools())
    with contextlib.ExitStack() as stack:
        runner = LocalRunner()
        if not reason:
            try:
                image = build_image(tell)
                folder = stack.enter_context(contextlib.closing(RunFolder()))
                runner, _ = boot.host_layer(image, folder.path)
            except LabError as error:
                reason = error.message
        if reason:
            tell(f"{reason}: the programs installed here are used")
        yield stack.enter_context(contextlib.closing(runner))
