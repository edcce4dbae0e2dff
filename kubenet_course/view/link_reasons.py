"""What is lost below IP: interfaces and cables that are down, frames for somebody else, bridges, and neighbours that are silent.

Like `reasons.py`, one function for each of the kernel's drop reasons.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from kubenet_course.view.case import Case, Finding
from kubenet_course.view.journey import Packet, Stage
from kubenet_course.view.netmap import Port
from kubenet_course.view.segments import Segments


def _who(stage: Stage) -> str:
    return f"{stage.machine}[{stage.namespace}]" if stage.namespace else stage.machine


def port_down(segments: Segments, port: Port) -> tuple[str, str, str] | None:
    """(what is wrong with this interface, the command that shows it, what mends it); None where it is up."""
    words = segments.links[port].words
    if words == "up":
        return None
    peer = segments.map.peer(port)
    if words == "no carrier" and peer is not None and segments.links[peer].words == "down":
        what = f"{port} has no carrier: the other end of its cable, {peer}, is down"
        port = peer
    else:
        what = f"{port} is down" if words == "down" else f"{port} has no carrier"
    command = f"{segments.prompt(port.machine, port.namespace, 'ip')}link show {port.device}"
    return what, command, f"`ip link set {port.device} up` on {_space(port)}"


def _space(port: Port) -> str:
    return f"{port.machine}[{port.namespace}]" if port.namespace else port.machine


def way_down(segments: Segments, machine: str, namespace: str, destination: str) -> Finding | None:
    """An interface of this machine that would lead to the destination, if it were not down."""
    for port in segments.of(machine, namespace):
        mine = next((str(a) for a in segments.links[port].addresses if segments.includes(str(a), destination)), "")
        wrong = port_down(segments, port) if mine else None
        if wrong is not None:
            return Finding((f"{port} with {mine} would lead there, but {wrong[0]}.",), wrong[1], wrong[2])
    return None


def link_down(case: Case) -> Finding:
    device = case.last.device or "its interface"
    return Finding(
        (f"{case.arrival} {device} of {case.who} is down.",),
        f"{case.prompt}ip link show {device}",
        f"`ip link set {device} up` on {case.who}",
    )


def no_carrier(case: Case) -> Finding:
    port = Port(case.last.machine, case.last.namespace, case.last.device)
    peer = case.segments.map.peer(port)
    wrong = port_down(case.segments, peer) if peer is not None else None
    if wrong is not None:
        return Finding(
            (f"{case.arrival} the other end of {case.last.device}'s cable, {peer}, is down.",), wrong[1], wrong[2]
        )
    if peer is not None and _size(case) > case.segments.links[peer].mtu:
        return too_small(case, peer)
    return Finding(
        (f"{case.arrival} the cable of {case.last.device} has no other end that is up.",),
        f"{case.prompt}ip link show {case.last.device}",
    )


def _size(case: Case) -> int:
    """Bytes of the packet from its IP header on, TCP's options not counted."""
    length = re.search(r"length (\d+)$", case.packet.summary)
    head = (40 if ":" in case.field("destination") else 20) + (8 if ": UDP" in case.packet.summary else 0)
    return int(length[1]) + head + (20 if ": TCP" in case.packet.summary else 0) if length else 0


def too_small(case: Case, port: Port) -> Finding:
    """A device takes no frame that is longer than its own MTU (is_skb_forwardable()), and nobody is told."""
    mtu, machine = case.segments.links[port].mtu, _space(port)
    arrival = case.arrival if machine == case.who else case.arrival.replace(f" {case.who}", f" {machine}")
    return Finding(
        (f"{arrival} it is larger than the MTU of {port} ({mtu}), which drops it without a word to the sender.",),
        f"{case.segments.prompt(port.machine, port.namespace, 'ip')}link show {port.device}",
        "the MTUs of both ends of that cable: they must be the same",
    )


