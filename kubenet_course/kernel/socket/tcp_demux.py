"""From a segment to its socket (net/ipv4/tcp_ipv4.c: tcp_v4_rcv(), tcp_v4_err(); tcp_ipv6.c).

connection (4-tuple) → listener (port, address, device) → RST
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.devices.vrf import bound_fits
from kubenet_course.kernel.socket import tcp_output as out
from kubenet_course.kernel.socket.base import SocketError
from kubenet_course.kernel.socket.tcp_input import NO_OPTIONS, tcp_rcv
from kubenet_course.kernel.socket.tcp_minisocks import TcpRequest, TcpTimeWait
from kubenet_course.kernel.socket.tcp_state import MASK, Segment, unwrap
from kubenet_course.kernel.socket.tcp_xmit import send_reset
from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.wire import icmp as wire_icmp
from kubenet_course.wire import icmpv6 as wire_icmpv6
from kubenet_course.wire.tcp import ACK, FIN, RST, SYN, TcpHeader
from kubenet_course.wire.tcp_options import TcpOptions

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff
    from kubenet_course.kernel.socket.tcp import TcpSocket


def tcp_v4_rcv(net: NetNamespace, skb: SkBuff) -> None:
    """Also tcp_v6_rcv(): a TCP segment for this host."""
    tcp = skb.transport
    ip = skb.network
    if not isinstance(tcp, TcpHeader):
        skb.drop("PKT_TOO_SMALL", net)
        return
    net.count("TcpInSegs")
    if ip.destination.is_multicast or skb.pkt_type:
        skb.drop("NOT_SPECIFIED", net)
        return
    if not isinstance(skb.payload, bytes):
        skb.payload = skb.payload.frame_bytes() if hasattr(skb.payload, "frame_bytes") else bytes(skb.payload)
    version = ip.destination.family
    key = (ip.source, tcp.source_port, ip.destination, tcp.destination_port, version)
    sk = net.sockets.tcp_established.get(key)
    if isinstance(sk, TcpRequest):
        _request_rcv(net, sk, skb)
        return
    if isinstance(sk, TcpTimeWait):
        if sk.receive(skb):
            return
        listener = listener_lookup(
            net, ip.source, tcp.source_port, ip.destination, tcp.destination_port, skb
        )
        if listener is not None:
            sk.drop()
            listen_rcv(listener, skb)
            return
        sk._ack(skb)
        skb.drop("TCP_INVALID_SYN", net)
        return
    if sk is not None and bound_fits(net, sk.device, skb, "tcp_l3mdev_accept"):
        tcp_rcv(sk, skb)
        return
    listener = listener_lookup(
        net, ip.source, tcp.source_port, ip.destination, tcp.destination_port, skb
    )
    if listener is not None:
        listen_rcv(listener, skb)
        return
    send_reset(net, skb)
    skb.drop("NO_SOCKET", net)


tcp_v6_rcv = tcp_v4_rcv


# -- listeners ----------------------------------------------------------------------------------
def listener_lookup(
    net: NetNamespace, source: Any, source_port: int, destination: Any, port: int, skb: SkBuff | None
) -> TcpSocket | None:
    """__inet_lookup_listener(): the closest fit; among equals with SO_REUSEPORT by a hash of the flow."""
    best: list[TcpSocket] = []
    best_score = 0
    for sock in net.sockets.tcp_listen.get(port, ()):
        score = _score(sock, destination, skb)
        if score > best_score:
            best, best_score = [sock], score
        elif score and score == best_score and sock.reuse_port and best[0].reuse_port:
            best.append(sock)
    if not best:
        return None
    if len(best) == 1:
        return best[0]
    mixed = (int(source) * 0x9E3779B1 ^ int(destination) * 0x85EBCA6B ^ source_port * 0xC2B2AE35) & MASK
    mixed = (mixed ^ mixed >> 15) * 0x2C1B3C6D & MASK
    return best[mixed * len(best) >> 32]


def _score(sock: TcpSocket, destination: Any, skb: SkBuff | None) -> int:
    """compute_score() of net/ipv4/inet_hashtables.c; 0 where it does not fit."""
    if sock.local is not None:
        if sock.local.family != destination.family or sock.local != destination:
            return 0
    elif sock.family != destination.family and (sock.family == 4 or sock.v6only):
        return 0
    if not bound_fits(sock.net, sock.device, skb, "tcp_l3mdev_accept"):
        return 0
    score = 2 if sock.family == destination.family else 1
    return score + (4 if sock.local is not None else 0) + (8 if sock.device is not None else 0)


def listen_rcv(listener: TcpSocket, skb: SkBuff) -> None:
    """tcp_rcv_state_process() in LISTEN and tcp_conn_request()."""
    net = listener.net
    tcp = skb.transport
    if tcp.flags & RST:
        skb.drop("TCP_RESET", net)
        return
    if tcp.flags & ACK:
        send_reset(net, skb)
        skb.drop("TCP_FLAGS", net)
        return
    if not tcp.flags & SYN or tcp.flags & FIN:
        skb.drop("TCP_FLAGS", net)
        return
    full = len(listener.accept_queue) > listener.backlog
    if full or len(listener.requests) >= max(listener.backlog, 1) * 2:
        net.count("TcpExtListenOverflows")
        net.count("TcpExtListenDrops")
        skb.drop("SOCKET_BACKLOG", net)
        return
    options = TcpOptions.decode(tcp.options) if tcp.options else NO_OPTIONS
    request = TcpRequest(listener, skb, options)
    net.sockets.tcp_established[request.key] = request
    listener.requests.add(request)
    request.send_synack(skb)
    if request.unroutable:
        request.drop()
        skb.drop("IP_OUTNOROUTES", net)
        return
    skb.consume(listener)


def _request_rcv(net: NetNamespace, request: TcpRequest, skb: SkBuff) -> None:
    """tcp_check_req(): the handshake's third segment, or something else."""
    tcp = skb.transport
    options = TcpOptions.decode(tcp.options) if tcp.options else NO_OPTIONS
    expected = (request.peer_seq + 1) & MASK
    ours = (request.iss + 1) & MASK
    if tcp.flags & SYN and not tcp.flags & (RST | ACK) and tcp.sequence == request.peer_seq:
        now = net.loop.now  # the client's SYN again: the SYN-ACK again, twice a second at most
        if now - request.started >= net.sysctl.get_int("net", "ipv4", "tcp_invalid_ratelimit") * MILLISECOND:
            request.started = now
            request.send_synack(skb)
        skb.consume(request.listener)
        return
    if tcp.flags & ACK and tcp.acknowledgement != ours:
        send_reset(net, skb)
        skb.drop("TCP_INVALID_ACK_SEQUENCE", net)
        return
    seq = unwrap(tcp.sequence, expected)
    if not expected <= seq <= expected + max(request.window, 1):
        if not tcp.flags & RST:
            request.send_synack(skb)
        skb.drop("TCP_INVALID_SEQUENCE", net)
        return
    if tcp.flags & (RST | SYN):
        net.count("TcpAttemptFails")
        request.drop()
        skb.drop("TCP_RESET" if tcp.flags & RST else "TCP_INVALID_SYN", net)
        return
    if not tcp.flags & ACK:
        skb.drop("TCP_FLAGS", net)
        return
    listener = request.listener
    if len(listener.accept_queue) > listener.backlog:
        net.count("TcpExtListenOverflows")
        if net.sysctl.get_int("net", "ipv4", "tcp_abort_on_overflow"):
            request.drop()
            send_reset(net, skb)
        else:
            request.acked = True
        skb.drop("SOCKET_BACKLOG", net)
        return
    child = _create_child(request, options)
    tcp_rcv(child, skb)
    listener.accept_queue.append(child)
    listener.ready.notify()


