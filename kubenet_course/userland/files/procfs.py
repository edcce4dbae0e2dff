"""/proc: processes, the machine, /proc/sys and, through `netfs`, /proc/net.

/proc/sys/net is served by the asking process' network namespace (`net.sysctl`); the few files of
/proc/sys/kernel and /proc/sys/vm that networking lessons touch are kept here per machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from kubenet_course.errno import EINVAL, EIO, ENOENT
from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.files import netfs
from kubenet_course.userland.files.nodes import (
    CharDevice,
    Directory,
    NetnsFile,
    Node,
    Symlink,
    VirtualDirectory,
    VirtualFile,
    VirtualSymlink,
)
from kubenet_course.userland.streams import Reader, Writer

if TYPE_CHECKING:
    from kubenet_course.userland.files.tree import FileTree
    from kubenet_course.userland.files.view import FileView
    from kubenet_course.userland.pids import PidNamespace
    from kubenet_course.userland.process import Process

#: What a lab machine has: memory in kB and CPUs.
MEMORY = {
    "MemTotal": 4028440,
    "MemFree": 3120316,
    "MemAvailable": 3588912,
    "Buffers": 21044,
    "Cached": 612480,
    "SwapCached": 0,
    "Active": 301128,
    "Inactive": 402216,
    "Shmem": 1120,
    "Slab": 84212,
    "SReclaimable": 46316,
    "SUnreclaim": 37896,
    "SwapTotal": 0,
    "SwapFree": 0,
}
CPUS = 2

KERNEL_SETTINGS = {
    ("kernel", "ostype"): "Linux",
    ("kernel", "domainname"): "(none)",
    ("kernel", "pid_max"): "4194304",
    ("kernel", "threads-max"): "31310",
    ("kernel", "panic"): "0",
    ("kernel", "panic_on_oops"): "0",
    ("kernel", "printk"): "4\t4\t1\t7",
    ("kernel", "randomize_va_space"): "2",
    ("kernel", "dmesg_restrict"): "0",
    ("kernel", "shmmax"): "18446744073692774399",
    ("kernel", "shmall"): "18446744073692774399",
    ("kernel", "modprobe"): "/sbin/modprobe",
    ("kernel", "keys", "root_maxkeys"): "1000000",
    ("kernel", "keys", "root_maxbytes"): "25000000",
    ("kernel", "random", "boot_id"): "5f0c7a52-8a53-4e0e-9b1b-2f8a6a4b5c6d",
    ("vm", "overcommit_memory"): "0",
    ("vm", "panic_on_oom"): "0",
    ("vm", "swappiness"): "60",
    ("vm", "max_map_count"): "65530",
    ("fs", "file-max"): "9223372036854775807",
    ("fs", "inotify", "max_user_instances"): "128",
    ("fs", "inotify", "max_user_watches"): "28636",
}
READ_ONLY = frozenset({("kernel", "ostype"), ("kernel", "osrelease"), ("kernel", "version")})


def root(tree: FileTree) -> Directory:
    """The directory /proc."""
    fixed = cache(lambda: _fixed(tree))  # made when somebody first looks

    def names(proc: Process | None) -> list[str]:
        return [*fixed(), *map(str, _shown(tree, proc).members)]

    def get(name: str, proc: Process | None) -> Node | None:
        node = fixed().get(name)
        if node is None and name.isdecimal() and name.isascii():
            whose = _shown(tree, proc).members.get(int(name))
            if whose is not None:
                return _process_directory(tree, whose)
        return node

    return VirtualDirectory(names, get)


def _fixed(tree: FileTree) -> dict[str, Node]:
    """What is in /proc besides processes."""
    return {
        "cmdline": _text(lambda proc: "BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro quiet\n"),
        "cpuinfo": _text(lambda proc: _cpuinfo()),
        "filesystems": _text(
            lambda proc: "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevtmpfs\n\text4\n"
        ),
        "loadavg": _text(lambda proc: f"0.00 0.00 0.00 1/{len(tree.system.processes)} {_last_pid(tree, proc)}\n"),
        "meminfo": _text(lambda proc: "".join(f"{k + ':':<16}{v:>8} kB\n" for k, v in MEMORY.items())),
        "modules": _text(lambda proc: ""),
        "mounts": Symlink("self/mounts"),
        "net": Symlink("self/net"),
        "self": VirtualSymlink(lambda proc: _own_number(tree, proc)),
        "stat": _text(lambda proc: _stat(tree, proc)),
        "swaps": _text(lambda proc: "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
        "sys": _sys_directory(tree, ()),
        "sysrq-trigger": VirtualFile(None, lambda proc, data: None),
        "thread-self": VirtualSymlink(
            lambda proc: f"{_own_number(tree, proc)}/task/{_own_number(tree, proc)}"
        ),
        "uptime": _text(lambda proc: _uptime(tree)),
        "version": _text(lambda proc: version(tree) + "\n"),
    }


def _text(make: Callable[[Process | None], str], mode: int = 0o444) -> VirtualFile:
    """A file of /proc: root may open it for writing, but a write is EIO."""

    def refuse(proc: Process | None, data: bytes) -> None:
        raise KernelError(EIO)

    return VirtualFile(lambda proc: make(proc).encode("utf-8", "surrogateescape"), refuse, mode)


def _shown(tree: FileTree, proc: Process | None) -> PidNamespace:
    """The PID namespace that the reader's /proc shows."""
    return proc.files.pidns if proc is not None else tree.system.pids


