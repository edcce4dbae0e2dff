"""What no capture on a real kernel shows: packets that could not be made, that wait for a MAC address, or are not answered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from kubenet_course.view.capture import Seen
from kubenet_course.view.concluded import WORDS, Facts
from kubenet_course.view.journey import Packet, Stage, Unsent
from kubenet_course.view.same_packet import answered, asked_address
from kubenet_course.view.target import Target

UNREACHABLE = re.compile(r"(Network is unreachable|No route to host|Network unreachable|Cannot assign requested address)")
_LITERAL = re.compile(r"(?<![\w.:])(\d+\.\d+\.\d+\.\d+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)(?![\w.])")


def destination_of(lab: Any, target: Target, typed: str, own: Iterable[str]) -> str:
    """The address that a command's first packet is for: one in it that is not the sender's (`own`), or that /etc/hosts has.

    Where the command has a name, it is the name server's; "" where there is none.
    """
    for found in _LITERAL.findall(typed):
        address = found.rstrip(".:") if found.count(":") < 2 else found
        try:
            if (text := str(ip_address(address))) not in own:
                return text
        except ValueError:
            continue
    for word in typed.split()[1:]:
        if re.fullmatch(r"[A-Za-z][\w.-]*", word):
            answer = lab.query(target.machine, target.command("getent", "-s", "files", "ahosts", word)).stdout
            if answer:
                return str(answer.split()[0])
    if re.match(r"\S+\s.*[A-Za-z]", typed):  # a name, perhaps: the first that is sent is a question for it
        conf = lab.query(target.machine, target.command("cat", "/etc/resolv.conf")).stdout
        server = re.search(r"^nameserver\s+(\S+)", conf, re.M)
        return server[1] if server else ""
    return ""


def unsent(facts: Facts, target: Target, destination: str, error: str) -> Unsent:
    """The command was told at once that no packet can be made."""
    route = facts.forbidding(target, destination)
    return Unsent(target.machine, target.namespace, destination, error, route)


def unanswered(facts: Facts, packets: tuple[Packet, ...]) -> tuple[Unsent, ...]:
    """Destinations that got a packet and have no route back to its sender."""
    found = []
    for packet in packets:
        if (
            packet.is_helper
            or packet.outcome != "delivered"
            or packet.why == "reports an error about"
            or any(p.cause == packet.number and p.why == "answers" for p in packets)
        ):
            continue
        last = packet.stages[-1]
        source = next(
            (dict(h.fields).get("source", "") for h in last.headers if h.layer in ("IPv4", "IPv6")), ""
        )
        where = Target(last.machine, last.namespace)
        error = facts.no_route(where, source) if source else ""
        if error:
            found.append(Unsent(where.machine, where.namespace, source, error, facts.forbidding(where, source)))
    return tuple(found)


def waiting(
    facts: Facts, target: Target, packets: tuple[Packet, ...], groups: list[list[Seen]], destination: str
) -> tuple[Packet, ...]:
    """Nothing but questions for a MAC address was seen: the packet that waits for the answer comes before them."""
    asked = [
        (number, asked_address(group[0]))
        for number, group in enumerate(groups)
        if asked_address(group[0]) and group[0].out and group[0].space == target and not answered(group[0], groups)
    ]
    if not destination:
        return packets
    route = facts.route(target, [destination])
    if not asked:
        return _no_carrier(facts, target, packets, destination, route)
    wanted = facts.next_hop(target, destination)
    number, hop = min(asked, key=lambda question: question[1] != wanted)
    first = packets[number].stages[0]
    device = next((s.device for s in packets[number].stages if s.device), "")
    common = (first.time, 1, first.machine, first.namespace, device)
    via = f": next hop {hop}" if f"via {hop}" in route else ""
    stages = (
        Stage(1, *common, "route", "route out", f"{destination} matches `{route}`{via}"),
        Stage(2, *common, "neighbour", "neighbour", f"the MAC address of {hop} is not known (FAILED): it waits"),
    )
    questions = {number for number, address in asked}
    moved = [_shifted(p, len(stages), n in questions) for n, p in enumerate(packets)]
    own = Packet(
        1,
        f"IP{6 if ':' in destination else ''} packet to {destination}",
        stages=stages,
        outcome="dropped",
        reason="NEIGH_FAILED",
        words=WORDS["NEIGH_FAILED"],
        end_place=stages[0].place,
    )
    return (own, *moved)


def _no_carrier(
    facts: Facts, target: Target, packets: tuple[Packet, ...], destination: str, route: str
) -> tuple[Packet, ...]:
    """Not even a question for a MAC address leaves a device without carrier."""
    device = re.search(r" dev (\S+)", f" {route}")
    link = facts.links[target].get(device[1]) if device and target in facts.links else None
    if link is None or link.words != "no carrier" or packets:
        return packets
    common = (0, 1, target.machine, target.namespace, link.name)
    words = WORDS["NO_CARRIER"]
    stages = (
        Stage(1, *common, "route", "route out", f"{destination} matches `{route}`"),
        Stage(2, *common, "end", "device out", f"dropped: {words} (NO_CARRIER)", ok=False),
    )
    summary = f"IP{6 if ':' in destination else ''} packet to {destination}"
    return (Packet(1, summary, 0, "", stages, "dropped", "NO_CARRIER", words, stages[1].place),)


def _shifted(packet: Packet, stages: int, asks: bool) -> Packet:
    """The same with higher numbers, to make room before it for one packet, which it asks for if `asks`."""
    moved = tuple(replace(s, number=s.number + stages, packet=s.packet + 1) for s in packet.stages)
    cause = packet.cause + 1 if packet.cause else 1 if asks else 0
    why = packet.why or ("asked by" if cause else "")
    return replace(packet, number=packet.number + 1, stages=moved, cause=cause, why=why)


__all__ = ["UNREACHABLE", "destination_of", "unanswered", "unsent", "waiting"]
