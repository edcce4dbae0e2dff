"""From the recorder's events (`sim/trace.py`) to a `Journey`: which packets belong, and each fact in words.

A packet belongs to the command if the command's machine sent it, or if it was caused by, is a copy
of, or is part of the same conversation as one that belongs. What other programs sent meanwhile is
left out. Everything is read from the attributes of what the events refer to; no kernel module is
needed for that but the table of drop reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubenet_course import errno
from kubenet_course.kernel.skbuff import DROP_REASONS
from kubenet_course.sim.trace import Event, NeighbourFacts
from kubenet_course.view.firewall import split_rule
from kubenet_course.view.journey import Journey, Packet, Stage, Unsent
from kubenet_course.view.kernel_words import (
    connection_words,
    mac_words,
    port_of,
    program_of,
    rewritten,
    route_line,
    route_words,
    socket_words,
    why_born,
)
from kubenet_course.view.packet_text import flow_keys, headers, summary
from kubenet_course.wire.arp import ARP_REQUEST, ArpHeader

#: (machine, namespace) of a namespace object.
Namer = Callable[[Any], tuple[str, str]]

_PKT_TYPES = {
    0: "for this device's MAC address",
    1: "a broadcast",
    2: "a multicast",
    3: "for another MAC address",
}
_HOOK_OF_CHAIN = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")


def build(
    events: Iterable[Event],
    machine: str,
    command: str,
    name_of: Namer,
    *,
    stdout: str = "",
    stderr: str = "",
    returncode: int = 0,
    missed: int = 0,
    notes: tuple[str, ...] = (),
) -> Journey:
    """The journey of `command` on `machine` out of everything that was recorded while it ran."""
    kept = [event for event in events if event.kind != "unsent"]
    chosen = belonging(kept, machine, name_of)
    start = kept[0].time if kept else 0
    writer = _Writer(chosen, name_of, start, program_of(command))
    for event in kept:
        if event.packet in chosen:
            writer.add(event)
    return Journey(
        machine,
        command,
        writer.packets(),
        stdout,
        stderr,
        returncode,
        tuple(dict.fromkeys(_unsent(event, name_of) for event in events if event.kind == "unsent")),
        missed,
        notes,
    )


def _unsent(event: Event, name_of: Namer) -> Unsent:
    destination, error, route, _ = event.facts
    machine, namespace = name_of(event.net)
    return Unsent(
        machine, namespace, str(destination), errno.strerror(error), route_line(route) if route else ""
    )


# -- which packets belong -------------------------------------------------------------------------
def belonging(events: list[Event], machine: str, name_of: Namer) -> dict[int, int]:
    """Packet number of the recorder → number in the journey (in the order of birth)."""
    groups = _Groups()
    roots: set[int] = set()
    for event in events:
        groups.find(event.packet)
        for key in flow_keys(event.network, event.transport):
            groups.join(event.packet, key)
        if event.kind in ("cloned", "caused", "merged"):
            for other in event.facts:
                groups.join(event.packet, other)
        if (
            event.kind == "local_out"
            and name_of(event.net)[0] == machine
            and not _housekeeping(event)
            or event.kind == "born"
            and event.facts[0]
        ):
            roots.add(event.packet)
        elif event.kind == "xmit" and event.facts[0] is None and name_of(event.net)[0] == machine:
            if event.packet not in roots and _asked_by_hand(event):
                roots.add(event.packet)
    wanted = {groups.find(root) for root in roots}
    numbers = sorted({event.packet for event in events if groups.find(event.packet) in wanted})
    return {number: position for position, number in enumerate(numbers, 1)}


def _housekeeping(event: Event) -> bool:
    """The kernel's own IPv6 chatter: neighbour and router discovery, group membership."""
    return getattr(event.network, "protocol", 0) == 58 and getattr(event.transport, "type", 0) not in (
        1,
        2,
        3,
        4,
        128,
        129,
    )


def _asked_by_hand(event: Event) -> bool:
    """ARP for an address of one's own is arping's or duplicate detection; the kernel's probes are unicast."""
    arp = event.network
    return isinstance(arp, ArpHeader) and arp.operation == ARP_REQUEST and event.mark != 0


