"""Put the image together from unpacked packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from nestkit.errors import LabError
from nestkit.lab.cpio import Archive
from nestkit.lab.elf import closure, library_index
from nestkit.lab.kernel import BOOT_MODULES, KVM_MODULES, NET_MODULES, Modules, find_kernel
from nestkit.lab.packages import call, complaint
from nestkit.lab.progress import Cancel, Progress, check

LOADER: Final = "ld-linux-x86-64.so.2"
GUEST: Final = Path(__file__).parent / "guest"
PROGRAMS: Final = ("sysbench", "fio", "iperf3")
OWN_PROGRAMS: Final = {"probe": (), "agent": (), "link": ("libslirp.so.0",)}  # and libraries
# what QEMU's microvm machine loads: firmware and the two ways into a kernel
FIRMWARE: Final = ("bios-microvm.bin", "linuxboot_dma.bin", "pvh.bin", "kvmvapic.bin")
_FOLDERS: Final = (
    "usr/bin", "bin", "usr/sbin", "sbin", "usr/share/qemu", "usr/share/seabios",
    "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "lib64", "usr/lib64",
)  # fmt: skip
_EXTRA_LIBRARIES: Final = ("libgcc_s.so.1",)  # loaded by name when a thread is cancelled


def _find(root: Path, *names: str) -> Path:
    """The first of some files that a package brought."""
    for name in names:
        for base in _FOLDERS:
            path = root / base / name
            if path.is_file() and path.resolve().is_relative_to(root.resolve()):
                return path
    raise LabError(
        f"the distribution's packages hold no {names[0]}",
        remedy="tell the makers of nestkit your distribution and its version",
    )


class _Root:
    """Programs of the unpacked packages, run through their own loader."""

    def __init__(self, root: Path, cancel: Cancel | None) -> None:
        self.root = root
        self.libraries = library_index(root)
        self._cancel = cancel
        self._loader = _find(root, LOADER)

    def command(self, program: str) -> list[str]:
        path = _find(self.root, program)
        folders = {str(lib.parent): None for lib in closure([path], self.libraries).values()}
        return [str(self._loader), "--library-path", ":".join(folders), str(path)]

    def run(self, program: str, *arguments: str | Path) -> str:
        command = [*self.command(program), *map(str, arguments)]
        rc, text = call(command, timeout=300, cancel=self._cancel,
                        env={"MKE2FS_CONFIG": "/dev/null"})  # fmt: skip
        if rc != 0:
            raise LabError(
                f"{program} failed while the image was built: {complaint(text)}",
                remedy="try again; if it stays, tell the makers of nestkit your distribution",
            )
        return text

    def unzstd(self, path: Path) -> bytes:
        command = [*self.command("zstd"), "-dcq", str(path)]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def _compile(tree: _Root, source: Path, target: Path, libraries: Iterable[str]) -> None:
    """Compile one of nestkit's C files against the packages' own libraries, using nothing else."""
    root = tree.root
    usr = root / "usr"
    tcc = usr / "lib" / "x86_64-linux-gnu" / "tcc"
    library = _find(root, "libc.so.6")
    made = target.with_suffix(".o")
    headers = usr / "include"
    include = (tcc / "include", headers / "x86_64-linux-gnu", headers, headers / "slirp")
    folders = dict.fromkeys((library.parent, tcc.parent))
    tree.run("tcc", f"-B{tcc}", "-nostdinc", *(f"-I{folder}" for folder in include),
             "-Wall", "-Werror", "-c", source, "-o", made)  # fmt: skip
    tree.run("tcc", f"-B{tcc}", "-nostdlib", *(f"-L{folder}" for folder in folders), "-o", target,
             _find(root, "crt1.o"), _find(root, "crti.o"), made,
             *(tree.libraries[name] for name in libraries), library,
             _find(root, "libc_nonshared.a"), tcc / "libtcc1.a", _find(root, "crtn.o"))  # fmt: skip
    made.unlink()
    target.chmod(0o755)


def _copy(files: Iterable[tuple[Path, Path]]) -> None:
    for source, target in files:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def _initrd(tree: _Root, modules: dict[str, bytes], folders: Iterable[str]) -> bytes:
    archive = Archive()
    for folder in ("bin", "dev", "proc", "sys", "tmp", "run", "root", "tools", "modules",
                   "lib", "lib64", "etc", *folders):  # fmt: skip
        archive.folder(folder)
    archive.character_device("dev/console", 5, 1)
    busybox = _find(tree.root, "busybox")
    archive.file("bin/busybox", busybox.read_bytes(), executable=True)
    for applet in applets(busybox):
        archive.link(f"bin/{applet}", "busybox")
    archive.link("lib64/" + LOADER, f"/tools/lib/{LOADER}")
    archive.link("lib/x86_64-linux-gnu", "/tools/lib")
    mounts = {"devtmpfs": "/dev", "proc": "/proc", "sysfs": "/sys"}
    fstab = "".join(f"none {folder} {kind} defaults 0 0\n" for kind, folder in mounts.items())
    archive.file("etc/fstab", fstab.encode())
    archive.file("init", (GUEST / "init.sh").read_bytes(), executable=True)
    for name, content in modules.items():
        archive.file(f"modules/{name}.ko", content)
    order = "".join(f"{name}.ko\n" for name in modules)
    archive.file("modules/order", order.encode())
    return bytes(archive)


def applets(busybox: Path) -> list[str]:
    """The commands a busybox has."""
    done = subprocess.run(
        [str(busybox), "--list"], check=True, capture_output=True, text=True, timeout=30
    )
    return [name for name in done.stdout.split() if name != "busybox"]


def _host_commands(image: Path, names: Iterable[str]) -> None:
    """Names for L0: busybox where it has the command, else the image's program and loader."""
    folder = image / "host"
    folder.mkdir()
    for applet in applets(image / "bin" / "busybox"):
        (folder / applet).symlink_to("../bin/busybox")
    for name in names:
        script = folder / name
        script.unlink(missing_ok=True)
        script.write_text(
            f'#!/bin/sh\nimage="${{0%/*}}/.."\n'
            f'exec "$image/lib/{LOADER}" --library-path "$image/lib" --argv0 {name} '
            f'"$image/bin/{name}" "$@"\n',
            encoding="utf-8",
        )
        script.chmod(0o755)


