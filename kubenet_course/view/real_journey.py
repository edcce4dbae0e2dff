"""A journey on real namespaces, put together from captures, the kernel's TRACE, and `ip route get`.

The same records as from the emulated kernel, with less between the devices: a capture shows where a
packet was, not why. So the route is asked for afterwards (`ip route get`), a rule is known only where
TRACE names it (it names those that matched), and the reason of a loss is concluded from where the
packet was seen last. `Journey.notes` says so.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from kubenet_course.errors import LabError
from kubenet_course.view.capture import Capture, Seen, Traced, containers_named
from kubenet_course.view.concluded import WORDS, Facts
from kubenet_course.view.journey import Journey, Packet, Stage, Unsent
from kubenet_course.view.native_rules import HOOKS, NativeRules
from kubenet_course.view.packet_text import flow_keys, headers, summary
from kubenet_course.view.same_packet import (
    cause_of,
    chatter,
    error_about,
    grouped,
    ip_length,
    is_nd,
)
from kubenet_course.view.target import Target
from kubenet_course.wire.arp import ArpHeader

NOTE = (
    "(Put together from captures, the kernel's TRACE and `ip route get`:"
    " rules that did not match are not named, and reasons are concluded.)"
)
_PKT_TYPES = {
    0: "for this device's MAC address",
    1: "a broadcast",
    2: "a multicast",
    3: "for another MAC address",
}
_UNREACHABLE = re.compile(r"(Network is unreachable|No route to host|Network unreachable)")
_RUNS, _DETACHED = re.compile(r"\s*docker\s+(container\s+)?run\s"), re.compile(r"\s(-[a-z]*d[a-z]*|--detach)\s")
_NETNS_EXEC = re.compile(r"\s*ip\s+netns\s+exec\s+(\S+)\s")


def record(lab: Any, target: Target, typed: str, line: str, **options: Any) -> Journey:
    """Run the command while everything is captured, and tell what its packets did.

    LabError for a container that the command starts and waits for: its namespace is not there to be captured.
    """
    if _RUNS.match(typed) and not _DETACHED.search(typed):
        raise LabError(
            "on a real kernel only a container that runs already can be followed:"
            " docker run -d … first, then docker exec NAME …"
        )
    with containers_named(lab):
        named = Target(target.machine, target.namespace)  # a container's file has its name in /run/netns now
        return _record(lab, _sender(lab, named, typed), typed, line, **options)


#: The name in /run/netns of a container's namespace.
_CONTAINER = """key=$(docker inspect -f '{{.NetworkSettings.SandboxKey}}' "$1") || exit
for file in /run/netns/*; do [ "$file" -ef "$key" ] && echo "${file##*/}" && exit; done"""


def _sender(lab: Any, target: Target, command: str) -> Target:
    """Whose packets the command sends: ``ip netns exec red ping …`` and ``docker exec red ping …`` send red's."""
    from kubenet_course.view.follow import sender

    found = sender(target, command)
    if found.namespace:
        return found
    entered = re.match(r"docker\s+exec\s+(?:-[itd]+\s+)*([\w.-]+)\s", command)
    if entered:
        name = lab.query(target.machine, ["bash", "-c", _CONTAINER, "-", entered[1]]).stdout.strip()
        return Target(target.machine, name)
    return target


def _record(lab: Any, target: Target, typed: str, line: str, **options: Any) -> Journey:
    capture = Capture(lab)
    try:
        result = lab.run(target.machine, line, **options)
    finally:
        seen, traced = capture.stop()
    inside = _NETNS_EXEC.match(typed)
    if inside is not None and not target.namespace:
        target = Target(target.machine, inside[1])
    builder = _Builder(lab, target, capture, traced)
    packets = builder.build([one for one in seen if not chatter(one)])
    unsent: tuple[Unsent, ...] = ()
    output = result.stdout + result.stderr
    refused = _UNREACHABLE.search(output)
    if refused is not None and not any(not p.is_helper for p in packets):
        address = re.search(r"\b\d+\.\d+\.\d+\.\d+\b", typed)
        destination = address[0] if address else typed
        route = builder.facts.forbidding(target, destination)
        unsent = (Unsent(target.machine, target.namespace, destination, refused[0], route),)
    elif any(not p.is_helper for p in packets):
        unsent = builder.unanswered(packets)
    elif not packets or all(p.is_helper for p in packets):
        packets = builder.waiting(packets, typed)
    return Journey(
        target.machine, line, packets, result.stdout, result.stderr, result.returncode, unsent, 0, (NOTE,)
    )


