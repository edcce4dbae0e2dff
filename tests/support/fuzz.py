"""Random command lines for every command there is, on machines with some state.

    python -m tests.support.fuzz [--seed N] [--rounds N] [--only NAME …] [--minutes M]

An argument list is either words of the command's own (every short string in its module and in the
modules that it imports: options, keywords, names) mixed with junk, or a line of a recorded transcript
in which words were changed. A defect is an exception that reached the process (`system.defects`) or
came out of the loop. It is shown with the lines before it, and again alone in a fresh lab.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import random
import re
import shlex
import sys
import time
import traceback
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from kubenet_course.lab.lab import Lab
from kubenet_course.lab.topology import Topology

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
FRESH_AFTER = 250  # lines in one lab
JUNK = [
    "", "-", "--", "---", "-x", "-1", "--foo", "--bar=1", "-é", "\udcff", "a b", "$x", "*", "?", "{}", ";", "|", "!", "'", '"', "\\", "\n", "\0x",
    "%s%n", "0", "1", "-5", "07", "0x10", "4294967296", "99999999999999999999", "1.5", "1e9", "nan", "abc", "A" * 300, "/", "/etc", "/nope", "/etc/hosts",
    "/tmp/data", "/dev/null", "/dev/tcp/1/2", "/proc/self/status", "/run/netns/red", "localhost", "host", "B", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00::/64", "1::2::3",
    "0.0.0.0", "0.0.0.0/0", "10.0.0.1", "10.0.0.2", "10.0.0.0/24", "10.0.0.1/33", "10.0.0.300", "10.1", "255.255.255.255", "224.0.0.1", "127.0.0.1", "192.168.15.1/24",
    "02:00:00:00:00:01", "02:00:00:00:00:0g", "ff:ff:ff:ff:ff:ff", "eth0", "lo", "br0", "veth-red", "veth-red-br", "red", "blue", "nope", "averyveryverylongname",
    "default", "all", "any", "main", "local", "tcp", "udp", "icmp", "http", "53", "80", "80:90", "90:80", "80,443", "65536", "INPUT", "MARK", "ACCEPT", "NEW,ESTABLISHED",
    "x=1", "=", ",", ":", "@", "#1", "+1", "1-2", "1/2", "10ms", "1mbit", "50%", "[", "]", "{\"a\":1}", "BEGIN{print}", "s/a/b/", "KILL", "%1", "$$",
]  # fmt: skip
SETUP = r"""
ip netns add red; ip netns add blue; ip link add br0 type bridge; ip link set br0 up
ip link add veth-red type veth peer name veth-red-br; ip link set veth-red netns red; ip link set veth-red-br master br0 up
ip -n red addr add 192.168.15.1/24 dev veth-red; ip -n red link set veth-red up; ip -n red link set lo up
ip addr add 192.168.15.5/24 dev br0; ip -n red route add default via 192.168.15.5; sysctl -qw net.ipv4.ip_forward=1
iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -j MASQUERADE; iptables -N MINE; iptables -A FORWARD -p tcp --dport 80 -j MINE
iptables -A MINE -m conntrack --ctstate NEW -j ACCEPT; ip6tables -A INPUT -p icmpv6 -j ACCEPT; ipset create s hash:ip; ipset add s 10.9.9.9
ip route add 10.8.0.0/16 via 10.0.0.2; ip rule add from 10.7.0.0/16 table 7; ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0
ip netns exec red ping -c1 -W1 10.0.0.2; printf 'b 2\na 1\n' > /tmp/data; echo '10.0.0.2 db' >> /etc/hosts; sleep 100000 & nc -lk 8080 &
"""


class Line(NamedTuple):
    """One command line and what it gets to read."""

    argv: list[str]
    stdin: str

    def __str__(self) -> str:
        return shlex.join(self.argv) + (f" <<< {self.stdin!r}" if self.stdin else "")


def lab() -> Lab:
    topology = Topology("fuzz").host("A", "10.0.0.1/24").host("B", "10.0.0.2/24").switch("s1").link("A", "s1").link("B", "s1")
    found = Lab(topology)
    found.run("A", SETUP)
    return found


def programs() -> dict[str, Any]:
    """Name → program of every command of every room, plug-ins among them."""
    from kubenet_course.lab.backends import emulated

    return emulated._programs()


# -- words ----------------------------------------------------------------------------------------
@lru_cache(None)
def _strings(path: str) -> tuple[frozenset[str], frozenset[str]]:
    """(short strings of a source file, modules of ours that it imports)."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    words: set[str] = set()
    imports: set[str] = set()
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if id(node) in prose:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            words |= {word for word in node.value.split() if 0 < len(word) <= 24}
            words |= {word.rstrip(",.;]") for word in words if word.startswith(("-", "["))}
            if re.fullmatch(r"[a-z][a-z0-9-]*", node.value) and len(node.value) <= 24:
                words.add(("--" if len(node.value) > 1 else "-") + node.value)
            elif re.fullmatch(r":?\+?(?:[A-Za-z0-9]:{0,2}){2,}", node.value):  # getopt's
                words |= {f"-{letter}" for letter in node.value if letter.isalnum()}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("kubenet_course"):
            imports |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(words), frozenset(imports)