def _tools_disk(tree: _Root, image: Path, staging: Path) -> None:
    """A read-only file system with what guests run; small files rounded up, some room left."""
    sizes = [p.stat().st_size for p in staging.rglob("*") if p.is_file()]
    blocks = sum(-(-size // 4096) for size in sizes)
    total = int(blocks * 1.06) + 2048
    tree.run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0",
             "-O", "^has_journal,^resize_inode", "-E", "root_owner=0:0",
             "-d", staging, image / "tools.img", str(total))  # fmt: skip


def assemble(root: Path, image: Path, progress: Progress, cancel: Cancel | None) -> str:
    """Make the image's folder from the unpacked packages; the kernel's release.

    Raises
    ------
    LabError
        If the packages lack something, or one of the tools fails.
    """
    tree = _Root(root, cancel)
    image.mkdir()
    (image / "bin").mkdir()
    progress("compiling the probe, the agent and the link")
    for name, libraries in OWN_PROGRAMS.items():
        _compile(tree, GUEST / f"{name}.c", image / "bin" / f"nestkit-{name}", libraries)

    progress("choosing programs, libraries and drivers")
    check(cancel)
    qemu = _find(root, "qemu-system-x86_64")
    # the small build for inner layers: KVM only, a tenth of the libraries
    inner = _find(root, "qemu-system-x86_64-microvm", "qemu-system-x86_64")
    tcg = sorted((root / "usr/lib/x86_64-linux-gnu/qemu").glob("accel-tcg-x86_64.so"))
    tools = [_find(root, name) for name in PROGRAMS]
    own = [image / "bin" / f"nestkit-{name}" for name in OWN_PROGRAMS]
    extra = {name: tree.libraries[name] for name in _EXTRA_LIBRARIES}
    guest_libraries = closure([*tools, *own, inner], tree.libraries) | extra
    host_libraries = guest_libraries | closure([qemu, *tcg], tree.libraries)

    _copy((tool, image / "bin" / tool.name) for tool in tools)
    _copy([(qemu, image / "bin/qemu"), (_find(root, "busybox"), image / "bin/busybox")])
    _copy((path, image / "lib" / name) for name, path in host_libraries.items())
    _copy((path, image / "modules" / path.name) for path in tcg)
    _copy((_find(root, name), image / "share" / name) for name in FIRMWARE)
    (image / "lib" / LOADER).chmod(0o755)
    _host_commands(image, (*PROGRAMS, *(f"nestkit-{name}" for name in OWN_PROGRAMS)))

    kernel, release = find_kernel(root)
    modules = Modules(root, release, tree.unzstd)
    boot = modules.load_order(*BOOT_MODULES)
    kvm, net = (
        {name: content for name, content in modules.load_order(*names).items() if name not in boot}
        for names in (KVM_MODULES, NET_MODULES)
    )
    _copy([(kernel, image / "vmlinuz")])
    (image / "initrd").write_bytes(_initrd(tree, boot, ()))

    progress("writing the tools disk")
    check(cancel)
    staging = root.parent / "tools"
    _copy((tool, staging / "bin" / tool.name) for tool in [*tools, *own])
    _copy([(inner, staging / "bin/qemu")])
    _copy((path, staging / "lib" / name) for name, path in guest_libraries.items())
    (staging / "lib" / LOADER).chmod(0o755)
    _copy((image / "share" / name, staging / "share" / name) for name in FIRMWARE)
    _copy((image / name, staging / "boot" / name) for name in ("vmlinuz", "initrd"))
    _copy([(GUEST / "serve.sh", staging / "bin/nestkit-serve")])
    (staging / "bin/nestkit-serve").chmod(0o755)
    for folder, drivers in (("kvm", kvm), ("net", net)):
        (staging / folder).mkdir()
        for name, content in drivers.items():
            (staging / folder / f"{name}.ko").write_bytes(content)
        order = "".join(f"{name}\n" for name in drivers)
        (staging / folder / "order").write_text(order, encoding="utf-8")
    _tools_disk(tree, image, staging)
    return release
