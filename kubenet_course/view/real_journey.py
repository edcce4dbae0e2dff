"""A journey on real namespaces, put together from captures, the kernel's trace, and `ip route get`.

The same records as from the emulated kernel, with less between the devices: a capture shows where a
packet was, not why. So the route is asked for afterwards (`ip route get`), a rule is known only where
the trace names it (it names those that matched), and the reason of a loss is concluded from where the
packet was seen last. `Journey.notes` says so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import Any

from kubenet_course.errors import LabError
from kubenet_course.view.capture import OUTGOING, Capture, Seen, containers_named
from kubenet_course.view.concluded import OTHERHOST, WORDS, Facts
from kubenet_course.view.journey import Journey, Packet, Stage, Unsent
from kubenet_course.view.kernel_trace import Pass, Passes, Step, packet_mark
from kubenet_course.view.native_rules import TracedRules
from kubenet_course.view.packet_text import flow_keys, headers, summary
from kubenet_course.view.real_unsent import UNREACHABLE, destination_of, unanswered, waiting
from kubenet_course.view.real_unsent import unsent as cannot_send
from kubenet_course.view.same_packet import (
    asked_address,
    cause_of,
    chatter,
    error_about,
    grouped,
    ip_length,
    is_about,
    is_helper,
)
from kubenet_course.view.target import Target
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.ipv6 import Ipv6Header

NOTE = (
    "(Put together from captures, the kernel's trace of rules and `ip route get`:"
    " rules that did not match are not named, and reasons are concluded.)"
)
_PKT_TYPES = {
    0: "for this device's MAC address",
    1: "a broadcast",
    2: "a multicast",
    3: "for another MAC address",
}
_RUNS, _DETACHED = re.compile(r"\s*docker\s+(container\s+)?run\s"), re.compile(r"\s(-[a-z]*d[a-z]*|--detach)\s")
#: Reasons of what happens behind all devices.
NO_DEVICE = ("NETFILTER_DROP", "NO_SOCKET", "NOT_SPECIFIED")
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
        seen, passes = capture.stop()
    inside = _NETNS_EXEC.match(typed)
    if inside is not None and not target.namespace:
        target = Target(target.machine, inside[1])
    builder = _Builder(lab, target, capture, passes)
    packets = builder.build([one for one in seen if not chatter(one)])
    sent = any(not p.is_helper for p in packets)
    unsent: tuple[Unsent, ...] = ()
    if sent:
        unsent = unanswered(builder.facts, packets)
    else:
        own = [a.local for link in builder.links.get(target, {}).values() for a in link.addresses]
        destination = destination_of(lab, target, typed, own)
        refused = UNREACHABLE.search(result.stdout + result.stderr)
        error = builder.facts.no_route(target, destination) if destination else ""
        packets = waiting(builder.facts, target, packets, builder.groups, destination)
        if (error or refused) and all(p.is_helper for p in packets):
            error = error or (refused[0] if refused else "")
            unsent = (cannot_send(builder.facts, target, destination or typed, error),)
    notes = (NOTE, *(f"(Not traced: {problem}.)" for problem in capture.problems))
    return Journey(
        target.machine, line, packets, result.stdout, result.stderr, result.returncode, unsent, 0, notes
    )


class _Builder:
    """Groups what was seen into packets, and writes their stages."""

    def __init__(self, lab: Any, target: Target, capture: Capture, passes: list[Pass]):
        self.lab = lab
        self.target = target
        self.passes = Passes(passes)
        #: (packet, namespace) → its passes through chains, until they are told.
        self.shares: dict[tuple[int, Target], list[Pass]] = defaultdict(list)
        self.links = {
            space: {link.name: link for link in links.values()} for space, links in capture.links.items()
        }
        self.facts = Facts(lab, self.links)
        self.rules = TracedRules(lab)
        self.groups: list[list[Seen]] = []
        self.everything: list[list[Seen]] = []

    def build(self, seen: list[Seen]) -> tuple[Packet, ...]:
        self.everything = self._with_unseen(grouped(seen))
        groups = self.groups = self._chosen(self.everything)
        start = groups[0][0].time if groups else 0
        self._share(groups)
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
            first = self._origin(n + 1, groups[n][0]) if groups[n][0].out else groups[n][0]
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
        ours = [g for g in groups if any(flow_keys(one.network, one.transport) & wanted for one in g)]
        return [group for group in groups if self._belongs(group, wanted, ours)]

    @staticmethod
    def _belongs(group: list[Seen], wanted: set[Any], ours: list[list[Seen]]) -> bool:
        first = group[0]
        if is_helper(first):
            return True
        if error_about(first) is not None:
            # The kernel's own word to a program about a packet that never left is no packet.
            about = any(is_about(first, one) for other in ours for one in other)
            return about and any(one.device != "lo" for one in group)
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
                if one.device:
                    text = self._leaves(one, stages)
                    stages.append(self._stage(number, one, start, "transmit", "device out", text))
            else:
                master = self._master(one)
                text = f"arrives, {_PKT_TYPES.get(one.pkt_type, '')}" + (
                    f"; a port of {master}" if master else ""
                )
                stages.append(self._stage(number, one, start, "receive", "device in", text))
                stages += self._rules(number, one, start, ("PREROUTING",))
            previous = one
        return stages

    def _leaves(self, one: Seen, stages: list[Stage]) -> str:
        """To whom, where a neighbour's MAC address was needed; as the kernel knows it afterwards."""
        way = next((s for s in reversed(stages) if s.kind == "route"), None)
        here = (one.space.machine, one.space.namespace)
        if way is None or (way.machine, way.namespace) != here or self._master(one) or one.device == "lo":
            return "leaves"
        via = re.search(r": next hop (\S+)$", way.text)
        hop = via[1] if via else str(one.network.destination)
        entry = self.facts.neighbour(one.space, hop, one.device)
        return f"leaves to {hop} at {entry}" if entry else "leaves"

    def _before_leaving(
        self, number: int, one: Seen, came: Seen | None, start: int, *, first: bool
    ) -> list[Stage]:
        if isinstance(one.network, ArpHeader) and came is None:
            return []
        if came is not None and self._master(one) and self._master(one) == self._master(came):
            text = f"the bridge {self._master(one)} passes it on to {one.device}"
            stages = self._rules(number, one, start, ("FORWARD",))
            stages.append(self._stage(number, one, start, "bridge", "bridge", text))
            return stages + self._rules(number, one, start, ("POSTROUTING",))
        if came is not None:
            stages = self._rewritten(number, one, came, start, "destination", "PREROUTING")
            stages += [self._route(number, one, start, "route in", came)]
            stages += self._rules(number, one, start, ("FORWARD",))
            if came.network.ttl != one.network.ttl:
                word = "hop limit" if isinstance(one.network, Ipv6Header) else "TTL"
                text = f"forwarding is on; {word} {came.network.ttl} → {one.network.ttl}"
                stages.append(self._stage(number, one, start, "forward", "FORWARD", text))
        elif first:
            came = self._origin(number, one)
            text = f"sends {summary(came.network, came.transport, ip_length(came))}"
            stages = [self._stage(number, came, start, "send", "program", text)]
            stages += [self._route(number, came, start, "route out", None)]
            stages += self._rules(number, came, start, ("OUTPUT",))
            stages += self._rewritten(number, one, came, start, "destination", "OUTPUT")
        else:
            return []
        stages += self._rules(number, one, start, ("POSTROUTING",))
        if came is not None:
            stages += self._rewritten(number, one, came, start, "source", "POSTROUTING")
        return stages

    def _origin(self, number: int, one: Seen) -> Seen:
        """The packet as the program made it, before address translation on its own machine."""
        for each in self.shares[number, one.space]:
            if each.begins and each.base[2] == "output":
                return one._replace(network=each.network, transport=each.transport)
        return one

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
        forbidden = self.facts.forbidding(one.space, destination, *words[1:])
        if forbidden:
            error = self.facts.no_route(one.space, *words)
            return self._stage(number, one, start, "route", spot, f"{destination} matches `{forbidden}`: {error}")
        gateway = self.facts.next_hop(one.space, *words)
        hop = f": next hop {gateway}" if gateway != destination else ""
        return self._stage(number, one, start, "route", spot, f"{destination}: `{answer}`{hop}")

    def _with_unseen(self, groups: list[list[Seen]]) -> list[list[Seen]]:
        """With what the kernel dropped before any device: packets of its own that the chains of OUTPUT refused."""
        found = list(groups)
        for passes in self.passes.of_others({_key(one) for group in groups for one in group}):
            steps = [(self.rules.hook(each.space, each.base), step) for each in passes for step in each.steps]
            if steps and steps[-1][0] == "OUTPUT" and steps[-1][1].verdict == "drop":
                first = passes[0]
                length = first.network.total_length
                headers_ = (first.network, first.transport, first.payload, length)
                found.append([Seen(first.time, first.space, "", True, OUTGOING, "", *headers_)])
        return sorted(found, key=lambda group: group[0].time)

    def _share(self, groups: list[list[Seen]]) -> None:
        """Give each packet what the kernel traced of it."""
        alike: dict[tuple[Target, Any], list[int]] = defaultdict(list)
        for number, group in enumerate(groups, 1):
            for key in {_key(one) for one in group}:
                alike[key].append(number)
        for (space, mark), numbers in alike.items():
            for number, share in zip(numbers, self.passes.shares(space, mark, len(numbers))):
                self.shares[number, space] += share

    def _rules(self, number: int, one: Seen, start: int, hooks: tuple[str, ...]) -> list[Stage]:
        """What was traced of this packet at these hooks, and is not told yet: one pass of each base chain."""
        stages, told = [], dict[tuple[str, str, str], Pass]()
        share = self.shares[number, one.space]
        for each in share:
            hook = self.rules.hook(one.space, each.base)
            if hook in hooks and each.base not in told:
                told[each.base] = each
                stages += [self._step(number, one, start, hook, step) for step in each.steps]
        self.shares[number, one.space] = [e for e in share if e.own or e is not told.get(e.base)]
        return stages

    def _step(self, number: int, one: Seen, start: int, hook: str, step: Step) -> Stage:
        """A rule that matched, or a policy, as a stage."""
        chain = (step.family, step.table, step.chain)
        table = self.rules.table(one.space, chain)
        verdict, index = step.verdict + (f" {step.target}" if step.target else ""), 0
        target = ""
        if step.kind == "policy":
            text = f"{table} {step.chain}: no rule decided: policy {verdict.upper()}"
        else:
            index, words = self.rules.rule(one.space, chain, step.handle)
            found = re.search(r"(?:^| )-[jg] (\S+)", words) if " " not in table else None
            target = found[1] if found else verdict if " " in table else ""
            text = f"{table} {step.chain} {index}: {words}: matches" + (f" → {target}" if target else "")
        return self._stage(
            number, one, start, "policy" if step.kind == "policy" else "rule", hook, text,
            table=table, chain=step.chain, matched=True, rule=index, ok=verdict != "drop" and target != "REJECT",
        )  # fmt: skip

    # -- ends -------------------------------------------------------------------------------
    def _ending(
        self, number: int, group: list[Seen], groups: list[list[Seen]], stages: list[Stage], start: int
    ) -> dict[str, str]:
        """How it ended, as the fields of a Packet; adds the last stages."""
        last = group[-1]
        inside = f"[{last.space.namespace}]" if last.space.namespace else ""
        machine = f"{last.space.machine}{inside}"
        if is_helper(last) and not last.out:
            stages += self._rules(number, last, start, ("INPUT",))
        if is_helper(last) and all(s.ok for s in stages):
            words = "ARP" if isinstance(last.network, ArpHeader) else "ICMPv6"
            return {"outcome": "delivered", "end_place": f"{machine} {last.device}", "words": words}
        if not last.out and not is_helper(last):
            last = self._inside(number, last, start, stages)
        reason = "NETFILTER_DROP" if any(not s.ok for s in stages) else self.facts.loss(last, groups, self.everything)
        if not reason:
            return {"outcome": "delivered", "end_place": machine}
        if reason == "NEIGH_FAILED" and not last.out:
            last = self._waits(number, last, groups, start, stages)
        if reason == "NOT_SPECIFIED" and self.facts.arrived(last):
            stages.append(
                self._stage(number, last, start, "deliver", "INPUT", "for this machine: handed to ICMP")
            )
        if reason in NO_DEVICE:
            last = last._replace(device="")
        elif reason == "NO_TX_TARGET":
            last = last._replace(device=self._master(last))
        text = f"dropped: {WORDS[reason]} ({reason})"
        spot = stages[-1].spot if stages and not stages[-1].ok else "PREROUTING"
        stages.append(self._stage(number, last, start, "end", spot, text, ok=False))
        place = f"{machine} {last.device}".rstrip()
        return {"outcome": "dropped", "reason": reason, "words": WORDS[reason], "end_place": place}

    def _inside(self, number: int, last: Seen, start: int, stages: list[Stage]) -> Seen:
        """The packet behind the device where it was seen last: as the chains there saw it; adds what they said."""
        for each in self.shares[number, last.space]:
            if each.own and each.base[2] in ("forward", "input"):
                network = each.network._replace(ttl=last.network.ttl)  # without what forwarding took off
                came, last = last, last._replace(network=network, transport=each.transport)
                stages += self._rewritten(number, last, came, start, "destination", "PREROUTING")
                break
        if not self._master(last) and not self.facts.arrived(last) and last.pkt_type != OTHERHOST:
            stages.append(self._route(number, last, start, "route in", last))
        stages += self._rules(number, last, start, ("FORWARD", "INPUT"))
        return last

    def _waits(
        self, number: int, last: Seen, groups: list[list[Seen]], start: int, stages: list[Stage]
    ) -> Seen:
        """It is forwarded to a neighbour that does not answer: the packet where it waits."""
        question = self.facts.open_question(last, groups)
        if question is None:
            return last
        last = last._replace(device=question.device)
        ttl = last.network.ttl
        word = "hop limit" if isinstance(last.network, Ipv6Header) else "TTL"
        text = f"forwarding is on; {word} {ttl} → {ttl - 1}"
        stages.append(self._stage(number, last, start, "forward", "FORWARD", text))
        text = f"the MAC address of {asked_address(question)} is not known (FAILED): it waits"
        waits = self._stage(number, last, start, "neighbour", "neighbour", text)
        stages.append(replace(waits, device=question.device))
        return last


def _key(one: Seen) -> tuple[Target, tuple[Any, ...]]:
    return one.space, packet_mark(one.network, one.transport, one.payload)


def _end(one: Seen, which: str) -> str:
    """The address, with its port where there is one."""
    address, port = getattr(one.network, which), getattr(one.transport, f"{which}_port", None)
    return str(address) if port is None else f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


__all__ = ["record"]
