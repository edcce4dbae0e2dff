"""The real backend: a lab in network namespaces of this computer, built by Mininet.

This is the notebook's side. It never leaves its own namespaces: it starts a helper (see
`real/__init__.py`), hands it the plan of the lab, and speaks to the machines' agents through it.
`close()`, the end of this process, and the end of the helper, however they come, all leave nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from kubenet_course.errors import BackendError, LabError
from kubenet_course.lab import limits
from kubenet_course.lab.backends.real.channel import Channel, Message, to_bytes, to_text
from kubenet_course.lab.backends.real.probe import Mode, probe
from kubenet_course.lab.interrupts import Interrupted
from kubenet_course.lab.machine import Completed
from kubenet_course.lab.topology import Link, Node, Topology

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LOGNAME": "root",
    "PATH": PATH,
    "PWD": "/root",
    "SHELL": "/bin/bash",
    "TERM": "dumb",
    "USER": "root",
}
REFUSED = (
    "This computer does not let you make network namespaces (most containers do not), so a lab on the "
    "real kernel cannot run here; the emulated one, backend='emulated', needs nothing."
)


class RealBackend:
    """One lab's helper process, and its machines by name."""

    name = "mininet"

    def __init__(self, topology: Topology, *, limit: float | None = None, seed: int = 0):
        """`limit`: seconds a command may take. `seed` is the emulated kernel's; nothing is seeded here."""
        mode = probe()
        if mode is None:
            raise BackendError(REFUSED)
        self.mode: Mode = mode
        self.limit = limits.REAL_SECONDS if limit is None else limit
        self.notices: list[str] = []
        self._lock = threading.Lock()
        self._waiting: dict[int, _Slot] = {}
        self._next = 0
        self._process = _start_helper(mode)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._channel = Channel(self._process.stdout.fileno(), self._process.stdin.fileno())
        self._finalizer = weakref.finalize(self, _end, self._process)
        atexit.register(self._finalizer)
        self._reader = threading.Thread(
            target=_read_answers, args=(weakref.ref(self), self._channel), daemon=True, name="kubenet lab"
        )
        self._reader.start()
        try:
            answer = self.ask(None, "build", spec=plan(topology), fresh_proc=mode.fresh_proc, env=ENVIRONMENT)
        except BaseException:
            self.close()
            raise
        self.notices += answer["notices"]
        self.machines: dict[str, RealMachine] = {
            node.name: RealMachine(self, node.name) for node in topology.nodes
        }

    def ask(self, machine: str | None, op: str, **fields: Any) -> Message:
        """Send a request and wait for its answer; errors become Python's."""
        slot = _Slot()
        with self._lock:
            if not self._finalizer.alive:
                raise BackendError("this lab is closed")
            if self._channel.closed:
                raise BackendError(self._last_words())
            self._next += 1
            number = self._next
            self._waiting[number] = slot
            try:
                self._channel.send({"id": number, "op": op, "machine": machine, **fields})
            except BrokenPipeError:
                raise BackendError(self._last_words()) from None
        interrupted = self._wait(slot, machine, op, number)
        answer = slot.answer
        if answer is None:
            raise BackendError(self._last_words())
        if "error" in answer:
            _raise(answer, fields.get("path"))
        if interrupted is not None:
            shown = Completed(_shown(answer["stdout"]), _shown(answer["stderr"]), answer["rc"])
            raise Interrupted(shown, interrupted)
        return answer

    def _wait(self, slot: _Slot, machine: str | None, op: str, number: int) -> float | None:
        """Wait for the answer. Ctrl-C ends the command that runs; after how many seconds, if it came."""
        began = time.monotonic()
        try:
            slot.event.wait()
        except KeyboardInterrupt:
            if op != "run":
                raise
            seconds = time.monotonic() - began
            self.ask(machine, "interrupt", request=number)
            slot.event.wait()
            return seconds
        return None

    def delivered(self, answer: Message) -> None:
        """An answer has come (called by the reading thread)."""
        slot = self._waiting.pop(answer["id"], None) if answer["id"] is not None else None
        if slot is not None:
            slot.answer = answer
            slot.event.set()

    def gone(self) -> None:
        """The helper has ended: nobody need wait any more."""
        for slot in list(self._waiting.values()):
            slot.event.set()

    def query(self, machine: str, argv: Sequence[str]) -> Completed:
        """Run a command that only looks."""
        return self.machines[machine].run(argv)

    def settle(self) -> None:
        """Make the kernel act on changes of carrier, which it else may put off for a second."""
        for name in self.machines:
            self.ask(name, "settled", names=None)

    def changed_files(self, machine: str) -> dict[str, str]:
        """Path → digest of the files in a machine's own folders."""
        files: dict[str, str] = self.ask(machine, "files")["files"]
        return files

    def close(self) -> None:
        """End the lab; returns when its processes are gone. May be called again."""
        self._finalizer()
        atexit.unregister(self._finalizer)

    def _last_words(self) -> str:
        text = "the lab's helper process has ended"
        if self._process.stderr is not None and self._process.poll() is not None:
            with contextlib.suppress(OSError, ValueError):
                os.set_blocking(self._process.stderr.fileno(), False)
                said = self._process.stderr.read()
                if said:
                    text += ": " + said.decode("utf-8", "replace").strip().splitlines()[-1]
        return text


