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
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from kubenet_course.errors import LabError
from kubenet_course.lab.diff import Diff, Snapshot, compare, snapshot
from kubenet_course.lab.history import Checkpoint, History, Record
from kubenet_course.lab.lab_machine import LabMachine, UnrecordedMachine
from kubenet_course.lab.machine import Completed, Machine
from kubenet_course.lab.pictures import Pictures
from kubenet_course.lab.scenarios import find_topology, scenario_titles
from kubenet_course.lab.topology import Topology

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
        `seed`: what is left to chance on the emulated kernel (jitter, loss, ids) is the same for the same number.
        LabError: the topology is wrong, or there is no such backend; BackendError: this computer cannot have it.
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
        """The scenario of that name (`Lab.scenarios()` lists them), or a topology in a YAML file (a path with .yaml or .yml).

        Options are those of `Lab(…)`. LabError: there is neither, or the file is wrong.
        """
        return cls(find_topology(name), **options)

    @staticmethod
    def scenarios() -> dict[str, str]:
        """Name → title of every scenario."""
        return scenario_titles()

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
        """Run a command on a machine to its end: what it printed, and its status.

        A string is a script for bash, a sequence a program with its arguments. Options: `stdin` (text), `env`
        (added to the machine's), `timeout` (seconds of the machine's clock, then Ctrl-C), `session` (commands of
        the same name share a shell). A command that fails is no exception; LabError: there is no such machine,
        or the lab is closed.
        """
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
        """Remember this state; `undo(to=name)` and `reset(name)` come back to it. A name used again moves."""
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
                    self._teardowns.append(node.setup(UnrecordedMachine(backend.machines[node.name])))
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
        self.changed()

    def on_change(self, callback: Callable[[Lab], object]) -> None:
        """Call `callback(lab)` after each action, undo and reset; pictures keep up to date by it."""
        self._observers.append(callback)

    def changed(self) -> None:
        """Tell those who watch."""
        for callback in self._observers:
            callback(self)

    def _replay(self, record: Record) -> None:
        machine = self.machine(record.machine)
        subject: Any = record.subject if isinstance(record.subject, str) else list(record.subject)
        getattr(machine, record.action)(subject, **dict(record.arguments))
