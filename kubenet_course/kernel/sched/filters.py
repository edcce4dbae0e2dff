"""Classifiers and their actions (net/sched/cls_u32.c, cls_matchall.c, cls_fw.c, act_gact.c, act_mirred.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.sched.qdisc import packet_length
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.ethernet import ETH_P_ARP, ETH_P_IP, ETH_P_IPV6

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

PROTOCOLS = {"all": 3, "ip": ETH_P_IP, "ipv6": ETH_P_IPV6, "arp": ETH_P_ARP}


class Action:
    """`kind` gact (`verdict` drop, pass, pipe, …) or mirred (`verdict` redirect or mirror, to `dev`)."""

    def __init__(self, kind: str, verdict: str, dev: NetDevice | None = None, ingress: bool = False):
        self.kind = kind
        self.verdict = verdict
        self.dev = dev
        self.ingress = ingress
        self.packets = self.bytes = self.drops = 0
        self.index = 0
        self.used = 0
        self.installed = 0


class Filter:
    """One filter: `kind` u32, matchall or fw; `keys` are (value, mask, offset) of u32's 32-bit words."""

    def __init__(self, kind: str, protocol: str, preference: int, handle: int):
        self.kind = kind
        self.protocol = protocol
        self.preference = preference
        self.handle = handle
        self.keys: list[tuple[int, int, int]] = []
        self.flowid = 0
        self.actions: list[Action] = []
        self.hits = 0
        self.side = ""

    def matches(self, skb: SkBuff) -> bool:
        wanted = PROTOCOLS[self.protocol]
        if wanted != 3 and skb.ethertype != wanted:
            return False
        if self.kind == "fw":
            return skb.mark == self.handle
        if self.kind == "matchall" or all(not mask for _, mask, _ in self.keys):
            return True
        data = skb.network_bytes()
        for value, mask, offset in self.keys:
            word = data[offset : offset + 4]
            if len(word) < 4 or int.from_bytes(word, "big") & mask != value:
                return False
        return True


def classify(
    filters: list[Filter], skb: SkBuff, dev: NetDevice | None = None, ingress: bool = False
) -> int | bool:
    """tcf_classify(): the class id that a filter gives,
    True for none; False: an action ended or took the packet."""
    if not filters or (skb.cb or {}).get("tc_skip_classify"):
        if skb.cb:
            skb.cb.pop("tc_skip_classify", None)
        return True
    for each in filters:
        if not each.matches(skb):
            continue
        each.hits += 1
        if not each.actions:
            if each.flowid:
                return each.flowid
            continue
        outcome = act(each.actions, skb, dev, ingress)
        if outcome is None:
            continue
        if outcome is False:
            return False
        return each.flowid or True
    return True


def act(actions: list[Action], skb: SkBuff, dev: NetDevice | None, ingress: bool) -> bool | None:
    """tcf_action_exec(): False where the packet is gone, True for "pass",
    None to go on with other filters."""
    for action in actions:
        action.packets += 1
        action.bytes += packet_length(skb)
        if action.kind == "mirred":
            assert action.dev is not None
            loop = action.dev.net.loop
            action.used = loop.now
            redirect = action.verdict == "redirect"
            copy = skb if redirect else skb.clone(loop)
            if not redirect:
                copy.dst = None
            if dev is not None and redirect and action.dev.kind == "ifb":
                copy.cb = {**(copy.cb or {}), "redirected": (dev, ingress)}
            if action.ingress:
                from kubenet_course.kernel.devices.base import netif_rx

                netif_rx(action.dev, copy)
            else:
                action.dev.queue_xmit(copy)
            if redirect:
                return False
            continue
        if action.verdict in ("drop", "stolen"):
            action.drops += 1
            skb.drop("TC_INGRESS" if ingress else "QDISC_DROP", dev)
            return False
        if action.verdict in ("pass", "ok"):
            return True
        if action.verdict == "continue":
            return None
    return None


class FilterBlock:
    """The filters of one side of ingress or clsact."""

    def __init__(self, dev: NetDevice, is_ingress: bool):
        self.dev = dev
        self.is_ingress = is_ingress
        self.filters: list[Filter] = []
        self.drops = 0

    def classify(self, skb: SkBuff) -> bool:
        """False where the packet is gone."""
        if not self.filters:
            return True
        return classify(self.filters, skb, self.dev, self.is_ingress) is not False

    def ingress(self, skb: SkBuff) -> bool:
        """sch_handle_ingress(), as `receive_core` calls it."""
        return self.classify(skb)