# -- frames ---------------------------------------------------------------------------------------
def wrong_mac(case: Case) -> Finding:
    """The frame is for a MAC address that nobody has who should get the packet."""
    segments = case.segments
    way = next(
        (s for s in reversed(case.packet.stages) if s.kind == "route" and s.machine != case.last.machine), None
    )
    if way is None:
        return _plain(case)
    found = re.search(r"next hop ([0-9a-fA-F:.]+)", way.text)
    hop = found[1] if found else case.field("destination")
    owner = segments.owner(hop)
    wrong = port_down(segments, owner) if owner is not None else None
    if wrong is not None:
        return Finding((f"{case.arrival} nobody takes the frame: {hop} is {owner}'s, and {wrong[0]}.",), *wrong[1:])
    leaves = next(
        (s for s in case.packet.stages if s.kind == "transmit" and s.number > way.number and s.machine == way.machine),
        None,
    )
    used = re.search(r" at ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})", leaves.text) if leaves is not None else None
    mine = segments.links[owner].mac if owner is not None else ""
    if used is not None and used[1] == mine:
        return _bridge_port(case)
    sender, prompt = _who(way), segments.prompt(way.machine, way.namespace, "ip")
    frame = f"the frame is for the MAC address {used[1]}" if used else "the frame is for another MAC address"
    theirs = f", and {hop} ({owner}) has {mine}" if mine else ""
    device = f" dev {leaves.device}" if leaves is not None else ""
    return Finding(
        (f"{case.arrival} {frame}{theirs}.", f"{sender} has a wrong entry for its neighbour {hop}."),
        f"{prompt}neigh show {hop}",
        f"that entry (after `ip neigh del {hop}{device}` on {sender}, it asks again)",
    )


def _bridge_port(case: Case) -> Finding:
    return Finding(
        (f"{case.arrival} the bridge there has no port that it may leave by ({case.packet.reason}).",),
        f"{case.prompt}bridge -d link show",
        f"the ports of {case.who}: their state, and whether they are `isolated`",
    )


def vlan(case: Case) -> Finding:
    came = next((s for s in reversed(case.packet.stages) if s.kind == "receive" and s.machine == case.last.machine), None)
    port = f" {came.device}" if came is not None else ""
    return Finding(
        (f"{case.arrival} the VLANs of the bridge's ports keep it out: it came in by{port or ' a port'}.",),
        f"{case.prompt}bridge vlan show",
        f"the VLANs of{port or ' that port'} and of the port by which it should leave: one must be the same",
    )


def port_state(case: Case) -> Finding:
    """The bridge's port does not forward: the bridge is down, or the spanning tree has not opened the port."""
    came = Port(case.last.machine, case.last.namespace, case.last.device)
    link = case.segments.links.get(came)
    bridge = Port(came.machine, came.namespace, link.master) if link is not None else came
    wrong = port_down(case.segments, bridge) if bridge in case.segments.links else None
    if wrong is not None:
        return Finding((f"{case.arrival} the bridge {wrong[0]}.",), wrong[1], wrong[2])
    return Finding(
        (f"{case.arrival} the port {came.device} of the bridge does not forward ({case.packet.reason}).",),
        f"{case.prompt}bridge link show dev {came.device}",
        f"the state of the port (`bridge link set dev {came.device} state 3`), or the spanning tree that set it",
    )


def _plain(case: Case) -> Finding:
    device = case.last.device
    return Finding(
        (f"{case.arrival} it is dropped there: {case.packet.words} ({case.packet.reason}).",),
        f"{case.prompt}ip -s link show {device}".rstrip(),
    )


