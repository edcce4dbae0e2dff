"""The kernel log line of a packet: LOG, TRACE of the old tables (net/netfilter/nf_log_syslog.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.wire.icmp import IcmpHeader
from kubenet_course.wire.ipv4 import IP_DF, IP_MF, IP_OFFSET
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.tables import HookState
    from kubenet_course.kernel.skbuff import SkBuff

FLAG_WORDS = ((128, "CWR"), (64, "ECE"), (32, "URG"), (16, "ACK"), (8, "PSH"), (4, "RST"), (2, "SYN"), (1, "FIN"))


def packet_line(
    skb: SkBuff, state: HookState, *, sequence: bool = False, tcp_options: bool = False, ip_options: bool = False,
    uid: bool = False, macdecode: bool = False,
) -> str:  # fmt: skip
    """``IN=eth0 OUT= MAC=… SRC=… DST=… LEN=… …`` as nf_log_ip_packet() writes it."""
    indev = state.indev.name if state.indev is not None else ""
    outdev = state.outdev.name if state.outdev is not None else ""
    words = [f"IN={indev} OUT={outdev} "]
    if skb.physin is not None and skb.physin.name != indev:
        words.append(f"PHYSIN={skb.physin.name} ")
    if skb.physout is not None and skb.physout.name != outdev:
        words.append(f"PHYSOUT={skb.physout.name} ")
    if state.indev is not None:
        eth = skb.eth
        if eth is not None and not state.indev.is_loopback:
            if macdecode:
                words.append(f"MACSRC={eth.source} MACDST={eth.destination} MACPROTO={eth.ethertype:04x} ")
            else:
                words.append(f"MAC={eth.destination}:{eth.source}:{eth.ethertype >> 8:02x}:{eth.ethertype & 255:02x} ")
        elif state.indev.is_loopback:
            words.append("MAC=" + ":".join(["00"] * 12) + ":" + ("08:00 " if state.family == 4 else "86:dd "))
        else:
            words.append("MAC= ")
    words.append(_network(skb, state, ip_options))
    words.append(_transport(skb, skb.network, skb.transport, skb.payload, state.family, sequence, tcp_options))
    if uid and skb.sk is not None:
        words.append("UID=0 GID=0 ")
    if skb.mark:
        words.append(f"MARK=0x{skb.mark:x} ")
    return "".join(words)


def _network(skb: SkBuff, state: HookState, ip_options: bool) -> str:
    ip = skb.network
    if state.family == 6:
        return (
            f"SRC={_long6(ip.source)} DST={_long6(ip.destination)} LEN={ip.total_length} TC={ip.traffic_class} "
            f"HOPLIMIT={ip.ttl} FLOWLBL={ip.flow_label} "
        )
    text = f"SRC={ip.source} DST={ip.destination} LEN={ip.total_length} TOS=0x{ip.tos & 0x1E:02X} PREC=0x{ip.tos & 0xE0:02X} "
    text += f"TTL={ip.ttl} ID={ip.identification} "
    text += "DF " if ip.flags_offset & IP_DF else ""
    text += "MF " if ip.flags_offset & IP_MF else ""
    text += f"FRAG:{ip.flags_offset & IP_OFFSET} " if ip.flags_offset & IP_OFFSET else ""
    if ip_options and ip.options:
        text += f"OPT ({ip.options.hex().upper()}) "
    return text


def _long6(address: int) -> str:
    digits = f"{int(address):032x}"
    return ":".join(digits[at : at + 4] for at in range(0, 32, 4))


def _transport(
    skb: SkBuff, ip: Any, header: Any, payload: Any, family: int, sequence: bool, tcp_options: bool
) -> str:
    if isinstance(header, TcpHeader):
        text = f"PROTO=TCP SPT={header.source_port} DPT={header.destination_port} "
        if sequence:
            text += f"SEQ={header.sequence} ACK={header.acknowledgement} "
        text += f"WINDOW={header.window} RES=0x00 "
        text += "".join(f"{word} " for bit, word in FLAG_WORDS if header.flags & bit)
        text += "URGP=0 "
        if tcp_options and header.options:
            text += f"OPT ({header.options.hex().upper()}) "
        return text
    if isinstance(header, UdpHeader):
        return f"PROTO=UDP SPT={header.source_port} DPT={header.destination_port} LEN={header.length} "
    if isinstance(header, IcmpHeader):
        text = f"PROTO=ICMP TYPE={header.type} CODE={header.code} "
        if header.type in (0, 8):
            return text + f"ID={header.identifier} SEQ={header.sequence} "
        if header.is_error:
            text += _quoted(bytes(payload), header)
        return text
    if header is not None and ip.protocol == 58:
        text = f"PROTO=ICMPv6 TYPE={header.type} CODE={header.code} "
        if header.type in (128, 129):
            text += f"ID={header.identifier} SEQ={header.sequence} "
        return text
    return f"PROTO={ip.protocol} "


def _quoted(data: bytes, header: IcmpHeader) -> str:
    """The packet an ICMP error is about, in brackets."""
    from kubenet_course.kernel.packets import decode_network

    try:
        ip, transport, rest = decode_network(0x0800, data)
    except ValueError:
        return ""
    text = f"SRC={ip.source} DST={ip.destination} LEN={ip.total_length} TOS=0x{ip.tos & 0x1E:02X} PREC=0x{ip.tos & 0xE0:02X} "
    text += f"TTL={ip.ttl} ID={ip.identification} " + ("DF " if ip.flags_offset & IP_DF else "")
    text += _transport(None, ip, transport, rest, 4, False, False)  # type: ignore[arg-type]
    text = f"[{text}] "
    if header.type == 3 and header.code == 4:
        text += f"MTU={header.rest & 0xFFFF} "
    return text


def log_packet(net: Any, skb: SkBuff, state: HookState, prefix: str, **details: bool) -> None:
    """nf_log_packet(): a line for the kernel log, from the first namespace only, unless
    net.netfilter.nf_log_all_netns says that others may write too."""
    host = net.host
    if net is not host.init_net and not host.init_net.sysctl.get_int("net", "netfilter", "nf_log_all_netns"):
        return
    host.log(prefix + packet_line(skb, state, **details))
