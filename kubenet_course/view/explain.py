"""Why a command's packets got through, or where and why they did not, in two or three sentences.

`explain(journey, netmap)` looks at the conversation that decided: the last one that failed where
the command failed, else the first. It names the machine and the fact, the command that would show
that fact, and, where one change mends it, what to look at. What it cannot tell from the packets it
asks of the map (who has an address, who is on the same link).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network

from kubenet_course.view.case import Finding
from kubenet_course.view.journey import Journey, Packet, Stage, Unsent
from kubenet_course.view.link_reasons import way_down
from kubenet_course.view.netmap import NetMap, Port
from kubenet_course.view.reasons import RULE_ERRORS, dropped
from kubenet_course.view.segments import Segments

_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_NAME_TROUBLE = re.compile(
    r"Name or service not known|Temporary failure in name resolution|[Cc]ould not resolve|unable to resolve"
    r"|no servers could be reached|unknown host|NXDOMAIN|No address associated",
)

#: Programs that look a name up before what they are told to do.
_ASKS_FIRST = re.compile(r"(ip netns exec \S+ )?(curl|wget|ping|ping6|telnet|traceroute|tracepath|ssh)\b")


@dataclass(frozen=True)
class Explanation:
    """`sentences` say what happened; `command` (as typed, with its machine) shows it; `look_at` mends it."""

    works: bool
    sentences: tuple[str, ...]
    command: str = ""
    look_at: str = ""

    def __str__(self) -> str:
        parts = [*self.sentences]
        if self.command:
            parts.append(f"To see it: `{self.command}`.")
        if self.look_at:
            parts.append(f"Look at {self.look_at}" + ("" if self.look_at.endswith("?") else "."))
        return " ".join(parts)

    __repr__ = __str__


def explain(journey: Journey, found: NetMap) -> Explanation:
    """The explanation of a journey on the lab that `found` is the map of."""
    segments = Segments(found)
    output = journey.stdout + journey.stderr
    talks = conversations(journey)
    if journey.returncode == 0 and not (talks and all(_lost(talk) for talk in talks)):
        return _works(journey)
    name_trouble = _NAME_TROUBLE.search(output)
    for talk in reversed(talks):
        finding = _fails(journey, talk, segments)
        if finding is not None:
            if name_trouble or _ASKS_FIRST.match(journey.command) and _addresses(talk[0])[-1].endswith(".53"):
                trouble = name_trouble[0] if name_trouble else "no answer"
                finding = _of_a_name(journey, finding, trouble, _addresses(talk[0])[-1])
            return Explanation(False, *finding)
    for unsent in journey.unsent:
        if unsent.machine == journey.machine:
            finding = unsent_finding(unsent, segments)
            if name_trouble:
                finding = _of_a_name(journey, finding, name_trouble[0], f"{unsent.destination}.53")
            return Explanation(False, *finding)
    return _without_packets(journey, output, name_trouble, bool(talks))


def _of_a_name(journey: Journey, finding: Finding, trouble: str, asked: str) -> Finding:
    """What keeps the name server `asked` (address.port) from answering, said of the name that was wanted."""
    server, _, port = asked.rpartition(".")
    what, look, command = f"The name could not be looked up ({trouble}). ", finding.look_at, finding.command
    if port == "53" and "@" not in journey.command:
        what += f"The name server that {journey.machine} asks is {server}. "
        lines = f"the `nameserver` lines in /etc/resolv.conf of {journey.machine}"
        if server in ("127.0.0.1", "::1"):
            what = what[:-2] + ", as where /etc/resolv.conf names none. "
            command, look = f"{journey.machine}$ cat /etc/resolv.conf", lines
        else:
            look += f"{' Or' if look.endswith('?') else ', or'} at {lines}" if look else lines
    return Finding((what + finding.sentences[0], *finding.sentences[1:]), command, look)


def conversations(journey: Journey) -> list[list[Packet]]:
    """The packets that the command sent of its own, each with its answers, errors and fragments."""
    found: list[list[Packet]] = []
    seen: dict[frozenset[str], list[Packet]] = {}
    home: dict[int, list[Packet]] = {}
    for packet in journey.packets:
        if packet.is_helper:
            if packet.cause in home:
                home[packet.number] = home[packet.cause]
            continue
        talk = home.get(packet.cause) if packet.cause else seen.get(_ends(packet))
        if talk is None:
            talk = []
            found.append(talk)
        talk.append(packet)
        home[packet.number] = talk
        seen[_ends(packet)] = talk
    return found


def _ends(packet: Packet) -> frozenset[str]:
    match = re.match(r"IP6? (\S+) > (\S+):", packet.summary)
    return frozenset(match.groups()) if match else frozenset((packet.summary,))


def _lost(talk: list[Packet]) -> bool:
    """Nothing of what was sent arrived, or no answer did, although one was sent."""
    ends = [p for p in talk if p.why != "reports an error about"]
    return bool(ends) and ends[-1].outcome == "dropped"


# -- success --------------------------------------------------------------------------------------
def _works(journey: Journey) -> Explanation:
    sent = [p for p in journey.packets if not p.is_helper]
    if not sent:
        return Explanation(True, ("The command worked, and it sent no packet.",))
    first = sent[0]
    sentences = [f"It works: {first.summary.partition(',')[0]} goes {_path(journey, first)}."]
    answer = next((p for p in sent[1:] if _is_answer(first, p)), None)
    if answer is not None:
        sentences.append(f"The answer comes back {_path(journey, answer)}.")
    changes = [s for p in sent for s in p.stages if s.kind == "nat"]
    if changes:
        sentences.append(f"On the way, {changes[0].machine} rewrites an address: {changes[0].text}.")
    questions = [p for p in journey.packets if p.why == "asked by"]
    if questions and not changes:
        count = len(questions)
        sentences.append(
            f"{count} question{'s' if count > 1 else ''} for a MAC address had to be answered before"
            f" ({questions[0].summary})."
        )
    return Explanation(True, tuple(sentences))


def _is_answer(request: Packet, other: Packet) -> bool:
    return (
        other.cause == request.number
        and other.why == "answers"
        or _ends(other) == _ends(request)
        and (_addresses(other) == _addresses(request)[::-1])
    )


def _addresses(packet: Packet) -> tuple[str, ...]:
    match = re.match(r"IP6? (\S+) > (\S+):", packet.summary)
    return match.groups() if match else ("",)


def _path(journey: Journey, packet: Packet) -> str:
    """``A → router → B``: the machines (and namespaces) that decided about it, switches too."""
    hops: list[str] = []
    twins = [packet, *(p for p in journey.packets if p.why == "copy of" and p.cause == packet.number)]
    for stage in sorted((s for p in twins for s in p.stages), key=lambda s: s.number):
        where = f"{stage.machine}[{stage.namespace}]" if stage.namespace else stage.machine
        if where and (not hops or hops[-1] != where):
            hops.append(where)
    if len(hops) == 1:
        return f"no further than {hops[0]} itself"
    return " → ".join(hops)


# -- failure --------------------------------------------------------------------------------------
def _fails(journey: Journey, talk: list[Packet], segments: Segments) -> Finding | None:
    """What went wrong in a conversation; None where nothing did."""
    request = talk[0]
    errors = [p for p in talk if p.why == "reports an error about"]
    for packet in talk:
        if packet.why == "reports an error about":
            continue
        is_answer = packet is not request and _addresses(packet) != _addresses(request)
        role = "answer" if is_answer else "packet"
        if packet.outcome == "dropped":
            return _with_lost_error(journey, dropped(journey, packet, role, segments), errors, segments)
        if packet.outcome == "ignored":
            copies = [p for p in journey.packets if p.why == "copy of" and p.cause == packet.number]
            fate = next((p for p in copies if p.outcome in ("delivered", "dropped")), packet)
            if fate.outcome != "delivered":
                return dropped(journey, fate, role, segments)
        if packet.outcome == "under way":
            waiting = packet.stages[-1] if packet.stages else None
            if waiting is not None and waiting.kind == "neighbour":
                return dropped(journey, packet, role, segments, reason="NEIGH_FAILED")
    last = talk[-1]
    if last is request or all(_addresses(p) == _addresses(request) for p in talk):
        return _unanswered(journey, request, segments)
    if "TCP [R" in last.summary:
        end = request.stages[-1] if request.stages else None
        return _refused(end, _addresses(request)[1] if len(_addresses(request)) > 1 else "")
    return None


def _with_lost_error(journey: Journey, finding: Finding, errors: list[Packet], segments: Segments) -> Finding:
    """With the fate of the error message about the packet, if that was lost, too."""
    lost = next((e for e in errors if e.outcome == "dropped"), None)
    if lost is None:
        return finding
    why = dropped(journey, lost, "error message about it", segments)
    first = finding.sentences[0].replace("; the sender is told the MTU.", ".")
    return Finding((first, *finding.sentences[1:], *why.sentences), why.command, why.look_at or finding.look_at)


def _refused(end: Stage | None, where: str) -> Finding:
    address, _, port = where.rpartition(".")
    machine = end.machine if end is not None else "the other side"
    return Finding(
        (
            f"The packet arrives at {machine}, but no program listens on TCP port {port} of"
            f" {address}: it answers with a reset.",
        ),
        f"{machine}$ ss -tlnp",
        f"what is running on {machine}, and on which address and port it listens",
    )


def _unanswered(journey: Journey, request: Packet, segments: Segments) -> Finding | None:
    """It was delivered and nothing came back."""
    end = request.stages[-1] if request.stages else None
    if end is None or request.outcome == "under way":
        return None
    for unsent in journey.unsent:
        if unsent.machine == end.machine:
            finding = unsent_finding(unsent, segments, answer=True)
            first = (
                f"The packet arrives at {_who(end)}, but the answer cannot be sent: {finding.sentences[0]}"
            )
            return Finding((first, *finding.sentences[1:]), finding.command, finding.look_at)
    return Finding(
        (f"The packet arrives at {_who(end)}, and nothing is answered.",),
        f"{end.machine}$ ss -tunap",
        f"the program on {end.machine} that should answer",
    )


def _who(stage: Stage) -> str:
    return f"{stage.machine}[{stage.namespace}]" if stage.namespace else stage.machine


def unsent_finding(unsent: Unsent, segments: Segments, answer: bool = False) -> Finding:
    """No route: who has that address, and would somebody on the link lead there? `answer`: to a packet that came."""
    who = f"{unsent.machine}[{unsent.namespace}]" if unsent.namespace else unsent.machine
    prompt = segments.prompt(unsent.machine, unsent.namespace, "ip")
    if unsent.route:
        return Finding(
            (
                f"{who} sends nothing to {unsent.destination}: the route `{unsent.route}` forbids it"
                f" ({unsent.error}).",
            ),
            f"{prompt}route get {unsent.destination}",
            f"that route (`ip {'-6 ' if ':' in unsent.destination else ''}route del {unsent.route}`)",
        )
    family = 6 if ":" in unsent.destination else 4
    if re.search(RULE_ERRORS, unsent.error):
        sentence = f"{who} sends nothing to {unsent.destination}: a rule of its routing policy forbids it ({unsent.error})."
        option = "-6 " if family == 6 else ""
        return Finding((sentence,), f"{prompt}{option}rule", "the rule that says `prohibit` or `blackhole`")

    def prefix(port: Port) -> str:
        return segments.prefix(port, family)

    own = segments.of(unsent.machine, unsent.namespace)
    usable = [port for port in own if segments.links[port].words == "up" and prefix(port)]
    if own and not usable:
        none = "no address" if family == 4 else "no IPv6 address but the link-local one"
        states = ", ".join(f"{p.device} {segments.links[p].words}, {prefix(p) or none}" for p in own)
        return Finding(
            (
                f"{who} has no interface that is up and has an address ({states}), so it cannot send"
                f" to {unsent.destination}.",
            ),
            f"{prompt}addr",
            "`ip link set DEV up` and `ip addr add ADDRESS/LENGTH dev DEV`",
        )
    sentence = f"{who} has no route to {unsent.destination} ({unsent.error})."
    down = way_down(segments, unsent.machine, unsent.namespace, unsent.destination)
    if down is not None:
        return Finding((sentence, *down.sentences), down.command, down.look_at)
    command, other = f"{prompt}route get {unsent.destination}", segments.owner(unsent.destination)
    near = next((port for port in usable if other is not None and segments.same(port, other)), None)
    if near is not None and other is not None:
        mine, theirs = prefix(near), prefix(other)
        return Finding(
            (
                sentence,
                f"It is on the same link as {other}, but {mine} and {theirs} are not in each other's"
                " network.",
            ),
            command,
            f"the addresses and prefix lengths of {near} and {other}",
        )
    gateways = [
        (router, address)
        for port in usable
        for router, address in segments.neighbours_that_forward(port, family)
        if segments.includes(prefix(port), address)
    ]
    if gateways:
        router, address = gateways[0]
        mend = f"the routing table of {who}: a route via {address} ({router.machine}) would lead on"
        if answer and _for_private_use(unsent.destination) and not any(_for_private_use(prefix(port)) for port in usable):
            mend += f"; or somebody before it must translate the source address {unsent.destination} (MASQUERADE)"
        return Finding((sentence,), command, mend)
    return Finding((sentence,), command, f"the routing table of {who}")


def _for_private_use(address: str) -> bool:
    """RFC 1918: nobody on the internet has a route to such an address."""
    try:
        found = ip_interface(address).ip
    except ValueError:
        return False
    return found.version == 4 and any(found in network for network in _PRIVATE)


def _without_packets(
    journey: Journey, output: str, name_trouble: re.Match[str] | None, sent: bool
) -> Explanation:
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "")
    said = f" It says: {last.strip()}" if last else ""
    said += "" if not said or said.endswith((".", "!", "?")) else "."
    if name_trouble and sent:
        return Explanation(
            False,
            (f"The name could not be looked up: the name server answers that it does not have it ({name_trouble[0]}).",),
            f"{journey.machine}$ cat /etc/resolv.conf /etc/hosts",
            "the name: is it the right one? Or at the name server's records",
        )
    if name_trouble:
        return Explanation(
            False,
            (
                f"The name could not be looked up ({name_trouble[0]}), and no question was sent to a"
                " name server.",
            ),
            f"{journey.machine}$ cat /etc/resolv.conf /etc/hosts",
            "the nameserver line and the names in /etc/hosts",
        )
    if not sent:
        return Explanation(
            False, (f"The command failed with status {journey.returncode} and sent no packet.{said}",)
        )
    return Explanation(
        False,
        (f"Every packet got where it should, but the command ended with status {journey.returncode}.{said}",),
    )


__all__ = ["Explanation", "Port", "conversations", "explain", "unsent_finding"]
