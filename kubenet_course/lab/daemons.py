"""Programs that run on a machine from the lab's start (`Node.daemons`), the same on both kernels.

Each has a command that starts it, in the background, and a test of whether it is ready to serve.
`openvswitch` is not here: it must run before links are plugged (see `backends/real/builder.py`).
"""

from __future__ import annotations

from typing import NamedTuple


class Daemon(NamedTuple):
    """`start` is a line for bash; `port` is what it listens on when it is ready (``udp 53``), "" for nothing."""

    start: str
    port: str


TABLE = (
    ("coredns", Daemon("coredns -conf /etc/coredns/Corefile >>/var/log/coredns.log 2>&1 &", "udp 53")),
    ("resolverd", Daemon("resolverd >>/var/log/resolverd.log 2>&1 &", "udp 53")),
    ("nginx", Daemon("nginx", "tcp 80")),
    ("docker", Daemon("docker info >/dev/null", "")),
    ("sshd", Daemon("mkdir -p /run/sshd && sshd", "tcp 22")),
)
#: For sshd on a real machine: a host key of its own, for /etc/ssh is the computer's.
REAL_SSHD = (
    "mkdir -p /run/sshd && ssh-keygen -q -t ed25519 -N '' -f /run/sshd/key && /usr/sbin/sshd -h /run/sshd/key"
)


def find(name: str) -> Daemon | None:
    return dict(TABLE).get(name)


def names() -> tuple[str, ...]:
    """What `Node.daemons` may hold."""
    return ("openvswitch", *dict(TABLE))


def waiting_script(port: str) -> str:
    """Bash that ends well when something listens on `port`, and with 1 after ten seconds."""
    kind, number = port.split()
    look = f"ss -Hln{'u' if kind == 'udp' else 't'} 'sport = :{number}' | grep -q ."
    return f"for i in $(seq 200); do {look} && exit 0; sleep 0.05; done; exit 1"
