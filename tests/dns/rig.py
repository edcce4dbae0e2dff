"""Runs cases (files of /etc, then commands) beside the server of `server.py`, on either kernel.

A case is a dict: `etc` (name → text; what is not named is as Debian has it), `cmd`, and once it ran
`stdout`, `stderr`, `rc` and `queries` (what the server saw, in order).

    unshare --net --mount --uts python -m tests.dns.rig CASES.json      # prints the results, as the real programs
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.dns.server import ADDRESSES, NameServer, program, serve_real

Case = dict[str, Any]
DEFAULT_ETC = {
    "hosts": "127.0.0.1\tlocalhost\n127.0.1.1\thost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    "resolv.conf": "nameserver 10.53.0.1\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: db files\nservices: db files\n",
    "host.conf": "multi on\n",
    "gai.conf": "",
}
SETUP = [
    "ip link set lo up",
    *(f"ip addr add {a}/{128 if ':' in a else 32} dev lo{' nodad' if ':' in a else ''}" for a in [*ADDRESSES, "10.53.0.4", "10.53.0.14"]),
    "iptables -A INPUT -d 10.53.0.14 -j DROP",
]
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}
LIMIT = 60


def _real(cases: list[Case]) -> list[Case]:
    """Inside namespaces of one's own, as root."""
    for line in SETUP:
        subprocess.run(line.split(), check=True)
    subprocess.run(["hostname", "host"], check=True)
    folder = Path(tempfile.mkdtemp(prefix="kubenet-dns-"))
    for name, text in DEFAULT_ETC.items():
        (folder / name).write_text(text)
        if not Path("/etc", name).exists():
            continue
        subprocess.run(["mount", "--bind", str(folder / name), f"/etc/{name}"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/root"], check=True)
    server, ready = NameServer(), threading.Event()
    threading.Thread(target=lambda: asyncio.run(serve_real(server, ready.set)), daemon=True).start()
    assert ready.wait(10)
    results = []
    for case in cases:
        for name, text in {**DEFAULT_ETC, **case.get("etc", {})}.items():
            with open(folder / name, "r+") as file:
                file.truncate()
                file.write(text)
        server.forget()
        done = subprocess.run(["bash", "-c", case["cmd"]], capture_output=True, env=ENVIRONMENT, cwd="/root", timeout=LIMIT, stdin=subprocess.DEVNULL)
        results.append({**case, "stdout": done.stdout.decode("utf-8", "surrogateescape"), "stderr": done.stderr.decode("utf-8", "surrogateescape"),
                        "rc": done.returncode, "queries": server.forget()})  # fmt: skip
    for path in folder.iterdir():
        subprocess.run(["umount", f"/etc/{path.name}"], check=False, capture_output=True)
        path.unlink()
    folder.rmdir()
    return results


def run_real(cases: list[Case]) -> list[Case]:
    """The same commands of Debian on the computer's kernel, in namespaces that end with it."""
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", sys.executable, "-m", "tests.dns.rig"],
        input=json.dumps(cases).encode(), capture_output=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, timeout=600, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return json.loads(done.stdout)


class Emulated:
    """The same on one emulated machine."""

    def __init__(self, server: NameServer | None = None) -> None:
        from kubenet_course.kernel.host import Host
        from kubenet_course.sim.loop import SECOND, Loop
        from kubenet_course.userland.programs import standard_programs
        from kubenet_course.userland.system import System

        self.second = SECOND
        self.server = server or NameServer()
        self.system = System(Host(Loop(), "host"), standard_programs("kubenet_course.dns.commands"))
        for line in SETUP:
            outcome = self.system.run(line.split())
            assert outcome[2] == 0, outcome
        self.system.spawn(["dnsserver"], program=program(self.server))
        self.system.loop.run_soon()

    def run(self, case: Case) -> Case:
        for name, text in {**DEFAULT_ETC, **case.get("etc", {})}.items():
            self.system.files.view.write(f"/etc/{name}", text.encode())
        self.server.forget()
        out, err, rc = self.system.run(["bash", "-c", case["cmd"]], env=dict(ENVIRONMENT), cwd="/root", limit=LIMIT * self.second)
        assert not self.system.defects, (case, self.system.defects)
        return {**case, "stdout": out.decode("utf-8", "surrogateescape"), "stderr": err.decode("utf-8", "surrogateescape"),
                "rc": rc, "queries": self.server.forget()}  # fmt: skip


#: What differs from run to run on a real machine.
VARIABLE = [
    (re.compile(r"\bid: \d+"), "id: ID"),
    (re.compile(r"^(\s+id: )\d+", re.M), r"\1ID"),
    (re.compile(r"Query time: \d+ (m|u)sec"), r"Query time: T \1sec"),
    (re.compile(r"query_time: \d+ (m|u)s"), r"query_time: T"),
    (re.compile(r"WHEN: .*"), "WHEN: DATE"),
    (re.compile(r"\b(COOKIE:) [0-9a-f]{16}( \(echoed\))?"), r"\1 CLIENT"),
    (re.compile(r"CLIENT: [0-9a-f]{16}$", re.M), "CLIENT: COOKIE"),
    (re.compile(r"(ID mismatch: expected ID )\d+, got \d+"), r"\1E, got G"),
    (re.compile(r"\bin \d+ (m|u)s\b"), r"in T \1s"),
    (re.compile(r"(query|response)_time: !!timestamp .*"), r"\1_time: TIME"),
    (re.compile(r"!!timestamp .*"), "TIME"),
    (re.compile(r"query_port: \d+|(response_port: )(?!53)\d+"), "PORT"),
    (re.compile(r"^(\d+ bytes\n)[0-9a-f]{2} [0-9a-f]{2}( .{51})..", re.M), r"\1ID\2"),
    (re.compile(r"(rtt min.*= |time=)[0-9./]+"), r"\1T"),
]


def normal(case: Case) -> dict[str, Any]:
    """What both kernels must agree on."""
    texts = {}
    for stream in ("stdout", "stderr"):
        text = case[stream]
        for pattern, word in VARIABLE:
            text = pattern.sub(word, text)
        texts[stream] = text
    # In a random order: servers of a zone that are asked at once.
    queries = sorted(case["queries"]) if "| sort" in case["cmd"] else case["queries"]
    return {**texts, "rc": case["rc"], "queries": queries}


def parse_cases(text: str) -> list[Case]:
    """A case file: `= name text` sets a file of /etc (\\n for newlines), `= reset`, other lines are commands."""
    etc: dict[str, str] = {}
    cases: list[Case] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("= "):
            name, _, value = line[2:].partition(" ")
            if name == "reset":
                etc = {}
            else:
                etc = {**etc, name: value.replace("\\n", "\n").replace("\\t", "\t")}
            continue
        cases.append({"etc": etc, "cmd": line} if etc else {"cmd": line})
    return cases


if __name__ == "__main__":
    json.dump(_real(json.load(sys.stdin)), sys.stdout)
