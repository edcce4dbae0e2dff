"""A packet's journey as plain records, the same for both kernels, and its text.

A `Journey` is one command with every packet it caused; a `Packet` has an ordered list of `Stage`s
and an end. Nothing here knows where the facts came from: `emulated_journey.py` makes them from the
recorder of the emulated kernel, `real_journey.py` from captures and the kernel's own TRACE.

`str(journey)` is the whole of it as text, the same bytes for the same run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Where in the diagram of hooks a stage happens (widgets/hooks.py draws them).
SPOTS = (
    "device in",
    "PREROUTING",
    "route in",
    "INPUT",
    "program",
    "route out",
    "OUTPUT",
    "FORWARD",
    "POSTROUTING",
    "neighbour",
    "device out",
    "bridge",
)

#: What kinds of stages there are, with the word that names each in text and pictures.
KINDS = {
    "send": "program sends",
    "route": "route",
    "rule": "rule",
    "policy": "policy",
    "conntrack": "connection",
    "nat": "address change",
    "forward": "forward",
    "deliver": "deliver",
    "neighbour": "neighbour",
    "transmit": "out",
    "receive": "in",
    "learn": "bridge learns",
    "bridge": "bridge",
    "socket": "socket",
    "merge": "reassembled",
    "hook": "hook",
    "end": "end",
}


@dataclass(frozen=True)
class Header:
    """One layer's header at one moment: `fields` are (name, value) in the order of the wire."""

    layer: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Stage:
    """One thing that was decided about one packet.

    `number` counts through the journey in the order of time; `time` is ns since the command began;
    `text` says what was decided and why; `ok` is False where a packet ends badly here.
    """

    number: int
    time: int
    packet: int
    machine: str
    namespace: str
    device: str
    kind: str
    spot: str
    text: str
    headers: tuple[Header, ...] = ()
    table: str = ""
    chain: str = ""
    rule: int = 0
    matched: bool = False
    ok: bool = True

    @property
    def place(self) -> str:
        """Machine, namespace and device in one: ``host[red] veth-red``."""
        where = self.machine + (f"[{self.namespace}]" if self.namespace else "")
        return f"{where} {self.device}".strip()


@dataclass(frozen=True)
class Packet:
    """One packet: why it exists (`why`, of packet `cause`), what it met, and how it ended.

    `outcome` is `delivered`, `dropped`, `ignored` (not meant for who got it), `ends` (a bridge has
    nobody else to give it to), `became` (it was cut up or put together) or `under way`;
    for a dropped one `reason` is the kernel's word and `words` what it means.
    """

    number: int
    summary: str
    cause: int = 0
    why: str = ""
    stages: tuple[Stage, ...] = ()
    outcome: str = "under way"
    reason: str = ""
    words: str = ""
    end_place: str = ""

    @property
    def is_helper(self) -> bool:
        """Asks for a MAC address, or is a copy that a switch made: not what the command is about."""
        return self.summary.startswith(("ARP", "ND")) or self.why == "copy of"


@dataclass(frozen=True)
class Journey:
    """One command and every packet it caused. `unsent` are destinations no packet could be made for."""

    machine: str
    command: str
    packets: tuple[Packet, ...] = ()
    stdout: str = ""
    stderr: str = ""
    returncode: int = 0
    unsent: tuple[Unsent, ...] = ()
    missed: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages of all packets in the order of time: what the stepper walks through."""
        return tuple(sorted((s for p in self.packets for s in p.stages), key=lambda s: s.number))

    def packet(self, number: int) -> Packet:
        return self.packets[number - 1]

    def __str__(self) -> str:
        return journey_text(self)


@dataclass(frozen=True)
class Unsent:
    """A packet that could not even be made: the route look-up failed with `error`."""

    machine: str
    namespace: str
    destination: str
    error: str
    route: str = ""

    def __str__(self) -> str:
        where = self.machine + (f"[{self.namespace}]" if self.namespace else "")
        why = f"the route `{self.route}` says so" if self.route else "no route matches"
        return f"{where}: nothing is sent to {self.destination}: {why} ({self.error})"


def journey_text(journey: Journey) -> str:
    """The journey, packet by packet; the stage numbers give the order between packets."""
    lines = [
        f"{journey.machine}$ {journey.command}" + (f"  [{journey.returncode}]" if journey.returncode else "")
    ]
    lines += [f"  {unsent}" for unsent in journey.unsent]
    if not journey.packets and not journey.unsent:
        lines.append("  No packet was sent.")
    width = max((len(stage.place) for stage in journey.stages), default=0)
    kind_width = max((len(KINDS[stage.kind]) for stage in journey.stages), default=0)
    digits = len(str(len(journey.stages)))
    for packet in journey.packets:
        cause = f"   ({packet.why} packet {packet.cause})" if packet.cause else ""
        lines += ["", f"packet {packet.number}: {packet.summary}{cause}"]
        for stage in packet.stages:
            lines.append(
                f"  {stage.number:{digits}}  {stage.place:{width}}  {KINDS[stage.kind]:{kind_width}} "
                f" {stage.text}"
            )
        lines.append(f"  {'':{digits}}  => {ending(packet)}")
    if journey.missed:
        lines += ["", f"{journey.missed} more events were not kept."]
    lines += ["", *journey.notes] if journey.notes else []
    return "\n".join(lines)


def ending(packet: Packet) -> str:
    """How a packet ended, in a line."""
    if packet.outcome in ("dropped", "ignored"):
        return f"{packet.outcome} at {packet.end_place}: {packet.words} ({packet.reason})"
    at = f" at {packet.end_place}" if packet.end_place else ""
    return f"{packet.outcome}{at}" + (f": {packet.words}" if packet.words else "")


def changed_fields(before: tuple[Header, ...], after: tuple[Header, ...]) -> set[tuple[str, str]]:
    """(layer, field) of everything that differs between two stages of one packet."""
    old: dict[tuple[str, str], Any] = {(h.layer, name): value for h in before for name, value in h.fields}
    new = {(h.layer, name): value for h in after for name, value in h.fields}
    return {key for key in {*old, *new} if old.get(key) != new.get(key)} if before else set()
