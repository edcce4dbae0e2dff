"""What each way of losing a packet means on a lab: one small function per kernel drop reason.

`dropped` finds the function by the reason; a reason without one of its own is told in the words of
`kernel/skbuff.py`. A `Finding` is sentences, the command that shows the fact, and what to look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from kubenet_course.view.journey import Journey, Packet, Stage
from kubenet_course.view.netmap import Port
from kubenet_course.view.segments import Segments


class Finding(NamedTuple):
    sentences: tuple[str, ...]
    command: str = ""
    look_at: str = ""


class Case(NamedTuple):
    """One lost packet: `role` is "packet" or "answer", `last` its last stage, `who` the place in words."""

    journey: Journey
    packet: Packet
    role: str
    last: Stage
    segments: Segments

    @property
    def who(self) -> str:
        return f"{self.last.machine}[{self.last.namespace}]" if self.last.namespace else self.last.machine

    @property
    def prompt(self) -> str:
        """``red$`` with what puts a command into the namespace."""
        return self.segments.prompt(self.last.machine, self.last.namespace)

    def field(self, name: str) -> str:
        return next(
            (
                value
                for h in self.last.headers
                for key, value in h.fields
                if key == name and h.layer.startswith("IP")
            ),
            "",
        )

    @property
    def arrival(self) -> str:
        """``The packet reaches router, but``: how far it came."""
        if self.role == "answer":
            return f"The packet gets to its destination; its answer comes as far as {self.who}, but"
        if self.last.machine == self.journey.machine:
            return f"The packet does not leave {self.who}:"
        return f"The packet comes as far as {self.who}, but"


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
    family = "net.ipv6.conf.all.forwarding" if ":" in case.field("destination") else "net.ipv4.ip_forward"
    return Finding(
        (f"{case.arrival} {case.who} is not its destination and does not forward packets: {family} is 0.",),
        f"{case.prompt}sysctl {family}",
        f"`sysctl -w {family}=1` on {case.who}",
    )


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
    return Finding(tuple(sentences), f"{case.prompt}ip route get {destination}", look)


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
            finding = unsent_finding(unsent, case.segments)
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
    found = next((m[1] for s in case.packet.stages if (m := re.search(rf"`({kind} [^` ]+)", s.text))), "")
    mend = f" (`ip route del {found}`)" if found else ""
    article = "an" if kind.startswith("u") else "a"
    return Finding(
        (f"{case.arrival} {article} {kind} route of {case.who} is for {destination}.",),
        f"{case.prompt}ip {'-6 ' if ':' in destination else ''}route show type {kind}",
        f"that route{mend}",
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
    return Finding(
        (
            f"{case.arrival} it is larger than the MTU of the way on and may not be cut up; the"
            " sender is told the MTU.",
        ),
        f"{case.prompt}ip link",
        f"the MTUs on the way to {destination} (`tracepath -n {destination}`), or a smaller packet",
    )


# -- links and neighbours -------------------------------------------------------------------------
def _link_down(case: Case) -> Finding:
    device = case.last.device or "its interface"
    return Finding(
        (f"{case.arrival} {device} of {case.who} is down.",),
        f"{case.prompt}ip link show {device}",
        f"`ip link set {device} up` on {case.who}",
    )


def _no_carrier(case: Case) -> Finding:
    port = Port(case.last.machine, case.last.namespace, case.last.device)
    peer = case.segments.map.peer(port)
    if peer is not None and case.segments.links[peer].words == "down":
        return Finding(
            (f"{case.arrival} the other end of {case.last.device}'s cable, {peer}, is down.",),
            f"{peer.machine}$ ip {'-n ' + peer.namespace + ' ' if peer.namespace else ''}link show"
            f" {peer.device}",
            f"`ip link set {peer.device} up` on {peer.machine}",
        )
    return Finding(
        (f"{case.arrival} the cable of {case.last.device} has no other end that is up.",),
        f"{case.prompt}ip link show {case.last.device}",
    )


def _neighbour_failed(case: Case) -> Finding:
    """Nobody answered for the next hop: who should have?"""
    stage = next((s for s in reversed(case.packet.stages) if s.kind == "neighbour"), case.last)
    asked = re.search(r"MAC address of (\S+) is not", stage.text)
    address = asked[1] if asked else case.field("destination")
    way = next(
        (s for s in reversed(case.packet.stages) if s.kind == "route" and s.number < stage.number), None
    )
    is_gateway = way is not None and f"next hop {address}" in way.text
    role = "gateway " if is_gateway else ""
    command = f"{case.segments.prompt(stage.machine, stage.namespace, 'ip')}neigh show {address}"
    who = f"{stage.machine}[{stage.namespace}]" if stage.namespace else stage.machine
    prefix = "" if case.role == "packet" else "The packet arrives, but its answer does not come back. "
    first = f"{prefix}{who} asks on {stage.device} who has {role}{address}, and nobody answers."
    port = Port(stage.machine, stage.namespace, stage.device)
    owner = case.segments.owner(address)
    if owner is None:
        look = (
            f"the gateway in `ip route` of {who}"
            if is_gateway
            else f"the address {address}: is it the right one?"
        )
        return Finding((first, f"No machine of this lab has the address {address}."), command, look)
    return _owner_silent(case, first, command, port, owner, address)


def _owner_silent(case: Case, first: str, command: str, port: Port, owner: Port, address: str) -> Finding:
    segments = case.segments
    link = segments.links[owner]
    if not segments.same(port, owner):
        mine = (
            next((str(a) for a in segments.links[port].addresses if segments.includes(str(a), address)), "")
            if port in segments.links
            else ""
        )
        why = f": with {mine}, {port.machine} takes {address} to be on its own link" if mine else ""
        return Finding(
            (first, f"{owner} has that address, but it is not on the same link{why}."),
            f"{segments.prompt(port.machine, port.namespace, 'ip')}addr show {port.device}",
            f"the prefix length of {mine or port} (and the routes)",
        )
    if link.words != "up":
        return Finding(
            (first, f"{owner} has that address, but it is {link.words}."),
            f"{segments.prompt(owner.machine, owner.namespace, 'ip')}link show {owner.device}",
            f"`ip link set {owner.device} up` on {owner.machine}",
        )
    questions = [
        p
        for p in case.journey.packets
        if p.summary.startswith(("ARP, Request", "ND")) and address in p.summary
    ]
    for question in questions:
        if question.outcome == "dropped":
            return Finding(
                (
                    first,
                    f"The question is lost at {question.end_place}: {question.words} ({question.reason}).",
                ),
                command,
            )
    mute = [p for p, each in segments.links.items() if each.words != "up" and segments.same(p, port)]
    if mute:
        return Finding(
            (first, f"On the way to {owner}, {mute[0]} is {segments.links[mute[0]].words}."),
            f"{mute[0].machine}$ ip link show {mute[0].device}",
            f"the link {mute[0]}",
        )
    return Finding(
        (first, f"{owner} has that address and should answer."), command, f"{owner} and the way there"
    )


# -- rules and programs ---------------------------------------------------------------------------
def _firewall(case: Case) -> Finding:
    stage = next((s for s in reversed(case.packet.stages) if s.kind in ("rule", "policy") and not s.ok), None)
    if stage is None:
        return Finding((f"{case.arrival} a firewall rule drops it.",), f"{case.prompt}iptables-save -c")
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


def _vxlan(case: Case) -> Finding:
    return Finding(
        (f"{case.arrival} {case.packet.words} ({case.packet.reason}).",),
        f"{case.prompt}bridge fdb show dev {case.last.device}",
        "the entries `bridge fdb append … dst REMOTE`",
    )


_REASONS: dict[str, Callable[[Case], Finding]] = {
    "IP_INADDRERRORS": _forwarding_off,
    "IP_INNOROUTES": _no_route,
    "IP_OUTNOROUTES": _no_way_back,
    "ROUTE_BLACKHOLE": _special_route,
    "ROUTE_UNREACHABLE": _special_route,
    "ROUTE_PROHIBIT": _special_route,
    "IP_INHDR": _ttl,
    "IP_RPFILTER": _rp_filter,
    "PKT_TOO_BIG": _too_big,
    "DEV_READY": _link_down,
    "NO_CARRIER": _no_carrier,
    "NEIGH_FAILED": _neighbour_failed,
    "NEIGH_DEAD": _neighbour_failed,
    "NETFILTER_DROP": _firewall,
    "NO_SOCKET": _no_socket,
    "NOT_SPECIFIED": _ignored,
    "VXLAN_NO_REMOTE": _vxlan,
    "VXLAN_VNI_NOT_FOUND": _vxlan,
}
