"""What a notebook remembers between cells: the lab, the current machine, and the machine's shells.

Commands of a cell run in one shell per machine that lives as long as the lab (so `cd` and variables
hold), statement by statement. What a statement printed comes first its standard output, then its
standard error, both on the notebook's standard output; a status that is not 0 follows as a line
``[2]``, as in the course's transcripts.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from kubenet_course.errors import BackendError, KubenetError, LabError
from kubenet_course.lab.interrupts import Interrupted
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.statements import is_complete, split_prompt

SESSION = "notebook"


class NotebookSession:
    """`lab` is the lab of this notebook (None before `%lab load`), `machine` where commands run."""

    def __init__(self, shell: Any):
        self.shell = shell
        self.lab: Lab | None = None
        self.machine = ""
        #: Whether the last statement was ended by the notebook's ■.
        self.interrupted = False
        #: (id of a lab, machine) → its commands; completion and the choice of cells ask for them often.
        self.command_names: dict[tuple[int, str], frozenset[str]] = {}
        #: Called with the new lab whenever another one is put to use (the course room listens).
        self.on_lab: list[Callable[[Lab], object]] = []
        atexit.register(self.close)

    # -- the lab ----------------------------------------------------------------------------
    def load(self, name: str, **options: Any) -> Lab:
        """Start the lab of that name in place of the one before, which goes on where there is none of that name."""
        return self.use(Lab.load(name, **options))

    def use(self, lab: Lab) -> Lab:
        """Make `lab` the notebook's: the variable `lab`, and where commands run."""
        if self.lab is not None and self.lab is not lab:
            self.lab.close()
        self.lab = lab
        self.machine = first_machine(lab)
        self.shell.user_ns["lab"] = lab
        for callback in self.on_lab:
            callback(lab)
        return lab

    def need(self) -> Lab:
        """The lab; LabError with what to type where there is none (or a learner's `lab` is used instead)."""
        own = self.shell.user_ns.get("lab")
        if isinstance(own, Lab) and own is not self.lab and not own.closed:
            self.use(own)
        if self.lab is not None and self.lab.closed:
            raise LabError(f"The lab {self.lab.name} is closed: `%lab load {self.lab.name}` starts it anew.")
        if self.lab is None:
            raise LabError("There is no lab yet: `%lab load NAME` starts one, `%lab list` names them.")
        return self.lab

    def close(self) -> None:
        """End the lab, if there is one."""
        if self.lab is not None:
            with contextlib.suppress(BackendError):  # a lab that broke has ended already
                self.lab.close()
            self.lab = None

    def choose(self, machine: str) -> None:
        """Make a machine the current one."""
        self.need().spec.node(machine)
        self.machine = machine

    # -- commands ---------------------------------------------------------------------------
    def run_cell(self, text: str, machine: str = "") -> int:
        """Run the statements of a cell on `machine`, or on the current one; the last status.

        ``red$ ip route`` names the machine for that line and those after it in the cell; ``red$``
        alone makes it the current machine for good.
        """
        lab = self.need()
        where = machine or self.machine
        lab.spec.node(where)
        status = 0
        self.interrupted = False
        for named, statement in cell_statements(text):
            if self.interrupted:
                break
            where = named or where
            lab.spec.node(where)
            if not statement:
                self.choose(where)
                continue
            status = self.run(where, statement)
        return status

    def run(self, machine: str, statement: str) -> int:
        """Run one statement and print what it printed. The notebook's ■ ends it (and its cell), not the lab."""
        try:
            result = self.need().run(machine, statement, session=SESSION)
        except Interrupted as stop:
            result, self.interrupted = stop.result, True
        write(result.stdout)
        write(result.stderr)
        if result.returncode:
            write(f"[{result.returncode}]\n")
        return result.returncode


def first_machine(lab: Lab) -> str:
    """The first host; where there is none, the first machine."""
    hosts = [node.name for node in lab.spec if node.kind == "host"]
    return hosts[0] if hosts else lab.machines[0]


def cell_statements(text: str) -> Iterator[tuple[str | None, str]]:
    """(machine or None, statement) of each complete statement; ("red", "") of a prompt alone."""
    pending, machine = "", None
    for line in text.splitlines():
        if pending:
            pending += "\n" + line
        else:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            machine, line = split_prompt(line)
            if machine is not None and not line.strip():
                yield machine, ""
                continue
            pending = line
        if is_complete(pending):
            yield machine, pending
            pending = ""
    if pending:
        yield machine, pending


def write(text: str) -> None:
    """To the notebook's standard output, always ending a line."""
    if text:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """Say an error of ours in one sentence instead of a traceback."""
    try:
        yield
    except KubenetError as error:
        write(str(error))
