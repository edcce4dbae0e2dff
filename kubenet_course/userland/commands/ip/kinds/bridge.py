"""``type bridge`` (ip/iplink_bridge.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.kinds._options import explain_kind, text_of, unknown
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Words, invarg, matches, number, unsupported

U8, U16, U32, U64 = 0xFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF

#: (word, attribute, greatest value), asked in iproute2's order; every word may be abbreviated.
OPTIONS = (
    ("forward_delay", "forward_delay", U32), ("hello_time", "hello_time", U32), ("max_age", "max_age", U32),
    ("ageing_time", "ageing_time", U32), ("stp_state", "stp_state", U32), ("priority", "priority", U16),
    ("vlan_filtering", "vlan_filtering", U8), ("vlan_protocol", "", 0), ("group_fwd_mask", "group_fwd_mask", U16),
    ("group_address", "", 0), ("fdb_flush", "fdb_flush", -1), ("vlan_default_pvid", "vlan_default_pvid", U16),
    ("vlan_stats_enabled", "", 0), ("vlan_stats_per_port", "", 0), ("mcast_router", "mcast_router", U8),
    ("mcast_snooping", "mcast_snooping", U8), ("mcast_query_use_ifaddr", "mcast_query_use_ifaddr", U8),
    ("mcast_querier", "mcast_querier", U8), ("mcast_hash_elasticity", "mcast_hash_elasticity", U32),
    ("mcast_hash_max", "mcast_hash_max", U32), ("mcast_last_member_count", "mcast_last_member_cnt", U32),
    ("mcast_startup_query_count", "mcast_startup_query_cnt", U32),
    ("mcast_last_member_interval", "mcast_last_member_intvl", U64),
    ("mcast_membership_interval", "mcast_membership_intvl", U64),
    ("mcast_querier_interval", "mcast_querier_intvl", U64), ("mcast_query_interval", "mcast_query_intvl", U64),
    ("mcast_query_response_interval", "mcast_query_response_intvl", U64),
    ("mcast_startup_query_interval", "mcast_startup_query_intvl", U64),
    ("mcast_stats_enabled", "mcast_stats_enabled", U8), ("mcast_igmp_version", "mcast_igmp_version", U8),
    ("mcast_mld_version", "mcast_mld_version", U8), ("nf_call_iptables", "nf_call_iptables", U8),
    ("nf_call_ip6tables", "nf_call_ip6tables", U8), ("nf_call_arptables", "nf_call_arptables", U8),
    ("no_linklocal_learn", "no_linklocal_learn", U8), ("mcast_vlan_snooping", "mcast_vlan_snooping", U8),
)  # fmt: skip

#: The text's word where it is not the JSON's.
WORDS = {
    "root_id": "designated_root", "group_addr": "group_address",
    "mcast_last_member_cnt": "mcast_last_member_count", "mcast_startup_query_cnt": "mcast_startup_query_count",
    "mcast_last_member_intvl": "mcast_last_member_interval", "mcast_membership_intvl": "mcast_membership_interval",
    "mcast_querier_intvl": "mcast_querier_interval", "mcast_query_intvl": "mcast_query_interval",
    "mcast_query_response_intvl": "mcast_query_response_interval",
    "mcast_startup_query_intvl": "mcast_startup_query_interval",
}  # fmt: skip


def parse(words: Words, session: Session) -> dict[str, Any]:
    said: dict[str, Any] = {}
    while words.more:
        word = words.take()
        for full, attribute, high in OPTIONS:  # noqa: B007 — used after the loop
            if matches(word, full):
                break
        else:
            if matches(word, "help"):
                explain_kind("bridge", status=1)
            unknown("bridge", word, status=1)
        if high == -1:
            said[attribute] = 1
            continue
        if not attribute:
            unsupported(f"ip link type bridge: {full}")
        text = words.value()
        value = number(text, 0, high)
        if value is None:
            invarg(f"invalid {full}", text)
        said[attribute] = value
    return said


def show(info: dict[str, Any]) -> str:
    return text_of(info, WORDS)
