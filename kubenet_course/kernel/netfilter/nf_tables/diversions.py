"""Statements that send a packet elsewhere, or take something out of it: fwd, dup, tproxy, synproxy, reset (nft_fwd_netdev.c,
nft_dup_netdev.c, nft_tproxy.c, nft_synproxy.c, nft_exthdr.c).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubenet_course.kernel.netfilter.conntrack_entry import IP_CT_UNTRACKED, UNTRACKED
from kubenet_course.kernel.netfilter.ingress import EGRESS, ETHERNET
from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.readers import reader_function
from kubenet_course.kernel.netfilter.tables import BREAK, CONTINUE, DROP, STOLEN, Table
from kubenet_course.wire.addresses import IPv4Address, IPv6Address
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

Action = Callable[[Any, Any], Any]
#: How often a packet may come back to the same rule (NF_RECURSION_LIMIT).
RECURSION = 2


class _Sender:
    """nf_do_netdev_egress(): out of another device, from there not for ever in circles."""

    def __init__(self) -> None:
        self.depth = 0

    def send(self, skb: Any, state: Any, dev: Any) -> None:
        if state.hook == EGRESS:
            skb.len -= ETHERNET
        if self.depth > RECURSION:
            skb.drop("NETFILTER_DROP", dev.net)
            return
        self.depth += 1
        try:
            dev.queue_xmit(skb)
        finally:
            self.depth -= 1


def duplicate_to_device(statement: st.Dup, table: Table) -> Action:
    """dup to DEVICE, in family netdev."""
    net = table.ruleset.net
    read, sender = reader_function(statement.address, table), _Sender()

    def action(skb: Any, state: Any) -> int:
        dev = net.by_index.get(read(skb, state))
        if dev is not None:
            twin = skb.clone(net.loop)
            twin.dst, twin.nfct, twin.ctinfo = None, UNTRACKED, IP_CT_UNTRACKED
            sender.send(twin, state, dev)
        return CONTINUE

    return action


def forward(statement: st.Fwd, table: Table) -> Action:
    """fwd to DEVICE as the frame is, or to an address there with its neighbour's."""
    net = table.ruleset.net
    device, sender = reader_function(statement.device, table), _Sender()
    address = reader_function(statement.address, table) if statement.address is not None else None
    size, kind, neighbours = (9, IPv4Address, net.arp) if statement.family == "ip" else (8, IPv6Address, net.nd)

    def action(skb: Any, state: Any) -> int:
        dev = net.by_index.get(device(skb, state))
        if address is None:
            if dev is None:
                return DROP
            sender.send(skb, state, dev)
            return STOLEN
        network = skb.network
        if network is None or isinstance(network, ArpHeader) or len(network) != size:
            return BREAK
        if network.ttl <= 1 or dev is None:
            return DROP
        skb.network = network._replace(ttl=network.ttl - 1)
        if state.hook == EGRESS:
            skb.len -= ETHERNET
        neighbours.get(kind(address(skb, state)), dev).output(skb)
        return STOLEN

    return action


def tproxy(statement: st.Tproxy, table: Table) -> Action:
    """To a transparent socket of this host, whatever address the packet is for; without one the rule does not match."""
    from kubenet_course.kernel.netfilter.matches.socket import find_socket
    from kubenet_course.kernel.netfilter.targets.TPROXY import own_address

    net = table.ruleset.net
    read = reader_function(statement.address, table) if statement.address is not None else None
    read_port = reader_function(statement.port, table) if statement.port is not None else None
    wanted = {"ip": 4, "ip6": 6}.get(statement.family)

    def action(skb: Any, state: Any) -> int:
        if wanted not in (None, state.family) or not isinstance(skb.transport, (TcpHeader, UdpHeader)):
            return BREAK
        found = find_socket(net, skb)
        if found is None or not getattr(found, "transparent", False):
            own = skb.network, skb.transport
            address = read(skb, state) if read is not None else own_address(net, state, skb)
            port = read_port(skb, state) if read_port is not None else skb.transport.destination_port
            skb.network = skb.network._replace(destination=(IPv4Address if state.family == 4 else IPv6Address)(address))
            skb.transport = skb.transport._replace(destination_port=port)
            found = find_socket(net, skb)
            skb.network, skb.transport = own
        if found is None or not getattr(found, "transparent", False):
            return BREAK
        skb.sk = found
        return CONTINUE

    return action


def synproxy(statement: st.Synproxy, table: Table) -> Action:
    """Without the proxy's cookies the handshake goes on to the server by itself; other packets do not match."""
    return lambda skb, state: CONTINUE if isinstance(skb.transport, TcpHeader) else BREAK


def reset_option(statement: st.ResetOption, table: Table) -> Action:
    """nft_exthdr_tcp_strip_eval()."""
    from kubenet_course.kernel.netfilter.targets.TCPOPTSTRIP import strip

    kinds = frozenset((statement.kind,))

    def action(skb: Any, state: Any) -> int:
        header = skb.transport
        if not isinstance(header, TcpHeader):
            return BREAK
        skb.transport = header._replace(options=strip(header.options, kinds))
        return CONTINUE

    return action
