"""iptables, ip6tables, their -save and -restore, and -translate: 1.8.9 on nf_tables, and on the old interface.

The name a program is called by says which family (``ip6…``) and which kernel interface (``-legacy``)
is meant, as with the links of xtables-nft-multi.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.commands.iptables import restore, run, save, translate

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = (
    "iptables", "iptables-save", "iptables-restore", "iptables-nft", "iptables-nft-save", "iptables-nft-restore",
    "iptables-legacy", "iptables-legacy-save", "iptables-legacy-restore", "ip6tables", "ip6tables-save", "ip6tables-restore",
    "ip6tables-nft", "ip6tables-nft-save", "ip6tables-nft-restore", "ip6tables-legacy", "ip6tables-legacy-save",
    "ip6tables-legacy-restore", "iptables-translate", "ip6tables-translate", "iptables-restore-translate",
    "ip6tables-restore-translate",
)  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    name = argv[0].rpartition("/")[2]
    family = 6 if name.startswith("ip6") else 4
    legacy = "-legacy" in name
    if name.endswith("-restore-translate"):
        return await translate.restore_main(proc, argv, family)
    if name.endswith("-translate"):
        return await translate.main(proc, argv, family)
    if name.endswith("-save"):
        return save.main(proc, argv, family, legacy)
    if name.endswith("-restore"):
        return await restore.main(proc, argv, family, legacy)
    return await run.main(proc, argv, family, legacy)