# -- neighbours -----------------------------------------------------------------------------------
def neighbour_failed(case: Case) -> Finding:
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
    who = _who(stage)
    prefix = "" if case.role == "packet" else "The packet arrives, but its answer does not come back. "
    first = f"{prefix}{who} asks on {stage.device} who has {role}{address}, and nobody answers."
    port = Port(stage.machine, stage.namespace, stage.device)
    via = re.search(r" via ([0-9a-fA-F:.]+)", way.text) if way is not None else None
    own = case.segments.of(port.machine, port.namespace)
    if via and any(a.local == via[1] for p in own for a in case.segments.links[p].addresses):
        mend = f"the gateway in `ip route` of {who}: it must be another machine's address"
        return Finding((first, f"The gateway {via[1]} of its route is {who}'s own address."), command, mend)
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
    wrong = port_down(segments, owner)
    if wrong is not None:
        rest = wrong[0].removeprefix(str(owner)).removeprefix(" ")
        said = f"{owner} has that address, but it {rest}."
        return Finding((first, said), wrong[1], wrong[2])
    questions = _questions(case, address)
    for question in questions:
        if question.outcome == "dropped" and question.reason != "IP_INVALID_DEST":
            from kubenet_course.view.reasons import dropped

            lost = dropped(case.journey, question, "question", segments)
            return Finding((first, *lost.sentences), lost.command or command, lost.look_at)
    mute = [p for p, each in segments.links.items() if each.words != "up" and segments.same(p, port)]
    for silent in mute:
        wrong = port_down(segments, silent)
        if wrong is not None:
            return Finding((first, f"On the way to {owner}, {wrong[0]}."), wrong[1], wrong[2])
    return _unheard(case, first, command, questions, owner, address)


def _unheard(case: Case, first: str, command: str, questions: list[Packet], owner: Port, address: str) -> Finding:
    """Nothing is down, and nothing was dropped: the question came to the owner, or to the end of a bridge."""
    segments = case.segments
    here = (owner.machine, owner.namespace)
    if any((s.machine, s.namespace) == here for q in questions for s in q.stages):
        sentence = f"{owner} has that address and gets the question, but does not answer it."
        asked = next(q.stages[0] for q in questions if q.stages)
        for twin, mine in _twins(segments, asked, owner):
            return Finding(
                (first, sentence, f"The question comes from {mine}, and {twin} has that address, too."),
                f"{segments.prompt(*here, 'ip')}addr show to {mine}",
                f"the address {mine}: only one machine may have it",
            )
        if ":" in address:
            prompt = segments.prompt(*here)
            look = "whether a firewall there drops neighbour discovery (ICMPv6 types 135 and 136)"
            return Finding((first, sentence), f"{prompt}ip6tables -nvL INPUT", look)
        names = [f"net.ipv4.conf.{dev}.{key}" for key in ("arp_ignore", "rp_filter") for dev in ("all", owner.device)]
        look = f"these (`sysctl -w NAME=0`), and whether {owner.device} is NOARP (`ip link set {owner.device} arp on`)"
        return Finding((first, sentence), f"{segments.prompt(*here)}sysctl {' '.join(names)}", look)
    last = next((q.stages[-1] for q in questions if q.stages), None)
    if last is not None and (last.kind == "bridge" or segments.links.get(Port(last.machine, last.namespace, last.device))):
        return Finding(
            (first, f"{owner} has that address, but the question gets no further than {_who(last)}."),
            f"{segments.prompt(last.machine, last.namespace)}bridge -d link show",
            f"the ports of {_who(last)}: their state, their VLANs, and whether they are `isolated`",
        )
    return Finding(
        (first, f"{owner} has that address and should answer."), command, f"{owner} and the way there"
    )


def _twins(segments: Segments, asked: Stage, owner: Port) -> list[tuple[Port, str]]:
    """(interface of the owner's machine, address) where it has an address of the asker's."""
    asking = segments.of(asked.machine, asked.namespace)
    mine = {a.local for port in asking for a in segments.links[port].addresses}
    theirs = segments.of(owner.machine, owner.namespace)
    return [(port, a.local) for port in theirs for a in segments.links[port].addresses if a.local in mine]


def _questions(case: Case, address: str) -> list[Packet]:
    """The questions for an address, with their copies; those of IPv6 go to a group of its last 24 bits (RFC 4291, 2.7.1)."""
    if ":" in address:
        group = IPv6Address(int(IPv6Address("ff02::1:ff00:0")) | int(IPv6Address(address)) & 0xFFFFFF)
        start, words = "ND", f"> {group}:"
    else:
        start, words = "ARP, Request", f" {address} "
    return [p for p in case.journey.packets if p.summary.startswith(start) and words in f"{p.summary} "]


def vxlan(case: Case) -> Finding:
    return Finding(
        (f"{case.arrival} {case.packet.words} ({case.packet.reason}).",),
        f"{case.prompt}bridge fdb show dev {case.last.device}",
        "the entries `bridge fdb append … dst REMOTE`",
    )