def _files(module: str) -> list[str]:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return []
    if spec is None or spec.origin is None:
        return []
    if spec.submodule_search_locations:
        return [str(path) for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.py")]
    return [spec.origin]


@lru_cache(None)
def own_words(module: str) -> tuple[str, ...]:
    words: set[str] = set()
    for path in _files(module):
        here, imports = _strings(path)
        words |= here
        for other in imports:
            if "commands" in other or "netfilter" in other or "ipvs" in other or "cni" in other or "docker" in other:
                for further in _files(other):
                    words |= _strings(further)[0]
    return tuple(sorted(words)) or ("--help",)


@lru_cache(1)
def recorded() -> dict[str, list[list[str]]]:
    """Command → argument lists of the transcripts in tests."""
    found: dict[str, list[list[str]]] = {}
    lines: list[str] = []
    for path in sorted(TESTS.rglob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(text)
            if isinstance(row, dict) and isinstance(row.get("cmd"), str):
                lines.append(row["cmd"])
    for path in sorted(TESTS.rglob("*.txt")):
        lines += [line.partition("$ ")[2] for line in path.read_text(encoding="utf-8").splitlines() if "$ " in line[:24]]
    known = programs()
    for line in lines:
        for part in line.replace("&&", ";").replace("|", ";").split(";"):
            try:
                argv = shlex.split(part)
            except ValueError:
                continue
            if argv and argv[0] in known and len(argv) < 40:
                found.setdefault(argv[0], []).append(argv)
    return found


def random_line(random: random.Random, name: str, module: str) -> Line:
    own = own_words(module)
    patterns = recorded().get(name, [])
    if patterns and random.random() < 0.6:
        argv = list(random.choice(patterns))
        for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
            _mutate(random, argv, own)
    else:
        argv = [name]
        for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4, 5, 7))):
            argv.append(_word(random, own))
    stdin = ""
    if random.random() < 0.4:
        lines = [" ".join(random.choice((random.choice(JUNK), random.choice(own))) for _ in range(random.randrange(5))) for _ in range(random.randrange(4))]
        stdin = "\n".join(lines) + random.choice(("", "\n", "\x00\xff", "\udcff\udc80"))
    return Line(argv, stdin)


def _word(random: random.Random, own: tuple[str, ...]) -> str:
    chance = random.random()
    if chance < 0.4:
        return random.choice(JUNK)
    word = random.choice(own)
    if chance < 0.5:
        return word + random.choice(("=", ":", ",", "", "/")) + random.choice(JUNK)
    return word


def _mutate(random: random.Random, argv: list[str], own: tuple[str, ...]) -> None:
    place = random.randrange(1, len(argv) + 1)
    word = _word(random, own)
    kind = random.randrange(6)
    if kind == 0 or place == len(argv):
        argv.insert(place, word)
    elif kind == 1:
        del argv[place]
    elif kind == 2:
        argv[place] = word
    elif kind == 3:
        argv.insert(place, argv[place])
    elif kind == 4:
        other = random.randrange(1, len(argv))
        argv[place], argv[other] = argv[other], argv[place]
    else:
        text = argv[place]
        at = random.randrange(len(text) + 1)
        argv[place] = text[:at] + random.choice(("", "x", "0", "-", "/", ":", ".", "é", " ")) + text[at + random.randrange(2) :]


