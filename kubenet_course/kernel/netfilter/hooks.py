"""The five places where a packet passes the rules (include/uapi/linux/netfilter.h).

                        ┌────────────┐  for this host   ┌──────────┐
    device → PRE_ROUTING┤   route    ├───────────────→  LOCAL_IN → │ process │
                        └─────┬──────┘                  └────┬─────┘
                              │ for another host             │ its answers
                           FORWARD                       LOCAL_OUT
                              │                              │ (route)
                              └────────────→ POST_ROUTING ←──┘ → device

At each hook the functions run in the order of their priority:

    -400 conntrack defrag   -300 raw      -200 conntrack   -150 mangle   -100 DNAT
       0 filter               50 security  100 SNAT          300 helper   2^31-1 conntrack confirm
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING = range(5)
#: The hooks a frame passes that goes through a bridge, see bridge.py.
BRIDGED_HOOKS = (NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_POST_ROUTING)
NFPROTO_ARP, NFPROTO_NETDEV, NFPROTO_BRIDGE = 3, 5, 7
HOOK_NAMES = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")


def hook_name(family: int, hook: int) -> str:
    """As journeys name it: families arp and netdev have hooks of their own."""
    if family == NFPROTO_NETDEV:
        return "INGRESS"
    return ("INPUT", "OUTPUT")[hook] if family == NFPROTO_ARP else HOOK_NAMES[hook]


PRI_DEFRAG = -400
PRI_RAW = -300
PRI_CONNTRACK = -200
PRI_MANGLE = -150
PRI_NAT_DST = -100
PRI_FILTER = 0
PRI_SECURITY = 50
PRI_NAT_SRC = 100
PRI_CONNTRACK_HELPER = 300
PRI_CONNTRACK_CONFIRM = 2**31 - 1

#: A hook function: True to go on; False after it has dropped, consumed or kept the packet.
HookFunction = Callable[["NetNamespace", int, "SkBuff", "NetDevice | None", "NetDevice | None"], bool]


class Netfilter:
    """The hooks of one namespace, and (in `rooms`) the tables, conntrack and sets behind them."""

    def __init__(self, net: NetNamespace):
        self.net = net
        self.hooks4: list[tuple[HookFunction, ...]] = [()] * 5
        self.hooks6: list[tuple[HookFunction, ...]] = [()] * 5
        self._entries: dict[tuple[int, int], list[tuple[int, int, HookFunction]]] = {}
        self._sequence = 0
        #: Bridge netfilter's entries into the bridge, or None (netfilter/bridge.py).
        self.bridge_prerouting: Any = None
        self.bridge_forward: Any = None
        #: The hooks of families arp and bridge (net/bridge/br_input.c, net/ipv4/arp.c), or None where all are empty.
        self.arp_hooks: list[tuple[HookFunction, ...]] | None = None
        self.bridge_hooks: list[tuple[HookFunction, ...]] | None = None

    def register(self, family: int, hook: int, priority: int, function: HookFunction) -> None:
        """nf_register_net_hook(): of equal priorities the newest runs first (nf_hook_entries_grow())."""
        self._sequence -= 1
        entries = self._entries.setdefault((family, hook), [])
        entries.append((priority, self._sequence, function))
        entries.sort(key=lambda entry: entry[:2])
        self._publish(family, hook)

    def unregister(self, family: int, hook: int, function: HookFunction) -> None:
        entries = self._entries.get((family, hook), [])
        self._entries[(family, hook)] = [entry for entry in entries if entry[2] != function]
        self._publish(family, hook)

    def device_down(self, dev: NetDevice) -> None:
        """NETDEV_DOWN, for what remembers devices: masqueraded connections."""
        if "conntrack" in self.net.rooms:
            from kubenet_course.kernel.netfilter.masquerade import device_down

            device_down(self.net, dev)

    def address_gone(self, dev: NetDevice, address: int) -> None:
        """An address was taken from the device: connections hidden behind it are over."""
        if "conntrack" in self.net.rooms:
            from kubenet_course.kernel.netfilter.masquerade import address_gone

            address_gone(self.net, dev, address)

    def _publish(self, family: int, hook: int) -> None:
        functions = tuple(function for _, _, function in self._entries[(family, hook)])
        if family in (NFPROTO_ARP, NFPROTO_BRIDGE):
            name = "arp_hooks" if family == NFPROTO_ARP else "bridge_hooks"
            places = list(getattr(self, name) or [()] * 5)
            places[hook] = functions
            setattr(self, name, places if any(places) else None)
            return
        (self.hooks4 if family == 4 else self.hooks6)[hook] = functions
        if any(hooks[place] for hooks in (self.hooks4, self.hooks6) for place in BRIDGED_HOOKS):
            from kubenet_course.kernel.netfilter import bridge

            self.bridge_prerouting, self.bridge_forward = bridge.bridge_prerouting, bridge.bridge_forward
        else:
            self.bridge_prerouting = self.bridge_forward = None


def nf_hook(
    net: NetNamespace, family: int, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None
) -> bool:
    """NF_HOOK(): run the hook's functions in turn; False where one of them ended the packet."""
    for function in (net.nf4 if family == 4 else net.nf6)[hook]:
        if not function(net, hook, skb, indev, outdev):
            return False
    return True


def link_hook(
    hooks: list[tuple[HookFunction, ...]], net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None,
    outdev: NetDevice | None,
) -> bool:  # fmt: skip
    """As nf_hook(), for the hooks of families arp and bridge."""
    return all(function(net, hook, skb, indev, outdev) for function in hooks[hook])
