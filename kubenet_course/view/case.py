"""One lost packet as explanations see it, and what they find."""

from __future__ import annotations

from typing import NamedTuple

from kubenet_course.view.journey import Journey, Packet, Stage
from kubenet_course.view.segments import Segments


class Finding(NamedTuple):
    sentences: tuple[str, ...]
    command: str = ""
    look_at: str = ""


class Case(NamedTuple):
    """One lost packet, `last` its last stage, `who` the place in words.

    `role` is "packet", "answer", "question" (for a MAC address) or "error message about it".
    """

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
        if self.role in ("question", "error message about it"):
            at_home = self.packet.stages[0].machine == self.last.machine
            way = f"does not leave {self.who}:" if at_home else f"comes as far as {self.who}, but"
            return f"The {self.role} {way}"
        if self.last.machine == self.journey.machine:
            return f"The packet does not leave {self.who}:"
        return f"The packet comes as far as {self.who}, but"
