"""How nft lists the rules that iptables made: in its own words where it has them."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.nf_tables.datatypes import Style
from kubenet_course.kernel.netfilter.nf_tables.rule import NftRule
from kubenet_course.kernel.netfilter.rule import XtRule
from kubenet_course.kernel.netfilter.tables import Rule


def native_text(rule: Rule, style: Style) -> str:
    if isinstance(rule, NftRule):
        return rule.text(style)
    assert isinstance(rule, XtRule)
    return rule.spec()
