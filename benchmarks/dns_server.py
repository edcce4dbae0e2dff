"""How many queries a second does our name server answer, beside dnslib's server and (where it is there) dnsmasq?

    python benchmarks/dns_server.py [--seconds 3]

Each server runs as a process of this computer on a port of 127.0.0.1, with the same few names from a
hosts file; one client keeps 16 queries under way. Printed are queries a second, and ours as a ratio to
each of the others in the same run. Then the engine alone, without sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message

NAMES = [f"host{number}.example.org" for number in range(50)]
WINDOW = 16
DNSLIB = """
import sys
from dnslib import RR, A
from dnslib.server import DNSServer, BaseResolver, DNSLogger
table = {f"host{n}.example.org.": f"10.1.0.{n}" for n in range(50)}
class Resolver(BaseResolver):
    def resolve(self, request, handler):
        reply = request.reply()
        name = str(request.q.qname)
        if name in table:
            reply.add_answer(RR(name, ttl=3600, rdata=A(table[name])))
        return reply
DNSServer(Resolver(), port=int(sys.argv[1]), address="127.0.0.1", logger=DNSLogger("-request,-reply,-truncated,-error,-recv,-send,-data")).start()
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def running(argv: list[str], folder: str) -> Iterator[None]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(5)


def measure(port: int, seconds: float) -> float:
    """Queries a second; 0 where nobody answers."""
    queries = [dns.message.make_query(name, "A", id=0).to_wire() for name in NAMES]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", port))
    sock.settimeout(0.2)
    end = time.monotonic() + 10
    while True:
        try:
            sock.send(queries[0])
            sock.recv(4096)
            break
        except OSError:
            if time.monotonic() > end:
                return 0.0
            time.sleep(0.05)
    answered = 0
    begun = time.monotonic()
    under_way = 0
    while time.monotonic() - begun < seconds:
        while under_way < WINDOW:
            sock.send(random.getrandbits(16).to_bytes(2, "big") + queries[(answered + under_way) % len(queries)][2:])
            under_way += 1
        try:
            sock.recv(4096)
            answered += 1
            under_way -= 1
        except TimeoutError:
            under_way = 0  # lost: begin anew
    return answered / (time.monotonic() - begun)


def engine_alone(count: int = 20000) -> float:
    """Answers a second from the hosts plugin, bytes to bytes, in this process."""
    from kubenet_course.dns.corefile import Files
    from kubenet_course.dns.engine import Engine, Environment

    hosts = "".join(f"10.1.0.{number} {name}\n" for number, name in enumerate(NAMES))
    environment = Environment(
        files=Files({"/h": hosts}.get, lambda _: []), now=time.monotonic_ns, sleep=asyncio.sleep, spawn=lambda work: work.close(),
        exchange=None, log=print, problem=lambda _: "",
    )  # fmt: skip
    engine = Engine(". {\n hosts /h\n}\n", environment)
    wires = [dns.message.make_query(name, "A").to_wire() for name in NAMES]

    async def work() -> float:
        begun = time.perf_counter()
        for number in range(count):
            await engine.answer(engine.servers[0], wires[number % len(wires)], "127.0.0.1", 1000)
        return count / (time.perf_counter() - begun)

    return asyncio.run(work())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        hosts = "".join(f"10.1.0.{number} {name}\n" for number, name in enumerate(NAMES))
        Path(folder, "hosts").write_text(hosts)
        Path(folder, "Corefile").write_text(". {\n    hosts hosts\n}\n")
        Path(folder, "theirs.py").write_text(DNSLIB)
        ports = {name: free_port() for name in ("ours", "dnslib", "dnsmasq")}
        commands = {"ours": [sys.executable, "-m", "kubenet_course.dns", "-p", str(ports["ours"])]}
        try:
            import dnslib  # noqa: F401

            commands["dnslib"] = [sys.executable, "theirs.py", str(ports["dnslib"])]
        except ImportError:
            print("dnslib is not installed (pip install 'kubenet-course[bench]')")
        if shutil.which("dnsmasq"):
            commands["dnsmasq"] = [
                "dnsmasq", "-k", "-p", str(ports["dnsmasq"]), "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv",
                "--no-hosts", f"--addn-hosts={folder}/hosts", "--conf-file=/dev/null", "--pid-file=", "--user=root",
            ]  # fmt: skip
        os.chmod(folder, 0o755)
        rates: dict[str, float] = {}
        for name, argv in commands.items():
            with running(argv, folder):
                rates[name] = max(measure(ports[name], seconds / 2) for _ in range(2))
    for name, rate in rates.items():
        ratio = "" if name == "ours" or not rate else f"   ours / {name} = {rates['ours'] / rate:.2f}"
        print(f"{name:8} {rate:8.0f} queries/s{ratio}")
    print(f"engine   {engine_alone():8.0f} answers/s without sockets")


if __name__ == "__main__":
    main()
