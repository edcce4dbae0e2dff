"""The emulated backend: a lab on the Linux kernel in pure Python of `kubenet_course.kernel`.

The only place above `userland` that knows kernel objects. A machine is a `kernel.host.Host` with a
`userland.system.System` on it; all machines of a lab share one `sim.loop.Loop`. Nothing is run in
a shell to build a lab (unless its topology has commands), so a hundred machines take milliseconds.

Interfaces, addresses and indexes come about in the order in which the real backend makes them.
Duplicate address detection is skipped while building, as there.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.host import Host
from kubenet_course.kernel.netns import NetNamespace
from kubenet_course.lab import limits
from kubenet_course.lab.backends.emulated_build import build
from kubenet_course.lab.interrupts import Interrupted, Pressed, Stopping
from kubenet_course.lab.machine import Completed
from kubenet_course.lab.topology import Topology
from kubenet_course.sim.loop import SECOND, Deadlock, Loop, Stopped, TimeoutExpired
from kubenet_course.userland.files.nodes import Directory, NetnsFile, RegularFile
from kubenet_course.userland.process import Process, Program
from kubenet_course.userland.programs import standard_programs
from kubenet_course.userland.streams import BytesReader, Capture
from kubenet_course.userland.system import System

#: Folders of commands beyond `userland.commands`, as far as this installation has them.
COMMAND_FOLDERS = (
    "kubenet_course.dns.commands",
    "kubenet_course.docker.commands",
    "kubenet_course.cni.commands",
    "kubenet_course.kube.commands",
)
PLUGIN_FOLDERS = {"kubenet_course.cni.plugins": "cni/"}  # programs that are no commands, their names' beginning
OWN_FOLDERS = ("/etc", "/root", "/home", "/tmp", "/opt", "/srv", "/var/lib", "/var/tmp")
KILL_AFTER = 1.0  # seconds between an interrupt and the kill that follows


class EmulatedBackend:
    """A lab's machines on one virtual clock."""

    name = "emulated"

    def __init__(self, topology: Topology, *, limit: float | None = None, seed: int = 0):
        self.loop = Loop(seed)
        self.limit = limits.EMULATED_SECONDS if limit is None else limit
        self.notices: list[str] = []
        programs = _programs()
        with _collector_paused():
            self.machines: dict[str, EmulatedMachine] = {
                node.name: EmulatedMachine(
                    self, node.name, System(Host(self.loop, node.name, seed), programs)
                )
                for node in topology.nodes
            }
            build(topology, self)

    def query(self, machine: str, argv: Sequence[str]) -> Completed:
        """Run a command that only looks: its process number is given back."""
        system = self.machines[machine].system
        pid = system.pids.next
        try:
            return self.machines[machine].run(argv)
        finally:
            system.pids.next = pid

    def changed_files(self, machine: str) -> dict[str, str]:
        """Path → digest of the files in the folders that a learner writes to."""
        found: dict[str, str] = {}
        root = self.machines[machine].system.files.root
        for folder in OWN_FOLDERS:
            node: Any = root
            for part in folder.strip("/").split("/"):
                node = node.entries.get(part) if isinstance(node, Directory) else None
            if isinstance(node, Directory):
                _digests(folder, node, found)
        return found

    def namespace_names(self) -> dict[Any, tuple[str, str]]:
        """Network namespace (an object) → machine, and name in /run/netns ("" for the machine's own)."""
        found: dict[Any, tuple[str, str]] = {}
        for name, machine in self.machines.items():
            for path, node in machine.system.files.view.mounts.items():
                if isinstance(node, NetnsFile):
                    found[node.net] = (name, path.rpartition("/")[2])
            found[machine.net] = (name, "")
        return found

    def settle(self) -> None:
        self.loop.run_soon()

    def close(self) -> None:
        """Nothing outside of this object is held."""
        self.machines = {}


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Building makes many objects and no garbage: looking for some would take half of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            if not gc.get_freeze_count():
                # What was built goes to the oldest generation unvisited: it stays as long as the lab.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _digests(path: str, folder: Directory, found: dict[str, str]) -> None:
    import hashlib  # loads OpenSSL

    for name, node in sorted(folder.entries.items()):
        if f"{path}/{name}" in limits.ENGINE_FOLDERS:
            continue
        if isinstance(node, Directory):
            _digests(f"{path}/{name}", node, found)
        elif type(node) is RegularFile:
            found[f"{path}/{name}"] = hashlib.sha256(bytes(node.data)).hexdigest()[:16]


def _programs() -> dict[str, Program]:
    """Every command of this installation."""
    there = [name for name in COMMAND_FOLDERS if _exists(name)]
    return standard_programs(*there, plugins={k: v for k, v in PLUGIN_FOLDERS.items() if _exists(k)})


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


