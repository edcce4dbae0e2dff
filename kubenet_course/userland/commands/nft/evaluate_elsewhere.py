"""dup, fwd, tproxy, synproxy, queue and flowtables: in which families they are, and what they need."""

from __future__ import annotations

import dataclasses

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.datatypes import INTEGER, TYPES
from kubenet_course.kernel.netfilter.nf_tables.expressions import MapExpr
from kubenet_course.userland.commands.nft.errors import NftError
from kubenet_course.userland.commands.nft.evaluate_nat import ADDRESS, NatEvaluator
from kubenet_course.userland.commands.nft.typed import Integer, RangeExpr

L3 = {"ip": "ip", "ip6": "ip6"}


class ElsewhereEvaluator(NatEvaluator):
    def dup(self, statement: st.Dup) -> st.Dup:
        interface = TYPES["iface_index"]
        if self.family == "netdev":
            if statement.device is not None:
                raise NftError("cannot specify device", statement.loc)
            return dataclasses.replace(statement, address=self.stmt_value(statement.address, interface, 32, statement))
        if self.family not in ADDRESS:
            raise NftError("unsupported family", statement.loc)
        kind = TYPES[ADDRESS[self.family]]
        address = self.stmt_value(statement.address, kind, kind.bits, statement)
        device = self.stmt_value(statement.device, interface, 32, statement) if statement.device is not None else None
        return dataclasses.replace(statement, address=address, device=device)

    def fwd(self, statement: st.Fwd) -> st.Fwd:
        if self.family != "netdev":
            raise NftError("unsupported family", statement.loc)
        device = self.stmt_value(statement.device, TYPES["iface_index"], 32, statement)
        address = None
        if statement.address is not None:
            kind = TYPES[ADDRESS[statement.family]]
            address = self.stmt_value(statement.address, kind, kind.bits, statement)
        return dataclasses.replace(statement, device=device, address=address)

    def tproxy(self, statement: st.Tproxy) -> st.Tproxy:
        """stmt_evaluate_tproxy()."""
        if self.family not in ("ip", "ip6", "inet"):
            raise NftError("tproxy is only supported for IPv4/IPv6/INET", statement.loc)
        context, family = self.context, statement.family
        if self.family in ADDRESS:
            family = family or self.family
        if context.l4 is None and not context.l4_any:
            raise NftError("Transparent proxy support requires transport protocol match", statement.loc)
        if context.l3 is not None and family != context.l3:
            raise NftError(
                f"conflicting protocols specified: {context.l3} vs. {family or 'unknown'}. "
                "You must specify ip or ip6 family in tproxy statement", statement.loc,
                context.l3_loc if self.family == "inet" else None,
            )  # fmt: skip
        address = self.constants.resolve(statement.address)
        if address is not None:
            if isinstance(address, RangeExpr):
                raise NftError("Address ranges are not supported for tproxy.", statement.loc)
            if not family:
                raise NftError("ip or ip6 must be specified with address for inet tables.", statement.loc)
            kind = TYPES[ADDRESS[family]]
            address = self.stmt_value(address, kind, kind.bits, statement)
        port = self.constants.resolve(statement.port)
        if port is not None:
            if isinstance(port, RangeExpr):
                raise NftError("Port ranges are not supported for tproxy.", statement.loc)
            port = self.stmt_value(port, TYPES["inet_service"], 16, statement)
        shown = statement.family if self.family == "inet" else ""
        return dataclasses.replace(statement, family=shown, address=address, port=port)

    def synproxy(self, statement: st.Synproxy) -> st.Synproxy:
        if self.family not in ("ip", "ip6", "inet"):
            self.refuse("Operation not supported", statement.loc)
        return statement

    def queue(self, statement: st.Queue) -> st.Queue:
        """The kernel has no queue expression (CONFIG_NFT_QUEUE is off)."""
        number = self.constants.resolve(statement.number)
        if isinstance(number, MapExpr):
            self.map_expr(number, INTEGER, 16)
        elif isinstance(number, (Integer, RangeExpr)):
            self.constants.constant(number, INTEGER, 16)
        elif number is not None:
            self.lhs(number)
        if "fanout" in statement.flags and number is not None and not isinstance(number, RangeExpr):
            raise NftError("fanout requires a range to be specified", statement.loc)
        self.refuse("No such file or directory", statement.loc)
        return statement

    def flow_offload(self, statement: st.FlowOffload) -> st.FlowOffload:
        """The kernel has no flow_offload expression (CONFIG_NF_FLOW_TABLE is off)."""
        self.refuse("No such file or directory", statement.loc)
        return statement

    def reset_option(self, statement: st.ResetOption) -> st.ResetOption:
        return statement
