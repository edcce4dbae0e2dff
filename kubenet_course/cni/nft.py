"""nftables as plugins of newer releases use it: tables, chains and rules of their own, by `nft`.

Masquerading (bridge, ptp with "ipMasqBackend": "nftables") has one table for all; a rule's comment says
whose it is, and that is how it is found again.

# containernetworking/plugins pkg/ip/ipmasq_nftables_linux.go
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from kubenet_course.cni.errors import CniError
from kubenet_course.cni.result import Prefix
from kubenet_course.userland.surroundings import Surroundings

MASQ_TABLE = "cni_plugins_masquerade"
MASQ_CHAIN = "masq_checks"


async def apply(here: Surroundings, lines: Sequence[str]) -> None:
    """Run lines as one transaction. Raises CniError."""
    done = await here.run(["nft", "-f", "-"], stdin="".join(f"{line}\n" for line in lines))
    if done.returncode:
        raise CniError(f"failed to run nft: {done.stderr.strip()}")


async def delete_rules(
    here: Surroundings, family: str, table: str, chains: Sequence[str], wanted: Callable[[str], bool]
) -> None:
    """Delete the rules whose comment `wanted` accepts; a table that is not there has none."""
    lines = []
    for chain in chains:
        done = await here.run(["nft", "-a", "list", "chain", family, table, chain])
        for line in done.stdout.splitlines():
            rule, mark, handle = line.rpartition(" # handle ")
            _, has_comment, comment = rule.rpartition(' comment "')
            if mark and has_comment and wanted(comment.rstrip('"')):
                lines.append(f"delete rule {family} {table} {chain} handle {handle.strip()}")
    if lines:
        await apply(here, lines)


def _hash(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()[:16]


def masq_comment(network: str, ifname: str, container_id: str) -> str:
    """Two hashes that tell rules apart whatever the names are, then the names, for people."""
    owner = f"{_hash(network)}-{_hash(f'{ifname}:{container_id}')}"
    return f"{owner}, net: {network}, if: {ifname}, id: {container_id}"[:128]


def masq_table() -> list[str]:
    """The table and its chains, as `nft` reads them."""
    return [
        f'add table inet {MASQ_TABLE} {{ comment "Masquerading for plugins from '
        'github.com/containernetworking/plugins" ; }',
        f'add chain inet {MASQ_TABLE} {MASQ_CHAIN} {{ comment "Masquerade traffic from certain IPs to any '
        '(non-multicast) IP outside their subnet" ; }',
        f"add chain inet {MASQ_TABLE} postrouting {{ type nat hook postrouting priority 100 ; }}",
    ]


def masq_rules(addresses: Sequence[Prefix], network: str, ifname: str, container_id: str) -> list[str]:
    """One rule for each address."""
    comment = masq_comment(network, ifname, container_id)
    rules = []
    for address in addresses:
        ip = "ip" if address.version == 4 else "ip6"
        rules.append(
            f"add rule inet {MASQ_TABLE} {MASQ_CHAIN} {ip} saddr == {address.ip} "
            f'{ip} daddr != {address.network} masquerade comment "{comment}"'
        )
    return rules


def masq_postrouting() -> list[str]:
    start = f"add rule inet {MASQ_TABLE} postrouting"
    return [
        f"{start} ip daddr == 224.0.0.0/4  return",
        f"{start} ip6 daddr == ff00::/8  return",
        f"{start} goto {MASQ_CHAIN}",
    ]


async def masq_setup(
    here: Surroundings, addresses: Sequence[Prefix], network: str, ifname: str, container_id: str
) -> None:
    await apply(
        here,
        [
            *masq_table(),
            f"flush chain inet {MASQ_TABLE} postrouting",
            *masq_postrouting(),
            *masq_rules(addresses, network, ifname, container_id),
        ],
    )


async def masq_teardown(here: Surroundings, network: str, ifname: str, container_id: str) -> None:
    owner = masq_comment(network, ifname, container_id).partition(",")[0]
    await delete_rules(
        here, "inet", MASQ_TABLE, [MASQ_CHAIN], lambda comment: comment.startswith(f"{owner},")
    )


async def masq_gc(here: Surroundings, network: str, valid: set[tuple[str, str]]) -> None:
    """Delete a network's rules but those of `valid` (container id, interface)."""
    prefix = f"{_hash(network)}-"
    keep = {masq_comment(network, ifname, name).partition(",")[0] for name, ifname in valid}

    def stale(comment: str) -> bool:
        return comment.startswith(prefix) and comment.partition(",")[0] not in keep

    await delete_rules(here, "inet", MASQ_TABLE, [MASQ_CHAIN], stale)