class EmulatedMachine:
    """A machine on the emulated kernel: `machine.Machine`."""

    def __init__(self, backend: EmulatedBackend, name: str, system: System):
        self.backend = backend
        self.name = name
        self.system = system
        self.sessions: dict[str, Any] = {}

    @property
    def net(self) -> NetNamespace:
        return self.system.host.init_net

    # -- programs ---------------------------------------------------------------------------
    def run(
        self,
        command: str | Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        session: str | None = None,
    ) -> Completed:
        """See `machine.Machine.run`; seconds are those of the lab's virtual clock."""
        if timeout is None:
            timeout = limits.interrupt_after(command) or self.backend.limit
        if session is not None:
            return self._run_in_session(session, command, env, timeout)
        argv = ["bash", "-c", command] if isinstance(command, str) else list(command)
        out, err = Capture(), Capture()
        try:
            process = self._start(argv, stdin, env, out, err)
        except KernelError as error:
            return _not_started(argv[0], error)
        interrupted = self._finish(process, process.exited, timeout)
        status = process.returncode or 0
        result = Completed(out.text(), err.text(), status if status >= 0 else 128 - status)
        if interrupted is not None:
            raise Interrupted(result, interrupted)
        return result

    def _start(
        self, argv: list[str], stdin: str, env: Mapping[str, str] | None, out: Capture, err: Capture
    ) -> Process:
        environment = {**self.system.default_env(), **(env or {})}
        reader = BytesReader(stdin.encode("utf-8", "surrogateescape"))
        return self.system.spawn(argv, stdin=reader, stdout=out, stderr=err, env=environment)

    def _run_in_session(
        self, name: str, command: str | Sequence[str], env: Mapping[str, str] | None, timeout: float
    ) -> Completed:
        from kubenet_course.lab.backends.emulated_session import Session

        session = self.sessions.get(name)
        if session is None or session.process.returncode is not None:
            session = self.sessions[name] = Session(self.system, env)
        text = command if isinstance(command, str) else shlex.join(command)
        done = session.submit(text)
        interrupted = self._finish(session.process, done, timeout, spare=session.process)
        if interrupted is not None:
            raise Interrupted(session.take(), interrupted)
        return session.take()

    def _finish(
        self, process: Process, done: Any, timeout: float, spare: Process | None = None
    ) -> float | None:
        """Run until `done`; after `timeout` (or on Ctrl-C) interrupt, then kill; `spare` in the third round.

        Returns after how many seconds Ctrl-C came, if it did.
        """
        loop = self.backend.loop
        limit, began, interrupted = timeout, loop.now, None
        pressed = isinstance(timeout, Pressed)  # a replay
        for round_ in range(4):
            if round_:
                for victim in self.system.foreground(process):
                    if victim is not spare or round_ == 3 or pressed and round_ == 1:
                        victim.kill(2 if round_ == 1 else 9)
            try:
                with Stopping(loop) as stop:
                    loop.run_until(done, round(limit * SECOND), stop.begin)
                break
            except Stopped:
                interrupted, pressed = max(loop.now - began, 1) / SECOND, True
                limit = KILL_AFTER
            except TimeoutExpired:
                limit = KILL_AFTER
            except Deadlock:
                loop.now += round(limit * SECOND)  # nothing will ever happen: the learner waits, then Ctrl-C
                limit = KILL_AFTER
        loop.run_soon()
        return interrupted

    def spawn(
        self, argv: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> EmulatedRunning:
        out, err = Capture(), Capture()
        try:
            process = self._start(list(argv), stdin, env, out, err)
        except KernelError as error:
            raise OSError(errno.on_this_computer(error.errno), error.strerror, argv[0]) from None
        self.backend.loop.run_soon()
        return EmulatedRunning(process, out, err, self.backend.loop)

    # -- files ------------------------------------------------------------------------------
    def read(self, path: str) -> str:
        return self.read_bytes(path).decode("utf-8", "replace")

    def read_bytes(self, path: str) -> bytes:
        try:
            return self.system.files.view.read(path, self.system.init)
        except KernelError as error:
            raise OSError(errno.on_this_computer(error.errno), error.strerror, path) from None

    def write(self, path: str, content: str | bytes, mode: int | None = None, append: bool = False) -> None:
        data = content.encode() if isinstance(content, str) else content
        view = self.system.files.view
        try:
            parent = path.rpartition("/")[0]
            if parent and not view.isdir(parent, self.system.init):
                view.mkdir(parent, parents=True)
            if append and view.exists(path, self.system.init):
                data = view.read(path, self.system.init) + data
            view.write(path, data, self.system.init)
            if mode is not None:
                view.chmod(path, mode)
        except KernelError as error:
            raise OSError(errno.on_this_computer(error.errno), error.strerror, path) from None

    def exists(self, path: str) -> bool:
        return self.system.files.view.exists(path, self.system.init)


class EmulatedRunning:
    """A started program; it goes on whenever the lab's clock does."""

    def __init__(self, process: Process, out: Capture, err: Capture, loop: Loop):
        self.process = process
        self.pid = process.pid
        self._captures = out, err
        self._loop = loop

    def poll(self) -> int | None:
        status = self.process.returncode
        return status if status is None or status >= 0 else 128 - status

    def output(self) -> tuple[str, str]:
        return self._captures[0].text(), self._captures[1].text()

    def terminate(self, signum: int = 15) -> None:
        self.process.kill(signum)
        self._loop.run_soon()


def _not_started(name: str, error: KernelError) -> Completed:
    if error.strerror == "No such file or directory" and "/" not in name:
        return Completed("", f"bash: line 1: {name}: command not found\n", 127)
    return Completed("", f"bash: line 1: {name}: {error.strerror}\n", 127 if error.errno == 2 else 126)