def _create_child(request: TcpRequest, options: TcpOptions) -> TcpSocket:
    """tcp_v4_syn_recv_sock(): a whole socket for the accepted connection."""
    from kubenet_course.kernel.socket.tcp import TcpSocket
    from kubenet_course.kernel.socket.tcp_ack import rtt_sample
    from kubenet_course.kernel.socket.tcp_input import finish_connect, set_peer_mss

    listener, net = request.listener, request.net
    request.drop()
    child = TcpSocket(net, listener.family)
    listener.inherit(child)
    child.version = request.version
    child.local, child.local_port = request.local, request.local_port
    child.remote, child.remote_port = request.remote, request.remote_port
    child.device = request.device
    offers = request.options
    child.peer_options = offers
    child.ts_offset = request.ts_offset
    child.timestamps = request._timestamps
    get = net.sysctl.get_int
    child.window_scaling = offers.window_scale is not None and bool(get("net", "ipv4", "tcp_window_scaling"))
    child.sack_ok = offers.sack_permitted and bool(get("net", "ipv4", "tcp_sack"))
    child.begin(request.iss)
    snd, rcv = child.snd, child.rcv
    snd.una = snd.nxt = snd.write_seq = snd.pushed = snd.small_end = request.iss + 1
    snd.scale = (offers.window_scale or 0) if child.window_scaling else 0
    rcv.nxt = rcv.wup = rcv.copied = request.peer_seq + 1
    rcv.window, rcv.scale = request.window, request.scale
    rcv.clamp = 65535 << 14 if child.window_scaling else 65535
    rcv.advmss = request.advmss
    rcv.ts_recent = request.ts_recent
    set_peer_mss(child, offers)
    snd.window = snd.max_window = request.peer_window
    snd.window_seq = request.peer_seq
    child.user_bound = True
    net.sockets.hold_port(child)
    child.hash()
    finish_connect(child)
    if not request.retransmits:
        rtt_sample(child, net.loop.now - request.sent)
    net.count("TcpPassiveOpens")
    return child


