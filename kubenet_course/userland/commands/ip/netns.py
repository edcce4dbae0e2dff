"""``ip netns``: named network namespaces (ip/ipnetns.c). A name is a file of /run/netns with a namespace mounted on it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.ip.session import NETNS_DIR, Session
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    c_number,
    invarg,
    matches,
    unsupported,
)
from kubenet_course.userland.files import NetnsFile

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.userland.files import FileView
    from kubenet_course.userland.files.nodes import Node

NSFS = ("nsfs", "nsfs", "rw")


def run(words: Words, session: Session) -> int | Awaitable[int]:
    if not words.more:
        return _list(words, session)
    word = words.take()
    if matches(word, "help"):
        session.usage("netns")
    for full, handler in (
        ("list", _list), ("show", _list), ("lst", _list), ("list-id", _list_id), ("add", _add), ("set", _set),
        ("delete", _delete), ("identify", _identify), ("pids", _pids), ("exec", _exec),
    ):  # fmt: skip
        if matches(word, full):
            return handler(words, session)
    if matches(word, "monitor"):
        unsupported("ip netns monitor")
    if matches(word, "attach"):
        return _attach(words, session)
    raise Quit(255, f'Command "{word}" is unknown, try "ip netns help".\n')


def bad_name(name: str) -> bool:
    """netns name: no slash, and neither . nor .. ."""
    return "/" in name or name in ("", ".", "..")


# -- list ----------------------------------------------------------------------------------------
def _list(words: Words, session: Session) -> int:
    with session.output() as out:
        for name in session.netns_names():
            out.open_object()
            out.any("name", "%s", name)
            net = session.netns_named(name)
            if net is None:
                session.proc.error("Error: Peer netns reference is invalid.\nError: Peer netns reference is invalid.")
            elif net in session.net.nsids:
                out.any("id", " (id: %d)", session.net.nsids[net])
            out.fp("\n")
            out.close()
    return 0


def _list_id(words: Words, session: Session) -> int:
    only: int | None = None
    while words.more:
        word = words.take()
        if word == "target-nsid":
            unsupported("ip netns list-id target-nsid")
        elif word == "nsid":
            text = words.value()
            only = c_number(text)
            if only is None or only < 0:
                invarg('"nsid" value is invalid', text)
        else:
            session.usage("netns")
    if only is not None and only not in session.net.nsids.values():
        raise KernelError(22, "Peer netns reference is invalid")
    with session.output() as out:
        for net, number in sorted(session.net.nsids.items(), key=lambda item: item[1]):
            if only is not None and number != only:
                continue
            out.open_object()
            out.any("nsid", "nsid %d ", number)
            name = session.netns_name_of(net)
            if name is not None:
                out.any("name", "(iproute2 netns name: %s)", name)
            out.fp("\n")
            out.close()
    return 0


# -- add, attach, set, delete --------------------------------------------------------------------
def _add(words: Words, session: Session) -> int:
    if not words.more:
        raise Quit(1, "No netns name specified\n")
    return _mount(words.take(), session, None)


def _attach(words: Words, session: Session) -> int:
    if words.left < 2:
        raise Quit(1, "No netns name and PID specified\n")
    name = words.take()
    return _mount(name, session, words.take())


def _mount(name: str, session: Session, pid: str | None) -> int:
    """netns_add(): make the file, then bind a new (or a process's) namespace over it."""
    proc = session.proc
    files = proc.files
    net: NetNamespace | None = None
    if pid is not None:
        number = c_number(pid, 10)
        if number is None:
            raise Quit(1, f"Invalid PID: {pid}\n")
        process = proc.files.pidns.members.get(number)
        if process is None:
            raise Quit(1, f"Bind /proc/{number}/ns/net -> {NETNS_DIR}/{name} failed: No such file or directory\n")
        net = process.net
    path = f"{NETNS_DIR}/{name}"
    if bad_name(name):
        raise Quit(255, f'Invalid netns name "{name}"\n')
    if not files.isdir(NETNS_DIR):
        files.mkdir(NETNS_DIR, parents=True)
    if files.lexists(path):
        raise Quit(1, f'Cannot create namespace file "{path}": File exists\n')
    try:
        files.write(path, b"", mode=0)
    except KernelError as failure:
        raise Quit(1, f'Cannot create namespace file "{path}": {failure.strerror}\n') from None
    files.mount(path, NetnsFile(net if net is not None else proc.system.new_netns()), NSFS)
    return 0


def _delete(words: Words, session: Session) -> int:
    if session.options.all:
        for name in session.netns_names():
            _delete_one(name, session)
        return 0
    if not words.more:
        raise Quit(1, "No netns name specified\n")
    return _delete_one(words.take(), session)


def _delete_one(name: str, session: Session) -> int:
    """on_netns_del(): unmount, unlink; the namespace goes with its last user."""
    path = f"{NETNS_DIR}/{name}"
    files = session.proc.files
    try:
        files.umount(path)
    except KernelError:
        # umount2(MNT_DETACH) may fail: a file of that name may be no mount.
        unmounted = False
    else:
        unmounted = True
    try:
        files.remove(path)
    except KernelError as failure:
        if unmounted:
            return 0
        raise Quit(1, f'Cannot remove namespace file "{path}": {failure.strerror}\n') from None
    return 0


def _set(words: Words, session: Session) -> int:
    if not words.more:
        raise Quit(1, "No netns name specified\n")
    name = words.take()
    if not words.more:
        raise Quit(1, "No nsid specified\n")
    text = words.take()
    number = -1 if text == "auto" else c_number(text)
    if number is None or (number < 0 and text != "auto"):
        invarg('Invalid "netnsid" value', text)
    net = session.netns_named(name)
    if net is None:
        raise Quit(1, f'Cannot open network namespace "{name}": No such file or directory\n')
    here = session.net.nsids
    if net in here:
        raise KernelError(17, "Peer netns already has a nsid assigned")
    if number == -1:
        session.net.nsid_of(net)
    elif number in here.values():
        raise KernelError(17, "The specified nsid is already used")
    else:
        here[net] = number
    return 0


# -- identify and pids ---------------------------------------------------------------------------
def _identify(words: Words, session: Session) -> int:
    if words.more:
        text = words.take()
        if words.more:
            raise Quit(1, "extra arguments specified\n")
        pid = c_number(text, 10)
        if pid is None or not text.isdigit():
            raise Quit(1, f"Specified string '{text}' is not a pid\n")
        process = session.proc.files.pidns.members.get(pid)
        if process is None:
            raise Quit(1, "Cannot open network namespace: No such file or directory\n")
        net = process.net
    else:
        net = session.net
    names = [name for name in session.netns_names() if session.netns_named(name) is net]
    session.proc.print("\n".join(names))
    return 0


def _pids(words: Words, session: Session) -> int:
    if not words.more:
        raise Quit(1, "No netns name specified\n")
    name = words.take()
    if words.more:
        raise Quit(1, "extra arguments specified\n")
    net = session.netns_named(name)
    if net is None:
        raise Quit(1, "Cannot open network namespace: No such file or directory\n")
    for process in session.proc.files.pidns.sorted():
        if process.net is net:
            session.proc.print(session.proc.files.pidns.number(process))
    return 0


# -- exec ----------------------------------------------------------------------------------------
async def _exec(words: Words, session: Session) -> int:
    if not words.more and not session.options.all:
        raise Quit(1, "No netns name specified\n")
    if session.options.all:
        return await _exec_all(words, session)
    name = words.take()
    if not words.more:
        raise Quit(1, "No command specified\n")
    argv = words.rest()
    session.switch(name)
    proc = session.proc
    view = netns_view(name, session)
    try:
        program, loaded = proc.files.tree.load_program(argv, proc.env, proc.cwd, view)
    except KernelError as failure:
        raise Quit(1, f'exec of "{argv[0]}" failed: {failure.strerror}\n') from None
    # execvp(3): the process goes on as another program, in the namespace.
    old, proc.net, proc.files = proc.net, session.net, view
    proc.script = loaded is not argv
    proc.argv = loaded
    proc.system.release_netns(old)
    return await program(proc, loaded)


async def _exec_all(words: Words, session: Session) -> int:
    """do_each_netns() with cmd_exec(): in every namespace in turn, each in a child."""
    argv = words.rest()
    if not argv:
        raise Quit(1, "No command specified\n")
    proc = session.proc
    for name in session.netns_names():
        net = session.netns_named(name)
        if net is None:
            continue
        proc.print(f"\nnetns: {name}")
        try:
            child = proc.spawn(argv, net=net, files=netns_view(name, session))
        except KernelError as failure:
            proc.error(f'exec of "{argv[0]}" failed: {failure.strerror}')
            continue
        await proc.wait(child)
    return 0


def netns_view(name: str, session: Session) -> FileView:
    """netns_switch()'s mount namespace: each /etc/netns/NAME/FILE bound over /etc/FILE."""
    proc = session.proc
    folder = f"/etc/netns/{name.rpartition('/')[2]}"
    mounts: dict[str, Node | str] = {}
    if proc.files.isdir(folder):
        for entry in proc.files.listdir(folder):
            target = f"/etc/{entry}"
            if not proc.files.exists(target):
                proc.error(f"Bind {folder}/{entry} -> {target} failed: No such file or directory")
                continue
            mounts[proc.files.resolve(target)] = proc.files.node(f"{folder}/{entry}")
    return proc.files.child(mounts)

