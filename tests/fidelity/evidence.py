"""Reads the tests' material: which command lines agreed, with what, on which kernel."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.transcript import all_transcripts, load

TESTS = Path(__file__).parent.parent

#: Which kernel was the judge.
THIS, SECOND, TOOLS = "both kernels", "second kernel", "Debian's program"
SECOND_KERNEL = ("transcripts-uml",)
CASES = ("userland/command_cases", "userland/shell_cases")
#: Recordings: folders below tests whose *.jsonl hold one {"cmd", "stdout", "stderr", "rc"} a line.
RECORDINGS = ("userland/commands",)
#: Recordings whose *.json hold a list of {"cmd", …}.
LISTS = ("dns/cases",)


class Line(NamedTuple):
    """A command line that agreed."""

    text: str
    judge: str
    failed: bool


def lines() -> Iterator[Line]:
    for path in all_transcripts():
        transcript = load(path)
        for step in transcript.steps:
            if not transcript.why_not_real:
                yield Line(step.command, THIS, step.status != 0)
    for folder in (*SECOND_KERNEL, *RECORDINGS):
        judge = SECOND if folder in SECOND_KERNEL else THIS
        for path in sorted((TESTS / folder).rglob("*.jsonl")):
            for text in path.read_text(encoding="utf-8").splitlines():
                step = json.loads(text)
                command = step.get("cmd") or step.get("command")
                if isinstance(command, str):
                    yield Line(command, judge, bool(step.get("rc") or step.get("returncode")))
    for folder in LISTS:
        for path in sorted((TESTS / folder).glob("*.json")):
            for step in json.loads(path.read_text(encoding="utf-8")):
                yield Line(step["cmd"], THIS, bool(step["rc"]))
    for folder in CASES:
        for path in sorted((TESTS / folder).glob("*.txt")):
            for text in path.read_text(encoding="utf-8").splitlines():
                yield Line(text, TOOLS, False)


def cni_cases() -> Iterator[str]:
    """Names of the configurations that were run beside the packaged CNI plugins."""
    for path in sorted((TESTS / "cni" / "cases").glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(text)[0]


# -- from a command line to programs and their words ------------------------------------------------
_OPERATORS = {"|", "||", "&&", ";", "&", "(", ")", "{", "}", "!", "\n", ";;", "|&"}
_KEYWORDS = {"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "in", "case", "esac", "time"}
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*\+?=")
#: Programs that run another one: how many operands of their own come before it.
_PREFIXES = {"sudo": 0, "env": 0, "nohup": 0, "timeout": 1, "exec": 0, "command": 0, "setsid": 0, "nice": 0, "xargs": 0}


def simple_commands(text: str) -> Iterator[list[str]]:
    """The simple commands of a line, as words; what cannot be split into words is left out."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace_split = True
    lexer.whitespace = " \t\r"
    lexer.commenters = ""
    words: list[str] = []
    try:
        for token in lexer:
            if set(token) <= set("();|&\n{}!") or token in _KEYWORDS:
                if words:
                    yield words
                words = []
            elif set(token) <= set("<>&"):
                words.append("<>")
            else:
                words.append(token)
    except ValueError:
        return
    if words:
        yield words


def unwrapped(words: list[str], known: frozenset[str]) -> Iterator[list[str]]:
    """The program itself, and the one it runs: `ip netns exec red ping …` is both."""
    while words and (_ASSIGNMENT.match(words[0]) or words[0] == "<>"):
        words = words[1:] if words[0] != "<>" else words[2:]
    if not words:
        return
    name = words[0].rpartition("/")[2]
    if name in known:
        yield [name, *words[1:]]
    rest: list[str] = []
    if name == "ip" and "exec" in words[:4]:
        rest = words[words.index("exec") + 2 :]
    elif name in _PREFIXES:
        rest = words[1:]
        while rest and rest[0].startswith("-"):
            rest = rest[1:]
        rest = rest[_PREFIXES[name] :]
    elif name in ("nsenter", "unshare"):
        rest = [word for word in words[1:] if not word.startswith("-")]
    if rest:
        yield from unwrapped(rest, known)


#: Programs whose first operands are objects and actions rather than names of files or hosts.
_OBJECTS = {
    "ip": 2, "bridge": 2, "tc": 2, "nft": 2, "ovs-vsctl": 1, "ovs-ofctl": 1, "ovs-appctl": 1, "brctl": 1, "ipset": 1,
    "docker": 2, "cnitool": 1, "xtables-monitor": 0,
}  # fmt: skip
_NAME = re.compile(r"^[a-z][a-z-]*$")
_OPTION = re.compile(r"^--?[A-Za-z0-9?][\w-]*")
#: Options whose value says which extension is meant.
_EXTENSIONS = {"-m": "-m", "--match": "-m", "-j": "-j", "--jump": "-j", "-t": "-t", "--table": "-t"}


def features(words: list[str]) -> Iterator[str]:
    """What of a program a command used: its objects and actions, its options, extensions of iptables."""
    name, rest = words[0], words[1:]
    tables = name.startswith(("iptables", "ip6tables"))
    objects: list[str] = []
    for at, word in enumerate(rest):
        following = rest[at + 1] if at + 1 < len(rest) else ""
        if tables and word in _EXTENSIONS and re.fullmatch(r"\w+", following):
            yield f"{_EXTENSIONS[word]} {following}"
        elif _OPTION.match(word):
            match = _OPTION.match(word)
            assert match
            yield match[0]
        elif word.startswith("+") and name == "dig":
            yield word.partition("=")[0]
        elif len(objects) < _OBJECTS.get(name, 0) and _NAME.match(word):
            objects.append(word)
    if objects:
        yield " ".join(objects)
