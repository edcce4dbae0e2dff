"""mount, umount, mountpoint, findmnt: what is put over which path (util-linux)."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import Directory, NetnsFile
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process

NAMES = ("mount", "umount", "mountpoint")
LONG = {
    "bind": "B", "rbind": "R", "move": "M", "types=": "t", "options=": "o", "verbose": "v", "all": "a",
    "make-shared": "ms", "make-private": "mp", "make-slave": "msl", "make-rprivate": "mrp",
    "make-rshared": "mrs",
    "make-rslave": "mrsl", "read-only": "r", "fake": "f", "mkdir=?": "mkdir",
}  # fmt: skip
KNOWN = frozenset(
    {"tmpfs", "proc", "sysfs", "ext4", "devtmpfs", "devpts", "cgroup2", "bpf", "debugfs", "overlay", "mqueue"}
)
ADVICE = "       dmesg(1) may have more information after failed mount system call."


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    hint = f"Try '{argv[0]} --help' for more information."
    try:
        short = {"mount": "BRMt:o:vanrwfi", "umount": "adfilnrt:Rv", "mountpoint": "dqx"}[program]
        options, words = parse(
            argv,
            short,
            {
                "mount": LONG,
                "umount": {"all": "a", "force": "f", "lazy": "l", "recursive": "R", "verbose": "v"},
                "mountpoint": {"quiet": "q"},
            }[program],
        )
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    if program == "mountpoint":
        return _mountpoint(proc, argv[0], words, flags, hint)
    if program == "umount":
        if not words and "a" not in flags:
            proc.error(f"{argv[0]}: bad usage\n{hint}")
            return 1
        return max([_umount(proc, argv[0], word) for word in words], default=0)
    if not words and "a" not in flags:
        for line in proc.files.read_text("/proc/self/mounts", proc).splitlines():
            source, path, kind, shown = line.split()[:4]
            proc.print(f"{source} on {path} type {kind} ({shown})")
        return 0
    if "a" in flags or flags & {"ms", "mp", "msl", "mrp", "mrs", "mrsl"}:
        return 0
    settings = (value(options, "o") or "rw").split(",")
    if len(words) < 2:
        if "remount" in settings:
            return 0
        proc.error(f"{argv[0]}: {words[0]}: can't find in /etc/fstab.")
        return 1
    if len(words) > 2:
        proc.error(f"{argv[0]}: bad usage\n{hint}")
        return 1
    bind = bool(flags & {"B", "R"}) or "bind" in settings or "rbind" in settings
    return _mount(proc, argv[0], words[0], words[1], bind, value(options, "t"), settings)


def _mount(
    proc: Process, program: str, source: str, target: str, bind: bool, kind: str | None, settings: list[str]
) -> int:
    files = proc.files

    def fail(message: str) -> int:
        proc.error(f"{program}: {target}: {message}\n{ADVICE}")
        return 32

    path = files.resolve(target, proc.cwd, proc) if files.exists(target, proc) else None
    if path is None:
        return fail("mount point does not exist.")
    if bind:
        try:
            node = files.node(source, None, proc)
        except KernelError:
            return fail(f"special device {source} does not exist.")
        shown = (
            ("nsfs", "nsfs", "rw")
            if isinstance(node, NetnsFile)
            else ("/dev/vda1", "ext4", ",".join(settings))
        )
        try:
            files.mount(path, node, shown)
        except KernelError:
            return fail("mount(2) system call failed: Not a directory.")
        return 0
    if kind is not None and kind not in KNOWN:
        return fail(f"unknown filesystem type '{kind}'.")
    if not files.isdir(target, proc):
        return fail("mount point is not a directory.")
    if kind in ("tmpfs",):
        mode = next(
            (int(one[5:], 8) for one in settings if one.startswith("mode=") and one[5:].isdecimal()), 0o1777
        )
        directory = Directory(mode, files.tree.now(), files.tree.new_ino())
        files.mount(path, directory, (source, "tmpfs", ",".join(settings)))
        return 0
    if kind in ("proc", "sysfs"):
        files.mount(path, files.node("/proc" if kind == "proc" else "/sys", None, proc), (source, kind, "rw"))
        if path == "/proc":
            files.mount_proc(proc.pidns)
        return 0
    if not files.exists(source, proc):
        return fail(f"special device {source} does not exist.")
    proc.error(f"kubenet: mount: file systems of type {kind or 'auto'} are not emulated")
    return 32


def _umount(proc: Process, program: str, word: str) -> int:
    if not proc.files.exists(word, proc):
        proc.error(f"{program}: {word}: no mount point specified.")
        return 32
    try:
        proc.files.umount(proc.files.resolve(word, proc.cwd, proc))
    except KernelError:
        proc.error(f"{program}: {word}: not mounted.")
        return 32
    return 0


def _mountpoint(proc: Process, program: str, words: list[str], flags: set[str], hint: str) -> int:
    if len(words) != 1:
        proc.error(f"{program}: bad usage\n{hint}")
        return 1
    try:
        path = proc.files.find(words[0], None, proc).path
        proc.files.node(words[0], None, proc)
    except KernelError as error:
        if "q" not in flags:
            proc.error(f"{program}: {words[0]}: {error.strerror}")
        return 1
    mounted = {line.split()[1] for line in proc.files.read_text("/proc/self/mounts", proc).splitlines()}
    yes = path in mounted
    if "q" not in flags:
        proc.print(f"{words[0]} is {'' if yes else 'not '}a mountpoint")
    return 0 if yes else 32
