"""macspoofchk: frames of a container whose source is not its own MAC address are dropped, by nft.

# containernetworking/plugins pkg/link/spoofcheck.go
"""

from __future__ import annotations

from kubenet_course.cni.errors import CniError
from kubenet_course.userland.surroundings import Surroundings

TABLE = "nat"


async def _nft(here: Surroundings, script: str) -> str:
    done = await here.run(["nft", "-f", "-"], stdin=script)
    return done.stderr if done.returncode else ""


async def setup(here: Surroundings, device: str, mac: str, name: str) -> None:
    """Chains for one interface: from PREROUTING of the bridge family to a check of the source."""
    chain, check = f"cni-br-iface-{name}", f"cni-br-iface-{name}-mac"
    note = f'comment "macspoofchk-{name}"'
    script = f"""add table bridge {TABLE}
add chain bridge {TABLE} PREROUTING {{ type filter hook prerouting priority -300 ; }}
add chain bridge {TABLE} {chain}
add chain bridge {TABLE} {check}
flush chain bridge {TABLE} {chain}
flush chain bridge {TABLE} {check}
add rule bridge {TABLE} PREROUTING iifname "{device}" jump {chain} {note}
add rule bridge {TABLE} {chain} jump {check} {note}
add rule bridge {TABLE} {check} ether saddr {mac} return {note}
add rule bridge {TABLE} {check} drop {note}
"""
    problem = await _nft(here, script)
    if problem:
        raise CniError(f"failed to setup spoof-check: {problem.strip()}")


async def teardown(here: Surroundings, name: str) -> None:
    """Take the chains away; what is not there is passed over."""
    done = await here.run(["nft", "-a", "list", "chain", "bridge", TABLE, "PREROUTING"])
    for line in done.stdout.splitlines():
        if f"macspoofchk-{name}" in line and "# handle " in line:
            handle = line.rpartition("# handle ")[2]
            await _nft(here, f"delete rule bridge {TABLE} PREROUTING handle {handle}\n")
    for chain in (f"cni-br-iface-{name}", f"cni-br-iface-{name}-mac"):
        await _nft(here, f"flush chain bridge {TABLE} {chain}\ndelete chain bridge {TABLE} {chain}\n")
