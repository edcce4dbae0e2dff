"""What the emulated `tcpdump -w` writes, Wireshark reads: no malformed packet, and checksums that are right."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubenet_course.lab.lab import Lab
from tests.support.three_hosts import Emulated

pytestmark = pytest.mark.skipif(
    shutil.which("tshark") is None, reason="there is no tshark (apt-get install tshark)"
)

#: What the hosts do while a and b listen: every protocol of the course that leaves a mark on the wire.
DOINGS = (
    "ping -c 2 -i 0.2 10.0.2.2",
    "ping -c 1 -s 4000 10.0.2.2",
    "ping -c 1 -t 1 10.0.2.2",
    "ping -c 2 fd00:2::2",
    "ping -c 1 -s 4000 fd00:2::2",
    "traceroute -n -q 1 10.0.2.2",
    "traceroute -6 -n -q 1 fd00:2::2",
    "curl -s http://10.0.2.2/ -o /dev/null",
    "curl -s http://10.0.1.1:8080/ -o /dev/null",
    "echo x | nc -u -w 1 10.0.2.2 99",
    "echo x | nc -u -w 1 10.0.1.1 5300",
    "nc -z 10.0.2.2 81",
    "nc -z fd00:2::2 81",
    "arping -c 1 -I eth0 10.0.1.1",
)
ROUTER = (
    "iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE; ip6tables -t nat -A POSTROUTING -o eth1 -j MASQUERADE; "
    "iptables -t nat -A PREROUTING -d 10.0.1.1 -p tcp --dport 8080 -j DNAT --to-destination 10.0.2.2:80; "
    "iptables -t nat -A PREROUTING -d 10.0.1.1 -p udp --dport 5300 -j DNAT --to-destination 10.0.2.2:99"
)
OVERLAY = (
    ("a", "ip link add vx0 type vxlan id 42 remote 10.0.2.2 dstport 4789; ip addr add 10.66.0.1/24 dev vx0; ip link set vx0 up"),
    ("b", "ip link add vx0 type vxlan id 42 remote 10.0.1.2 dstport 4789; ip addr add 10.66.0.2/24 dev vx0; ip link set vx0 up"),
    ("a", "ip tunnel add g0 mode gre remote 10.0.2.2 local 10.0.1.2; ip addr add 10.67.0.1/24 dev g0; ip link set g0 up"),
    ("b", "ip tunnel add g0 mode gre remote 10.0.1.2 local 10.0.2.2; ip addr add 10.67.0.2/24 dev g0; ip link set g0 up"),
)  # fmt: skip


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """One file of each of a's and b's wire, as `tcpdump -w` left it."""
    lab = Emulated()
    lab.run("b", "cd /tmp; echo hello > index.html; python3 -m http.server 80 >/dev/null 2>&1 & sleep 0.3")
    for host in "ab":
        lab.run(host, "tcpdump -i eth0 -w /tmp/cap >/dev/null 2>&1 & echo $! > /tmp/pid; sleep 0.3")
    for host, command in OVERLAY:
        lab.run(host, command)
    for command in (
        "ping -c 2 -i 0.2 10.66.0.2",
        "ping -c 1 -s 1400 10.66.0.2",
        "ping -c 2 -i 0.2 10.67.0.2",
    ):
        assert lab.run("a", command)[2] == 0, command
    lab.run("r", ROUTER)
    for command in DOINGS:
        lab.run("a", command)
    folder = tmp_path_factory.mktemp("captures")
    found = {}
    for host in "ab":
        lab.run(host, "kill $(cat /tmp/pid); sleep 0.2")
        found[host] = folder / f"{host}.pcap"
        found[host].write_bytes(lab.systems[host].files.view.read("/tmp/cap"))
    lab.close()
    yield found


def _tshark(path: Path, *options: str) -> list[str]:
    checks = [word for name in ("ip", "tcp", "udp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    argv = ["tshark", "-n", "-r", str(path), *checks, *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("host", ["a", "b"])
def test_tshark_finds_no_malformed_packet(captures: dict[str, Path], host: str) -> None:
    assert len(_tshark(captures[host])) > 80
    assert _tshark(captures[host], "-Y", "_ws.malformed || _ws.short") == []


@pytest.mark.parametrize("host", ["a", "b"])
def test_every_checksum_is_right(captures: dict[str, Path], host: str) -> None:
    """Of headers that were translated and of those quoted in errors as well."""
    wrong = " || ".join(f'{name}.checksum.status == "Bad"' for name in ("ip", "tcp", "udp", "icmp", "icmpv6"))
    assert _tshark(captures[host], "-Y", wrong) == []


def test_tshark_knows_every_protocol_in_them(captures: dict[str, Path]) -> None:
    seen = {
        line for path in captures.values() for line in _tshark(path, "-T", "fields", "-e", "_ws.col.Protocol")
    }
    assert {"ARP", "ICMP", "ICMPv6", "TCP", "UDP", "HTTP", "IPv6"} <= seen, seen
    inside = _tshark(captures["a"], "-Y", "vxlan && icmp", "-T", "fields", "-e", "vxlan.vni")
    assert inside and set(inside) == {"42"}
    assert _tshark(captures["a"], "-Y", "gre && icmp")


def test_a_labs_capture_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "ping.pcap"
    with Lab.load("two-networks") as lab:
        lab.pcap("A:eth0", str(path), command="ping -c 2 192.168.2.10; nc -z 192.168.2.10 80")
    assert len(_tshark(path, "-Y", "icmp")) == 4
    assert len(_tshark(path, "-Y", "tcp.flags.reset == 1")) == 1
    assert _tshark(path, "-Y", "_ws.malformed || _ws.short") == []
