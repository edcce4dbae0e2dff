"""The words of ``ip route add | change | replace | append | del`` (ip/iproute.c: iproute_modify())."""

from __future__ import annotations

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import fib
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    duparg,
    duparg2,
    get_addr,
    get_prefix,
    invarg,
    matches,
    u32,
    unsupported,
)
from kubenet_course.wire.addresses import IpAddress

FAMILIES = {"inet": 4, "inet6": 6}
TYPES = ("local", "nat", "broadcast", "anycast", "multicast", "prohibit", "unreachable", "blackhole", "xresolve",
         "unicast", "throw")  # fmt: skip
EXACT_TYPES = frozenset({"local", "nat", "throw"})
#: Numbers of rtm_type, for those who write them.
TYPE_NUMBERS = {1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole",
                7: "unreachable", 8: "prohibit", 9: "throw"}  # fmt: skip
#: Metric words: (word, may be abbreviated, metric, kind of value).
METRICS = (
    ("mtu", False, "mtu", "number"), ("hoplimit", True, "hoplimit", "number"), ("advmss", True, "advmss", "number"),
    ("reordering", True, "reordering", "number"), ("rtt", False, "rtt", "time8"), ("rto_min", False, "rto_min", "time"),
    ("window", True, "window", "number"), ("cwnd", True, "cwnd", "number"), ("initcwnd", True, "initcwnd", "number"),
    ("initrwnd", True, "initrwnd", "number"), ("quickack", True, "quickack", "bool"),
    ("congctl", True, "congctl", "name"), ("rttvar", True, "rttvar", "time4"), ("ssthresh", True, "ssthresh", "number"),
    ("fastopen_no_cookie", False, "fastopen_no_cookie", "bool"),
)  # fmt: skip
LOCKABLE = frozenset({"mtu", "hoplimit", "advmss", "reordering", "rtt", "window", "cwnd", "rttvar", "ssthresh", "congctl"})


def route_type(text: str) -> str | None:
    """rtnl_rtntype_a2n()."""
    for name in TYPES:
        if text == name or (name not in EXACT_TYPES and matches(text, name)):
            return name
    if text == "brd":
        return "broadcast"
    number = u32(text)
    return TYPE_NUMBERS.get(number) if number is not None else None


