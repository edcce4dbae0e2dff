"""Putting `nft_rules.Entry`s into the tables `docker-bridges`, by `nft list table` and `nft -f`.

A chain that changes is emptied and written anew, as Docker does it; one that does not keeps its counters.

Source: moby daemon/libnetwork/internal/nftables/nftables_linux.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from kubenet_course.docker.nft_rules import FORWARD, TABLE, Entry, base, group_of
from kubenet_course.docker.rules import Daemon
from kubenet_course.docker.running import run
from kubenet_course.userland.surroundings import Surroundings

KINDS = {4: "ip", 6: "ip6"}
_NUMBERS = re.compile(r" packets \d+ bytes \d+")
_BRACES = re.compile(r"\{ (.*?) \}")


class Tables:
    """Both families' tables of one host."""

    def __init__(self, here: Surroundings):
        self.here = here

    async def set_up(self, family: int, daemon: Daemon) -> None:
        await run(self.here, ["nft", "-f", "-"], base(family, daemon))

    async def drop_forwarded(self, family: int) -> None:
        chain = f"{KINDS[family]} {TABLE} {FORWARD}"
        await run(self.here, ["nft", "-f", "-"], f"chain {chain} {{ policy drop; }}\n")

    async def remove(self) -> None:
        for kind in KINDS.values():
            await self.here.run(["nft", "delete", "table", kind, TABLE])

    async def change(self, family: int, add: Iterable[Entry], remove: Iterable[Entry]) -> None:
        """Remove, then add; what is there is not added twice, what is not there is not removed."""
        table = f"{KINDS[family]} {TABLE}"
        chains, elements = parse(await run(self.here, ["nft", "list", "table", *table.split()]))
        before = {name: list(rules) for name, rules in chains.items()}
        entries = list(add)
        script = [f"add chain {table} {one.chain}" for one in entries if one.kind == "chain" and one.chain not in chains]
        for one in entries:
            if one.kind == "chain":
                chains.setdefault(one.chain, [])
        gone = []
        for one in remove:
            if one.kind == "chain" and one.chain in chains:
                del chains[one.chain]
                gone.append(one.chain)
            elif one.kind == "element" and one.text in elements.get(one.chain, ()):
                script.append(f"delete element {table} {one.chain} {{ {one.text.partition(' : ')[0]} }}")
            elif one.kind == "rule" and canonical(one.text) in chains.get(one.chain, ()):
                chains[one.chain].remove(canonical(one.text))
        for one in entries:
            if one.kind == "rule" and canonical(one.text) not in chains[one.chain]:
                rules = chains[one.chain]
                place = next((at for at, text in enumerate(rules) if _group(one.chain, text) > one.group), len(rules))
                rules.insert(place, canonical(one.text))
        for name in gone:
            script.append(f"flush chain {table} {name}")
        for name, rules in chains.items():
            if rules != before.get(name, []):
                script += [f"flush chain {table} {name}", *(f"add rule {table} {name} {text}" for text in rules)]
        for one in entries:
            if one.kind == "element" and one.text not in elements.get(one.chain, ()):
                script.append(f"add element {table} {one.chain} {{ {one.text} }}")
        script += [f"delete chain {table} {name}" for name in gone]
        if script:
            await run(self.here, ["nft", "-f", "-"], "\n".join(script) + "\n")


def _group(chain: str, text: str) -> int:
    return group_of(text) if chain.startswith("filter-forward-in__") else 0


def canonical(text: str) -> str:
    """A rule without its counter's numbers, and with the members of a set in order."""
    plain = _NUMBERS.sub("", text.strip())
    return _BRACES.sub(lambda match: f"{{ {', '.join(sorted(match[1].split(', ')))} }}", plain)


def parse(text: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Of `nft list table`: the rules of each chain, and the elements of each map."""
    chains: dict[str, list[str]] = {}
    elements: dict[str, list[str]] = {}
    for kind, name, body in re.findall(r"^\t(chain|map) (\S+) \{\n(.*?)^\t\}", text, re.M | re.S):
        if kind == "map":
            held = re.search(r"elements = \{(.*?)\}", body, re.S)
            elements[name] = [one.strip() for one in held[1].split(",")] if held else []
        else:
            lines = [line.strip() for line in body.splitlines()]
            chains[name] = [canonical(line) for line in lines if line and not line.startswith("type ")]
    return chains, elements
