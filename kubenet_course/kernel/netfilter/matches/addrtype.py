"""-m addrtype: what kind of address the host thinks it is (libxt_addrtype, xt_addrtype.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.inet.fib import RT_TABLE_LOCAL
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

TYPES = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT",
    "THROW", "NAT", "XRESOLVE",
)  # fmt: skip
NFT_TYPES = TYPES[:9]


def address_type(net: NetNamespace, address: Any, dev: Any = None) -> str:
    """inet_dev_addr_type(): what table local says; with `dev`, on that device."""
    if address.family == 6:
        return address_type6(net, address, dev)
    if address == 0xFFFFFFFF or address >> 24 == 0:
        return "BROADCAST"
    if address >> 28 == 0xE:
        return "MULTICAST"
    found = net.ipv4.tables[RT_TABLE_LOCAL].lookup(int(address))
    if found is None:
        return "UNICAST"
    route, hops = found
    if dev is not None and all(hop.dev is not dev for hop in hops):
        return "UNICAST"
    return route.type.upper()


def address_type6(net: NetNamespace, address: Any, dev: Any = None) -> str:
    """match_lookup_rt6(): local, multicast, or by the route it has."""
    if address.is_multicast:
        return "MULTICAST"
    if address == 0:
        return "UNSPEC"
    if dev is not None:
        return "LOCAL" if any(own.local == address for own in net.ipv6.device_addresses(dev)) else "UNICAST"
    return "LOCAL" if net.ipv6.is_local(address) else "UNICAST"


class Addrtype(Extension):
    name = "addrtype"
    options = (
        Opt("src-type", "string", invert=True),
        Opt("dst-type", "string", invert=True),
        Opt("limit-iface-in", excl=("limit-iface-out",)),
        Opt("limit-iface-out", excl=("limit-iface-in",)),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.kind == "string":
            words, rest = set(), value
            while "," in rest:  # parse_types(): the rest of the text is what it complains of
                word, _, after = rest.partition(",")
                if not word:
                    raise problem(f"addrtype: bad type `{rest}'")
                words.add(self._type(word, rest))
                rest = after
            words.add(self._type(rest, rest))
            self.values[opt.id] = tuple(kind for kind in TYPES if kind in words)

    def _type(self, word: str, rest: str) -> str:
        """A type may be shortened."""
        found = next((kind for kind in TYPES if word and kind.startswith(word.upper())), None)
        if found is None:
            raise problem(f'addrtype: bad type "{rest}"' if rest == word else f"addrtype: bad type `{rest}'")
        return found

    def check(self, names: Names) -> None:
        if "src-type" not in self.values and "dst-type" not in self.values:
            raise problem("addrtype: you must specify --src-type or --dst-type")

    def refused(self, place: Place, rule: XtRule) -> int:
        words = {word for key in ("src-type", "dst-type") for word in self.values.get(key, ())}
        if self.family == 6 and words & {"THROW", "NAT", "XRESOLVE", "BROADCAST", "BLACKHOLE"} - {"BLACKHOLE"}:
            return errno.EINVAL
        if "limit-iface-in" in self.values and place.hooks & {3, 4}:
            return errno.EINVAL
        if "limit-iface-out" in self.values and place.hooks & {0, 1}:
            return errno.EINVAL
        return 0

    def save(self) -> str:
        words = [
            f"{self.bang(key)}--{key} {','.join(self.values[key])}" for key in ("src-type", "dst-type") if key in self.values
        ]
        words += [f"--{key}" for key in ("limit-iface-in", "limit-iface-out") if key in self.values]
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        words = ["ADDRTYPE match"]
        for key in ("src-type", "dst-type"):
            if key in self.values:
                words.append(f"{key} {'!' if key in self.inverted else ''}{','.join(self.values[key])}")
        words += [word for key, word in (("limit-iface-in", "limit-in"), ("limit-iface-out", "limit-out")) if key in self.values]
        return " ".join(words)

    def nft(self, rule: XtRule) -> str | None:
        out = []
        for key, field in (("src-type", "saddr"), ("dst-type", "daddr")):
            if key not in self.values:
                continue
            text = f"fib {field}"
            if "limit-iface-in" in self.values:
                text += " . iif"
            if "limit-iface-out" in self.values:
                text += " . oif"
            kinds = [kind.lower() for kind in self.values[key] if kind in NFT_TYPES]
            differs = "!= " if key in self.inverted else ""
            out.append(f"{text} type {differs}{kinds[0] if len(kinds) == 1 else '{ ' + ', '.join(kinds) + ' }'}")
            break
        return " ".join(out)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        tests = []
        for key, index in (("src-type", 0), ("dst-type", 1)):
            if key in self.values:
                tests.append((index, frozenset(self.values[key]), key in self.inverted))
        limit_in, limit_out = "limit-iface-in" in self.values, "limit-iface-out" in self.values
        locals4 = net.ipv4.locals

        def test(skb: Any, state: Any) -> bool:
            dev = state.indev if limit_in else state.outdev if limit_out else None
            for index, kinds, inverted in tests:
                address = skb.network[index]
                if len(kinds) == 1 and "LOCAL" in kinds and state.family == 4 and address not in locals4 and address >> 24 != 127:
                    found = False
                else:
                    found = address_type(net, address, dev) in kinds
                if found == inverted:
                    return False
            return True

        return test


EXTENSION = Addrtype
