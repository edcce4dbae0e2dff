"""Run a transcript's commands on the emulated kernel and compare with what the real tools printed.

A transcript is a file of JSON lines (see `uml.py`): scenario, setup, serve, or a command with ns,
stdout, stderr and rc. What differs from run to run on a real kernel (random MAC addresses, round-trip
times, source ports, ages) is replaced by a word on both sides, and so is what tells one kernel's build
from another's (numbers of queues).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubenet_course.kernel.host import Host
from kubenet_course.kernel.socket import make_socket
from kubenet_course.sim.loop import SECOND, Loop
from kubenet_course.userland.files.nodes import NetnsFile
from kubenet_course.userland.process import Process
from kubenet_course.userland.programs import standard_programs
from kubenet_course.userland.system import System

RULES: tuple[tuple[str, str], ...] = (
    (
        r"\b(?!02:00:00)(?!00:00:00:00:00:00)(?!ff:ff)(?!33:33)(?!01:00:5e)([0-9a-f]{2}:){5}[0-9a-f]{2}\b",
        "MAC",
    ),
    (r"time=[0-9.]+ ms", "time=T ms"),
    (r"rtt min/avg/max/mdev = .*", "rtt T"),
    (r", time [0-9]+ms", ", time T"),
    (r"\bpipe [0-9]+\n", ""),
    (r"numrxqueues [0-9]+ ", ""),
    (r"numtxqueues [0-9]+", "numtxqueues N"),
    (r'"num_rx_queues":[0-9]+,', ""),
    (r'"num_tx_queues":[0-9]+', '"num_tx_queues":N'),
    (r'The default log directory is ".*"', "The default log directory is X"),
    (r"sync_qlen_max = [0-9]+", "sync_qlen_max = N"),
    (r"refcnt [0-9]+", "refcnt N"),
    (r'"refcnt":[0-9]+', '"refcnt":N'),
    (r"(cache )?expires [0-9]+sec", r"\1expires N"),
)


def normalise(text: str) -> str:
    for pattern, word in RULES:
        text = re.sub(pattern, word, text)
    return text


class Machine:
    """One emulated machine; `run` as the guest of `uml.py` does."""

    def __init__(self) -> None:
        self.loop = Loop(1)
        self.host = Host(self.loop, "uml")
        self.system = System(self.host, standard_programs())
        self.host.init_net.loopback.set_up()

    def netns(self, name: str) -> Any:
        if name == "root":
            return self.host.init_net
        node = self.system.files.view.node(f"/run/netns/{name}", "/", self.system.init)
        assert isinstance(node, NetnsFile), name
        return node.net

    def run(self, command: str, ns: str = "root", limit: int = 120) -> tuple[str, str, int]:
        out, err, rc = self.system.run(["bash", "-c", command], net=self.netns(ns), limit=limit * SECOND)
        return out.decode(), err.decode(), rc

    def serve(self, ns: str, port: int, text: str, proto: str = "tcp") -> None:
        """The server that `uml.py` starts for a ``serve`` line."""
        net = self.netns(ns)
        program = self._udp_server if proto == "udp" else self._tcp_server
        self.system.spawn(["server"], program=program(net, port, text.encode() + b"\n"), net=net)
        self.loop.run_for(SECOND // 100)

    @staticmethod
    def _udp_server(net: Any, port: int, answer: bytes) -> Callable[..., Any]:
        async def main(proc: Process, argv: list[str]) -> int:
            sock: Any = proc.owns(make_socket(net, 2, 2, 0))
            sock.bind(None, port)
            while True:
                datagram = await sock.recv()
                sock.sendto(answer, datagram.source, datagram.port)

        return main

    @staticmethod
    def _tcp_server(net: Any, port: int, answer: bytes) -> Callable[..., Any]:
        async def main(proc: Process, argv: list[str]) -> int:
            listener: Any = proc.owns(make_socket(net, 2, 1, 0))
            listener.bind(None, port)
            listener.listen(64)
            while True:
                client, _ = await listener.accept()
                await client.recv(4096)
                await client.send(b"HTTP/1.0 200 OK\r\n\r\n" + answer)
                client.close()

        return main


def load(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def differences(
    lines: list[dict[str, Any]],
    machine: Machine | None = None,
    *,
    also: Callable[[str, str], str] = lambda cmd, text: text,
    skip: Callable[[str], bool] = lambda cmd: False,
) -> list[str]:
    """A report for every command whose output or status is not the recorded one.

    `also(cmd, text)` normalises further; commands that `skip` names run, but are not compared.
    """
    machine = machine or Machine()
    found: list[str] = []
    for line in lines:
        if "setup" in line:
            machine.run(line["setup"])
        elif "serve" in line:
            machine.serve(**line["serve"])
        elif "cmd" in line:
            cmd = line["cmd"]
            out, err, rc = machine.run(cmd, line.get("ns", "root"))
            if skip(cmd):
                continue
            got = (also(cmd, normalise(out)), normalise(err), rc)
            want = (also(cmd, normalise(line["stdout"])), normalise(line["stderr"]), line["rc"])
            if got != want:
                found.append(_report(line.get("ns", "root"), cmd, want, got))
    for argv, failure in machine.system.defects:
        found.append(f"internal error in {argv}: {failure!r}")
    return found


def _report(ns: str, cmd: str, want: tuple[str, str, int], got: tuple[str, str, int]) -> str:
    parts = [f"{ns}$ {cmd}"]
    for name, one, other in zip(("stdout", "stderr", "rc"), want, got):
        if one != other:
            parts += [f"--- {name} on Linux", str(one), f"+++ {name} here", str(other)]
    return "\n".join(parts)
