"""portmap by nftables ("backend": "nftables"): one table for all containers in each family.

# containernetworking/plugins plugins/meta/portmap/portmap_nftables.go
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import nft
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import parse_ip
from kubenet_course.cni.result import Prefix
from kubenet_course.userland.surroundings import Surroundings

TABLE = "cni_hostport"
PORTS, MASQ = "hostports", "masquerading"


def _family(version: int) -> str:
    return "ip" if version == 4 else "ip6"


def table(fields: dict[str, Any], version: int) -> list[str]:
    """The table and its chains."""
    family = _family(version)
    lines = [f'add table {family} {TABLE} {{ comment "CNI portmap plugin" ; }}']
    lines += [f"add chain {family} {TABLE} {name}" for name in ("hostip_hostports", PORTS, "hostports_all")]
    hooks = [(MASQ, "postrouting", 100)] if fields["snat"] else []
    hooks += [("output", "output", -100), ("prerouting", "prerouting", -100)]
    for name, hook, priority in hooks:
        lines.append(f"add chain {family} {TABLE} {name} {{ type nat hook {hook} priority {priority} ; }}")
    return lines


def rules(fields: dict[str, Any], container_id: str, address: Prefix) -> list[str]:
    """The container's own rules: ports first, then what needs masquerading."""
    family = _family(address.version)
    target = f"{address.ip}" if address.version == 4 else f"[{address.ip}]"
    note = f'comment "{container_id[:128]}"'
    lines = []
    for item in fields["mappings"]:
        where = ""
        if item["hostIP"]:
            host = parse_ip(item["hostIP"])
            if host is None or host.version != address.version:
                continue
            where = "" if host.is_unspecified else f"{family} daddr {item['hostIP']} "
        lines.append(
            f"add rule {family} {TABLE} {PORTS} {where}{item['protocol']} dport {item['hostPort']} "
            f"dnat to {target}:{item['containerPort']} {note}"
        )
    if fields["snat"]:
        start = f"add rule {family} {TABLE} {MASQ} {family} saddr"
        lines.append(f"{start} {address.ip} {family} daddr {address.ip} masquerade {note}")
        if address.version == 4:
            lines.append(f"{start} 127.0.0.1 ip daddr {address.ip} masquerade {note}")
    return lines


def jumps(fields: dict[str, Any], version: int) -> list[str]:
    """The rules that lead there, which are everybody's."""
    family = _family(version)
    conditions = " ".join(fields[f"conditionsV{version}"] or [])
    entry = f"{conditions} fib daddr type local jump hostports_all".strip()
    start = f"add rule {family} {TABLE}"
    return [
        f"{start} hostports_all jump hostip_hostports",
        f"{start} hostports_all jump {PORTS}",
        f"{start} output {entry}",
        f"{start} prerouting {entry}",
    ]


async def forward(here: Surroundings, fields: dict[str, Any], container_id: str, address: Prefix) -> None:
    """Make table and rules; what is everybody's is written anew."""
    family = _family(address.version)
    flush = [f"flush chain {family} {TABLE} {name}" for name in ("hostports_all", "output", "prerouting")]
    await nft.apply(
        here,
        [
            *table(fields, address.version),
            *flush,
            *jumps(fields, address.version),
            *rules(fields, container_id, address),
        ],
    )


async def unforward(here: Surroundings, container_id: str) -> None:
    for family in ("ip", "ip6"):
        chains = ["hostip_hostports", PORTS, MASQ]
        await nft.delete_rules(here, family, TABLE, chains, lambda comment: comment == container_id[:128])


async def check(here: Surroundings, fields: dict[str, Any], container_id: str, address: Prefix) -> None:
    """Raise CniError where rules of the container are missing."""
    done = await here.run(["nft", "list", "chain", _family(address.version), TABLE, PORTS])
    wanted = sum(f" {PORTS} " in line for line in rules(fields, container_id, address))
    found = sum(f'comment "{container_id[:128]}"' in line for line in done.stdout.splitlines())
    if found < wanted:
        raise CniError(f"expected {wanted} rules of {container_id} in chain {PORTS}, found {found}")
