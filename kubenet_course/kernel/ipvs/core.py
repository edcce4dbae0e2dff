"""What IPVS does to packets: find or schedule a connection, follow its state, forward (ip_vs_core.c,
ip_vs_proto_tcp.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.ipvs import xmit
from kubenet_course.kernel.ipvs.state import (
    DROUTE,
    MASQ,
    TCP,
    TUNNEL,
    UDP,
    Connection,
    Destination,
    Ipvs,
    Service,
    masked,
)
from kubenet_course.kernel.netfilter.hooks import (
    NF_INET_FORWARD,
    NF_INET_LOCAL_IN,
    NF_INET_LOCAL_OUT,
    PRI_NAT_DST,
    PRI_NAT_SRC,
)
from kubenet_course.kernel.skbuff import PACKET_HOST
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire import tcp as wire_tcp

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

NO, ES, SS, SR, FW, TW, CL, CW, LA, LI, SA = (
    "NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
    "LAST_ACK", "LISTEN",
    "SYNACK",
)  # fmt: skip
STATES = (NO, ES, SS, SR, FW, TW, CL, CW, LA, LI, SA)
#: tcp_states[]: by direction (client's packets, server's, client's only), then by flag, the next state of
# each state.
NEXT = {
    "input": {
        "syn": (SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR),
        "fin": (CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW),
        "ack": (ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES),
        "rst": (CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR),
    },
    "output": {
        "syn": (SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR),
        "fin": (TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW),
        "ack": (ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES),
        "rst": (CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL),
    },
    "input_only": {
        "syn": (SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR),
        "fin": (CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW),
        "ack": (ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES),
        "rst": (CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL),
    },
}
#: tcp_state_active_table[]: the states that count as active.
ACTIVE = frozenset({ES, SS, SR, SA})
#: tcp_timeouts[] in seconds.
TIMEOUTS = {NO: 2, ES: 900, SS: 120, SR: 60, FW: 120, TW: 120, CL: 10, CW: 60, LA: 30, LI: 120, SA: 120}


def register_hooks(net: NetNamespace) -> None:
    """ip_vs_register_hooks()."""
    for family in (4, 6):
        register = net.netfilter.register
        register(family, NF_INET_LOCAL_IN, PRI_NAT_SRC - 2, ip_vs_out)
        register(family, NF_INET_LOCAL_IN, PRI_NAT_SRC - 1, ip_vs_in)
        register(family, NF_INET_LOCAL_OUT, PRI_NAT_DST + 1, ip_vs_out)
        register(family, NF_INET_LOCAL_OUT, PRI_NAT_DST + 2, ip_vs_in)
        register(family, NF_INET_FORWARD, PRI_NAT_SRC, ip_vs_out)


def ip_vs_in(
    net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None
) -> bool:
    """A packet for a virtual address: forward it to its real server."""
    if skb.cb is not None and "ipvs" in skb.cb:
        return True
    if skb.pkt_type != PACKET_HOST and hook != NF_INET_LOCAL_OUT:
        return True
    ip = skb.network
    protocol = ip.protocol
    transport = skb.transport
    if protocol not in (TCP, UDP) or transport is None:
        return True
    room: Ipvs = net.rooms["ipvs"]
    key = (protocol, ip.source, transport.source_port, ip.destination, transport.destination_port)
    conn = room.live(room.by_client.get(key))
    fresh = protocol == TCP and transport.flags & (wire_tcp.SYN | wire_tcp.ACK | wire_tcp.RST) == wire_tcp.SYN
    if conn is not None and fresh and conn.state == TW and room.conf("conn_reuse_mode"):
        # A new connection with an old one's ports is scheduled anew.
        room.remove_connection(conn)
        conn = None
    if conn is None:
        made = _schedule(net, room, hook, skb, fresh)
        if isinstance(made, bool):
            return made
        conn = made
    destination = conn.destination
    if destination is not None and not destination.available:
        if room.conf("expire_nodest_conn"):
            room.remove_connection(conn)
        skb.drop("NETFILTER_DROP", net)
        return False
    _count(conn, room, skb, True)
    set_state(room, conn, skb, "input")
    send = {MASQ: xmit.nat_xmit, DROUTE: xmit.dr_xmit, TUNNEL: xmit.tunnel_xmit}.get(
        conn.forward, xmit.local_xmit
    )
    outcome = send(net, room, conn, skb, hook)
    if conn.one_packet:
        room.remove_connection(conn)
    else:
        room.touch(conn)
    return outcome


def _service(room: Ipvs, skb: SkBuff) -> Service | None:
    """ip_vs_service_find(): by mark, by address and port, or by address alone (port 0)."""
    ip = skb.network
    family = ip.destination.family
    if skb.mark:
        found = room.services.get((family, "fwm", skb.mark))
        if found is not None:
            return found
    port = skb.transport.destination_port
    found = room.services.get((family, ip.protocol, ip.destination, port))
    return found or room.services.get((family, ip.protocol, ip.destination, 0))


def _schedule(net: NetNamespace, room: Ipvs, hook: int, skb: SkBuff, fresh: bool) -> Connection | bool:
    """tcp_conn_schedule() and udp_conn_schedule(): a new connection; True: not ours; False: refused."""
    service = _service(room, skb)
    if service is None:
        return True
    ip, transport = skb.network, skb.transport
    if ip.protocol == TCP and not fresh and not room.conf("sloppy_tcp"):
        return True
    if service.persistent:
        conn = _persistent(net, room, service, skb)
    else:
        if not service.fwmark and service.port and transport.destination_port != service.port:
            return True
        destination = service.scheduler.schedule(service, skb)
        conn = _connect(room, service, destination, skb) if destination is not None else None
    if conn is None:
        _leave(net, skb, hook)
        return False
    service.stats.count(conns=1)
    if conn.destination is not None:
        conn.destination.stats.count(conns=1)
    return conn


def _leave(net: NetNamespace, skb: SkBuff, hook: int) -> None:
    """ip_vs_leave(): no server: "port unreachable"."""
    if skb.network.destination.family == 4:
        from kubenet_course.kernel.inet.icmp import icmp_send
        from kubenet_course.wire import icmp as wire_icmp

        icmp_send(net, skb, wire_icmp.ICMP_DEST_UNREACH, wire_icmp.ICMP_PORT_UNREACH)
    else:
        from kubenet_course.kernel.inet6.icmp import icmpv6_send
        from kubenet_course.wire import icmpv6 as wire_icmpv6

        icmpv6_send(net, skb, wire_icmpv6.ICMPV6_DEST_UNREACH, wire_icmpv6.ICMPV6_PORT_UNREACH)
    skb.drop("NETFILTER_DROP", net)


def _connect(room: Ipvs, service: Service, destination: Destination, skb: SkBuff) -> Connection:
    """ip_vs_conn_new()."""
    ip, transport = skb.network, skb.transport
    port = destination.port or transport.destination_port
    if service.fwmark and not destination.port or destination.forward != MASQ:
        port = transport.destination_port
    conn = Connection(
        ip.destination.family, ip.protocol, ip.source, transport.source_port, ip.destination,
        transport.destination_port, destination.address, port,
    )  # fmt: skip
    conn.destination = destination
    conn.forward = destination.forward
    conn.no_output = destination.forward != MASQ
    conn.tracked = bool(room.conf("conntrack"))
    conn.one_packet = service.one_packet and ip.protocol == UDP
    if conn.one_packet:
        conn.inactive = True
    room.add_connection(conn)
    return conn


def _persistent(net: NetNamespace, room: Ipvs, service: Service, skb: SkBuff) -> Connection | None:
    """ip_vs_sched_persist(): the client's template says which server, or a new one is made."""
    ip, transport = skb.network, skb.transport
    client = masked(ip.source, service.netmask)
    vport = 0 if service.fwmark or not service.port else transport.destination_port
    address: Any = type(ip.destination)(service.fwmark) if service.fwmark else ip.destination
    protocol = ip.protocol if not service.fwmark else 0
    template = room.live(room.templates.get((protocol, client, 0, address, vport)))
    if template is not None and (
        template.destination is None
        or not template.destination.available
        or (template.destination.weight == 0 and room.conf("expire_quiescent_template"))
    ):
        room.remove_connection(template)
        template = None
    if template is None:
        destination = service.scheduler.schedule(service, skb)
        if destination is None:
            return None
        template = Connection(
            ip.destination.family,
            protocol,
            client,
            0,
            address,
            vport,
            destination.address,
            destination.port if vport else 0,
        )
        template.template = True
        template.destination = destination
        template.state = "NONE"
        template.timeout = service.timeout * SECOND
        room.add_connection(template)
    assert template.destination is not None
    conn = _connect(room, service, template.destination, skb)
    conn.control = template
    template.controlled += 1
    template.timeout = service.timeout * SECOND
    room.touch(template)
    return conn