class _Slot:
    """Where one waiting caller finds the answer."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.answer: Message | None = None


class RealMachine:
    """A machine in namespaces: `machine.Machine` over the backend's connection."""

    def __init__(self, backend: RealBackend, name: str):
        self.backend = backend
        self.name = name

    def run(
        self,
        command: str | Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        session: str | None = None,
    ) -> Completed:
        """See `machine.Machine.run`."""
        if timeout is None:
            timeout = limits.interrupt_after(command) or self.backend.limit
        request: Message = {"stdin": stdin, "env": dict(env or {}), "timeout": timeout}
        if session is not None:
            request["session"] = session
            request["script"] = command if isinstance(command, str) else _quoted(command)
        else:
            request["argv"] = ["bash", "-c", command] if isinstance(command, str) else list(command)
        try:
            answer = self.backend.ask(self.name, "run", **request)
        except FileNotFoundError:
            return Completed("", f"bash: line 1: {request['argv'][0]}: command not found\n", 127)
        except PermissionError:
            return Completed("", f"bash: line 1: {request['argv'][0]}: Permission denied\n", 126)
        return Completed(_shown(answer["stdout"]), _shown(answer["stderr"]), answer["rc"])

    def spawn(
        self, argv: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> RealRunning:
        answer = self.backend.ask(self.name, "spawn", argv=list(argv), stdin=stdin, env=dict(env or {}))
        return RealRunning(self, answer["pid"])

    def read(self, path: str) -> str:
        return self.read_bytes(path).decode("utf-8", "replace")

    def read_bytes(self, path: str) -> bytes:
        return to_bytes(self.backend.ask(self.name, "read", path=path)["data"])

    def write(self, path: str, content: str | bytes, mode: int | None = None, append: bool = False) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.backend.ask(self.name, "write", path=path, data=to_text(data), mode=mode, append=append)

    def exists(self, path: str) -> bool:
        return self.backend.ask(self.name, "stat", path=path)["kind"] is not None


class RealRunning:
    """A started program on a real machine; `pid` is its number on that machine."""

    def __init__(self, machine: RealMachine, pid: int):
        self.machine = machine
        self.pid = pid
        self._status: int | None = None
        self._output = ["", ""]

    def poll(self) -> int | None:
        if self._status is None:
            answer = self.machine.backend.ask(self.machine.name, "poll", pid=self.pid)
            self._output[0] += _shown(answer["stdout"])
            self._output[1] += _shown(answer["stderr"])
            self._status = answer["rc"]
        return self._status

    def output(self) -> tuple[str, str]:
        self.poll()
        return self._output[0], self._output[1]

    def terminate(self, signum: int = 15) -> None:
        self.machine.backend.ask(self.machine.name, "kill", pid=self.pid, signal=signum)


def plan(topology: Topology) -> Message:
    """What the helper's builder needs to know, in plain data."""
    machines = []
    for node in topology.nodes:
        ovs = node.kind == "switch" and node.implementation == "ovs"
        machines.append(
            {
                "name": node.name,
                "kind": "ovs" if ovs else "switch" if node.kind == "switch" else "host",
                "stp": node.stp,
                "daemons": [
                    *node.daemons,
                    *(["openvswitch"] if ovs and "openvswitch" not in node.daemons else []),
                ],
                "files": {path: {"data": data} for path, data in _files(node).items()},
                "sysctls": node.all_sysctls,
                "batch": _mtu_lines(node, topology.links) + node.ip_batch(),
                "up": [i.name for i in node.interfaces],
                "commands": list(node.commands),
            }
        )
    links = []
    for link in topology.links:
        ends = [
            [e.node, e.interface, topology.node(e.node).interface(e.interface).mac] for e in (link.a, link.b)
        ]
        links.append({"ends": ends, "params": _mininet_params(link)})
    return {"machines": machines, "links": links}


def _files(node: Node) -> dict[str, str]:
    from kubenet_course.lab.defaults import files_of

    return {**files_of(node.name), **node.files}


def _mtu_lines(node: Node, links: Sequence[Link]) -> list[str]:
    return [
        f"link set {end.interface} mtu {link.mtu}"
        for link in links
        for end in (link.a, link.b)
        if link.mtu and end.node == node.name
    ]


def _mininet_params(link: Link) -> Message:
    """Mininet's names and units for what a link does to packets."""
    params: Message = {}
    if link.bandwidth:
        params["bw"] = link.bandwidth
    if link.delay:
        params["delay"] = f"{link.delay // 1000}us"
    if link.jitter:
        params["jitter"] = f"{link.jitter // 1000}us"
    if link.loss:
        params["loss"] = link.loss
    if link.max_queue_size:
        params["max_queue_size"] = link.max_queue_size
    return params


def _start_helper(mode: Mode) -> subprocess.Popen[bytes]:
    lifeline = os.pidfd_open(os.getpid())
    arguments = ["-m", "kubenet_course.lab.backends.real.guardian", str(lifeline)]
    environment = {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p and os.path.exists(p)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        return subprocess.Popen(
            [*mode.prefix, sys.executable, "-X", "utf8", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            pass_fds=(lifeline,),
            start_new_session=True,  # Ctrl-C in the notebook's terminal is not for the lab
        )
    except OSError as error:
        raise BackendError(f"the lab's helper process does not start: {error}") from None
    finally:
        os.close(lifeline)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes (the guardian then ends everything) and wait; kill if it does not come."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stderr.close()


def _read_answers(backend: weakref.ref[RealBackend], channel: Channel) -> None:
    """The reading thread; it holds the backend only while it hands over an answer."""
    while not channel.closed:
        try:
            answers = list(channel.feed())
        except (OSError, ValueError):
            break
        owner = backend()
        if owner is None:
            break
        for answer in answers:
            owner.delivered(answer)
        del owner
    channel.closed = True
    owner = backend()
    if owner is not None:
        owner.gone()


def _raise(answer: Message, path: str | None) -> None:
    kind, text = answer.get("kind"), answer["error"]
    if answer.get("errno"):
        raise OSError(answer["errno"], text, path)
    if kind == "BuildError":
        raise LabError(text)
    if kind == "ImportError":
        raise BackendError(f"{text}; install it: pip install 'kubenet-course[mininet]', or Debian's mininet")
    raise BackendError(text)


def _quoted(argv: Sequence[str]) -> str:
    import shlex

    return shlex.join(argv)


def _shown(text: str) -> str:
    """What cannot be shown becomes U+FFFD."""
    return to_bytes(text).decode("utf-8", "replace")