class _Builder:
    """Groups what was seen into packets, and writes their stages."""

    def __init__(self, lab: Any, target: Target, capture: Capture, traced: list[Traced]):
        self.lab = lab
        self.target = target
        self.traced = traced
        self.links = {
            space: {link.name: link for link in links.values()} for space, links in capture.links.items()
        }
        self.facts = Facts(lab, self.links)
        self.native = NativeRules(lab)

    def build(self, seen: list[Seen]) -> tuple[Packet, ...]:
        groups = self._chosen(grouped(seen))
        start = groups[0][0].time if groups else 0
        # Stages are numbered by time, so they are written packet by packet and numbered afterwards.
        drafts = []
        for number, group in enumerate(groups, 1):
            stages = self._stages(number, group, start)
            drafts.append((stages, self._ending(number, group, groups, stages, start)))
        order = sorted((s.time, n, i) for n, (stages, _) in enumerate(drafts) for i, s in enumerate(stages))
        place = {(n, i): position for position, (_, n, i) in enumerate(order, 1)}
        packets = []
        for n, (stages, end) in enumerate(drafts):
            cause, why = cause_of(groups, n)
            numbered = tuple(replace(stage, number=place[n, i]) for i, stage in enumerate(stages))
            first = groups[n][0]
            text = summary(first.network, first.transport, ip_length(first))
            packets.append(Packet(n + 1, text, cause, why, numbered, **end))
        return tuple(packets)

    def _chosen(self, groups: list[list[Seen]]) -> list[list[Seen]]:
        """Conversations that the command's machine began, with ARP and the errors about them."""
        wanted: set[Any] = set()
        for group in groups:
            # Not by who comes first: two captures of one instant may come in either order.
            here = [one for one in group if one.space == self.target and one.device != "lo"]
            if group[0].space == self.target and group[0].out or here and all(one.out for one in here):
                wanted |= {key for one in group for key in flow_keys(one.network, one.transport)}
        changed = True
        while changed:  # NAT: another name of the same conversation
            before = len(wanted)
            for group in groups:
                keys = {key for one in group for key in flow_keys(one.network, one.transport)}
                if keys & wanted:
                    wanted |= keys
            changed = len(wanted) != before
        idents = {getattr(one.network, "identification", 0) for group in groups for one in group}
        return [group for group in groups if self._belongs(group, wanted, idents)]

    @staticmethod
    def _belongs(group: list[Seen], wanted: set[Any], idents: set[int]) -> bool:
        first = group[0]
        if isinstance(first.network, ArpHeader) or is_nd(first):
            return True
        inner = error_about(first)
        if (
            inner is not None
        ):  # the kernel's own word to a program about a packet that never left is no packet
            return inner.identification in idents and any(one.device != "lo" for one in group)
        return bool({key for one in group for key in flow_keys(one.network, one.transport)} & wanted)

    # -- stages -----------------------------------------------------------------------------
    def _stages(self, number: int, group: list[Seen], start: int) -> list[Stage]:
        stages: list[Stage] = []
        previous: Seen | None = None
        for one in group:
            here = previous is not None and previous.space == one.space
            if one.out:
                came = previous if here and previous is not None and not previous.out else None
                stages += self._before_leaving(number, one, came, start, first=previous is None)
                stages.append(self._stage(number, one, start, "transmit", "device out", "leaves"))
            else:
                master = self._master(one)
                text = f"arrives, {_PKT_TYPES.get(one.pkt_type, '')}" + (
                    f"; a port of {master}" if master else ""
                )
                stages.append(self._stage(number, one, start, "receive", "device in", text))
                stages += self._rules(number, one, start, ("PREROUTING",))
            previous = one
        return stages

    def _before_leaving(
        self, number: int, one: Seen, came: Seen | None, start: int, *, first: bool
    ) -> list[Stage]:
        if isinstance(one.network, ArpHeader):
            return []
        if came is not None and self._master(one) and self._master(one) == self._master(came):
            text = f"the bridge {self._master(one)} passes it on to {one.device}"
            return [self._stage(number, one, start, "bridge", "bridge", text)]
        if came is not None:
            stages = self._rewritten(number, one, came, start, "destination", "PREROUTING")
            stages += [self._route(number, one, start, "route in", came)]
            stages += self._rules(number, one, start, ("FORWARD",))
            if came.network.ttl != one.network.ttl:
                text = f"forwarding is on; TTL {came.network.ttl} → {one.network.ttl}"
                stages.append(self._stage(number, one, start, "forward", "FORWARD", text))
        elif first:
            text = f"sends {summary(one.network, one.transport, ip_length(one))}"
            stages = [self._stage(number, one, start, "send", "program", text)]
            stages += [self._route(number, one, start, "route out", None)]
            stages += self._rules(number, one, start, ("OUTPUT",))
        else:
            return []
        stages += self._rules(number, one, start, ("POSTROUTING",))
        if came is not None:
            stages += self._rewritten(number, one, came, start, "source", "POSTROUTING")
        return stages

    def _rewritten(
        self, number: int, one: Seen, came: Seen, start: int, which: str, spot: str
    ) -> list[Stage]:
        """The change of an address between two devices, at the hook where the kernel makes it."""
        old, new = _end(came, which), _end(one, which)
        return [self._stage(number, one, start, "nat", spot, f"{which} {old} becomes {new}")] if old != new else []

    def _stage(
        self, number: int, one: Seen, start: int, kind: str, spot: str, text: str, **more: Any
    ) -> Stage:
        device = one.device if kind in ("transmit", "receive", "end", "bridge") else ""
        return Stage(
            0,
            one.time - start,
            number,
            one.space.machine,
            one.space.namespace,
            device,
            kind,
            spot,
            text,
            headers(None, one.network, one.transport),
            **more,
        )

    def _master(self, one: Seen) -> str:
        link = self.links[one.space].get(one.device)
        return link.master if link is not None else ""

    def _route(self, number: int, one: Seen, start: int, spot: str, came: Seen | None) -> Stage:
        destination = str(one.network.destination)
        words = [destination]
        if came is not None:
            words += ["from", str(came.network.source), "iif", came.device]
        answer = self.facts.route(one.space, words)
        return self._stage(number, one, start, "route", spot, f"{destination}: `{answer}`")

    def _rules(self, number: int, one: Seen, start: int, hooks: tuple[str, ...]) -> list[Stage]:
        """What TRACE said about this packet at these hooks; a user's chain belongs to the hook before it."""
        ident = getattr(one.network, "identification", -2)
        stages, hook = [], ""
        for line in self.traced:
            if line.space != one.space or line.ident != ident:
                continue
            native = (line.family, line.table, line.chain)
            own = self.native.hook(line.space, native) if line.family else line.chain if line.chain in HOOKS else ""
            hook = own or hook
            if hook not in hooks:
                continue
            stages.append(self._traced(number, one, start, hook, line))
        return stages

    def _traced(self, number: int, one: Seen, start: int, hook: str, line: Traced) -> Stage:
        """One line of TRACE as a stage."""
        table = f"{line.family} {line.table}" if line.family else line.table
        target = re.search(r"(?:^| )-[jg] (\S+)", line.rule)
        name = target[1] if target else line.verdict
        index = 0
        if line.kind == "policy":
            text = f"{table} {line.chain}: no rule decided: policy {line.verdict.upper()}"
        else:
            index, words = self._rule_number(line), line.rule
            if line.family:
                index, words = self.native.rule(line.space, (line.family, line.table, line.chain), line.handle)
            text = f"{table} {line.chain} {index}: {words}: matches → {name}"
        return self._stage(
            number, one, start, "policy" if line.kind == "policy" else "rule", hook, text,
            table=table, chain=line.chain, matched=True, rule=index, ok=line.verdict.upper() != "DROP" and name != "REJECT",
        )  # fmt: skip

    def _rule_number(self, line: Traced) -> int:
        """Its number in the chain, by its text in iptables-save (0 where it is not found)."""
        if line.family:
            return 0
        save = self.lab.query(
            line.space.machine, line.space.command("iptables-save", "-t", line.table)
        ).stdout
        rules = [text for text in save.splitlines() if text.startswith(f"-A {line.chain} ")]
        wanted = f"-A {line.chain} {line.rule}".strip()
        return rules.index(wanted) + 1 if wanted in rules else 0

    # -- ends -------------------------------------------------------------------------------
    def _ending(
        self, number: int, group: list[Seen], groups: list[list[Seen]], stages: list[Stage], start: int
    ) -> dict[str, str]:
        """How it ended, as the fields of a Packet; adds the last stages."""
        last = group[-1]
        inside = f"[{last.space.namespace}]" if last.space.namespace else ""
        end = {"outcome": "delivered", "end_place": f"{last.space.machine}{inside} {last.device}"}
        if isinstance(last.network, ArpHeader) or is_nd(last):
            return {**end, "words": "ARP"}
        if not last.out:
            stages += self._rules(number, last, start, ("FORWARD", "INPUT"))
        reason = "NETFILTER_DROP" if any(not s.ok for s in stages) else self.facts.loss(group, groups)
        if not reason:
            return end
        if reason == "NEIGH_FAILED" and not last.out:
            question = self.facts.open_question(last, groups)
            if question is not None:
                text = f"the MAC address of {question.network.target_ip} is not known (FAILED): it waits"
                waits = self._stage(number, last, start, "neighbour", "neighbour", text)
                stages.append(replace(waits, device=question.device))
        if reason == "NOT_SPECIFIED" and self.facts.arrived(last):
            stages.append(
                self._stage(number, last, start, "deliver", "INPUT", "for this machine: handed to ICMP")
            )
        text = f"dropped: {WORDS[reason]} ({reason})"
        spot = stages[-1].spot if stages and not stages[-1].ok else "PREROUTING"
        stages.append(self._stage(number, last, start, "end", spot, text, ok=False))
        return {**end, "outcome": "dropped", "reason": reason, "words": WORDS[reason]}

    def unanswered(self, packets: tuple[Packet, ...]) -> tuple[Unsent, ...]:
        """Destinations that got a packet and have no route back to its sender."""
        found = []
        for packet in packets:
            ends = re.match(r"IP (\d+\.\d+\.\d+\.\d+)\S* > ", packet.summary)
            if (
                ends is None
                or packet.outcome != "delivered"
                or any(p.cause == packet.number and p.why == "answers" for p in packets)
            ):
                continue
            source = ends[1]
            for header in packet.stages[-1].headers if packet.stages else ():
                source = dict(header.fields).get("source", source) if header.layer == "IPv4" else source
            where = Target(packet.stages[-1].machine, packet.stages[-1].namespace)
            answer = self.facts.route(where, [source])
            error = re.search(r"RTNETLINK answers: (.*)", answer)
            if error is not None:
                found.append(Unsent(where.machine, where.namespace, source, error[1]))
        return tuple(found)

    def waiting(self, packets: tuple[Packet, ...], typed: str) -> tuple[Packet, ...]:
        """Nothing but questions for a MAC address was seen: the packet that waits for the answer."""
        here = (self.target.machine, self.target.namespace)
        answered = {p.summary.split()[2] for p in packets if p.summary.startswith("ARP, Reply")}
        questions = [
            packet
            for packet in packets
            if packet.summary.startswith("ARP, Request")
            and packet.summary.split()[3] not in answered
            and any((stage.machine, stage.namespace) == here for stage in packet.stages[:1])
        ]
        address = re.search(r"\b\d+\.\d+\.\d+\.\d+\b", typed)
        if not questions or address is None:
            return packets
        hop = questions[0].summary.split()[3]
        route = self.facts.route(self.target, [address[0]])
        first = questions[0].stages[0]
        common = (first.time, 1, first.machine, first.namespace, first.device)
        via = f": next hop {hop}" if f"via {hop}" in route else ""
        stages = (
            Stage(0, *common, "route", "route out", f"{address[0]} matches `{route}`{via}"),
            Stage(
                0,
                *common,
                "neighbour",
                "neighbour",
                f"the MAC address of {hop} is not known (FAILED): it waits",
            ),
        )
        moved = [_shifted(p, 1, len(stages)) for p in packets]
        own = Packet(
            1,
            f"IP packet to {address[0]}",
            stages=tuple(replace(s, number=i) for i, s in enumerate(stages, 1)),
            outcome="dropped",
            reason="NEIGH_FAILED",
            words=WORDS["NEIGH_FAILED"],
            end_place=first.place,
        )
        return (own, *moved)


def _end(one: Seen, which: str) -> str:
    """The address, with its port where there is one."""
    address, port = getattr(one.network, which), getattr(one.transport, f"{which}_port", None)
    return str(address) if port is None else f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def _shifted(packet: Packet, packets: int, stages: int) -> Packet:
    """The same with higher numbers, to make room before it."""
    moved = tuple(replace(s, number=s.number + stages, packet=s.packet + packets) for s in packet.stages)
    cause = (
        packet.cause + packets if packet.cause else packets if packet.summary.startswith("ARP, Req") else 0
    )
    why = packet.why or ("asked by" if cause else "")
    return replace(packet, number=packet.number + packets, stages=moved, cause=cause, why=why)


__all__ = ["record"]
