"""What list, reset and get print: as text, or as JSON with -j."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import Style
from kubenet_course.kernel.netfilter.nf_tables.objects import NamedObject
from kubenet_course.kernel.netfilter.nf_tables.rule import ANONYMOUS
from kubenet_course.kernel.netfilter.nf_tables.sets import NftSet
from kubenet_course.kernel.netfilter.tables import Chain, Ruleset, Table
from kubenet_course.userland.commands.nft.commands import Spec
from kubenet_course.userland.commands.nft.listing import Listing


class Show:
    def __init__(self, ruleset: Ruleset, style: Style, json: bool):
        self.tables_of = ruleset
        self.style = style
        self.json = json
        self.text: list[str] = []
        self.objects_json: list[dict[str, Any]] = []
        self.used = False
        #: What is said on standard error beside the listing.
        self.warnings: list[str] = []

    @property
    def output(self) -> str:
        if self.json:
            if not self.used:
                return ""
            from kubenet_course.userland.commands.nft.json_out import document

            return document(self.objects_json, self.style.names)
        return "".join(self.text)

    def _tables(self, family: str | None, name: str = "") -> list[Table]:
        self.used = True
        return [
            table
            for table in self.tables_of.tables.values()
            if family in (None, table.family) and name in ("", table.name)
        ]

    def _list(self, action: Any) -> None:
        self.used = True
        listing = Listing(self.style)
        action(listing)
        self.text.append(listing.text())

    def _warn(self, table: Table) -> None:
        from kubenet_course.userland.commands.nft.xt_rules import is_foreign

        if any(is_foreign(rule) for chain in table.chains.values() for rule in chain.rules):
            self.warnings.append(
                f"# Warning: table {table.family} {table.name} is managed by iptables-nft, do not touch!"
            )

    def _json(self) -> Any:
        from kubenet_course.userland.commands.nft import json_out

        self.used = True
        return json_out.Writer(self.objects_json, self.style, self.warnings)

    # -- what can be asked for ----------------------------------------------------------------
    def ruleset(self, family: str | None) -> None:
        for table in self._tables(family):
            self.table(table)

    def table(self, table: Table) -> None:
        if self.json:
            self._json().table(table)
        else:
            self._warn(table)
            self._list(lambda listing: listing.table(table))

    def tables(self, family: str | None) -> None:
        for table in self._tables(family):
            if self.json:
                self._json().table_head(table)
            else:
                tail = f" # handle {table.handle}" if self.style.handle else ""
                self.text.append(f"table {table.family} {table.name}{tail}\n")

    def chains(self, family: str | None) -> None:
        for table in self._tables(family):
            if self.json:
                for chain in table.chains.values():
                    if not chain.name.startswith(ANONYMOUS):
                        self._json().chain(chain)
                continue
            named = [chain for chain in table.chains.values() if not chain.name.startswith(ANONYMOUS)]
            blocks = [lambda listing, chain=chain: listing.chain(chain, rules=False) for chain in named]
            self._only(table, blocks)

    def chain(self, chain: Chain) -> None:
        if self.json:
            writer = self._json()
            writer.chain(chain)
            for rule in chain.rules:
                writer.rule(rule, chain)
            return
        self._warn(chain.table)
        self._only(chain.table, [lambda listing: listing.chain(chain)])

    def set(self, found: NftSet, elements: list[Any] | None = None) -> None:
        if self.json:
            self._json().set(found, elements)
            return
        self._only(found.table, [lambda listing: listing.set(found, elements)])

    def object(self, table: Table, found: NamedObject) -> None:
        if self.json:
            self._json().object(found, table)
            return
        self._only(table, [lambda listing: listing.object(found)])

    def sets(self, spec: Spec, kind: str) -> None:
        for table in self._tables(spec.family if not spec.table else spec.af, spec.table):
            chosen = [one for one in table.sets.values() if one.is_map == (kind == "map") and one.meter == (kind == "meter")]
            if self.json:
                for one in chosen:
                    self._json().set(one)
                continue
            self._only(table, [lambda listing, one=one: listing.set(one) for one in chosen])

    def objects(self, spec: Spec, kind: str, only_with: bool = False) -> None:
        """`only_with`: no tables that have none of the kind."""
        for table in self._tables(spec.family if not spec.table else spec.af, spec.table):
            chosen = [found for (of_kind, _), found in table.objects.items() if of_kind == kind]
            if not table.objects and kind != "flowtable" or only_with and not chosen:
                continue
            if self.json:
                for found in chosen:
                    self._json().object(found, table)
                continue
            self._only(table, [lambda listing, found=found: listing.object(found) for found in chosen])

    def _only(self, table: Table, blocks: list[Any]) -> None:
        def action(listing: Listing) -> None:
            listing.only(table, [lambda block=block: block(listing) for block in blocks])

        self._list(action)
