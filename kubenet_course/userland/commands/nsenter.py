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
    status = _enter(proc, argv[0], options) if enter else _unshare(proc, argv[0], options)
    if status:
        return status
    return await run_program(proc, words or [proc.env.get("SHELL", "/bin/sh")], argv[0], message=FAILED)


def _enter(proc: Process, program: str, options: list[tuple[str, str]]) -> int:
    target = next((text for name, text in options if name == "t"), None)
    if target is not None and not target.isdecimal():
        proc.error(f"{program}: failed to parse pid: '{target}'")
        return 1
    process = proc.system.processes.get(int(target[:9])) if target is not None else None
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
        wanted = [("n", ""), ("m", ""), ("u", "")]
    for name, text in wanted:
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
        if kind == "net":
            if not isinstance(node, NetnsFile):
                proc.error(f"{program}: reassociate to namespace 'ns/net' failed: Invalid argument")
                return 1
            proc.net = node.net
        elif kind == "mnt" and process is not None:
            proc.files = process.files
        elif kind == "uts" and process is not None:
            proc.uts = process.uts
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
    return 0
