"""Hosts a — r — b, a router between two, on either kernel; what `recorded.py` and captures are made on.

    a eth0 10.0.1.2/24 fd00:1::2/64  —  eth0 10.0.1.1 fd00:1::1  r  eth1 10.0.2.1 fd00:2::1  —  eth0 10.0.2.2 fd00:2::2 b

`Emulated()` and `Real()` have the same methods: `run(host, command)` gives (stdout, stderr, status),
`wait(seconds)`, `capture(host, device)` starts one that `frames()` ends, `close()`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HOSTS_FILE = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
10.0.1.2 a.course.test a
10.0.1.1 r1.course.test r1
10.0.2.2 b.course.test b
fd00:2::2 b6.course.test b6
fd00:1::1 r6.course.test r6
fd00:2::2 b.course.test b
"""
RESOLV_CONF = "nameserver 10.0.1.53\noptions timeout:1 attempts:1\n"
LINKS = (
    ("a", "eth0", "02:00:00:00:01:02", "r", "eth0", "02:00:00:00:01:01"),
    ("b", "eth0", "02:00:00:00:02:02", "r", "eth1", "02:00:00:00:02:01"),
)
ADDRESSES = (("a", "eth0", 1, 2), ("r", "eth0", 1, 1), ("r", "eth1", 2, 1), ("b", "eth0", 2, 2))
SETTLE = 2.5
#: An Ethernet frame of a type for experiments (IEEE 802, 88-B5), by which a capture knows its end.
LAST_FRAME = bytes.fromhex("ffffffffffff02000000ffff88b5") + b"the last frame".ljust(46, b".")


