"""Seeded random scripts of real commands, with the mistakes people make.

A family is a weighted list of command templates. In a template `{name}` is filled from a small pool,
so that commands meet the same devices, addresses and namespaces again and again, and fail now and
then: names that exist already, addresses out of range, next hops that cannot be reached.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Family:
    """`lab` is the scenario; `machines` take the commands in turn; `templates` are (weight, text)."""

    name: str
    lab: str
    machines: Sequence[str]
    templates: Sequence[tuple[float, str]]
    pools: Mapping[str, Sequence[str]]
    prelude: Sequence[tuple[str, str]] = field(default_factory=tuple)

    def script(self, seed: int, steps: int) -> list[tuple[str, str]]:
        """`steps` (machine, command) pairs, the same for the same seed."""
        chance = random.Random(f"{self.name}/{seed}")
        weights = [weight for weight, _ in self.templates]
        texts = [text for _, text in self.templates]
        script = list(self.prelude)
        for _ in range(steps):
            text = chance.choices(texts, weights)[0]
            machine = chance.choice(list(self.machines))
            if ":: " in text:
                machine, text = text.split(":: ", 1)
            script.append((machine, self.fill(text, chance)))
        return script

    def fill(self, text: str, chance: random.Random) -> str:
        """Fill each field from its pool; a pool's entry may have fields of its own."""
        for _ in range(5):
            filled = _FIELD.sub(lambda match: chance.choice(list(self.pools[match.group(1)])), text)
            if filled == text:
                break
            text = filled
        return text
