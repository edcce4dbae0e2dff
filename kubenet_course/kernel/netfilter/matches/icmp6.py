"""-m icmp6: type and code of ICMPv6 (libip6t_icmp6, ip6_tables.c: icmp6_match())."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.matches.icmp import Icmp
from kubenet_course.kernel.netfilter.xt import Opt

TYPES6 = (
    ("destination-unreachable", 1, 0, 255), ("no-route", 1, 0, 0), ("communication-prohibited", 1, 1, 1),
    ("beyond-scope", 1, 2, 2), ("address-unreachable", 1, 3, 3), ("port-unreachable", 1, 4, 4),
    ("failed-policy", 1, 5, 5), ("reject-route", 1, 6, 6), ("packet-too-big", 2, 0, 255), ("time-exceeded", 3, 0, 255),
    ("ttl-exceeded", 3, 0, 255), ("ttl-zero-during-transit", 3, 0, 0), ("ttl-zero-during-reassembly", 3, 1, 1),
    ("parameter-problem", 4, 0, 255), ("bad-header", 4, 0, 0), ("unknown-header-type", 4, 1, 1),
    ("unknown-option", 4, 2, 2), ("echo-request", 128, 0, 255), ("ping", 128, 0, 255), ("echo-reply", 129, 0, 255),
    ("pong", 129, 0, 255), ("router-solicitation", 133, 0, 255), ("router-advertisement", 134, 0, 255),
    ("neighbour-solicitation", 135, 0, 255), ("neighbor-solicitation", 135, 0, 255),
    ("neighbour-advertisement", 136, 0, 255), ("neighbor-advertisement", 136, 0, 255), ("redirect", 137, 0, 255),
)  # fmt: skip
NFT6 = {
    1: "destination-unreachable", 2: "packet-too-big", 3: "time-exceeded", 4: "parameter-problem", 128: "echo-request",
    129: "echo-reply", 130: "mld-listener-query", 131: "mld-listener-report", 132: "mld-listener-done",
    133: "nd-router-solicit", 134: "nd-router-advert", 135: "nd-neighbor-solicit", 136: "nd-neighbor-advert",
    137: "nd-redirect", 138: "router-renumbering", 141: "ind-neighbor-solicit", 142: "ind-neighbor-advert",
    143: "mld2-listener-report",
}  # fmt: skip


class Icmp6(Icmp):
    name = "icmp6"
    aliases = ("icmpv6", "ipv6-icmp")
    families = (6,)
    protocols = (58,)
    options = (Opt("icmpv6-type", "string", invert=True, mand=True),)
    types = TYPES6  # type: ignore[assignment]
    word = "ICMPv6"
    flag = "icmpv6-type"
    listed = ("ipv6-icmptype", "ipv6-icmp")
    nft_names = NFT6
    nft_field = "icmpv6 type"


EXTENSION = Icmp6
