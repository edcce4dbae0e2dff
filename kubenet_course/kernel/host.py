"""One machine's kernel: what its network namespaces have in common."""

from __future__ import annotations

import random
from collections.abc import Callable

from kubenet_course.kernel.netns import NetNamespace
from kubenet_course.sim.loop import EPOCH, Loop
from kubenet_course.wire.addresses import MacAddress

RELEASE = "6.12.48"


class Host:
    """The kernel of one machine on a simulation's loop.

    `seed` and the host's name fix everything that is random on a real machine (MAC addresses,
    ports, identifiers), so the same lab is the same every time.
    """

    def __init__(self, loop: Loop, hostname: str, seed: int = 0, first_pid: int = 1000):
        self.loop = loop
        self.hostname = hostname
        self.random = random.Random(f"{seed}/{hostname}")
        self.release = RELEASE
        self.first_pid = first_pid
        self.has_bridge_netfilter = True
        #: Loaded kernel modules by name, each with what it does in a new namespace (or None).
        self.modules: dict[str, Callable[[NetNamespace], object] | None] = {}
        self.dmesg: list[tuple[int, str]] = []
        self._next_inode = 4026531840
        self.namespaces: list[NetNamespace] = []
        self.init_net = self.new_netns()

    def new_netns(self) -> NetNamespace:
        net = NetNamespace(self, self._next_inode)
        self._next_inode += 1 if self.namespaces else 352
        self.namespaces.append(net)
        for init in self.modules.values():
            if init is not None:
                init(net)
        return net

    def netns_gone(self, net: NetNamespace) -> None:
        if net in self.namespaces:
            self.namespaces.remove(net)
        for other in self.namespaces:
            other.nsids.pop(net, None)

    def random_mac(self) -> MacAddress:
        """eth_random_addr(): locally administered, unicast."""
        return MacAddress((self.random.getrandbits(48) & ~(1 << 40)) | (1 << 41))

    def log(self, message: str) -> None:
        """printk()."""
        self.dmesg.append((self.loop.now, message))

    def wall_clock(self) -> int:
        """Nanoseconds since 1970 on this machine's clock."""
        return EPOCH + self.loop.now
