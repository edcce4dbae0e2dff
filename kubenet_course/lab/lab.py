"""A lab: a topology on one of two kernels, and everything that was done to it.

    with Lab.load("routing") as lab:
        lab.run("A", "ip route")                    # Completed(stdout, stderr, returncode)
        lab.machine("A").write("/etc/hosts", text)
        lab.undo()

A lab is its topology plus its history. The emulated kernel is deterministic, so undo, redo, branch,
reset and diff build the topology anew and replay the history; the real kernel does the same, and
takes the real time for it. `close()` leaves nothing behind; forgetting it is harmless.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from kubenet_course.errors import LabError, near
from kubenet_course.lab.diff import Diff, Snapshot, compare, snapshot
from kubenet_course.lab.history import Checkpoint, History, Record
from kubenet_course.lab.interrupts import Interrupted
from kubenet_course.lab.machine import Completed, Machine, Running
from kubenet_course.lab.pictures import Pictures
from kubenet_course.lab.topology import Topology

SCENARIOS = "kubenet_course.course.scenarios"  # above this room, so it is named here, not imported
BACKENDS = {"emulated": "EmulatedBackend", "mininet": "RealBackend"}


def default_backend() -> str:
    """The kernel of labs that name none: KUBENET_BACKEND of the environment, else the emulated one."""
    return os.environ.get("KUBENET_BACKEND") or "emulated"


class Backend(Protocol):
    """A kernel with a lab built on it."""

    name: str
    notices: list[str]
    machines: Mapping[str, Machine]

    def query(self, machine: str, argv: Sequence[str]) -> Completed:
        """Run a command that only looks, so that nothing can be told from its having run."""

    def changed_files(self, machine: str) -> dict[str, str]:
        """Path → content digest of the files in which a machine may differ from a fresh one."""

    def settle(self) -> None:
        """Let what follows from the last command at once (a carrier's loss) have happened everywhere."""

    def close(self) -> None:
        """End it all; may be called again."""


class Lab(Pictures):
    """A running lab. See the module's docstring, and DESIGN's list of what is public."""

    def __init__(
        self,
        topology: Topology | Any,
        *,
        backend: str | None = None,
        seed: int = 0,
        interrupt_after: float | None = None,
    ):
        """`topology`: a Topology, or any Mininet Topo. `interrupt_after`: seconds, else `limits.py`'s.

        `backend`: "emulated" or "mininet"; if not given, what KUBENET_BACKEND in the environment says.
        """
        backend = backend or default_backend()
        if backend not in BACKENDS:
            raise LabError(f"there is no backend {backend!r}; there are: {', '.join(BACKENDS)}")
        if not isinstance(topology, Topology):
            from kubenet_course.lab.mininet_topo import from_mininet

            topology = from_mininet(topology)
        self.spec: Topology = topology.completed()
        self.backend_name = backend
        self.seed = seed
        self.interrupt_after = interrupt_after
        self.history = History()
        self._machines: dict[str, LabMachine] = {}
        self._observers: list[Callable[[Lab], object]] = []
        self._teardowns: list[Callable[[], object] | None] = []
        self._backend: Backend | None = self._build()

    @classmethod
    def load(cls, name: str, **options: Any) -> Lab:
        """The scenario of that name (`Lab.scenarios()` lists them), or a topology in a YAML file."""
        return cls(find_topology(name), **options)

    @staticmethod
    def scenarios() -> dict[str, str]:
        """Name → title of every scenario."""
        return {name: _scenario_module(name).title for name in scenario_names()}

    # -- machines ---------------------------------------------------------------------------
    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def machines(self) -> tuple[str, ...]:
        """The machines' names."""
        return tuple(node.name for node in self.spec)

    @property
    def notices(self) -> list[str]:
        """What the kernel underneath cannot do of what this lab asks for, a sentence each."""
        return self.backend.notices

    @property
    def backend(self) -> Backend:
        if self._backend is None:
            raise LabError("this lab is closed")
        return self._backend

    def machine(self, name: str, origin: str = "") -> LabMachine:
        """A machine, whose commands and files become part of the history.

        `origin` names a program (kube-proxy, a plugin) on whose behalf it is used: its commands can be
        read in the history, but are not replayed, because they follow from the learner's.
        """
        if origin or name not in self._machines:
            self.spec.node(name)
        if origin:
            return LabMachine(self, name, origin)
        if name not in self._machines:
            self._machines[name] = LabMachine(self, name)
        return self._machines[name]

    def __getitem__(self, name: str) -> LabMachine:
        return self.machine(name)

    def __contains__(self, name: object) -> bool:
        return name in self.spec

    def run(self, machine: str, command: str | Sequence[str], **options: Any) -> Completed:
        """Run a command on a machine; see `machine.Machine.run` for the options."""
        return self.machine(machine).run(command, **options)

    @property
    def closed(self) -> bool:
        """Whether `close()` was called; nothing can be run then."""
        return self._backend is None

    def query(self, machine: str, command: str | Sequence[str]) -> Completed:
        """Look, without leaving a trace in the history or on the machine; for views and checks."""
        self.spec.node(machine)
        argv = ["bash", "-c", command] if isinstance(command, str) else list(command)
        return self.backend.query(machine, argv)

    def pingAll(self, hosts: Sequence[str] | None = None) -> float:  # noqa: N802 — Mininet's name
        """Ping between all pairs of hosts, printing as Mininet does; the percentage that got lost."""
        names = list(hosts or (node.name for node in self.spec if node.kind != "switch"))
        addresses = {name: self.machine(name).IP() for name in names}
        sent = received = 0
        print("*** Ping: testing ping reachability")
        for source in names:
            reached = []
            for target in names:
                if source == target:
                    continue
                address = addresses[target]
                sent += 1
                ok = address is not None and self.run(source, ["ping", "-c1", "-W1", address]).returncode == 0
                received += ok
                reached.append(target if ok else "X")
            print(f"{source} -> {' '.join(reached)} ")
        loss = 100.0 * (sent - received) / sent if sent else 0.0
        print(f"*** Results: {loss:.0f}% dropped ({received}/{sent} received)")
        return loss

    # -- history ----------------------------------------------------------------------------
    def checkpoint(self, name: str = "") -> Checkpoint:
        """Remember this state; `undo(to=name)` and `reset(name)` come back to it."""
        name = name or f"checkpoint-{len(self.history.checkpoints) + 1}"
        mark = Checkpoint(name, len(self.history))
        self.history.checkpoints[name] = mark
        return mark

    def undo(self, steps: int = 1, *, to: Checkpoint | str | None = None) -> list[Record]:
        """Take back the last `steps` actions, or all since a checkpoint; what was taken back."""
        position = self.history.before(steps) if to is None else self.history.position_of(to)
        undone = self.history.cut(position)
        if undone:
            self.history.undone.append(undone)
            self._rebuild()
        return undone

    def redo(self) -> list[Record]:
        """Do again what the last undo took back."""
        if not self.history.undone:
            raise LabError("there is nothing to redo")
        rest = self.history.undone[:-1]
        records = self.history.undone[-1]
        for record in records:
            if record.replayed:
                self._replay(record)
        self.history.undone = rest
        return records

    def reset(self, to: Checkpoint | str | None = None) -> None:
        """Back to the untouched lab, or to a checkpoint; cannot be redone."""
        self.history.cut(0 if to is None else self.history.position_of(to))
        self.history.undone.clear()
        self._rebuild()

    def branch(self, steps_back: int = 0) -> Lab:
        """A second lab in the same state (or that of `steps_back` actions ago), independent of this one."""
        other = Lab(
            self.spec, backend=self.backend_name, seed=self.seed, interrupt_after=self.interrupt_after
        )
        position = self.history.before(steps_back)
        try:
            for record in self.history[:position]:
                if record.replayed:
                    other._replay(record)
        except BaseException:
            other.close()
            raise
        other.history.checkpoints = {
            name: mark for name, mark in self.history.checkpoints.items() if mark.position <= position
        }
        return other

    def snapshot(self) -> Snapshot:
        """Everything that `diff` compares, now."""
        return snapshot(self)

    def diff(self, steps: int = 1, *, since: Checkpoint | str | None = None) -> Diff:
        """What the last `steps` actions (or all since a checkpoint) changed, on every machine."""
        if not len(self.history):
            return Diff(())
        if since is not None:
            position = self.history.position_of(since)
            steps = sum(record.replayed for record in self.history[position:])
        with self.branch(steps) as before:
            return compare(snapshot(before), snapshot(self))

    # -- life -------------------------------------------------------------------------------
    def close(self) -> None:
        """End the lab, leaving nothing behind; may be called again."""
        backend, self._backend = self._backend, None
        if backend is None:
            return
        try:
            for teardown in filter(None, self._teardowns):
                teardown()
        finally:
            backend.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._backend is None else self.backend_name
        return f"<Lab {self.name} ({state}): {', '.join(self.machines)}>"

    def _build(self) -> Backend:
        module = importlib.import_module(f"kubenet_course.lab.backends.{self.backend_name}")
        backend: Backend = getattr(module, BACKENDS[self.backend_name])(
            self.spec, limit=self.interrupt_after, seed=self.seed
        )
        self._backend = backend
        self._teardowns = []
        try:
            for node in self.spec:
                if node.setup is not None:
                    self._teardowns.append(node.setup(_Unrecorded(backend.machines[node.name])))
        except BaseException:
            backend.close()
            raise
        return backend

    def _rebuild(self) -> None:
        """Build anew and replay; the history is what it was."""
        records, undone, marks = list(self.history), self.history.undone, self.history.checkpoints
        self.close()
        self._backend = self._build()
        self.history = History()
        for record in records:
            if record.replayed:
                self._replay(record)
        self.history.undone, self.history.checkpoints = undone, marks
        self._changed()

    def on_change(self, callback: Callable[[Lab], object]) -> None:
        """Call `callback(lab)` after each action, undo and reset; pictures keep up to date by it."""
        self._observers.append(callback)

    def _changed(self) -> None:
        for callback in self._observers:
            callback(self)

    def _replay(self, record: Record) -> None:
        machine = self.machine(record.machine)
        subject: Any = record.subject if isinstance(record.subject, str) else list(record.subject)
        getattr(machine, record.action)(subject, **dict(record.arguments))


class LabMachine:
    """A machine of a lab: `machine.Machine`, keeping the history; and a few names Mininet's users know."""

    def __init__(self, lab: Lab, name: str, origin: str = ""):
        self.lab = lab
        self.name = name
        self.origin = origin

    @property
    def _real(self) -> Machine:
        return self.lab.backend.machines[self.name]

    def run(
        self,
        command: str | Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        session: str | None = None,
    ) -> Completed:
        """See `machine.Machine.run`. Ctrl-C ends the command: KeyboardInterrupt, and the lab goes on."""
        options = {"stdin": stdin, "env": dict(env) if env else None, "timeout": timeout, "session": session}
        try:
            result = self._real.run(command, stdin=stdin, env=env, timeout=timeout, session=session)
        except Interrupted as stop:  # replayed, it is interrupted after as long
            self._record("run", command, {**options, "timeout": stop.seconds}, stop.result)
            raise
        self._record("run", command, options, result)
        return result

    def spawn(self, argv: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None) -> Running:
        running = self._real.spawn(argv, stdin=stdin, env=env)
        self._record("spawn", argv, {"stdin": stdin, "env": dict(env) if env else None})
        return running

    def read(self, path: str) -> str:
        return self._named(self._real.read, path)

    def read_bytes(self, path: str) -> bytes:
        return self._named(self._real.read_bytes, path)

    def _named(self, read: Callable[[str], Any], path: str) -> Any:
        """What `read` gives; an OSError from there names the machine and the file."""
        try:
            return read(path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{self.name}:{path}") from None

    def write(self, path: str, content: str | bytes, mode: int | None = None, append: bool = False) -> None:
        self._real.write(path, content, mode, append)
        self._record("write", path, {"content": content, "mode": mode, "append": append})

    def exists(self, path: str) -> bool:
        return self._real.exists(path)

    def _record(
        self,
        action: str,
        subject: str | Sequence[str],
        options: dict[str, Any],
        result: Completed | None = None,
    ) -> None:
        given = tuple((key, value) for key, value in options.items() if value not in (None, "", False))
        if action == "write":
            given = (("content", options["content"]), *(item for item in given if item[0] != "content"))
        what = subject if isinstance(subject, str) else tuple(subject)
        self.lab.history.add(Record(self.name, action, what, given, result, self.origin, not self.origin))
        self.lab._changed()

    # -- as Mininet's users know it ---------------------------------------------------------
    def cmd(self, *words: Any, **_: Any) -> str:
        """Run a command in this machine's shell session; what it printed, errors included."""
        parts = words[0] if len(words) == 1 and isinstance(words[0], (list, tuple)) else words
        return self.run(" ".join(str(part) for part in parts), session="cmd").output

    def cmdPrint(self, *words: Any) -> str:  # noqa: N802 — Mininet's name
        """`cmd`, and print the output."""
        output = self.cmd(*words)
        print(output, end="")
        return output

    def defaultIntf(self) -> str | None:  # noqa: N802
        """The name of its first interface."""
        interfaces = self.lab.spec.node(self.name).interfaces
        return interfaces[0].name if interfaces else None

    def IP(self, intf: str | None = None) -> str | None:  # noqa: N802
        """Its IPv4 address now, of its first interface or of `intf`."""
        return self._ask_ip(intf, ["-4", "-o", "addr", "show"], r"\binet (\d+\.\d+\.\d+\.\d+)")

    def MAC(self, intf: str | None = None) -> str | None:  # noqa: N802
        """Its MAC address now, of its first interface or of `intf`."""
        return self._ask_ip(intf, ["-o", "link", "show"], r"link/ether ([0-9a-f:]{17})")

    def _ask_ip(self, intf: str | None, words: list[str], pattern: str) -> str | None:
        device = intf or self.defaultIntf()
        if device is None:
            return None
        match = re.search(pattern, self.lab.query(self.name, ["ip", *words, "dev", device]).stdout)
        return match[1] if match else None

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<machine {self.name} of lab {self.lab.name}>"


class _Unrecorded:
    """A machine as a node's `setup` sees it: what it does belongs to the building, not to the history."""

    def __init__(self, machine: Machine):
        self.machine = machine
        self.name = machine.name

    def cmd(self, *words: Any, **_: Any) -> str:
        return self.machine.run(" ".join(str(word) for word in words)).output


# -- scenarios ---------------------------------------------------------------------------------
def scenario_names() -> list[str]:
    """All scenarios, by file name (with - for _)."""
    package = importlib.import_module(SCENARIOS)
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")]
    return sorted(name.replace("_", "-") for name in names)


def _scenario_module(name: str) -> Any:
    return importlib.import_module(f"{SCENARIOS}.{name.replace('-', '_')}")


def find_topology(name: str) -> Topology:
    """The topology of a scenario, or of a YAML file; LabError if there is neither."""
    if name.endswith((".yaml", ".yml")):
        return Topology.load(name)
    if name not in scenario_names():
        raise LabError(f"there is no lab {name!r}{near(name, scenario_names())}; there are: {', '.join(scenario_names())}")
    topology: Topology = _scenario_module(name).topology()
    return topology