def configuration() -> list[tuple[str, str]]:
    """The commands that give both labs their addresses and routes."""
    lines = []
    for host, device, net, number in ADDRESSES:
        lines.append((host, f"ip addr add 10.0.{net}.{number}/24 brd + dev {device}"))
        lines.append((host, f"ip -6 addr add fd00:{net}::{number}/64 dev {device} nodad"))
        lines.append((host, f"ip link set {device} up"))
    lines.append(("r", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"))
    for host, net in (("a", 1), ("b", 2)):
        lines.append((host, f"ip route add default via 10.0.{net}.1"))
        lines.append((host, f"ip -6 route add default via fd00:{net}::1"))
    return lines


class Emulated:
    """The three hosts on emulated kernels that share one virtual clock."""

    def __init__(self, *, configure: bool = True, settle: float = SETTLE) -> None:
        from kubenet_course.kernel.devices.veth import Veth
        from kubenet_course.kernel.host import Host
        from kubenet_course.kernel.skbuff import Ledger
        from kubenet_course.sim.loop import Loop
        from kubenet_course.userland.programs import standard_programs
        from kubenet_course.userland.system import System
        from kubenet_course.wire.addresses import MacAddress

        self.loop = Loop(1)
        self.ledger = self.loop.skb_ledger = Ledger()
        self.hosts = {name: Host(self.loop, name) for name in "arb"}
        self.systems = {name: System(host, standard_programs()) for name, host in self.hosts.items()}
        for name, host in self.hosts.items():
            host.init_net.loopback.set_up()
            view = self.systems[name].files.view
            view.write("/etc/hosts", HOSTS_FILE.encode())
            view.write("/etc/resolv.conf", RESOLV_CONF.encode())
        for one, device, mac, two, device2, mac2 in LINKS:
            nets = self.hosts[one].init_net, self.hosts[two].init_net
            Veth.pair(nets[0], device, nets[1], device2, MacAddress.parse(mac), MacAddress.parse(mac2))
        self._socket: Any = None
        if configure:
            self.apply(configuration())
            self.wait(settle)

    def apply(self, lines: list[tuple[str, str]]) -> None:
        for host, command in lines:
            result = self.run(host, command)
            assert result[2] == 0, (host, command, result)

    def run(self, host: str, command: str, limit: float = 90) -> tuple[str, str, int]:
        out, err, status = self.systems[host].run(["bash", "-c", command], limit=int(limit * 1e9))
        assert not self.systems[host].defects, (command, self.systems[host].defects)
        return out.decode(), err.decode("utf-8", "replace"), status

    def wait(self, seconds: float) -> None:
        self.loop.run_for(int(seconds * 1e9))

    def capture(self, host: str, device: str) -> None:
        from kubenet_course.kernel.socket.packet import PacketSocket

        self._socket = PacketSocket(self.hosts[host].init_net)
        self._socket.bind(device)

    def frames(self) -> list[tuple[float, bytes]]:
        frames = [(frame.time / 1e9, frame.frame_bytes()) for frame in self._socket.frames]
        self._socket.close()
        return frames

    def close(self) -> None:
        """Every packet has ended, and once."""
        self.wait(100)
        assert not self.ledger.twice, self.ledger.twice
        assert not self.ledger.lost(), self.ledger.lost()[:3]


class Real:
    """The same in namespaces of this computer's kernel; nothing outside of them is touched."""

    def __init__(self, *, configure: bool = True, settle: float = SETTLE) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="kubenet-three-")
        folder = Path(self.folder.name)
        (folder / "hosts").write_text(HOSTS_FILE)
        (folder / "resolv.conf").write_text(RESOLV_CONF)
        self.holders: dict[str, subprocess.Popen[bytes]] = {}
        script = (
            f"mount -t sysfs sysfs /sys; mount --bind {folder}/hosts /etc/hosts; "
            f"mount --bind {folder}/resolv.conf /etc/resolv.conf; ip link set lo up; echo ok; exec sleep 100000"
        )
        for name in "arb":
            argv = ["unshare", "-n", "-m", "-u", "sh", "-c", f"hostname {name}; {script}"]
            self.holders[name] = subprocess.Popen(argv, stdout=subprocess.PIPE)
            output = self.holders[name].stdout
            assert output is not None
            output.readline()
        for one, device, mac, two, device2, mac2 in LINKS:
            command = f"ip link add {device} address {mac} type veth peer name {device2} address {mac2}"
            self.apply([(one, f"{command} netns {self.holders[two].pid}")])
        self._tcpdump: subprocess.Popen[bytes] | None = None
        if configure:
            self.apply(configuration())
            self.wait(settle)

    apply = Emulated.apply

    def run(self, host: str, command: str, limit: float = 90) -> tuple[str, str, int]:
        argv = ["timeout", "-k", "1", str(limit), *self._enter(host), "bash", "-c", command]
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": "/root",
        }
        # Files, not pipes: what a command leaves running in the background may keep them open.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, check=False
            )
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
        return texts[0], texts[1], done.returncode

    def _enter(self, host: str) -> list[str]:
        return ["nsenter", "-t", str(self.holders[host].pid), "-n", "-m", "-u"]

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def capture(self, host: str, device: str) -> None:
        path = os.path.join(self.folder.name, "capture")
        argv = [*self._enter(host), "tcpdump", "-U", "--immediate-mode", "-i", device, "-s", "0", "-w", path]
        self._tcpdump = subprocess.Popen(argv, stderr=subprocess.PIPE)
        assert self._tcpdump.stderr is not None
        said = self._tcpdump.stderr.readline()
        assert b"listening on" in said, said
        self._captured = host, device

    def frames(self) -> list[tuple[float, bytes]]:
        """What was captured: all up to a frame that is sent now and waited for."""
        assert self._tcpdump is not None
        host, device = self._captured
        send = "import socket, sys; s = socket.socket(17, 3); s.bind((sys.argv[1], 0)); s.send(bytes.fromhex(sys.argv[2]))"
        subprocess.run([*self._enter(host), sys.executable, "-c", send, device, LAST_FRAME.hex()], check=True)
        for _ in range(600):
            data = Path(self.folder.name, "capture").read_bytes()
            if LAST_FRAME in data:
                break
            time.sleep(0.1)
        self._tcpdump.terminate()
        self._tcpdump.wait()
        data = data[: data.index(LAST_FRAME)]
        frames, at = [], 24
        while at + 16 < len(data):
            seconds, micros, length, _ = (
                int.from_bytes(data[at + n : at + n + 4], "little") for n in (0, 4, 8, 12)
            )
            frames.append((seconds + micros / 1e6, data[at + 16 : at + 16 + length]))
            at += 16 + length
        return frames

    def close(self) -> None:
        for holder in self.holders.values():
            holder.kill()
            holder.wait()
        self.folder.cleanup()
