"""Completion in notebooks: commands, their words and options, devices, namespaces, machines, files.

`complete(session, line)` is the whole of it: the text up to the cursor gives the fragment to replace
and what may stand there. IPython asks through a matcher; it applies to `%host`-like lines, to
`%%host` cells, and, in the kernel `kubenet`, to cells of commands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from kubenet_course.jupyter.cells import SHELL_WORDS, is_python
from kubenet_course.jupyter.session import NotebookSession
from kubenet_course.jupyter.words import GRAMMAR, OPTIONS, Choice
from kubenet_course.view.target import namespaces

#: Magics whose first word is a machine; after it a command follows for the first three.
WITH_COMMAND = ("host", "journey", "explain", "resolution")
WITH_MACHINE = ("routes", "neigh", "nat", "firewall", "connections", "sockets", "machine", "fdb", "ipam")
#: What may follow the machine.
OF_PICTURES = {
    "routes": ("--table=all", "--family=6"),
    "firewall": ("--table=nat", "--table=mangle", "--table=raw", "--table=all"),
    "fdb": ("--own",),
}
_SEPARATORS = re.compile(r"(?:\|\||&&|[|;&(]|\$\()\s*")


def complete(session: NotebookSession, line: str, machine: str = "") -> tuple[str, list[str]]:
    """(fragment, candidates) for a command line that ends at the cursor, on `machine`."""
    lab = session.lab
    if lab is None:
        return "", []
    machine = machine or session.machine
    prompt = re.match(r"^([A-Za-z0-9][\w.-]*)\$\s+|^@([A-Za-z0-9][\w.-]*)\s+", line)
    if prompt is not None and (prompt[1] or prompt[2]) in lab:
        machine, line = prompt[1] or prompt[2], line[prompt.end() :]
    line = _SEPARATORS.split(line)[-1]
    words = line.split()
    fragment = "" if not words or line[-1].isspace() else words.pop()
    found = _candidates(session, machine, words, fragment)
    return fragment, sorted({word for word in found if word.startswith(fragment)})


def _candidates(session: NotebookSession, machine: str, words: list[str], fragment: str) -> Iterable[str]:
    lab = session.need()
    while words and (words[0] in ("sudo", "time", "do", "then", "!") or re.match(r"^\w+=", words[0])):
        words = words[1:]
    if words[:3] == ["ip", "netns", "exec"] and len(words) >= 4:
        return _candidates(session, machine, words[4:], fragment)
    if not words:
        if "/" in fragment:
            return _files(session, machine, fragment)
        return machine_commands(session, machine)
    if "/" in fragment and not fragment.startswith("-") and not re.match(r"^[\d.:a-f]+/", fragment):
        return _files(session, machine, fragment)
    if fragment.startswith("-"):
        return OPTIONS.get(words[0], ())
    namespace = words[words.index("-n") + 1] if words[0] in ("ip", "bridge") and "-n" in words[:-1] else ""
    in_namespace = words[0] in ("ip", "bridge") and words[-1] in ("-n", "-netns")
    choice = Choice((), ("namespace",)) if in_namespace else _grammar(words)
    kinds: dict[str, Callable[[], Iterable[str]]] = {
        "device": lambda: _devices(session, machine, namespace),
        "namespace": lambda: namespaces(lab, machine),
        "address": lambda: _addresses(session),
        "machine": lambda: lab.machines,
        "container": lambda: _printed(session, machine, "docker ps -a --format '{{.Names}}'"),
        "network": lambda: _printed(session, machine, "docker network ls --format '{{.Name}}'"),
        "file": lambda: _files(session, machine, fragment),
        "command": lambda: machine_commands(session, machine),
    }
    found: list[str] = list(choice.words)
    for kind in choice.kinds:
        found += kinds[kind]()
    return found


def _grammar(words: list[str]) -> Choice:
    """What may follow these words: by the longest known beginning, the last keyword, else files."""
    name = words[0]
    rest = _without_options(name, words[1:])
    if rest:
        last = GRAMMAR.get(f"* {rest[-1]}") if name in ("ip", "bridge", "tc") else None
        last = GRAMMAR.get(f"{name} * {rest[-1]}", last)
        if last is not None:
            return last
    for length in range(min(len(rest), 2), -1, -1):
        known = GRAMMAR.get(" ".join([name, *rest[:length]]))
        if known is not None:
            return known
    return Choice((), ("file",))


def _without_options(name: str, words: list[str]) -> list[str]:
    """ip's and bridge's options come before the object, and two of them take a value."""
    if name not in ("ip", "bridge"):
        return words
    kept = list(words)
    while kept and kept[0].startswith("-"):
        option = kept.pop(0)
        if option in ("-n", "-netns", "-f", "-family", "-b", "-batch") and kept:
            kept.pop(0)
    return kept


# -- what there is on the machine -----------------------------------------------------------------
def machine_commands(session: NotebookSession, machine: str = "") -> frozenset[str]:
    """Names of the programs and shell words there; empty without a lab. Asked once per lab and machine."""
    lab = session.lab
    if lab is None:
        return frozenset()
    cache = session.command_names
    key = (id(lab), machine or session.machine)
    if key not in cache:
        listing = lab.query(
            key[1],
            "for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do ls $d; done"
            " 2>/dev/null",
        )
        cache[key] = frozenset(listing.stdout.split()) | SHELL_WORDS
    return cache[key]


def _devices(session: NotebookSession, machine: str, namespace: str) -> list[str]:
    argv = ["ip", *(["-n", namespace] if namespace else []), "-j", "link", "show"]
    result = session.need().query(machine, argv)
    return (
        [row["ifname"] for row in json.loads(result.stdout or "[]") if row] if result.returncode == 0 else []
    )


def _addresses(session: NotebookSession) -> list[str]:
    """The addresses of the lab's machines, and the machines' names."""
    lab = session.need()
    found = [a.partition("/")[0] for node in lab.spec for i in node.interfaces for a in i.addresses]
    return [*dict.fromkeys(found), *lab.machines]


def _printed(session: NotebookSession, machine: str, command: str) -> list[str]:
    """The words that a command prints."""
    return session.need().query(machine, command).stdout.split()


def _files(session: NotebookSession, machine: str, fragment: str) -> list[str]:
    script = 'for f in "$1"*; do if [ -d "$f" ]; then echo "$f/"; elif [ -e "$f" ]; then echo "$f"; fi; done'
    result = session.need().query(machine, ["bash", "-c", script, "complete", fragment])
    return result.stdout.splitlines()


# -- IPython's side -------------------------------------------------------------------------------
def for_cell(
    session: NotebookSession, text: str, cursor_line: int, before: str, kernel: bool
) -> tuple[str, list[str]] | None:
    """Completion for a place in a cell; None where it is not ours to complete."""
    first = text.lstrip().partition("\n")[0]
    magic = re.match(r"^\s*%(\w+)\s+(.*)$", before)
    if magic is not None and cursor_line >= 0:
        return _magic_line(session, magic[1], magic[2])
    cell_magic = re.match(r"^%%host(?:\s+(\S+))?\s*$", first)
    if cell_magic is not None and cursor_line > 0:
        return complete(session, before, cell_magic[1] or "")
    if before.startswith("%%host ") and session.lab is not None:
        return _named(session.lab.machines, before[len("%%host ") :])
    if kernel and before.strip() and not is_python(text, machine_commands(session)):
        return complete(session, before)
    return None


def _magic_line(session: NotebookSession, magic: str, rest: str) -> tuple[str, list[str]] | None:
    from kubenet_course.lab.lab import Lab

    if magic == "lab":
        words = rest.split(" ")
        choices: Iterable[str] = (
            Lab.scenarios() if words[0] == "load" and len(words) > 1 else ("load", "list", "reset", "close")
        )
        if len(words) > 2:
            choices = ("emulated", "mininet") if words[-2] == "--backend" else ("--backend", "--seed")
        return _named(choices, words[-1])
    named = _what_a_magic_names(session, magic)
    if named is not None:
        return _named(named, rest)
    if session.lab is None or magic not in (*WITH_COMMAND, *WITH_MACHINE):
        return None
    machine, space, command = rest.partition(" ")
    if not space:
        return _named(session.lab.machines, rest)
    if magic in WITH_COMMAND:
        return complete(session, command, machine if machine in session.lab else "")
    return _named(OF_PICTURES.get(magic, ()), command.split(" ")[-1])


def _what_a_magic_names(session: NotebookSession, magic: str) -> Iterable[str] | None:
    """The names that may follow an exercise's, a quiz's or a checkpoint's magic; None for other magics."""
    from kubenet_course.course import quiz
    from kubenet_course.course import session as course
    from kubenet_course.widgets.hooks import PLACES

    if magic == "exercise":
        return course.exercises()
    if magic == "break":
        return course.faults()
    if magic == "quiz":
        return quiz.names()
    if magic == "hooks":
        return PLACES
    if magic in ("undo", "checkpoint"):
        return session.lab.history.checkpoints if session.lab is not None and magic == "undo" else ()
    return None


def _named(choices: Iterable[str], fragment: str) -> tuple[str, list[str]]:
    return fragment, sorted(choice for choice in choices if choice.startswith(fragment))


def install(shell: Any, session: NotebookSession) -> None:
    """Hang the matcher into IPython's completer."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    kernel = shell.parent.__class__.__name__ == "KubenetKernel" if shell.parent is not None else False

    @context_matcher()  # type: ignore[misc]
    def kubenet_matcher(context: Any) -> dict[str, Any]:
        found = for_cell(
            session,
            context.full_text,
            context.cursor_line,
            context.line_with_cursor[: context.cursor_position],
            kernel,
        )
        if found is None:
            return {"completions": [], "suppress": False}
        fragment, words = found
        # Nothing fits: the fragment stands for itself, else IPython would offer words of Python.
        completions = [SimpleCompletion(text=word, type="kubenet") for word in words or filter(None, [fragment])]
        return {"completions": completions, "matched_fragment": fragment, "suppress": True, "ordered": True}

    remove(shell)
    shell.Completer.custom_matchers.insert(0, kubenet_matcher)


def remove(shell: Any) -> None:
    """Take it out again."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [m for m in matchers if getattr(m, "__name__", "") != "kubenet_matcher"]