def _own_number(tree: FileTree, proc: Process | None) -> str:
    """What /proc/self is: nothing for a process that is not of the namespace shown."""
    number = _shown(tree, proc).number(proc) if proc is not None else 1
    if not number:
        raise KernelError(ENOENT)
    return str(number)


def _last_pid(tree: FileTree, proc: Process | None) -> int:
    return max(_shown(tree, proc).members, default=1)


def kernel_version(tree: FileTree) -> str:
    """What uname -v prints."""
    return "#1 SMP PREEMPT_DYNAMIC Debian"


def version(tree: FileTree) -> str:
    return (
        f"Linux version {tree.system.host.release} (debian-kernel@lists.debian.org) "
        f"(gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) {kernel_version(tree)}"
    )


def boot_seconds(tree: FileTree) -> float:
    """Seconds since the machine was booted, which is when its lab began."""
    return tree.system.loop.now / SECOND


def _uptime(tree: FileTree) -> str:
    up = boot_seconds(tree)
    return f"{up:.2f} {up * CPUS * 0.99:.2f}\n"


def _cpuinfo() -> str:
    cpu = (
        "processor\t: {0}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 106\n"
        "model name\t: Emulated CPU\nstepping\t: 6\ncpu MHz\t\t: 2600.000\ncache size\t: 16384 KB\n"
        "physical id\t: 0\nsiblings\t: {1}\ncore id\t\t: {0}\ncpu cores\t: {1}\nbogomips\t: 5200.00\n\n"
    )
    return "".join(cpu.format(number, CPUS) for number in range(CPUS))


def _stat(tree: FileTree, proc: Process | None) -> str:
    ticks = int(boot_seconds(tree) * 100)
    cpu = f"{ticks // 100} 0 {ticks // 100} {ticks} 0 0 0 0 0 0\n"
    booted = (tree.now() - int(boot_seconds(tree) * SECOND)) // SECOND
    return (
        f"cpu  {cpu}" + "".join(f"cpu{n} {cpu}" for n in range(CPUS)) + f"intr 0\nctxt 0\nbtime {booted}\n"
        f"processes {_last_pid(tree, proc)}\nprocs_running 1\nprocs_blocked 0\n"
    )