def _count(conn: Connection, room: Ipvs, skb: SkBuff, incoming: bool) -> None:
    """ip_vs_in_stats() and ip_vs_out_stats(): bytes count the IP packet."""
    destination = conn.destination
    if destination is None or not destination.available:
        return
    amount = {"inp": 1, "inb": skb.len} if incoming else {"outp": 1, "outb": skb.len}
    destination.stats.count(**amount)
    for service in room.services.values():
        if destination in service.destinations:
            service.stats.count(**amount)
            break


def set_state(room: Ipvs, conn: Connection, skb: SkBuff, direction: str) -> None:
    """set_tcp_state() and udp_state_transition(), with the destination's counts."""
    if conn.protocol == UDP:
        conn.state = "UDP"
        conn.timeout = room.timeouts["udp"] * SECOND
        if conn.destination is not None and not conn.inactive:
            _inactivate(conn, conn.destination)
        return
    if conn.no_output:
        if direction == "output":
            conn.no_output = False
        else:
            direction = "input_only"
    flags = skb.transport.flags
    flag = next(
        (
            name
            for bit, name in (
                (wire_tcp.RST, "rst"),
                (wire_tcp.SYN, "syn"),
                (wire_tcp.FIN, "fin"),
                (wire_tcp.ACK, "ack"),
            )
            if flags & bit
        ),
        None,
    )
    state = NEXT[direction][flag][STATES.index(conn.state)] if flag is not None else CL
    destination = conn.destination
    if state != conn.state and destination is not None:
        if not conn.inactive and state not in ACTIVE:
            _inactivate(conn, destination)
        elif conn.inactive and state in ACTIVE:
            destination.active += 1
            destination.inactive -= 1
            conn.inactive = False
    if state == ES and conn.control is not None:
        conn.control.state = "ASSURED"
    conn.state = state
    seconds = {ES: room.timeouts["tcp"], FW: room.timeouts["tcpfin"]}.get(state, TIMEOUTS[state])
    conn.timeout = seconds * SECOND


def _inactivate(conn: Connection, destination: Destination) -> None:
    destination.active -= 1
    destination.inactive += 1
    conn.inactive = True


def ip_vs_out(
    net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None
) -> bool:
    """An answer of a real server that is masqueraded: give it the virtual address as its source."""
    if skb.cb is not None and "ipvs" in skb.cb:
        return True
    ip, transport = skb.network, skb.transport
    if ip.protocol not in (TCP, UDP) or transport is None:
        return True
    room: Ipvs = net.rooms["ipvs"]
    if not room.by_real:
        return True
    key = (ip.protocol, ip.source, transport.source_port, ip.destination, transport.destination_port)
    conn = room.live(room.by_real.get(key))
    if conn is None:
        return True
    from kubenet_course.kernel.netfilter.nat import rewrite

    before = (skb.network, skb.transport)
    rewrite(skb, True, conn.virtual, conn.vport)
    if skb.trace is not None:
        skb.trace.nat(skb, before, (skb.network, skb.transport))
    _count(conn, room, skb, False)
    set_state(room, conn, skb, "output")
    skb.cb = {**(skb.cb or {}), "ipvs": conn}
    xmit.track(net, conn, skb, False)
    room.touch(conn)
    return True
