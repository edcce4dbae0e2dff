"""What each way of losing a packet means on a lab: one small function per kernel drop reason.

`dropped` finds the function by the reason; a reason without one of its own is told in the words of
`kernel/skbuff.py`. A `Finding` is sentences, the command that shows the fact, and what to look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from kubenet_course.view import link_reasons
from kubenet_course.view.case import Case, Finding
from kubenet_course.view.journey import Journey, Packet
from kubenet_course.view.netmap import Port
from kubenet_course.view.segments import Segments

#: What a look-up answers where no route, but a rule of `ip rule` forbids (fib_rules.c: EACCES, EINVAL).
RULE_ERRORS = r"Permission denied|Invalid argument"


def dropped(journey: Journey, packet: Packet, role: str, segments: Segments, reason: str = "") -> Finding:
    """Why this packet died, what shows it and what mends it."""
    last = packet.stages[-1]
    located = next((stage for stage in reversed(packet.stages) if stage.machine), last)
    case = Case(journey, packet, role, located, segments)
    return _REASONS.get(reason or packet.reason, _other)(case)


def _other(case: Case) -> Finding:
    device = case.last.device
    return Finding(
        (f"{case.arrival} it is dropped there: {case.packet.words} ({case.packet.reason}).",),
        f"{case.prompt}ip -s link show {device}".rstrip() if device else f"{case.prompt}ip addr",
    )


# -- routing --------------------------------------------------------------------------------------
def _astray(case: Case) -> Finding | None:
    """Somebody on the way sent it to where no way leads on but the one back; None where nobody did."""
    destination = case.field("destination")
    owner = case.segments.owner(destination)
    turns = [s for s in case.packet.stages if s.kind == "route" and s.machine != case.last.machine]
    if owner is None or not turns:
        return None
    hops = [*(s.machine for s in turns), case.last.machine]
    for stage, hop in zip(turns, hops[1:]):
        if hop in (stage.machine, owner.machine) or case.segments.leads(hop, owner.machine, stage.machine):
            continue
        who = f"{stage.machine}[{stage.namespace}]" if stage.namespace else stage.machine
        thing = (
            "The packet gets to its destination, but its answer goes astray"
            if case.role == "answer"
            else "The packet goes astray"
        )
        look = f"the routing table of {who}: it needs a route to {destination}'s network"
        if case.role == "answer" and _is_private(destination):
            look += f", or somebody before it must translate the source address {destination} (MASQUERADE)"
        return Finding(
            (
                f"{thing}: {who} has no route of its own to the network of {destination} and sends it to"
                f" {hop}, where it is dropped.",
            ),
            f"{case.segments.prompt(stage.machine, stage.namespace, 'ip')}route get {destination}",
            look,
        )
    return None


def _forwarding_off(case: Case) -> Finding:
    astray = _astray(case)
    if astray is not None:
        return astray
    destination = case.field("destination")
    family = "net.ipv6.conf.all.forwarding" if ":" in destination else "net.ipv4.ip_forward"
    if case.segments.map.sysctl(case.last.machine, case.last.namespace, family) == "1":
        family = f"net.ipv4.conf.{case.last.device}.forwarding"  # IN_DEV_FORWARD(): who it came in by decides
    sentence = f"{case.arrival} {case.who} is not its destination and does not forward packets: {family} is 0."
    if case.segments.owner(destination) is None:
        nobody = f"No machine of this lab has the address {destination}."
        return Finding((sentence, nobody), f"{case.prompt}sysctl {family}", f"the address {destination}: is it the right one?")
    return Finding((sentence,), f"{case.prompt}sysctl {family}", f"`sysctl -w {family}=1` on {case.who}")


def _no_route(case: Case) -> Finding:
    astray = _astray(case)
    if astray is not None:
        return astray
    destination = case.field("destination")
    sentences = [f"{case.arrival} {case.who} has no route to {destination}."]
    look = f"the routing table of {case.who}: it needs a route to {destination}'s network"
    if case.role == "answer":
        sentences[0] = (
            f"The packet gets to its destination, but the answer does not come back: {case.who} has"
            f" no route to {destination}."
        )
        if _is_private(destination):
            look += f", or somebody before it must translate the source address {destination} (MASQUERADE)"
    forbidden = _forbidden(case)
    if forbidden is not None:
        return forbidden
    down = link_reasons.way_down(case.segments, case.last.machine, case.last.namespace, destination)
    if down is not None:
        return Finding((*sentences, *down.sentences), down.command, down.look_at)
    return Finding(tuple(sentences), f"{case.prompt}ip route get {destination}", look)


def _forbidden(case: Case) -> Finding | None:
    """A rule of `ip rule` that says prohibit or blackhole; None where none does."""
    error = next((m[0] for s in case.packet.stages if (m := re.search(RULE_ERRORS, s.text))), "")
    if not error:
        return None
    destination = case.field("destination")
    family = "-6 " if ":" in destination else ""
    sentence = f"{case.arrival} a rule of {case.who}'s routing policy forbids the way to {destination} ({error})."
    return Finding((sentence,), f"{case.prompt}ip {family}rule", "the rule that says `prohibit` or `blackhole`")


def _is_private(address: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(address).is_private
    except ValueError:
        return False


def _no_way_back(case: Case) -> Finding:
    """The destination itself cannot answer (IP_OUTNOROUTES)."""
    from kubenet_course.view.explain import unsent_finding

    for unsent in case.journey.unsent:
        if unsent.machine == case.last.machine:
            finding = unsent_finding(unsent, case.segments, answer=True)
            first = f"The packet arrives at {case.who}, but the answer cannot be sent: {finding.sentences[0]}"
            return Finding((first, *finding.sentences[1:]), finding.command, finding.look_at)
    source = case.field("source")
    return Finding(
        (f"The packet arrives at {case.who}, but there is no route back to {source}.",),
        f"{case.prompt}ip route get {source}",
        f"the routing table of {case.who}",
    )


def _special_route(case: Case) -> Finding:
    kind = case.packet.reason.removeprefix("ROUTE_").lower()
    destination = case.field("destination")
    found = next((m[1] for s in case.packet.stages if (m := re.search(rf"`({kind} [^`]+)", s.text))), "")
    forbidden = None if found else _forbidden(case)
    if forbidden is not None:
        return forbidden
    family = "-6 " if ":" in destination else ""
    found = re.sub(r" metric \d+", "", found) or f"{kind} …"
    article = "an" if kind.startswith("u") else "a"
    return Finding(
        (f"{case.arrival} {article} {kind} route of {case.who} is for {destination}.",),
        f"{case.prompt}ip {family}route show table all type {kind}",
        f"that route (`ip {family}route del {found}`)",
    )


def _own_source(case: Case) -> Finding:
    """Two machines with one address: this one takes the packet for one of its own."""
    source = case.field("source")
    return Finding(
        (f"{case.arrival} {case.who} has the packet's source address {source} itself, and takes it for a forgery.",),
        f"{case.prompt}ip addr show to {source}",
        f"the address {source}: only one machine may have it",
    )


def _ttl(case: Case) -> Finding:
    visited = [s.machine for s in case.packet.stages if s.kind == "forward"]
    twice = next((m for m in visited if visited.count(m) > 1), "")
    destination = case.field("destination")
    limit = "hop limit" if ":" in destination else "TTL"
    if twice:
        loop = list(dict.fromkeys(visited))
        return Finding(
            (
                f"The packet goes round in circles between {' and '.join(loop)} until its {limit} is used up:"
                f" each thinks that the other leads to {destination}.",
            ),
            f"{case.prompt}ip route get {destination}",
            f"the routes to {destination} on {' and '.join(loop)}",
        )
    hops = len(visited) + 1
    setter = next((x for x in case.packet.stages if x.matched and re.search(r"-j (TTL|HL) ", x.text)), None)
    if setter is not None:
        program = "ip6tables" if ":" in destination else "iptables"
        return Finding(
            (f"{case.arrival} its {limit} is used up there: a rule of {setter.machine} changes it ({setter.text}).",),
            f"{case.segments.prompt(setter.machine, setter.namespace)}{program} -t {setter.table} -nvL {setter.chain}",
            "that rule",
        )
    return Finding(
        (
            f"{case.arrival} its {limit} is used up there after {hops} hop{'s' if hops > 1 else ''};"
            f" {case.who} says so to the sender.",
        ),
        f"{case.journey.machine}$ traceroute -n {destination}",
        f"the {limit} that the command was given (`ping -t`)",
    )


def _rp_filter(case: Case) -> Finding:
    source = case.field("source")
    return Finding(
        (
            f"{case.arrival} the reverse path filter drops it: {case.who} would not send to {source}"
            f" out of {case.last.device},"
            " where it came in.",
        ),
        f"{case.prompt}ip route get {source}",
        f"the route of {case.who} to {source}, or `sysctl net.ipv4.conf.{case.last.device}.rp_filter`"
        " (and .all.)",
    )


def _too_big(case: Case) -> Finding:
    destination = case.field("destination")
    told = [p for p in case.journey.packets if p.cause == case.packet.number and p.why == "reports an error about"]
    port = Port(case.last.machine, case.last.namespace, case.last.device)
    ends = [p for p in (port, case.segments.map.peer(port)) if p is not None and p in case.segments.links]
    if not told and ends and case.packet.stages[-2:][0].kind != "send":
        return link_reasons.too_small(case, min(ends, key=lambda p: case.segments.links[p].mtu))
    return Finding(
        (
            f"{case.arrival} it is larger than the MTU of the way on and may not be cut up; the"
            " sender is told the MTU.",
        ),
        f"{case.prompt}ip link",
        f"the MTUs on the way to {destination} (`tracepath -n {destination}`), or a smaller packet",
    )


# -- rules and programs ---------------------------------------------------------------------------
def _firewall(case: Case) -> Finding:
    stage = next((s for s in reversed(case.packet.stages) if s.kind in ("rule", "policy") and not s.ok), None)
    if stage is None:
        return Finding(
            (f"{case.arrival} netfilter drops it, and no rule of a chain does: its table of connections may be full.",),
            f"{case.prompt}sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
            "`sysctl -w net.netfilter.nf_conntrack_max=NUMBER` there, or what opens so many connections (`conntrack -L`)",
        )
    tables = "ip6tables" if any(h.layer == "IPv6" for h in stage.headers) else "iptables"
    where = "" if stage.table == "filter" else f"-t {stage.table} "
    command = f"{case.prompt}{tables} {where}-nvL {stage.chain} --line-numbers"
    if " " in stage.table:  # a table of nft's, with its family
        command = f"{case.prompt}nft -a list chain {stage.table} {stage.chain}"
    if stage.kind == "policy":
        return Finding(
            (
                f"{case.arrival} no rule of the chain {stage.chain} allows it, and the chain's policy"
                " is DROP.",
            ),
            command,
            f"the rules of {stage.chain}: one that accepts this packet is missing",
        )
    rejects = "REJECT" in stage.text.rpartition("→")[2] or "-j REJECT" in stage.text
    rejects = rejects or " " in stage.table and " reject" in stage.text
    verb = "rejects it (and tells the sender)" if rejects else "drops it"
    rule = re.sub(rf"^{stage.table} {stage.chain} {stage.rule}: ", "", stage.text).rpartition(": ")[0]
    return Finding(
        (
            f"{case.arrival} rule {stage.rule} of the chain {stage.chain} (table {stage.table})"
            f" {verb}: `{rule}`.",
        ),
        command,
        "that rule, and whether one before it should accept this packet",
    )


def _no_socket(case: Case) -> Finding:
    protocol = "udp" if ": UDP" in case.packet.summary else "tcp"
    port = next((v for h in case.last.headers for k, v in h.fields if k == "destination port"), "?")
    return Finding(
        (
            f"The packet arrives at {case.who}, but no program listens on {protocol.upper()} port"
            f" {port} there.",
        ),
        f"{case.prompt}ss -{protocol[0]}lnp",
        f"what is running on {case.who}, and on which address and port it listens",
    )


def _ignored(case: Case) -> Finding:
    at_home = any(s.kind == "deliver" and s.machine == case.last.machine for s in case.packet.stages)
    if re.search("ICMP6?,? echo request", case.packet.summary) and at_home:
        name = "net.ipv4.icmp_echo_ignore_all"
        if ":" in case.field("destination"):
            name = "net.ipv6.icmp.echo_ignore_all"
        return Finding(
            (f"The packet arrives at {case.who}, which is told not to answer pings.",),
            f"{case.prompt}sysctl {name}",
            f"`sysctl -w {name}=0` there",
        )
    return _other(case)


_REASONS: dict[str, Callable[[Case], Finding]] = {
    "IP_INADDRERRORS": _forwarding_off,
    "IP_INNOROUTES": _no_route,
    "IP_OUTNOROUTES": _no_way_back,
    "ROUTE_BLACKHOLE": _special_route,
    "ROUTE_UNREACHABLE": _special_route,
    "ROUTE_PROHIBIT": _special_route,
    "IP_INHDR": _ttl,
    "IP_LOCAL_SOURCE": _own_source,
    "IP_RPFILTER": _rp_filter,
    "PKT_TOO_BIG": _too_big,
    "DEV_READY": link_reasons.link_down,
    "NO_CARRIER": link_reasons.no_carrier,
    "OTHERHOST": link_reasons.wrong_mac,
    "NO_TX_TARGET": link_reasons.wrong_mac,
    "VLAN_FILTER": link_reasons.vlan,
    "BRIDGE_INGRESS_STP_STATE": link_reasons.port_state,
    "NEIGH_FAILED": link_reasons.neighbour_failed,
    "NEIGH_DEAD": link_reasons.neighbour_failed,
    "NETFILTER_DROP": _firewall,
    "NO_SOCKET": _no_socket,
    "NOT_SPECIFIED": _ignored,
    "VXLAN_NO_REMOTE": link_reasons.vxlan,
    "VXLAN_VNI_NOT_FOUND": link_reasons.vxlan,
}
