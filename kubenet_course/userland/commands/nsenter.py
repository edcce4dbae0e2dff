"""nsenter, unshare: run a program in other namespaces (network, mount, uts; util-linux)."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.execute import run_program
from kubenet_course.userland.files import NetnsFile
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Process, UtsNamespace

NAMES = ("nsenter", "unshare")
ENTER = {
    "all": "a", "target=": "t", "mount=?": "m", "uts=?": "u", "ipc=?": "i", "net=?": "n", "pid=?": "p",
    "cgroup=?": "C", "user=?": "U", "time=?": "T", "setuid=": "S", "setgid=": "G", "root=?": "r", "wd=?": "w",
    "no-fork": "F", "preserve-credentials": "pc", "follow-context": "Z",
}  # fmt: skip
UNSHARE = {
    "mount=?": "m", "uts=?": "u", "ipc=?": "i", "net=?": "n", "pid=?": "p", "user=?": "U", "cgroup=?": "C",
    "time=?": "T", "fork": "f", "map-root-user": "r", "map-current-user": "c", "mount-proc=?": "mount-proc",
    "kill-child=?": "kill-child", "propagation=": "propagation", "map-auto": "map-auto",
    "keep-caps": "keep-caps",
    "root=": "R", "wd=": "w",
}  # fmt: skip
FAILED = "{name}: failed to execute {plain}: {error}"


async def main(proc: Process, argv: list[str]) -> int:
    enter = argv[0].rpartition("/")[2] == "nsenter"
    try:
        if enter:
            options, words = parse(argv, "at:m::u::i::n::p::C::U::T::S:G:r::w::FZ", ENTER, permute=False)
        else:
            options, words = parse(argv, "muinpUCTfrcw:R:", UNSHARE, permute=False)
    except OptionError as error:
        return error.report(proc, argv[0])
    given = {name for name, _ in options}
    before = proc.pidns_for_children
    status = _enter(proc, argv[0], options) if enter else _unshare(proc, argv[0], options)
    if status:
        return status
    words = words or [proc.env.get("SHELL", "/bin/sh")]
    fork = "f" in given
    if enter:
        fork = proc.pidns_for_children is not before and "F" not in given
    if fork or "kill-child" in given:
        return await _fork(proc, words, argv[0], given)
    if "mount-proc" in given:
        proc.files.mount_proc(proc.pidns)
    return await run_program(proc, words, argv[0], message=FAILED)


async def _fork(proc: Process, words: list[str], program: str, given: set[str]) -> int:
    """Run it as a child, which is the first of a new PID namespace: then /proc can be mounted for that."""

    async def child(own: Process, _: list[str]) -> int:
        if "mount-proc" in given:
            own.files.mount_proc(own.pidns)
        return await run_program(own, words, program, message=FAILED)

    try:
        started = proc.spawn(list(proc.argv), program=child)
    except KernelError as error:
        proc.error(f"{program}: fork failed: {error.strerror}")
        return 1
    for number in (2, 15):
        proc.handlers[number] = lambda: None  # the child decides
    if "kill-child" in given:
        proc.owns(_Follower(started))
    status = await proc.wait(started)
    if status == -9 and program.rpartition("/")[2] == "unshare":
        # util-linux 2.38 means to end by the same signal, and this one's handling cannot be set.
        proc.error(f"{program}: sigprocmask unblock failed: Invalid argument")
        return 1
    return status


class _Follower:
    """Ends the child where its parent is killed: --kill-child."""

    def __init__(self, child: Process):
        self.child = child

    def close(self) -> None:
        if self.child.returncode is None:
            self.child.kill(9)


def _enter(proc: Process, program: str, options: list[tuple[str, str]]) -> int:
    target = next((text for name, text in options if name == "t"), None)
    if target is not None and not target.isdecimal():
        proc.error(f"{program}: failed to parse pid: '{target}'")
        return 1
    process = proc.files.pidns.members.get(int(target[:9])) if target is not None else None
    names = {
        "m": "mnt",
        "u": "uts",
        "i": "ipc",
        "n": "net",
        "p": "pid",
        "C": "cgroup",
        "U": "user",
        "T": "time",
    }
    wanted = [(name, text) for name, text in options if name in names]
    if any(name == "a" for name, _ in options):
        wanted = [("n", ""), ("m", ""), ("u", ""), ("p", "")]
    found = []
    for name, text in wanted:  # all are opened before the first is entered
        kind = names[name]
        path = text.removeprefix("=") or (f"/proc/{target}/ns/{kind}" if target is not None else "")
        if not path:
            proc.error(f"{program}: neither filename nor target pid supplied for ns/{kind}")
            return 1
        try:
            node = proc.files.node(path, None, proc)
        except KernelError as error:
            proc.error(f"{program}: cannot open {path}: {error.strerror}")
            return 1
        found.append((kind, node))
    for kind, node in found:
        if kind == "net":
            if not isinstance(node, NetnsFile):
                proc.error(f"{program}: reassociate to namespace 'ns/net' failed: Invalid argument")
                return 1
            proc.net = node.net
        elif kind == "mnt" and process is not None:
            proc.files = process.files
        elif kind == "uts" and process is not None:
            proc.uts = process.uts
        elif kind == "pid" and process is not None:
            proc.pidns_for_children = process.pidns
    if target is not None and process is None and not wanted:
        proc.error(f"{program}: no namespace specified")
        return 1
    return 0


def _unshare(proc: Process, program: str, options: list[tuple[str, str]]) -> int:
    for name, text in options:
        if name == "n":
            proc.net = proc.system.new_netns()
            if text:
                from kubenet_course.userland.files.procfs import netns_file

                try:
                    proc.files.mount(text, netns_file(proc.net), ("nsfs", "nsfs", "rw"))
                except KernelError as error:
                    proc.error(f"{program}: mount {text} failed: {error.strerror}")
                    return 1
        elif name in ("m", "mount-proc"):
            proc.files = proc.files.child()
        elif name == "u":
            proc.uts = UtsNamespace(proc.uts.hostname)
        elif name == "p":
            proc.pidns_for_children = proc.system.new_pidns(proc.pidns)
    return 0