class _Groups:
    """Union-find over packet numbers and conversation keys."""

    def __init__(self) -> None:
        self.parent: dict[Any, Any] = {}

    def find(self, item: Any) -> Any:
        root = item
        while self.parent.setdefault(root, root) != root:
            root = self.parent[root]
        while self.parent[item] != root:
            self.parent[item], item = root, self.parent[item]
        return root

    def join(self, a: Any, b: Any) -> None:
        self.parent[self.find(a)] = self.find(b)


# -- events to stages -----------------------------------------------------------------------------
class _Draft:
    """A packet while its stages are being collected."""

    def __init__(self, number: int):
        self.number = number
        self.summary = ""
        self.cause = 0
        self.why = ""
        self.owner = ""
        self.stages: list[Stage] = []
        self.outcome, self.reason, self.words, self.end_place = "under way", "", "", ""
        self.spot = "device in"
        self.ttl: int | None = None
        self.taken_by = ""
        self.last_hook = ""


class _Writer:
    """Turns events, in order, into stages; one `_on_<kind>` method for each kind of event."""

    def __init__(self, numbers: Mapping[int, int], name_of: Namer, start: int, program: str):
        self.numbers = numbers
        self.program = program
        self.name_of = name_of
        self.start = start
        self.drafts: dict[int, _Draft] = {}
        self.count = 0

    def packets(self) -> tuple[Packet, ...]:
        return tuple(
            Packet(
                d.number,
                d.summary,
                d.cause,
                d.why,
                tuple(d.stages),
                d.outcome,
                d.reason,
                d.words,
                d.end_place,
            )
            for d in sorted(self.drafts.values(), key=lambda d: d.number)
        )

    def add(self, event: Event) -> None:
        number = self.numbers[event.packet]
        draft = self.drafts.setdefault(number, _Draft(number))
        if not draft.summary and event.network is not None:
            draft.summary = summary(event.network, event.transport, event.length)
        getattr(self, f"_on_{event.kind}")(event, draft)
        draft.ttl = getattr(event.network, "ttl", None)

    def _stage(self, event: Event, draft: _Draft, kind: str, spot: str, text: str, **more: Any) -> None:
        machine, namespace = self.name_of(event.net) if event.net is not None else ("", "")
        self.count += 1
        draft.spot = spot
        draft.stages.append(
            Stage(
                self.count,
                event.time - self.start,
                draft.number,
                machine,
                namespace,
                more.pop("device", event.device),
                kind,
                spot,
                text,
                headers(event.eth, event.network, event.transport),
                **more,
            )
        )

    # -- birth ------------------------------------------------------------------------------
    def _on_born(self, event: Event, draft: _Draft) -> None:
        draft.owner = event.facts[0]

    def _on_cloned(self, event: Event, draft: _Draft) -> None:
        draft.cause, draft.why = self.numbers.get(event.facts[0], 0), "copy of"

    def _on_caused(self, event: Event, draft: _Draft) -> None:
        draft.cause = self.numbers.get(event.facts[0], 0)
        cause = self.drafts.get(draft.cause)
        draft.why = why_born(event, cause.summary if cause is not None else "")

    def _on_merged(self, event: Event, draft: _Draft) -> None:
        draft.cause, draft.why = self.numbers.get(event.facts[0], 0), "put together from"
        pieces = ", ".join(str(self.numbers.get(piece, 0)) for piece in event.facts)
        self._stage(event, draft, "merge", "INPUT", f"the fragments (packets {pieces}) are one packet again")

    # -- on the way -------------------------------------------------------------------------
    def _on_local_out(self, event: Event, draft: _Draft) -> None:
        route, owner = event.facts
        who = owner or draft.owner or ("the kernel" if draft.cause else self.program)
        self._stage(event, draft, "send", "program", f"{who} sends {draft.summary}")
        if route is not None:
            self._stage(event, draft, "route", "route out", route_words(route, event.network.destination))
        draft.spot = "OUTPUT"

    def _on_receive(self, event: Event, draft: _Draft) -> None:
        pkt_type, _, master = event.facts
        text = "arrives" if event.eth is None else f"arrives, {_PKT_TYPES.get(pkt_type, 'sent')}"
        if master:
            text += f"; a port of {master}"
        self._stage(event, draft, "receive", "device in", text)
        draft.spot = "PREROUTING"

    def _on_route(self, event: Event, draft: _Draft) -> None:
        self._stage(event, draft, "route", "route in", route_words(event.facts[0], event.network.destination))

    def _on_stage(self, event: Event, draft: _Draft) -> None:
        if event.facts[0] in ("ip_forward", "ip6_forward"):
            ttl = event.network.ttl
            word = "TTL" if event.facts[0] == "ip_forward" else "hop limit"
            self._stage(event, draft, "forward", "FORWARD", f"forwarding is on; {word} {ttl + 1} → {ttl}")
            draft.spot = "POSTROUTING"
        elif event.facts[0] == "nf_conntrack_confirm":
            self._stage(event, draft, "conntrack", draft.spot, "the connection is remembered from now on")
        elif event.facts[0] in ("ip_local_deliver", "ip6_input", "ip6_local_deliver"):
            what = (
                event.transport.__class__.__name__.removesuffix("Header").upper()
                if event.transport is not None
                else "IP"
            )
            self._stage(
                event,
                draft,
                "deliver",
                "INPUT",
                f"for this machine: handed to {what.replace('ICMPV6', 'ICMPv6')}",
            )
        else:
            self._stage(event, draft, "hook", draft.spot, str(event.facts[0]))

    def _on_neighbour(self, event: Event, draft: _Draft) -> None:
        entry: NeighbourFacts = event.facts[0]
        protocol = "neighbour discovery" if ":" in str(entry.address) else "ARP"
        unknown = f"the MAC address of {entry.address} is not known ({entry.state})"
        text = f"{unknown}: the packet waits, {protocol} asks"
        self._stage(event, draft, "neighbour", "neighbour", text)

    def _on_xmit(self, event: Event, draft: _Draft) -> None:
        entry, _, master = event.facts
        text = "leaves"
        if entry is not None and entry.mac is not None and entry.state != "NOARP":
            text = f"leaves to {entry.address} at {entry.mac} ({entry.state})"
        elif event.eth is not None and not master:
            text = f"leaves to {mac_words(event.eth.destination)}"
        if master:
            text += f"; a port of {master}"
        self._stage(event, draft, "transmit", "device out", text)

    def _on_fdb(self, event: Event, draft: _Draft) -> None:
        mac, port = event.facts
        self._stage(event, draft, "learn", "bridge", f"learns that {mac} is behind {port}")

    def _on_bridge(self, event: Event, draft: _Draft) -> None:
        decision, ports = event.facts
        target = mac_words(event.eth.destination) if event.eth is not None else ""
        if decision == "up":
            text = (
                f"{target}: up to {event.device} itself"
                if event.eth.destination >> 40 & 1
                else f"{target} is the bridge's own: up"
            )
        elif decision == "forward":
            text = f"{target} is behind {ports[0]}: out there only"
        elif not ports:
            text = f"{target}: no other port to send it to"
        else:
            why = "" if event.eth.destination >> 40 & 1 else " is not known"
            text = f"{target}{why}: out of every other port ({', '.join(ports)})"
        self._stage(event, draft, "bridge", "bridge", text)

    def _on_delivered(self, event: Event, draft: _Draft) -> None:
        sock, owner = event.facts
        draft.taken_by = owner
        self._stage(
            event,
            draft,
            "socket",
            "program",
            f"{socket_words(sock)}{f' of {owner}' if owner else ''} gets it",
        )

    # -- netfilter --------------------------------------------------------------------------
    def _on_hook(self, event: Event, draft: _Draft) -> None:
        draft.last_hook = draft.spot = event.facts[0]

    def _chain_spot(self, chain: str, draft: _Draft) -> str:
        return chain if chain in _HOOK_OF_CHAIN else draft.last_hook or draft.spot

    def _on_rule(self, event: Event, draft: _Draft) -> None:
        table, chain, number, rule, matched, verdict = event.facts
        target = split_rule(rule)[1].partition(" ")[0] or (str(verdict) if " " in table else "")
        result = f"matches → {target}" if matched and target else "matches" if matched else "does not match"
        bad = matched and (str(verdict).upper() == "DROP" or target == "REJECT")
        self._stage(
            event,
            draft,
            "rule",
            self._chain_spot(chain, draft),
            f"{table} {chain} {number}: {rule}: {result}",
            table=table,
            chain=chain,
            rule=number,
            matched=bool(matched),
            ok=not bad,
        )

    def _on_policy(self, event: Event, draft: _Draft) -> None:
        table, chain, verdict = event.facts
        self._stage(
            event,
            draft,
            "policy",
            self._chain_spot(chain, draft),
            f"{table} {chain}: no rule decided: policy {verdict}",
            table=table,
            chain=chain,
            matched=True,
            ok=str(verdict) != "DROP",
        )

    def _on_conntrack(self, event: Event, draft: _Draft) -> None:
        before, after, ctinfo = event.facts
        spot = {"device in": "PREROUTING", "program": "OUTPUT", "route out": "OUTPUT"}.get(
            draft.spot, draft.spot
        )
        self._stage(event, draft, "conntrack", spot, connection_words(before, after, ctinfo))

    def _on_nat(self, event: Event, draft: _Draft) -> None:
        before, after = event.facts
        source = before[0].source != after[0].source or port_of(before[1], "source") != port_of(
            after[1], "source"
        )
        outgoing = draft.spot in ("OUTPUT", "route out", "program")
        if source:
            spot = "INPUT" if draft.spot == "INPUT" else "POSTROUTING"
        else:
            spot = "OUTPUT" if outgoing else "PREROUTING"
        self._stage(event, draft, "nat", spot, rewritten(before, after))

    # -- ends -------------------------------------------------------------------------------
    def _end(self, event: Event, draft: _Draft) -> None:
        machine, namespace = self.name_of(event.net) if event.net is not None else ("", "")
        draft.end_place = f"{machine}{f'[{namespace}]' if namespace else ''} {event.device}".strip()

    def _on_died(self, event: Event, draft: _Draft) -> None:
        draft.outcome, draft.reason = "dropped", event.facts[0]
        draft.words = DROP_REASONS.get(draft.reason, "dropped")
        if draft.reason == "IP_INHDR" and getattr(event.network, "ttl", 0) <= 1:
            draft.words = "the TTL reached zero"
        if _is_normal(event):
            draft.outcome, draft.words = "ignored", "it is not meant for this machine"
        self._end(event, draft)
        spot = "PREROUTING" if draft.spot == "device in" else draft.spot
        text = f"{draft.outcome}: {draft.words} ({draft.reason})"
        self._stage(event, draft, "end", spot, text, ok=draft.outcome == "ignored")

    def _on_arrived(self, event: Event, draft: _Draft) -> None:
        draft.outcome = "delivered"
        sock = event.facts[0]
        if sock is not None:
            draft.words = socket_words(sock)
        elif isinstance(event.network, ArpHeader):
            draft.words = "ARP"
        elif draft.taken_by:
            draft.words = draft.taken_by
        elif event.transport is not None:
            draft.words = (
                event.transport.__class__.__name__.removesuffix("Header").upper().replace("ICMPV6", "ICMPv6")
            )
        if draft.stages and draft.stages[-1].kind == "bridge":
            draft.outcome, draft.words = "ends", "there is nobody else to send it to"
        elif draft.spot in ("POSTROUTING", "route out", "OUTPUT") and sock is None:
            draft.outcome, draft.words = "became", "smaller packets (fragments)"
        elif draft.spot == "INPUT" and getattr(event.network, "is_fragment", False):
            draft.outcome, draft.words = "became", "part of a whole packet"
        self._end(event, draft)


def _is_normal(event: Event) -> bool:
    """What every switch and host ignores: frames for others, and questions that are not for it."""
    reason = event.facts[0]
    return reason == "OTHERHOST" or reason == "NOT_SPECIFIED" and isinstance(event.network, ArpHeader)