# -- /proc/PID ------------------------------------------------------------------------------
def _process_directory(tree: FileTree, whose: Process, thread: bool = False) -> Directory:
    def start_ticks() -> int:
        return whose.started * 100 // SECOND

    def stat(proc: Process | None) -> str:
        state = "R" if proc is whose else "T" if whose.stopped else "S"
        shown = _shown(tree, proc)
        number = shown.number(whose)
        return (
            f"{number} ({whose.comm}) {state} {shown.parent_number(whose)} {number} {number} 0 -1 4194304 100 0 0 0 "
            f"0 0 0 0 20 0 1 0 {start_ticks()} 7180288 890 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 "
            "0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        )

    def status(proc: Process | None) -> str:
        state = "R (running)" if proc is whose else "T (stopped)" if whose.stopped else "S (sleeping)"
        shown = _shown(tree, proc)
        number = shown.number(whose)
        return (
            f"Name:\t{whose.comm}\nUmask:\t{whose.umask:04o}\nState:\t{state}\nTgid:\t{number}\nNgid:\t0\n"
            f"Pid:\t{number}\nPPid:\t{shown.parent_number(whose)}\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n"
            "FDSize:\t64\nGroups:\t0 \n"
            f"NSpid:\t{_numbers_below(shown, whose)}\nVmSize:\t    7012 kB\nVmRSS:\t    3560 kB\nThreads:\t1\n"
            f"SigIgn:\t{_mask(whose.ignored):016x}\nSigCgt:\t{_mask(whose.handlers):016x}\nCapEff:\t000001ffffffffff\n"
        )

    def environment(proc: Process | None) -> str:
        return "".join(f"{key}={value}\0" for key, value in whose.env.items())

    entries: dict[str, Node] = {
        "cgroup": _text(lambda proc: "0::/\n"),
        "cmdline": _text(lambda proc: "".join(f"{word}\0" for word in whose.argv)),
        "comm": _text(lambda proc: whose.comm + "\n", 0o644),
        "cwd": VirtualSymlink(lambda proc: whose.cwd),
        "environ": _text(environment, 0o400),
        "exe": VirtualSymlink(lambda proc: _executable(tree, whose)),
        "fd": _fd_directory(whose),
        "limits": _text(
            lambda proc: "Limit                     Soft Limit           Hard Limit           Units\n"
        ),
        "mountinfo": _text(lambda proc: _mounts(whose)),
        "mounts": _text(lambda proc: _mounts(whose)),
        "net": netfs.proc_net(whose),
        "ns": _ns_directory(whose),
        "root": VirtualSymlink(lambda proc: "/"),
        "stat": _text(stat),
        "status": _text(status),
    }
    if not thread:
        entries["task"] = VirtualDirectory(
            lambda proc: [str(_shown(tree, proc).number(whose))],
            lambda name, proc: (
                _process_directory(tree, whose, True) if name == str(_shown(tree, proc).number(whose)) else None
            ),
        )
    else:
        entries["children"] = _text(lambda proc: _children(_shown(tree, proc), whose))
    return VirtualDirectory(lambda proc: entries, lambda name, proc: entries.get(name))


def _numbers_below(shown: PidNamespace, whose: Process) -> str:
    """NSpid: a process's number here and in each namespace below, down to its own."""
    spaces = whose.pidns.ancestry
    return "\t".join(str(space.number(whose)) for space in reversed(spaces[: spaces.index(shown) + 1]))


def _children(shown: PidNamespace, whose: Process) -> str:
    return "".join(f"{shown.number(one)} " for one in shown.sorted() if one.parent is whose)


def _executable(tree: FileTree, whose: Process) -> str:
    from kubenet_course.userland.files.loader import which

    found = which(whose.argv[0], whose.env.get("PATH", ""), whose.cwd, whose.files) if whose.argv else None
    if found is None:
        raise KernelError(ENOENT)
    return whose.files.resolve(found, whose.cwd)


def _mask(signums: Iterable[int]) -> int:
    """A bit per signal, as /proc/PID/status shows sets of them."""
    return sum(1 << (int(signum) - 1) for signum in signums)


def _mounts(whose: Process) -> str:
    lines = [
        "/dev/vda1 / ext4 rw,relatime 0 0",
        "proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0",
        "sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0",
        "tmpfs /run tmpfs rw,nosuid,nodev,mode=755 0 0",
    ]
    chain: list[FileView] = []
    view: FileView | None = whose.files
    while view is not None:
        chain.append(view)
        view = view.parent
    for view in reversed(chain):
        for path, node in view.mounts.items():
            source, kind, options = view.mount_kinds.get(path, ("none", "ext4", "rw"))
            if isinstance(node, NetnsFile):
                source = kind = "nsfs"
            lines.append(f"{source} {path} {kind} {options} 0 0")
    return "\n".join(lines) + "\n"


def _ns_directory(whose: Process) -> Directory:
    others = {
        "cgroup": 4026531835,
        "ipc": 4026531839,
        "mnt": whose.files.inode,
        "pid": whose.pidns.inode,
        "pid_for_children": whose.pidns_for_children.inode,
        "time": 4026531834,
        "time_for_children": 4026531834,
        "user": 4026531837,
        "uts": 4026531838,
    }

    def link(name: str) -> Node:
        if name == "net":
            return VirtualSymlink(lambda proc: f"net:[{whose.net.inode}]", lambda proc: netns_file(whose.net))
        kind = name.removesuffix("_for_children")
        return VirtualSymlink(lambda proc: f"{kind}:[{others[name]}]", lambda proc: VirtualFile(None))

    return VirtualDirectory(
        lambda proc: ["net", *others],
        lambda name, proc: link(name) if name in others or name == "net" else None,
    )


def netns_file(net: Any) -> NetnsFile:
    """A node that holds `net`, with the namespace's number as its inode."""
    return NetnsFile(net)


def _fd_directory(whose: Process) -> Directory:
    def open_files() -> dict[int, Reader | Writer]:
        return {0: whose.stdin, 1: whose.stdout, 2: whose.stderr, **whose.fds}

    def get(name: str, proc: Process | None) -> Node | None:
        if not (name.isdecimal() and name.isascii()) or int(name) not in open_files():
            return None
        return _open_file(open_files()[int(name)], int(name))

    return VirtualDirectory(lambda proc: map(str, open_files()), get, 0o500)


def _open_file(stream: Reader | Writer, number: int) -> Node:
    """/proc/PID/fd/N: opening it gives another end of the same stream."""

    def reader(proc: Process | None) -> Reader:
        return stream.add_reader() if isinstance(stream, Reader) else Reader()

    def writer(proc: Process | None) -> Writer:
        return stream.add_writer() if isinstance(stream, Writer) else Writer()

    device = CharDevice((136, number), reader, writer)
    return VirtualSymlink(lambda proc: _stream_name(stream), lambda proc: device)


def _stream_name(stream: Reader | Writer) -> str:
    name = type(stream).__name__
    if name in ("Reader", "Writer"):
        return "/dev/null"
    return "pipe:[4711]"


# -- /proc/sys ------------------------------------------------------------------------------
def _sys_directory(tree: FileTree, path: tuple[str, ...]) -> Directory:
    """One directory below /proc/sys, computed for who asks."""

    def names(proc: Process | None) -> list[str]:
        return sys_listdir(tree, path, proc) or []

    def get(name: str, proc: Process | None) -> Node | None:
        below = (*path, name)
        if sys_listdir(tree, below, proc) is not None:
            return _sys_directory(tree, below)
        try:
            sys_read(tree, below, proc)
        except KernelError as error:
            if error.errno == ENOENT:
                return None
        return VirtualFile(
            lambda proc: (sys_read(tree, below, proc) + "\n").encode(),
            lambda proc, data: sys_write(tree, below, data.decode("utf-8", "replace"), proc),
            0o444 if below in READ_ONLY else 0o644,
        )

    return VirtualDirectory(names, get)


def _sysctl(tree: FileTree, proc: Process | None) -> Any:
    return (proc.net if proc else tree.system.host.init_net).sysctl


def _own(tree: FileTree, proc: Process | None = None) -> dict[tuple[str, ...], str]:
    host = tree.system.host
    return {
        **KERNEL_SETTINGS,
        **tree.settings,
        ("kernel", "hostname"): (proc.uts if proc else host).hostname,
        ("kernel", "osrelease"): host.release,
        ("kernel", "version"): kernel_version(tree),
    }


def sys_listdir(tree: FileTree, path: tuple[str, ...], proc: Process | None) -> list[str] | None:
    """Names below /proc/sys/<path>, or None where it is no directory."""
    depth = len(path)
    if path[:1] == ("net",):
        return _sysctl(tree, proc).listdir(path)
    found = {known[depth] for known in _own(tree) if known[:depth] == path and len(known) > depth}
    if not path:
        found.add("net")
    return sorted(found) or None


def sys_read(tree: FileTree, path: tuple[str, ...], proc: Process | None) -> str:
    """The content of a file below /proc/sys. Raises KernelError(ENOENT)."""
    if path[:1] == ("net",):
        return _sysctl(tree, proc).read(path)
    try:
        return _own(tree, proc)[path]
    except KeyError:
        raise KernelError(ENOENT) from None


def sys_write(tree: FileTree, path: tuple[str, ...], text: str, proc: Process | None) -> None:
    """Write to a file below /proc/sys, with the kernel's checks. Raises KernelError."""
    if path[:1] == ("net",):
        _sysctl(tree, proc).write(path, text)
        return
    old = sys_read(tree, path, proc)
    text = text.strip()
    if path == ("kernel", "hostname"):
        (proc.uts if proc else tree.system.host).hostname = text[:64]
        return
    if old.lstrip("-").replace("\t", "").isdecimal() and not text.lstrip("-").replace(" ", "").isdecimal():
        raise KernelError(EINVAL)
    tree.settings[path] = text
