"""One rule as `ip rule` prints it (ip/iprule.c: print_rule())."""

from __future__ import annotations

from kubenet_course.kernel.devices.vrf import L3mdevRule
from kubenet_course.kernel.inet.fib import FibRule, FibRules
from kubenet_course.userland.commands.ip.printer import Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.wire.addresses import IpAddress, Network

PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp",
             89: "ospf", 132: "sctp"}  # fmt: skip


def print_rule(rule: FibRule, rules: FibRules, out: Printer, session: Session) -> None:
    """print_rule()."""
    bits = rules.bits
    out.open_object()
    out.any("priority", "%u:\t", rule.priority)
    if rule.invert:
        out.flag("not", "not ")
    _end("src", "from ", rule.src, rule.source, bits, out)
    if rule.destination is not None:
        _end("dst", "to ", rule.dst, rule.destination, bits, out)
    if rule.tos:
        out.any("tos", "tos %s ", session.tables.name("dsfield", rule.tos))
    if rule.fwmark is not None and (rule.fwmark or rule.fwmask != 0xFFFFFFFF):
        out.any("fwmark", "fwmark %s", f"{rule.fwmark:#x}")
        if rule.fwmask != 0xFFFFFFFF:
            out.any("fwmask", "/%s", f"{rule.fwmask:#x}")
        out.fp(" ")
    for key, name in (("iif", rule.iif), ("oif", rule.oif)):
        if name:
            out.any(key, f"{key} %s ", name)
            if name not in session.net.devices:
                out.flag(f"{key}_detached", "[detached] ")
    if rule.uidrange is not None:
        out.any("uid_start", "uidrange %u", rule.uidrange[0])
        out.any("uid_end", "-%u ", rule.uidrange[1])
    if rule.ipproto:
        known = PROTOCOLS.get(rule.ipproto, f"ipproto-{rule.ipproto}")
        out.any("ipproto", "ipproto %s ", f"ipproto-{rule.ipproto}" if session.options.numeric else known)
    for key, ports in (("sport", rule.sport), ("dport", rule.dport)):
        if ports is None:
            continue
        if ports[0] == ports[1]:
            out.any(key, f"{key} %u ", ports[0])
        else:
            out.any(f"{key}_start", f"{key} %u", ports[0])
            out.any(f"{key}_end", "-%u ", ports[1])
    if rule.tun_id:
        out.any("tun_id", "tun_id %u ", rule.tun_id)
    _verdict(rule, rules, out, session)
    if session.options.details or rule.protocol not in (0, 2):
        out.any("protocol", " proto %s", session.tables.name("proto", rule.protocol))
    out.fp("\n")
    out.close()


def _end(
    key: str, word: str, written: IpAddress | None, network: Network | None, bits: int, out: Printer
) -> None:
    out.fp(word)
    if network is None:
        out.any(key, "%s ", "all")
        return
    address = written if written is not None else network.address
    if network.prefixlen == bits:
        out.any(key, "%s ", address)
    else:
        out.any(key, "%s", address)
        out.any(f"{key}len", "/%u ", network.prefixlen)


def _verdict(rule: FibRule, rules: FibRules, out: Printer, session: Session) -> None:
    if isinstance(rule, L3mdevRule):
        out.flag("l3mdev", "lookup [l3mdev-table]")
    elif rule.action in ("lookup", "nat"):
        out.any("table", "lookup %s", session.tables.name("table", rule.table))
        if rule.suppress_prefixlength != -1:
            out.any("suppress_prefixlen", " suppress_prefixlength %d", rule.suppress_prefixlength)
        if rule.suppress_ifgroup != -1:
            out.any("suppress_ifgroup", " suppress_ifgroup %s", session.tables.name("group", rule.suppress_ifgroup))
        if rule.realms:
            source, to = rule.realms >> 16, rule.realms & 0xFFFF
            out.fp(" realms ")
            if source:
                out.any("flow_from", "%s/", session.tables.name("realm", source))
            out.any("flow_to", "%s", session.tables.name("realm", to))
        if rule.action == "nat":
            out.flag("masquerade", " masquerade")
    elif rule.action == "goto":
        out.any("goto", "goto %u", rule.goto)
        if not rules.has(rule.goto):
            out.flag("unresolved", " [unresolved]")
    elif rule.action == "nop":
        out.flag("nop", "nop")
    else:
        numbers = {"blackhole": "6", "unreachable": "7", "prohibit": "8"}
        out.any("action", "%s", numbers[rule.action] if session.options.numeric else rule.action)