# -- running --------------------------------------------------------------------------------------
class Fuzzer:
    """`run` gives the defects, each as text; a lab is used for FRESH_AFTER lines."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.lab: Lab | None = None
        self.before: list[Line] = []
        self.count = 0

    def run(self, line: Line) -> str:
        """"" or what went wrong."""
        if self.lab is None or len(self.before) >= FRESH_AFTER:
            self.lab, self.before = lab(), []
        self.count += 1
        failure = attempt(self.lab, line)
        if not failure:
            self.before.append(line)
            return ""
        alone = attempt(lab(), line)
        earlier = "" if alone else "only after:\n" + "\n".join(f"  {one}" for one in self.before[-25:]) + "\n"
        self.lab = None
        return f"{line}\n{earlier}{failure}"


def attempt(where: Lab, line: Line) -> str:
    """Run it on A with three seconds of virtual time; "" or the traceback of what went wrong."""
    machine: Any = where.backend.machines["A"]
    if any("\0" in word for word in line.argv):
        line = Line([word.replace("\0", "") for word in line.argv], line.stdin)
    try:
        result = machine.run(line.argv, stdin=line.stdin, timeout=3.0)
    except Exception:  # noqa: BLE001 — this is what is looked for
        return traceback.format_exc()
    failures = []
    for other in where.machines:
        system = where.backend.machines[other].system  # type: ignore[attr-defined]
        for argv, failure in system.defects:
            failures.append(f"{argv}: " + "".join(traceback.format_exception(failure)[-8:]))
        system.defects.clear()
        for process in list(system.processes.values()):
            if process.pid != 1 and process.pid > 50:
                process.kill(9)
    where.backend.settle()
    if "Traceback" in result.stderr and "/usr/lib/python3.11/" not in result.stderr:  # as a real http.server's
        failures.append("a traceback is shown: " + result.stderr)
    if not 0 <= result.returncode <= 255:
        failures.append(f"status {result.returncode}")
    return "\n".join(failures)


def lines(random: random.Random, rounds: int, only: list[str]) -> Iterator[Line]:
    """`rounds` lines of every command, mixed, so that one meets what the others left."""
    names = [name for name in programs() if not only or name in only]
    for _ in range(rounds):
        random.shuffle(names)
        for name in names:
            line = random_line(random, name, programs()[name].__module__)
            if random.random() < 0.1:
                line = Line(["bash", "-c", _script(random, line, names)], line.stdin)
            yield line


def _script(random: random.Random, line: Line, names: list[str]) -> str:
    """A line of shell with this command and others in it."""
    text = shlex.join(line.argv)
    for _ in range(random.choice((0, 1, 1, 2))):
        name = random.choice(names)
        other = shlex.join(random_line(random, name, programs()[name].__module__).argv)
        text = random.choice(("{} | {}", "{} && {}", "{} || {}", "{}; {}", "{} & {}", "({}) | {}", "x=$({}); {}", "{{ {}; }} | while read l; do {}; done")).format(text, other)
    return text + random.choice(("", "", "", " > /tmp/out", " 2>&1", " < /tmp/data", " >> /nope/x", " <<< $x", " &", ")", "'", " | cat -A", "; echo $?"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.fuzz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    fuzzer, end, seen = Fuzzer(options.seed), time.monotonic() + 60 * options.minutes, set()
    for line in lines(fuzzer.random, options.rounds, options.only):
        began = time.monotonic()
        failure = fuzzer.run(line)
        took = time.monotonic() - began
        if took > 5:
            print(f"SLOW {took:.1f} s: {line}", flush=True)
        where = failure.strip().splitlines()[-1:] + [text for text in failure.splitlines() if "File " in text][-1:]
        if failure and tuple(where) not in seen:
            seen.add(tuple(where))
            print(f"== {failure}\n", flush=True)
        if time.monotonic() > end:
            break
    print(f"{fuzzer.count} lines, {len(seen)} kinds of defects")
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(main())
