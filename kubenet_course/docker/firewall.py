"""Putting `rules.Rule`s into the kernel's tables, by `iptables-save` and `iptables-restore --noflush`.

With the backend nftables the rules are `nft_rules.Entry`s, and `nft_tables` has the tables.

A rule that is there is not added a second time, and one that is not there is not removed: an administrator
may have flushed a chain. One look and one change per family, so a container costs two commands, not twenty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubenet_course.docker.config import Config
from kubenet_course.docker.nft_rules import Entry
from kubenet_course.docker.nft_tables import Tables
from kubenet_course.docker.rules import (
    CHAINS,
    Bridge,
    Daemon,
    Rule,
    daemon_rules,
    network_rules,
    user_chain_rules,
)
from kubenet_course.docker.running import run
from kubenet_course.docker.store import ROOT
from kubenet_course.userland.surroundings import Surroundings

TOOLS = {4: "iptables", 6: "ip6tables"}
#: The last dockerd had the backend nftables.
NFT_MARK = f"{ROOT}/nftables"
TABLES = ("raw", "nat", "filter")


class Firewall:
    """The host's packet filter, as far as dockerd may touch it."""

    def __init__(self, here: Surroundings, config: Config):
        self.here = here
        self.config = config
        self.tables = Tables(here)

    def manages(self, family: int) -> bool:
        return bool(self.config["iptables" if family == 4 else "ip6tables"])

    async def change(
        self,
        *,
        add: Iterable[Rule | Entry] = (),
        remove: Iterable[Rule | Entry] = (),
        chains: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Remove, then add, in the order given. `chains` (of IPv4) are made where they are missing."""
        adding, removing = list(add), list(remove)
        for family in (4, 6):
            entries = [one for one in adding if isinstance(one, Entry) and one.family == family]
            gone = [one for one in removing if isinstance(one, Entry) and one.family == family]
            if (entries or gone) and self.manages(family):
                await self.tables.change(family, entries, gone)
            plus = [rule for rule in adding if isinstance(rule, Rule) and rule.family == family]
            minus = [rule for rule in removing if isinstance(rule, Rule) and rule.family == family]
            if not (plus or minus) or not self.manages(family):
                continue
            there = await self._saved(family)
            wanted = {(table, name) for table, names in (chains or {}).items() for name in names}
            missing: dict[str, list[str]] = {}
            for table, name in sorted(wanted):
                if (table, f":{name}") not in there:
                    missing.setdefault(table, []).append(f":{name} - [0:0]")
            await self._restore(family, _text(plus, minus, there), missing)

    async def set_up(self, bridges: Iterable[Bridge] = ()) -> None:
        """What stands while dockerd runs; of the other backend's, for `bridges` too, nothing stays."""
        if self.config.rules.nftables:
            await self._clean(bridges)
            self.here.mkdir(ROOT)
            self.here.write(NFT_MARK, b"")
            for family in (4, 6):
                if self.manages(family):
                    await self.tables.set_up(family, self.config.rules)
            return
        if self.here.exists(NFT_MARK):
            await self.tables.remove()
            self.here.remove(NFT_MARK)
        await self._set_up_chains()

    async def _clean(self, bridges: Iterable[Bridge]) -> None:
        """Take away what the backend iptables has left, but DOCKER-USER and the way to it."""
        plain = self.config.rules._replace(nftables=False)
        for family in (4, 6):
            there = await self._saved(family)
            chains = [(table, name) for table in CHAINS for name in CHAINS[table] if (table, f":{name}") in there]
            if not chains:
                continue
            old = [rule for daemon in (plain, plain._replace(userland_proxy=not plain.userland_proxy))
                   for rule in [*daemon_rules(family, daemon), *(one for net in bridges if net.family == family
                                                                  for one in network_rules(daemon, net))]]  # fmt: skip
            lines = _text([], [rule for rule in old if isinstance(rule, Rule)], there)
            for table, name in chains:
                lines.setdefault(table, []).append(f"-F {name}")
            for table, name in reversed(chains):
                lines[table].append(f"-X {name}")
            await self._restore(family, lines)

    async def _set_up_chains(self) -> None:
        """The chains (emptied), and the jumps to them."""
        for family in (4, 6):
            if not self.manages(family):
                continue
            there = await self._saved(family)
            daemon = self.config.rules
            other = Daemon(not daemon.userland_proxy, daemon.wsl2_mirrored)
            wanted = daemon_rules(family, daemon)
            stale = [rule for rule in daemon_rules(family, other) if rule not in wanted]
            jumps = [rule for rule in wanted if rule.insert]
            lines = _text(wanted, [*stale, *jumps], there, flushed=True)
            users = user_chain_rules(family)
            missing = [] if ("filter", ":DOCKER-USER") in there else [":DOCKER-USER - [0:0]"]
            chains = {
                table: [f":{name} - [0:0]" for name in CHAINS[table]] + (missing if table == "filter" else [])
                for table in CHAINS
            }
            lines["filter"] = [
                *lines.get("filter", []),
                *(f"-D {rule.line}" for rule in users if ("filter", rule.line) in there),
                *(f"-I {rule.line}" for rule in users),
            ]
            await self._restore(family, lines, chains)

    async def drop_forwarded(self, family: int) -> None:
        """The daemon switched forwarding on, so nothing but its own may be forwarded."""
        if not self.manages(family):
            return
        if self.config.rules.nftables:
            await self.tables.drop_forwarded(family)
        else:
            await self._run([TOOLS[family], "-P", "FORWARD", "DROP"])

    async def empty(self, chain: str) -> None:
        """Flush a chain of nat and filter, where it is."""
        if self.manages(4):
            there = await self._saved(4)
            chains = {
                table: [f":{chain} - [0:0]"] for table in ("nat", "filter") if (table, f":{chain}") in there
            }
            await self._restore(4, {}, chains)

    # -- the tools --------------------------------------------------------------------------
    async def _saved(self, family: int) -> set[tuple[str, str]]:
        """(table, rule) and (table, :CHAIN) of everything that is there."""
        done = await self._run([f"{TOOLS[family]}-save"])
        found: set[tuple[str, str]] = set()
        table = ""
        for line in done.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith("-A "):
                found.add((table, line[3:]))
            elif line.startswith(":"):
                found.add((table, line.split(" ", 1)[0]))
        return found

    async def _restore(
        self, family: int, lines: dict[str, list[str]], chains: dict[str, list[str]] | None = None
    ) -> None:
        text = ""
        for table in TABLES:
            body = [*(chains or {}).get(table, []), *lines.get(table, [])]
            if body:
                text += "\n".join([f"*{table}", *body, "COMMIT"]) + "\n"
        if text:
            await self._run([f"{TOOLS[family]}-restore", "--wait", "--noflush"], text)

    async def _run(self, argv: Sequence[str], stdin: str = "") -> str:
        return await run(self.here, argv, stdin)


def _text(
    add: Sequence[Rule], remove: Sequence[Rule], there: set[tuple[str, str]], flushed: bool = False
) -> dict[str, list[str]]:
    """Per table, the lines for iptables-restore. `flushed`: Docker's own chains have just been emptied."""
    present = set(there)
    if flushed:
        own = {(table, name) for table in CHAINS for name in CHAINS[table]}
        present = {(table, line) for table, line in there if (table, line.split(" ", 1)[0]) not in own}
    lines: dict[str, list[str]] = {}
    for rule in remove:
        if (rule.table, rule.line) in present:
            present.discard((rule.table, rule.line))
            lines.setdefault(rule.table, []).append(f"-D {rule.line}")
    for rule in add:
        if (rule.table, rule.line) not in present:
            present.add((rule.table, rule.line))
            lines.setdefault(rule.table, []).append(f"-{'I' if rule.insert else 'A'} {rule.line}")
    return lines
