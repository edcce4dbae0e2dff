"""Putting `rules.Rule`s into the kernel's tables, by `iptables-save` and `iptables-restore --noflush`.

A rule that is there is not added a second time, and one that is not there is not removed: an administrator
may have flushed a chain. One look and one change per family, so a container costs two commands, not twenty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubenet_course.docker.config import Config
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.rules import CHAINS, Daemon, Rule, daemon_rules, user_chain_rules
from kubenet_course.docker.store import LOG
from kubenet_course.userland.surroundings import Surroundings

TOOLS = {4: "iptables", 6: "ip6tables"}
TABLES = ("raw", "nat", "filter")


class Firewall:
    """The host's packet filter, as far as dockerd may touch it."""

    def __init__(self, here: Surroundings, config: Config):
        self.here = here
        self.config = config

    def manages(self, family: int) -> bool:
        return bool(self.config["iptables" if family == 4 else "ip6tables"])

    async def change(
        self,
        *,
        add: Iterable[Rule] = (),
        remove: Iterable[Rule] = (),
        chains: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Remove, then add, in the order given. `chains` (of IPv4) are made where they are missing."""
        adding, removing = list(add), list(remove)
        for family in (4, 6):
            plus = [rule for rule in adding if rule.family == family]
            minus = [rule for rule in removing if rule.family == family]
            if not (plus or minus) or not self.manages(family):
                continue
            there = await self._saved(family)
            wanted = {(table, name) for table, names in (chains or {}).items() for name in names}
            missing: dict[str, list[str]] = {}
            for table, name in sorted(wanted):
                if (table, f":{name}") not in there:
                    missing.setdefault(table, []).append(f":{name} - [0:0]")
            await self._restore(family, _text(plus, minus, there), missing)

    async def set_up(self) -> None:
        """What stands while dockerd runs: the chains (emptied), and the jumps to them."""
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
        if self.manages(family):
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


async def start(here: Surroundings, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Start a daemon: nobody's child, in a session of its own, so a Ctrl-C for `docker` does not reach it."""
    child = here.spawn(["setsid", "--fork", *argv], env=env, log=LOG, cwd="/")
    await child.wait()


async def run(here: Surroundings, argv: Sequence[str], stdin: str = "") -> str:
    """Run a command that must work; its output. What was run is in dockerd's log."""
    line = " ".join(argv)
    here.write(LOG, f'level=debug msg="run" command="{line}"\n{stdin}', append=True)
    done = await here.run(argv, stdin=stdin)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise DaemonError(f"{line}: {said} (exit status {done.returncode})")
    return done.stdout