class RouteWords:
    """Reads the words into `route`; `fields` names what was said, for a deletion."""

    def __init__(self, session: Session, verb: str):
        self.session = session
        self.verb = verb
        self.delete = verb == "del"
        self.family = session.options.family if session.options.family in (4, 6) else 0
        self.fields: set[str] = set()
        self.prefix = None
        self.type: str | None = None
        self.table: int | None = None
        self.scope: int | None = None
        self.protocol: int | None = None
        self.tos = 0
        self.metric = 0
        self.prefsrc: IpAddress | None = None
        self.gateway: IpAddress | None = None
        self.dev: str | None = None
        self.onlink = False
        self.nexthops: list[fib.NextHop] = []
        self.metrics: dict[str, int | str] = {}
        self.realms = 0
        self.nhid = 0
        self.source = None
        self.locks: set[str] = set()
        self.expires: int | None = None
        self.pref = "medium"

    # -- the loop ---------------------------------------------------------------------------
    def parse(self, words: Words) -> fib.FibRoute:
        while words.more:
            word = words.take()
            if word == "nexthop":
                self._nexthops(words)
                break
            if not (self._metric(word, words) or self._option(word, words)):
                self._destination(word, words)
        if self.prefix is None:
            self.session.usage("route")
        return self._build()

    def _destination(self, word: str, words: Words) -> None:
        if word == "to":
            word = words.value()
        if not word[:1].isdigit():
            kind = route_type(word)
            if kind is not None:
                self.type = kind
                self.fields.add("type")
                word = words.value()
        if matches(word, "help"):
            self.session.usage("route")
        if self.prefix is not None:
            duparg2("to", word)
        self.prefix = get_prefix(word, self.family)  # type: ignore[assignment]
        if not self.prefix.unspec:  # type: ignore[attr-defined]
            self.family = self.prefix.family  # type: ignore[attr-defined]

    def _option(self, word: str, words: Words) -> bool:
        if word == "src":
            self.prefsrc = get_addr(words.value(), self.family)
            self.family = self.family or self.prefsrc.family
            self.fields.add("prefsrc")
        elif word == "via":
            self._via(words)
        elif word == "from":
            self.source = get_prefix(words.value(), self.family)  # type: ignore[assignment]
        elif word == "tos" or matches(word, "dsfield"):
            self.tos = self._named("dsfield", words, '"tos" value is invalid\n')
        elif word == "expires":
            text = words.value()
            if self.expires is not None:
                duparg("expires", text)
            seconds = u32(text)
            if seconds is None:
                invarg('"expires" value is invalid\n', text)
            self.expires = self.session.net.loop.now + seconds * SECOND
        elif matches(word, "metric") or matches(word, "priority") or word == "preference":
            self.metric = self._number(words, "metric")
            self.fields.add("metric")
        elif word == "scope":
            self.scope = self._named("scope", words, 'invalid "scope" value\n')
        elif word == "onlink":
            self.onlink = True
        elif matches(word, "protocol"):
            self.protocol = self._named("proto", words, '"protocol" value is invalid\n')
            self.fields.add("protocol")
        elif matches(word, "table"):
            self.table = self._named("table", words, '"table" value is invalid\n') or None
        elif word == "vrf":
            text = words.value()
            dev = self.session.find(text)
            if dev is None or dev.kind != "vrf":
                invarg("Invalid VRF\n", text)
            self.table = getattr(dev, "table", fib.RT_TABLE_MAIN)
        elif word in ("dev", "oif"):
            self.dev = words.value()
        elif matches(word, "pref") and len(word) == 4:
            text = words.value()
            if text not in ("low", "medium", "high"):
                invarg('"pref" value is invalid\n', text)
            self.pref = text
        elif matches(word, "realms"):
            self.realms = self._realms(words)
        elif word == "nhid":
            text = words.value()
            nhid = u32(text)
            if nhid is None:
                invarg('"id" value is invalid\n', text)
            self.nhid = nhid
        elif matches(word, "features"):
            self._features(words)
        elif word == "ttl-propagate":
            text = words.value()
            if text not in ("enabled", "disabled"):
                invarg('"ttl-propagate" value is invalid\n', text)
        elif word == "encap" and words.peek == "mpls":
            words.rest()
            raise KernelError(errno.EOPNOTSUPP, "lwt encapsulation type not supported")
        elif word in ("encap", "pervasive", "as"):
            unsupported(f"ip route: {word}")
        else:
            return False
        return True

    def _realms(self, words: Words) -> int:
        """get_rt_realms_or_raw(): TO, or FROM/TO."""
        text = words.value()
        source_text, slash, to_text = text.rpartition("/")
        source = self.session.tables.number("realm", source_text) if slash else 0
        to = u32(to_text) if to_text.isdigit() else self.session.tables.number("realm", to_text)
        if source is None or to is None:
            invarg('"realm" value is invalid\n', text)
        return (source << 16 | to) & 0xFFFFFFFF

    def _features(self, words: Words) -> None:
        text = words.value()
        while text == "ecn":
            self.metrics["features"] = 1
            if not words.more:
                return
            text = words.take()
        if "features" not in self.metrics:
            invarg('"features" value not valid\n', text)
        words.back()

    def _named(self, kind: str, words: Words, complaint: str) -> int:
        text = words.value()
        value = self.session.tables.number(kind, text)
        if value is None:
            invarg(complaint, text)
        return value

    def _number(self, words: Words, key: str) -> int:
        text = words.value()
        value = u32(text)
        if value is None:
            invarg(f'"{key}" value is invalid\n', text)
        return value

    def _via(self, words: Words) -> None:
        self.gateway = self._gateway(words)
        self.fields.add("nexthops")

    def _gateway(self, words: Words) -> IpAddress:
        text = words.value()
        family = FAMILIES.get(text)
        if family is None:
            family = self.family
        else:
            text = words.value()
        address = get_addr(text, family)
        if not self.family:
            self.family = address.family
        return address

    # -- metrics ----------------------------------------------------------------------------
    def _metric(self, word: str, words: Words) -> bool:
        for full, abbreviated, name, kind in METRICS:
            if word == full or (abbreviated and matches(word, full)):
                text = words.value()
                if text == "lock" and name in LOCKABLE:
                    self.locks.add(name)
                    text = words.value()
                self._set_metric(name, kind, text)
                return True
        return False

    def _set_metric(self, name: str, kind: str, text: str) -> None:
        if kind == "name":
            self.metrics[name] = text
            return
        if kind.startswith("time"):
            self.metrics[name] = self._time(name, text, int(kind[4:] or 1))
            if name == "rto_min":
                self.locks.add(name)
            return
        value = u32(text)
        if value is None or (name == "fastopen_no_cookie" and value > 1):
            invarg(f'"{name}" value is invalid\n', text)
        if kind == "bool" and value not in (0, 1):
            invarg(f'"{name}" value should be 0 or 1\n', text)
        limit = {"mtu": 65520, "advmss": 65495, "hoplimit": 255}.get(name)
        self.metrics[name] = min(value, limit) if limit else value

    def _time(self, name: str, text: str, scale: int) -> int:
        """get_time_rtt(): ``5ms``, ``2s`` or a raw number in the kernel's unit."""
        bad = f'"{name}" value is invalid\n'
        for suffix, factor in (("msecs", 1), ("msec", 1), ("ms", 1), ("secs", 1000), ("sec", 1000), ("s", 1000)):
            if text.lower().endswith(suffix):
                try:
                    value = float(text[: -len(suffix)])
                except ValueError:
                    invarg(bad, text)
                return int(value * factor) * scale
        number = u32(text)
        if number is None:
            invarg(bad, text)
        return number

    # -- next hops --------------------------------------------------------------------------
    def _nexthops(self, words: Words) -> None:
        """parse_nexthops(): each begins with ``nexthop``."""
        self.fields.add("nexthops")
        words.back()
        while words.more:
            word = words.take()
            if word != "nexthop":
                raise Quit(255, f'Error: "nexthop" or end of line is expected instead of "{word}"\n')
            if not words.more:
                raise Quit(255, 'Error: unexpected end of line after "nexthop"\n')
            self.nexthops.append(self._one_hop(words))

    def _one_hop(self, words: Words) -> fib.NextHop:
        hop = fib.NextHop()
        while words.more:
            word = words.take()
            if word == "via":
                hop.gateway = self._gateway(words)
            elif word == "dev":
                try:
                    hop.dev = self.session.device(words.value())
                except Quit as leave:
                    raise Quit(255, leave.message + "Error: cannot parse nexthop\n") from None
            elif word == "weight":
                text = words.value()
                weight = u32(text)
                if weight is None or not 1 <= weight <= 256:
                    invarg('"weight" is invalid\n', text)
                hop.weight = weight
            elif word == "onlink":
                hop.onlink = True
            elif matches(word, "realms"):
                hop.realms = self._realms(words)
            elif word in ("encap", "as"):
                unsupported(f"ip route: nexthop {word}")
            else:
                words.back()
                break
        return hop

    # -- the route --------------------------------------------------------------------------
    def _build(self) -> fib.FibRoute:
        assert self.prefix is not None
        family = self.family or 4
        prefix = self.prefix
        if prefix.unspec and family == 6:
            prefix = get_prefix("default", 6)
        if self.nexthops:
            hops = self.nexthops
            first = hops[0]
            if self.dev is not None and first.dev is not self.session.device(self.dev):
                raise KernelError(errno.EINVAL, "Nexthop device index does not match RTA_OIF")
            if self.gateway is not None and first.gateway != self.gateway:
                raise KernelError(errno.EINVAL, "Nexthop gateway does not match RTA_GATEWAY or RTA_VIA")
        else:
            hops = []
            if self.dev is not None or self.gateway is not None:
                dev = self.session.device(self.dev) if self.dev is not None else None
                hops.append(fib.NextHop(dev, self.gateway, onlink=self.onlink, realms=self.realms))
                self.fields.add("nexthops")
        if self.table is None:
            self.table = fib.RT_TABLE_LOCAL if self.type in ("local", "broadcast", "nat", "anycast") else fib.RT_TABLE_MAIN
        if prefix.has_host_bits and family == 4:
            raise KernelError(errno.EINVAL, "Invalid prefix for given prefix length")
        scope = self._scope(family)
        if self.delete and scope != fib.RT_SCOPE_NOWHERE:
            self.fields.add("scope")
        protocol = self.protocol if self.protocol is not None else (0 if self.delete else fib.RTPROT_BOOT)
        if self.delete and not protocol:
            self.fields.discard("protocol")
        if self.delete and self.metrics:
            self.fields.add("metrics")
        return fib.FibRoute(
            prefix.network, self.type or "unicast", self.table, protocol, scope, tos=self.tos, metric=self.metric,
            prefsrc=self.prefsrc, nexthops=hops, metrics=self.metrics, locks=self.locks, expires=self.expires, pref=self.pref,
            nhid=self.nhid, source=self.source.network if self.source is not None and self.source.length else None,
        )  # fmt: skip

    def _scope(self, family: int) -> int:
        if self.scope is not None:
            return self.scope
        if family == 6:
            return fib.RT_SCOPE_NOWHERE if self.delete else fib.RT_SCOPE_UNIVERSE
        if self.type == "local":
            return fib.RT_SCOPE_HOST
        if self.type in ("broadcast", "multicast", "anycast"):
            return fib.RT_SCOPE_LINK
        if self.type in (None, "unicast"):
            if self.delete:
                return fib.RT_SCOPE_NOWHERE
            if self.gateway is None and not self.nexthops and not self.nhid:
                return fib.RT_SCOPE_LINK
        return fib.RT_SCOPE_NOWHERE if self.delete and self.type is None else fib.RT_SCOPE_UNIVERSE

