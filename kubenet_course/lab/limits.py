"""When does the learner press Ctrl-C? Commands that never end by themselves are ended for them.

`interrupt_after(script)` gives the seconds after which a command gets SIGINT:

* a bare `ping X` (no -c, -w) after its fourth packet: 3.5 s;
* others that go on for ever (tcpdump without -c, tail -f, ip monitor, watch, conntrack -E, nc -l, …): 10 s;
* anything else: None, which means the backend's general limit (emulated 300 s of virtual time, real 60 s).

Both kernels use the same seconds: virtual ones there, real ones here. A limit is a last resort, so
the script is only looked at, never understood in full: an unusual spelling gets the general limit.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from functools import lru_cache

PING_SECONDS = 3.5
ENDLESS_SECONDS = 10.0
EMULATED_SECONDS = 300.0
REAL_SECONDS = 60.0
#: Files that programs keep for themselves there: nothing that a learner has changed.
ENGINE_FOLDERS = ("/var/lib/docker",)

_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_WRAPPERS = {"sudo": 0, "time": 0, "env": 0, "nohup": 0, "command": 0, "exec": 0, "stdbuf": 1}
_DOCKER_SWITCHES = (
    "--interactive", "--tty", "--rm", "--privileged", "--publish-all", "--init", "--quiet", "--sig-proxy", "--read-only",
    "--detach", "--help", "--stdin", "--quiet",
)  # fmt: skip
_SEPARATORS = {
    ";",
    "&&",
    "||",
    "|",
    "(",
    ")",
    "{",
    "}",
    "!",
    "do",
    "then",
    "else",
    "if",
    "while",
    "until",
    "\n",
}


def _flags(words: Sequence[str]) -> str:
    """All letters of short options, and long options as words."""
    return " ".join(w for w in words if w.startswith("--")) + "".join(
        w[1:] for w in words if w.startswith("-") and not w.startswith("--")
    )


def _endless(name: str) -> Callable[[Sequence[str]], bool] | None:
    """For programs that may go on for ever: does it, with these arguments?"""
    table: dict[str, Callable[[Sequence[str]], bool]] = {
        "tcpdump": lambda words: not re.search(r"[crD]|--count|--version|--help", _flags(words)),
        "tail": lambda words: bool(re.search(r"[fF]|--follow", _flags(words))),
        "ip": lambda words: any(w in ("monitor", "mon", "moni", "monit") for w in words[:2]),
        "bridge": lambda words: "monitor" in words[:2],
        "watch": lambda words: True,
        "conntrack": lambda words: "E" in _flags(words) or "--event" in words,
        "nc": lambda words: "l" in _flags(words),
        "ncat": lambda words: "l" in _flags(words),
        "kubectl": lambda words: bool({"-w", "--watch", "-f", "--follow"} & set(words)),
        "yes": lambda words: True,
        "top": lambda words: not re.search(r"[nb]", _flags(words)),
        "nft": lambda words: "monitor" in words,
        "coredns": lambda words: "-version" not in words and "-plugins" not in words,
    }
    return table.get(name)


def interrupt_after(command: str | Sequence[str]) -> float | None:
    """Seconds after which `command` is interrupted, or None for the general limit."""
    return _interrupt_after(command if isinstance(command, str) else tuple(command))


@lru_cache(512)
def _interrupt_after(command: str | tuple[str, ...]) -> float | None:
    limits = [_of_simple_command(words) for words in _simple_commands(command)]
    found = [limit for limit in limits if limit is not None]
    return sum(found) if found else None


def _simple_commands(command: str | Sequence[str]) -> list[list[str]]:
    if not isinstance(command, str):
        return [list(command)]
    if "<<" in command:
        return []
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace = " \t\r"
    lexer.commenters = ""
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    try:
        for token in lexer:
            if token == "&":
                commands[-1] = []  # in the background: nobody waits for it
            elif token in _SEPARATORS or set(token) <= set(";&|()\n"):
                commands.append([])
            else:
                commands[-1].append(token)
    except ValueError:
        return []
    return [words for words in commands if words]


def _of_simple_command(words: list[str]) -> float | None:
    words = list(words)
    while words:
        if _ASSIGNMENT.match(words[0]):
            words.pop(0)
        elif words[0] in _WRAPPERS:
            del words[: 1 + _WRAPPERS[words[0]]]
        elif words[:3] == ["ip", "netns", "exec"] or (words[0] == "ip" and "exec" in words[1:5]):
            del words[: words.index("exec") + 2]
        elif words[:2] == ["docker", "exec"] or words[:2] == ["kubectl", "exec"]:
            rest = words[2:]
            words = rest[rest.index("--") + 1 :] if "--" in rest else _after_options(rest)[1:]
        else:
            break
    if words[:1] == ["docker"]:
        return _of_docker(words[1:])
    if not words:
        return None
    name, arguments = words[0].rsplit("/", 1)[-1], words[1:]
    if name in ("ping", "ping6", "ping4"):
        if re.search(r"[cwVh]", _ping_flags(arguments)):
            return None
        return PING_SECONDS
    endless = _endless(name)
    return ENDLESS_SECONDS if endless is not None and endless(arguments) else None


def _after_options(words: list[str]) -> list[str]:
    """Without the options of docker (or kubectl) before the first operand, and their values."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        takes = option not in _DOCKER_SWITCHES if option.startswith("--") else option[-1] in "ehlpvwmuanc"
        if takes and "=" not in option:
            del rest[:1]
    return rest


def _of_docker(words: list[str]) -> float | None:
    """`docker run` in the foreground: as its command says, or the image's own, which is a server as a rule."""
    words = words[1:] if words[:1] == ["container"] else words
    verb, rest = (words[0], words[1:]) if words else ("", [])
    if verb in ("attach", "events", "stats", "wait"):
        return None if verb == "wait" or "--no-stream" in rest else ENDLESS_SECONDS
    if verb == "logs":
        return ENDLESS_SECONDS if re.search(r"f|--follow", _flags(rest)) else None
    if verb != "run":
        return None
    operands = _after_options(rest)
    for option in rest[: len(rest) - len(operands)]:
        if option in ("-d", "--detach", "--help") or re.fullmatch(r"-[itPq]*d[itPq]*", option):
            return None
    rest, command = operands, operands[1:]
    return _of_simple_command(command) if command else ENDLESS_SECONDS if rest else None


def _ping_flags(words: Sequence[str]) -> str:
    """ping's option letters, without the values that follow them (`-I c0` is no `-c`)."""
    letters, skip = "", False
    for word in words:
        if skip:
            skip = False
            continue
        if not word.startswith("-") or word == "-":
            continue
        for position, letter in enumerate(word[1:], 1):
            letters += letter
            if letter in "cIiLlmMnopQsStTwWN" and letter not in "nL":
                skip = position == len(word) - 1
                break
    return letters