def new_syn_segment(sk: TcpSocket) -> Segment:
    """The first entry of an active open's retransmit queue."""
    return Segment(sk.snd.una, b"", SYN)


# -- ICMP errors --------------------------------------------------------------------------------
def tcp_err(net: NetNamespace, family: int, error: SocketError, hard: bool) -> None:
    """tcp_v4_err(), tcp_v6_err(): an ICMP error about a segment of ours.

    While connecting it ends the attempt; later it is only remembered, for the case that the
    connection times out. "Fragmentation needed" makes the segments smaller.
    """
    inner, header = error.network, error.transport
    if not isinstance(header, TcpHeader):
        return
    key = (inner.destination, header.destination_port, inner.source, header.source_port, family)
    sk = net.sockets.tcp_established.get(key)
    if sk is None:
        net.count("IcmpInErrors" if family == 4 else "Icmp6InErrors")
        return
    if isinstance(sk, TcpTimeWait):
        return
    if isinstance(sk, TcpRequest):
        unreachable = error.code in (0, 1) if family == 4 else error.code in (0, 3)
        kind = wire_icmp.ICMP_DEST_UNREACH if family == 4 else wire_icmpv6.ICMPV6_DEST_UNREACH
        if header.sequence == sk.iss & MASK and error.type == kind and unreachable:
            sk.drop()
        return
    snd = sk.snd
    seq = unwrap(header.sequence, snd.una)
    if not snd.una <= seq <= snd.nxt:
        net.count("TcpExtOutOfWindowIcmps")
        return
    too_big = error.errno == errno.EMSGSIZE
    if error.type == (wire_icmp.ICMP_REDIRECT if family == 4 else wire_icmpv6.NDISC_REDIRECT):
        return
    if too_big:
        mtu_reduced(sk)
        return
    if sk.state in ("SYN_SENT", "SYN_RECV"):
        sk.fail(error.errno)
        return
    if sk.recv_errors:
        sk.report(error, hard)
    else:
        sk.soft_error = error.errno


def mtu_reduced(sk: TcpSocket) -> None:
    """tcp_v4_mtu_reduced(), tcp_simple_retransmit(): send again what is now too long."""
    from kubenet_course.kernel.socket.tcp_ack import retransmit_lost

    before = sk.snd.mss
    mss = out.current_mss(sk)
    if mss >= before:
        return
    snd = sk.snd
    for seg in snd.rtx:
        if len(seg.data) > mss and not seg.sacked and not seg.lost:
            seg.lost = True
            seg.in_retransmission = False
            snd.lost += 1
    if snd.lost:
        if not snd.recovery:
            snd.recovery = "loss"
            snd.high = snd.nxt
        retransmit_lost(sk)


__all__ = ["listener_lookup", "new_syn_segment", "tcp_err", "tcp_v4_rcv", "tcp_v6_rcv"]
