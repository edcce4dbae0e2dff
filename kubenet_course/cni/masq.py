"""iptables as plugins use it, and the masquerading of bridge and ptp ("ipMasq": true).

    -A POSTROUTING -s ADDRESS -j CNI-…            packets from the container
    -A CNI-… -d NETWORK -j ACCEPT                 stay as they are within the network
    -A CNI-… ! -d 224.0.0.0/4 -j MASQUERADE       and get the host's address elsewhere, but for multicast

# containernetworking/plugins pkg/ip/ipmasq_linux.go, pkg/utils/utils.go; coreos/go-iptables
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from typing import Any

from kubenet_course.cni import nft
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.result import Prefix
from kubenet_course.cni.skel import CmdArgs
from kubenet_course.userland.surroundings import Finished, Surroundings

MAX_CHAIN = 28
MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}


def chain_name(network: str, container_id: str, prefix: str = "") -> str:
    """``CNI-``, the prefix, and the start of the SHA-512 of network and container: 28 characters."""
    digest = hashlib.sha512((network + container_id).encode("utf-8", "surrogateescape")).hexdigest()
    return f"CNI-{prefix}{digest}"[:MAX_CHAIN]


def comment(network: str, container_id: str) -> str:
    return f'name: "{network}" id: "{container_id}"'


class Iptables:
    """One table's rules in one family, by the command."""

    def __init__(self, here: Surroundings, version: int, table: str):
        self.here = here
        self.command = "iptables" if version == 4 else "ip6tables"
        self.table = table

    async def try_(self, *words: str) -> Finished:
        return await self.here.run([self.command, "-t", self.table, *words, "--wait"])

    async def do(self, *words: str) -> None:
        done = await self.try_(*words)
        if done.returncode:
            shown = f"[/usr/sbin/{self.command} -t {self.table} {' '.join(words)} --wait]"
            raise CniError(f"running {shown}: exit status {done.returncode}: {done.stderr}")

    async def has(self, chain: str, rule: Sequence[str]) -> bool:
        return (await self.try_("-C", chain, *rule)).returncode == 0

    async def chains(self) -> list[str]:
        """Names of the table's chains."""
        done = await self.try_("-S")
        return [line.split()[1] for line in done.stdout.splitlines() if line.startswith(("-P ", "-N "))]

    async def rules(self, chain: str) -> list[str]:
        done = await self.try_("-S", chain)
        return [line for line in done.stdout.splitlines() if line.startswith("-A ")]

    async def ensure_chain(self, chain: str) -> None:
        if chain not in await self.chains():
            done = await self.try_("-N", chain)
            if done.returncode and "exists" not in done.stderr:
                await self.do("-N", chain)

    async def append_once(self, chain: str, rule: Sequence[str]) -> None:
        if not await self.has(chain, rule):
            await self.do("-A", chain, *rule)

    async def insert_once(self, chain: str, rule: Sequence[str], at: int = 1) -> None:
        if not await self.has(chain, rule):
            await self.do("-I", chain, str(at), *rule)

    async def delete_quietly(self, chain: str, rule: Sequence[str]) -> None:
        """Delete a rule; nothing happens where it is not there."""
        await self.try_("-D", chain, *rule)

    async def delete(self, chain: str, rule: Sequence[str]) -> None:
        """Delete a rule, which need not be there, but its target must be. Raises CniError."""
        done = await self.try_("-D", chain, *rule)
        if done.returncode not in (0, 1):
            await self.do("-D", chain, *rule)

    async def remove_chain(self, chain: str) -> None:
        """Empty and remove a chain; nothing happens where it is not there."""
        if chain in await self.chains():
            await self.do("-F", chain)
            await self.do("-X", chain)


async def setup(args: CmdArgs, fields: dict[str, Any], addresses: Sequence[Prefix]) -> None:
    """Masquerade what a container's addresses send out of their networks. Raises CniError."""
    network, backend = fields["name"], fields["ipMasqBackend"]
    if backend == "nftables":
        await nft.masq_setup(args.here, addresses, network, args.ifname, args.container_id)
        return
    if backend not in (None, "iptables"):
        raise CniError(f'unknown ipmasq backend "{backend}"')
    chain = chain_name(network, args.container_id)
    note = ["-m", "comment", "--comment", comment(network, args.container_id)]
    for address in addresses:
        tables = Iptables(args.here, address.version, "nat")
        await tables.ensure_chain(chain)
        await tables.append_once(chain, ["-d", str(address.network), "-j", "ACCEPT", *note])
        await tables.append_once(chain, ["!", "-d", MULTICAST[address.version], "-j", "MASQUERADE", *note])
        await tables.append_once("POSTROUTING", ["-s", str(address.ip), "-j", chain, *note])


async def teardown(args: CmdArgs, fields: dict[str, Any], addresses: Sequence[Prefix]) -> None:
    """Undo `setup`."""
    network = fields["name"]
    if fields["ipMasqBackend"] == "nftables":
        await nft.masq_teardown(args.here, network, args.ifname, args.container_id)
        return
    chain = chain_name(network, args.container_id)
    note = ["-m", "comment", "--comment", comment(network, args.container_id)]
    for address in addresses:
        tables = Iptables(args.here, address.version, "nat")
        await tables.delete("POSTROUTING", ["-s", str(address.ip), "-j", chain, *note])
        await tables.remove_chain(chain)


async def gc(args: CmdArgs, fields: dict[str, Any], valid: set[tuple[str, str]]) -> None:
    """Undo `setup` for every container of a network that has no valid attachment any more."""
    network = fields["name"]
    if fields["ipMasqBackend"] == "nftables":
        await nft.masq_gc(args.here, network, valid)
        return
    keep = {chain_name(network, container_id) for container_id, _ in valid}
    start = f'name: "{network}" id: "'
    for version in (4, 6):
        tables = Iptables(args.here, version, "nat")
        stale = []
        for line in await tables.rules("POSTROUTING"):
            words = shlex.split(line)
            target = words[words.index("-j") + 1] if "-j" in words else ""
            if (
                target.startswith("CNI-")
                and target not in keep
                and any(word.startswith(start) for word in words)
            ):
                stale.append((words[2:], target))
        for rule, _ in stale:
            await tables.delete_quietly("POSTROUTING", rule)
        for chain in dict.fromkeys(target for _, target in stale):
            await tables.remove_chain(chain)
