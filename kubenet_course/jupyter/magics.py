"""The magics. Each is a line (some also a cell); `%lab`, `%host` and the pictures of `lab`.

    %lab load bridge-nat [--backend mininet] [--seed N]    start a lab (also: list, reset, close; alone: info)
    %host red ip route          one command            %%host red     the cell is a shell script
    %machine red                where commands run from now on
    %topology  %routes red  %neigh red  %fdb s1  %nat host  %firewall host  %connections host  %sockets host
    %ipam host bridge-net
    %journey red ping -c1 8.8.8.8        %explain red ping -c1 8.8.8.8
    %diff [N]  %undo [N]  %redo  %checkpoint NAME  %history

A machine that is left out is the current one. An error is one sentence, never a traceback.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class

from kubenet_course.errors import LabError, near
from kubenet_course.jupyter.completion import machine_commands
from kubenet_course.jupyter.session import NotebookSession, one_sentence, write
from kubenet_course.lab.lab import Lab

_LAB_HELP = (
    "%lab load NAME [--backend emulated|mininet] [--seed N], %lab list, %lab reset, %lab close, or just %lab"
)


def split(line: str) -> list[str]:
    """The words of a magic's line; LabError where a quote is open."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise LabError(f"The line cannot be read: {error}.") from None


@magics_class
class LabMagics(Magics):
    """All of them; `session` is shared with the completion and the course."""

    def __init__(self, shell: Any, session: NotebookSession):
        super().__init__(shell=shell)
        self.session = session

    # -- the lab ----------------------------------------------------------------------------
    @line_magic
    def lab(self, line: str) -> None:
        """Load, show, reset or close the lab."""
        with one_sentence():
            words = split(line)
            action = words.pop(0) if words else "info"
            actions: dict[str, Callable[[list[str]], None]] = {
                "load": self._load,
                "info": self._info,
                "list": self._list,
                "reset": self._reset,
                "close": self._close,
            }
            if action not in actions:
                raise LabError(f"%lab has no {action!r}{near(action, actions)}. It is: {_LAB_HELP}.")
            actions[action](words)

    def _load(self, words: list[str]) -> None:
        options: dict[str, Any] = {}
        names = []
        while words:
            word = words.pop(0)
            if word in ("--backend", "--seed"):
                if not words:
                    raise LabError(f"{word} needs a value. It is: {_LAB_HELP}.")
                value = words.pop(0)
                options[word[2:]] = value if word == "--backend" else _number(value, word)
            else:
                names.append(word)
        if len(names) != 1:
            raise LabError(f"Name one lab. It is: {_LAB_HELP}.")
        self.session.load(names[0], **options)
        self._info([])

    def _info(self, _: list[str]) -> None:
        lab = self.session.need()
        title = f": {lab.spec.title}" if lab.spec.title else ""
        write(f"Lab {lab.name} ({lab.backend_name} kernel){title}")
        write("Machines: " + ", ".join(f"{node.name} ({node.kind})" for node in lab.spec))
        write(f"Commands run on: {self.session.machine}")
        for notice in lab.notices:
            write(notice)

    def _list(self, _: list[str]) -> None:
        known = Lab.scenarios()
        width = max(map(len, known), default=0)
        write("\n".join(f"{name:{width}}  {title}" for name, title in known.items()))

    def _reset(self, words: list[str]) -> None:
        lab = self.session.need()
        lab.reset(words[0] if words else None)
        write(f"{lab.name} is as it was {'at ' + words[0] if words else 'at the start'}.")

    def _close(self, _: list[str]) -> None:
        name = self.session.need().name
        self.session.close()
        self.session.shell.user_ns.pop("lab", None)
        write(f"{name} is closed.")

    # -- commands ---------------------------------------------------------------------------
    @line_cell_magic
    def host(self, line: str, cell: str | None = None) -> None:
        """Run a command on a machine; as a cell magic, the cell is the script."""
        with one_sentence():
            machine, command = self._machine_and_rest(line)
            if cell is not None:
                if command:
                    raise LabError(f"%%host takes a machine only; the commands are the lines below: {line}")
                self.session.run_cell(cell, machine)
            elif not command:
                raise LabError("%host MACHINE COMMAND: which command?")
            else:
                self.session.run(machine, command)

    @line_magic
    def machine(self, line: str) -> None:
        """Say where commands run, or choose another machine."""
        with one_sentence():
            lab = self.session.need()
            if line.strip():
                self.session.choose(line.strip())
            write(f"Commands run on {self.session.machine} (of {', '.join(lab.machines)}).")

    def _machine_and_rest(self, line: str) -> tuple[str, str]:
        """The machine that a line begins with (else the current one), and what follows as it is.

        A line that begins with a command runs on the current machine.
        """
        lab = self.session.need()
        first, _, rest = line.strip().partition(" ")
        if not first:
            return self.session.machine, ""
        if first not in lab and first in machine_commands(self.session):
            return self.session.machine, line.strip()
        if first not in lab:
            raise LabError(
                f"There is no machine {first!r} in this lab{near(first, lab.machines)}; there are: {', '.join(lab.machines)}."
            )
        return first, rest.strip()

    # -- pictures ---------------------------------------------------------------------------
    def _picture(self, name: str, line: str, *, machine: bool = True) -> Any:
        with one_sentence():
            lab = self.session.need()
            words = split(line)
            options = {
                key[2:]: value for key, _, value in (w.partition("=") for w in words if w.startswith("--"))
            }
            plain = [word for word in words if not word.startswith("--")]
            if machine and not plain:
                plain = [self.session.machine]
            if len(plain) > (1 if machine else 0):
                raise LabError(f"%{name} takes {'one machine' if machine else 'nothing more'}: {line}")
            given: dict[str, Any] = {
                k: (int(v) if v.isdigit() else v) if v else True for k, v in options.items()
            }
            return getattr(lab, name)(*plain, **given)
        return None

    @line_magic
    def topology(self, line: str) -> Any:
        """The network as a picture."""
        return self._picture("topology", line, machine=False)

    @line_magic
    def hooks(self, line: str) -> Any:
        """The diagram of the hooks in a machine; %hooks POSTROUTING lights one (or more) of them."""
        from kubenet_course.widgets.hooks import PLACES

        with one_sentence():
            names = {spot.lower(): spot for spot in PLACES}
            return self.session.need().hooks(*(names.get(word.lower(), word) for word in split(line)))
        return None

    @line_magic
    def routes(self, line: str) -> Any:
        """A routing table; --table=all, --family=6."""
        return self._picture("routes", line)

    @line_magic
    def neigh(self, line: str) -> Any:
        """A neighbour (ARP) table."""
        return self._picture("neighbours", line)

    @line_magic
    def fdb(self, line: str) -> Any:
        """What a switch or bridge has learned; --own: also its own MAC addresses."""
        return self._picture("fdb", line)

    @line_magic
    def nat(self, line: str) -> Any:
        """The rules that rewrite addresses."""
        return self._picture("nat", line)

    @line_magic
    def firewall(self, line: str) -> Any:
        """The filter rules; --table=nat or all for others."""
        return self._picture("firewall", line)

    @line_magic
    def connections(self, line: str) -> Any:
        """What connection tracking knows."""
        return self._picture("connections", line)

    @line_magic
    def sockets(self, line: str) -> Any:
        """Who listens and who talks."""
        return self._picture("sockets", line)

    @line_magic
    def ipam(self, line: str) -> Any:
        """The address pools of CNI: %ipam host, or of one network: %ipam host bridge-net"""
        with one_sentence():
            lab = self.session.need()
            words = split(line)
            if not words or words[0] not in lab:
                words = [self.session.machine, *words]
            if len(words) > 2:
                raise LabError(f"%ipam takes a machine and a network: {line}")
            return lab.ipam(*words)
        return None

    @line_magic
    def journey(self, line: str) -> Any:
        """Run a command and follow its packets: %journey red ping -c1 8.8.8.8"""
        return self._followed("journey", line)

    @line_magic
    def resolution(self, line: str) -> Any:
        """Run a command and show how its names were resolved: %resolution client dig www.example.org"""
        return self._followed("resolution", line)

    @line_magic
    def explain(self, line: str) -> Any:
        """Run a command and say why it works, or where and why it fails."""
        return self._followed("explain", line)

    def _followed(self, name: str, line: str) -> Any:
        with one_sentence():
            lab = self.session.need()
            first, _, rest = line.strip().partition(" ")
            if rest and first not in lab and first in machine_commands(self.session):
                first, rest = self.session.machine, line
            if not rest.strip():
                raise LabError(
                    f"%{name} MACHINE COMMAND, such as: %{name} {self.session.machine} ping -c1 ADDRESS"
                )
            return getattr(lab, name)(first, rest.strip())
        return None

    # -- history ----------------------------------------------------------------------------
    @line_magic
    def diff(self, line: str) -> Any:
        """What the last action changed (or the last N, or --since=CHECKPOINT)."""
        with one_sentence():
            from kubenet_course.widgets.diff import show

            words = split(line)
            since = next((word.partition("=")[2] for word in words if word.startswith("--since=")), None)
            steps = next((_number(word, "%diff") for word in words if not word.startswith("--")), 1)
            return show(self.session.need(), steps, **({"since": since} if since else {}))
        return None

    @line_magic
    def undo(self, line: str) -> None:
        """Take back the last action, the last N, or all since a checkpoint."""
        with one_sentence():
            lab, word = self.session.need(), line.strip()
            if word and not word.isdigit():
                undone = lab.undo(to=word)
            else:
                undone = lab.undo(int(word or 1))
            self._say("Taken back", undone)

    @line_magic
    def redo(self, line: str) -> None:
        """Do again what the last %undo took back."""
        with one_sentence():
            self._say("Done again", self.session.need().redo())

    def _say(self, what: str, records: list[Any]) -> None:
        own = [record for record in records if record.replayed]
        write(f"{what}: " + ("; ".join(f"{r.machine}$ {_short(r.command)}" for r in own) or "nothing"))

    @line_magic
    def checkpoint(self, line: str) -> None:
        """Remember this state under a name, for %undo NAME and %lab reset NAME."""
        with one_sentence():
            lab, name = self.session.need(), line.strip()
            if name.isdigit() or len(name.split()) > 1:
                raise LabError(f"A checkpoint's name is one word, and no number: {name}")
            write(f"This is {lab.checkpoint(name)}.")

    @line_magic
    def history(self, line: str) -> Any:
        """What was done to the lab so far; without a lab, or with options, IPython's own %history."""
        if line.strip() or (self.session.lab is None and "lab" not in self.session.shell.user_ns):
            from IPython.core.magics.history import HistoryMagics

            return HistoryMagics(self.shell).history(line)
        with one_sentence():
            from kubenet_course.widgets.history import show

            return show(self.session.need())
        return None


def _number(text: str, what: str) -> int:
    if not text.isdigit():
        raise LabError(f"{what} takes a number, not {text!r}.")
    return int(text)


def _short(command: str) -> str:
    first, newline, _ = command.partition("\n")
    return first[:80] + ("…" if newline or len(first) > 80 else "")
