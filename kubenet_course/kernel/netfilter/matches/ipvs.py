"""-m ipvs: whether a packet belongs to a connection of the IP virtual server (libxt_ipvs, xt_ipvs.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, mask_text, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


DIRECTIONS = {"ORIGINAL": False, "REPLY": True}
METHODS = {"GATE": "Route", "IPIP": "Tunnel", "MASQ": "Masq"}
ORDER = ("ipvs", "vproto", "vaddr", "vport", "vdir", "vmethod", "vportctl")


class IpvsMatch(Extension):
    """The packet's connection is the one that `ip_vs_in` or `ip_vs_out` left with it (skb->ipvs_property)."""

    name = "ipvs"
    options = (
        Opt("ipvs", invert=True), Opt("vproto", "protocol", invert=True), Opt("vaddr", "hostmask", invert=True),
        Opt("vport", "port", invert=True), Opt("vdir", "string"), Opt("vmethod", "string", invert=True),
        Opt("vportctl", "port", invert=True),
    )  # fmt: skip

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.name == "vdir" and str(value).upper() not in DIRECTIONS:
            raise problem('ipvs: "vdir" must be ORIGINAL or REPLY')
        if opt.name == "vmethod" and str(value).upper() not in METHODS:
            raise problem('ipvs: "vmethod" must be GATE, IPIP or MASQ')

    def _text(self, key: str) -> str:
        if key == "vaddr":
            address, mask = self.values[key]
            return f"{address}{mask_text(mask, self.family)}"
        return str(self.values[key])

    def save(self) -> str:
        words = []
        for key in ORDER:
            if key not in self.values:
                continue
            word = f"{self.bang(key)}--{key}"
            if key == "ipvs":
                words.append(word)
            elif key in ("vdir", "vmethod"):
                words.append(f"{word} {str(self.values[key]).upper()}")
            else:
                words.append(f"{word} {self._text(key)}")
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        words = []
        for key in ORDER:
            if key in self.values and key != "ipvs":
                words.append(f"{'! ' if key in self.inverted else ''}{key} {self._text(key)}")
        return " ".join(
            [f"{'! ' if 'ipvs' in self.inverted else ''}ipvs", *words] if "ipvs" in self.values else words
        )

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        values, inverted = self.values, self.inverted
        address, mask = values.get("vaddr", (None, 0))
        protocol = values.get("vproto")

        def test(skb: Any, state: Any) -> bool:
            conn = skb.cb.get("ipvs") if skb.cb else None
            if conn is None:
                return "ipvs" in inverted
            if "ipvs" in inverted:
                return False
            checks = (
                ("vproto", protocol is None or conn.protocol == protocol),
                ("vaddr", address is None or int(conn.virtual) & mask == int(address) & mask),
                ("vport", "vport" not in values or conn.vport == values["vport"]),
                (
                    "vmethod",
                    "vmethod" not in values or conn.forward == METHODS[str(values["vmethod"]).upper()],
                ),
            )
            if "vdir" in values:
                reply = skb.network.source == conn.virtual
                if reply != DIRECTIONS[str(values["vdir"]).upper()]:
                    return False
            return all(held != (key in inverted) for key, held in checks if key in values)

        return test


EXTENSION = IpvsMatch
