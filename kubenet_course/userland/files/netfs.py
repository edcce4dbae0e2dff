"""/proc/PID/net: what a network namespace shows as files (the seq_file layouts of net/ipv4, net/ipv6).

Numbers of packets the kernel did not count are 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.userland.files import mibfs
from kubenet_course.userland.files.fib_trie import fib_trie
from kubenet_course.userland.files.nodes import Directory, VirtualDirectory, VirtualFile
from kubenet_course.wire.addresses import IPv4Address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

TCP_STATES = {
    "ESTABLISHED": 1, "SYN_SENT": 2, "SYN_RECV": 3, "FIN_WAIT1": 4, "FIN_WAIT2": 5, "TIME_WAIT": 6,
    "CLOSE": 7,
    "CLOSE_WAIT": 8, "LAST_ACK": 9, "LISTEN": 10, "CLOSING": 11,
}  # fmt: skip


def proc_net(whose: Process) -> Directory:
    """/proc/PID/net."""

    def node(make: Callable[[Any], str]) -> VirtualFile:
        return VirtualFile(lambda proc: make(whose.net).encode())

    makers: dict[str, Callable[[Any], str]] = {
        "arp": arp,
        "dev": dev,
        "icmp": lambda net: _SOCKET_HEAD_UDP,
        "fib_trie": fib_trie,
        "if_inet6": if_inet6,
        "igmp": igmp,
        "ipv6_route": ipv6_route,
        "netstat": mibfs.netstat,
        "packet": packet,
        "raw": lambda net: sockets(net, 4, "raw"),
        "raw6": lambda net: sockets(net, 6, "raw"),
        "route": route,
        "snmp": mibfs.snmp,
        "snmp6": mibfs.snmp6,
        "sockstat": sockstat,
        "tcp": lambda net: sockets(net, 4, "tcp"),
        "tcp6": lambda net: sockets(net, 6, "tcp"),
        "udp": lambda net: sockets(net, 4, "udp"),
        "udp6": lambda net: sockets(net, 6, "udp"),
        **({"ip_vs": ip_vs} if "ipvs" in whose.net.rooms else {}),
        "unix": lambda net: "Num       RefCount Protocol Flags    Type St Inode Path\n",
    }
    return VirtualDirectory(
        lambda proc: makers, lambda name, proc: node(makers[name]) if name in makers else None
    )


def hex4(address: int | None) -> str:
    """An IPv4 address as it lies in memory on a little-endian machine."""
    return f"{int.from_bytes((address or 0).to_bytes(4, 'big'), 'little'):08X}"


def hex6(address: int | None) -> str:
    """An IPv6 address in four little-endian words."""
    data = (address or 0).to_bytes(16, "big")
    return "".join(f"{int.from_bytes(data[at : at + 4], 'little'):08X}" for at in range(0, 16, 4))


def ip_vs(net: Any) -> str:
    """ip_vs_info_seq_show()."""
    lines = ["IP Virtual Server version 1.2.1 (size=4096)", "Prot LocalAddress:Port Scheduler Flags"]
    lines.append("  -> RemoteAddress:Port Forward Weight ActiveConn InActConn")
    for service in net.rooms["ipvs"].services.values():
        if service.fwmark:
            lines.append(f"FWM  {service.fwmark:08X} {service.scheduler.name} ")
        else:
            protocol = "TCP" if service.protocol == 6 else "UDP"
            where = f"{int(service.address):08X}" if service.family == 4 else f"[{service.address}]"
            lines.append(f"{protocol}  {where}:{service.port:04X} {service.scheduler.name}  ")
        for each in service.destinations:
            where = f"{int(each.address):08X}" if each.address.family == 4 else f"[{each.address}]"
            lines.append(
                f"  -> {where}:{each.port:04X}      {each.forward:<7} {each.weight:<6} {each.active:<10} "
                f"{each.inactive:<10}"
            )
    return "\n".join(lines) + "\n"


#: ARPHRD_ numbers of link types.
HARDWARE_TYPES = {"ether": 0x1, "loopback": 0x304, "ipip": 0x300, "sit": 0x308, "gre": 0x30A, "none": 0xFFFE}


def arp(net: Any) -> str:
    """net/ipv4/arp.c: arp_seq_show()."""
    text = "IP address       HW type     Flags       HW address            Mask     Device\n"
    for entry in net.arp.shown():
        if entry.state in ("NOARP", "NONE"):
            continue
        flags = (0x2 if entry.state not in ("INCOMPLETE", "FAILED") else 0) | (
            0x4 if entry.state == "PERMANENT" else 0
        )
        mac = entry.mac if entry.mac is not None else "00:00:00:00:00:00"
        hardware = HARDWARE_TYPES.get(entry.dev.link_type, 0x1)
        text += f"{entry.ip!s:<16} 0x{hardware:<10x}0x{flags:<10x}{mac!s:<17}     *        {entry.dev.name}\n"
    for proxy in net.arp.proxies.listed():
        ip, dev_ = proxy.ip, proxy.dev
        name = dev_.name if dev_ is not None else "*"
        hardware = HARDWARE_TYPES.get(dev_.link_type, 0x1) if dev_ is not None else 0
        text += f"{IPv4Address(ip)!s:<16} 0x{hardware:<10x}0xc         00:00:00:00:00:00     *        {name}\n"
    return text


def dev(net: Any) -> str:
    """net/core/net-procfs.c: dev_seq_printf_stats()."""
    text = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
        "fifo colls "
        "carrier compressed\n"
    )
    for d in net.devices.values():
        text += (
            f"{d.name:>6}: {d.rx_bytes:7d} {d.rx_packets:7d} {d.rx_errors:4d} {d.rx_dropped:4d} {0:4d} "
            f"{0:5d} {0:10d} "
            f"{d.rx_multicast:9d} {d.tx_bytes:8d} {d.tx_packets:7d} {d.tx_errors:4d} {d.tx_dropped:4d} "
            f"{0:4d} "
            f"{d.collisions:5d} {d.tx_carrier_errors:7d} {0:10d}\n"
        )
    return text


def route(net: Any) -> str:
    """net/ipv4/fib_trie.c: fib_route_seq_show(): table main, without its special routes."""
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
    lines = [head]
    for one in net.ipv4.table(254):
        if one.type in ("broadcast", "multicast"):
            continue
        flags = 0x0001
        if one.type in ("unreachable", "prohibit", "blackhole"):
            flags = 0x0200 | 0x0001
        length = one.prefix.prefixlen
        flags |= 0x4 if length == 32 else 0
        hop = one.nexthops[0] if one.nexthops else None
        flags |= 0x2 if hop is not None and hop.gateway is not None else 0
        name = hop.dev.name if hop is not None and hop.dev is not None else "*"
        gateway = hex4(hop.gateway if hop is not None and isinstance(hop.gateway, int) else 0)
        mask = hex4((1 << 32) - (1 << (32 - length)) if length else 0)
        mtu = one.metrics.get("advmss", 0) + 40 if one.metrics.get("advmss") else 0
        window, rtt = one.metrics.get("window", 0), one.metrics.get("rtt", 0) >> 3
        lines.append(
            f"{name}\t{hex4(one.prefix.address)}\t{gateway}\t{flags:04X}\t0\t0\t{one.metric}\t{mask}\t{mtu}\t{window}\t{rtt}"
        )
    return "".join(f"{line:<127}\n" for line in lines)


def if_inet6(net: Any) -> str:
    """net/ipv6/addrconf.c: if6_seq_show()."""
    scopes = {0: 0x00, 253: 0x20, 254: 0x10, 200: 0x40}
    bits = {
        "tentative": 0x40,
        "dadfailed": 0x08,
        "deprecated": 0x20,
        "permanent": 0x80,
        "nodad": 0x02,
        "temporary": 0x01,
    }
    text = ""
    for d in net.devices.values():
        for one in net.ipv6.device_addresses(d):
            flags = sum(bits.get(flag, 0) for flag in one.flags)
            scope = scopes.get(one.scope, 0)
            numbers = f"{d.ifindex:02x} {one.prefixlen:02x} {scope:02x} {flags:02x}"
            text += f"{int(one.local):032x} {numbers} {d.name:>8}\n"
    return text


def ipv6_route(net: Any) -> str:
    """net/ipv6/ip6_fib.c: ipv6_route_native_seq_show(); without a default route ends with a null entry."""
    kinds = {"local": 0x80200000, "anycast": 0x00300000, "unreachable": 0x00200200}
    kinds |= dict.fromkeys(("blackhole", "prohibit", "throw"), 0x00200200)
    marks = {"addrconf": 0x00040000, "host": 0x4}
    null = f"{0:032x} 00 {0:032x} 00 {0:032x} ffffffff 00000001 00000000 00200200       lo\n"
    text = ""
    for number in sorted(net.ipv6.tables, key=lambda number: (number & 0xFF, number)):
        table = net.ipv6.tables[number]
        for one in table:
            for hop in one.nexthops:
                gateway = int(hop.gateway) if hop.gateway is not None else 0
                flags = 0x1 | (0x2 if gateway else 0) | kinds.get(one.type, 0)
                flags |= sum(marks.get(mark, 0) for mark in one.flags)
                if "addrconf" in one.flags and gateway:
                    flags |= 0x00010000
                flags |= 0x00400000 if one.expires is not None else 0
                text += (
                    f"{int(one.prefix.address):032x} {one.prefix.prefixlen:02x} {0:032x} 00 {gateway:032x} "
                    f"{one.metric:08x} {1:08x} {0:08x} {flags:08x} {hop.dev.name:>8}\n"
                )
        if 0 not in table.by_length:
            text += null
    return text


def igmp(net: Any) -> str:
    """net/ipv4/igmp.c: igmp_mc_seq_show()."""
    text = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
    for d in net.devices.values():
        if not d.up:
            continue
        groups = {0xE0000001: 1, **net.ipv4.groups.get(d, {})}
        text += f"{d.ifindex}\t{d.name:<10}: {len(groups):5d}      V3\n"
        for group, users in groups.items():
            text += f"\t\t\t\t{hex4(group)} {users:5d} 0:00000000\t\t0\n"
    return text


_SOCKET_HEAD_TCP = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
)
_SOCKET_HEAD_UDP = (
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref "
    "pointer drops             \n"
)
_SOCKET_HEAD_6 = (
    "  sl  local_address                         remote_address                        st tx_queue "
    "rx_queue tr "
    "tm->when retrnsmt   uid  timeout inode"
)


def _endpoints(net: Any, family: int, kind: str) -> list[Any]:
    if kind == "tcp":
        found = [
            *(s for group in net.sockets.tcp_listen.values() for s in group),
            *net.sockets.tcp_established.values(),
        ]
    elif kind == "udp":
        found = [s for _, group in sorted(net.sockets.udp.items()) for s in group]
    else:
        found = list(net.sockets.raw)
    return [s for s in found if getattr(s, "family", 4) == family]


def sockets(net: Any, family: int, kind: str) -> str:
    """/proc/net/{tcp,udp,raw}[6]."""
    show = hex4 if family == 4 else hex6
    width = 149 if kind == "tcp" else 127
    head = _SOCKET_HEAD_TCP if kind == "tcp" else _SOCKET_HEAD_UDP.rstrip("\n").rstrip()
    if family == 6:
        head = _SOCKET_HEAD_6 + ("" if kind == "tcp" else " ref pointer drops")
    if kind == "raw" and family == 4:
        head = "  " + head.lstrip()
        width = 0
    text = f"{head:<{width}}\n" if family == 4 else head + "\n"
    for at, sock in enumerate(_endpoints(net, family, kind)):
        state = (
            TCP_STATES.get(getattr(sock, "state", "CLOSE"), 7)
            if kind == "tcp"
            else 1
            if sock.remote is not None
            else 7
        )
        port = sock.local_port if kind != "raw" else sock.protocol
        waiting = (
            len(getattr(sock, "accept_queue", ()))
            if state == 10
            else sum(len(d.data) for d in sock.queue)
            if kind != "tcp"
            else 0
        )
        line = (
            f"{show(sock.local)}:{port:04X} {show(sock.remote)}:{sock.remote_port:04X} {state:02X} "
            f"00000000:{waiting:08X} "
            f"00:00000000 00000000 {0:5d} {0:8d} {sock.inode}"
        )
        if kind == "tcp":
            tail = " 1 0000000000000000 100 0 0 10 0"
            text += f"{f'{at:4d}: {line}{tail}':<{149 if family == 4 else 0}}\n"
        else:
            slot = port if kind == "udp" else at
            text += f"{f'{slot:5d}: {line} 2 0000000000000000 {sock.drops}':<{127 if family == 4 else 0}}\n"
    return text


def packet(net: Any) -> str:
    """net/packet/af_packet.c: packet_seq_show()."""
    text = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
    for sock in net.sockets.packet:
        index = sock.device.ifindex if getattr(sock, "device", None) is not None else 0
        text += f"{0:016x} {3:<6} {3:<4} {3:04x}   {index:<5} 1 {0:<6} {0:<6} {sock.inode:<6}\n"
    return text


def sockstat(net: Any) -> str:
    """/proc/net/sockstat."""
    tcp = _endpoints(net, 4, "tcp")
    waiting = sum(1 for sock in tcp if getattr(sock, "state", "") == "TIME_WAIT")
    return (
        f"sockets: used {len(net.sockets.all())}\n"
        f"TCP: inuse {len(tcp) - waiting} orphan 0 tw {waiting} alloc {len(tcp)} mem 0\n"
        f"UDP: inuse {len(_endpoints(net, 4, 'udp'))} mem 0\nUDPLITE: inuse 0\n"
        f"RAW: inuse {len(_endpoints(net, 4, 'raw'))}\nFRAG: inuse 0 memory 0\n"
    )
