"""iptables, ip6tables, their -save and -restore, and -translate: 1.8.9 on nf_tables, and on the old interface.

The name a program is called by says which family (``ip6…``) and which kernel interface (``-legacy``)
is meant, as with the links of xtables-nft-multi.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.commands.iptables import restore, run, save, translate

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = tuple(
    f"{family}tables{flavour}{tool}"
    for family in ("ip", "ip6")
    for flavour in ("", "-nft", "-legacy")
    for tool in ("", "-save", "-restore")
) + ("iptables-translate", "ip6tables-translate", "iptables-restore-translate", "ip6tables-restore-translate")


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
