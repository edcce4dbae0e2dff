"""What ``ipvsadm -L`` and ``-S`` print (ipvsadm.c: list_all(), print_service_entry(), print_conn())."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.state import TCP, Connection, Destination, Ipvs, Service
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ipvsadm.arguments import SERVICES, Request
from kubenet_course.wire.addresses import IpAddress

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

HEAD = "IP Virtual Server version 1.2.1 (size=4096)\n"
PORT_NAMES = {number: name for name, number in SERVICES.items()}
LETTERS = {"Masq": "-m", "Route": "-g", "Tunnel": "-i", "Local": "-g"}


def show(request: Request, room: Ipvs, proc: Process) -> int:
    options = request.options
    numeric = "numeric" in options
    if request.command == "save":
        for service in _sorted(room, False):
            proc.print(_saved(service, numeric), end="")
        return 0
    if "connection" in options:
        proc.print(
            "IPVS connection entries\n"
            "pro expire state       source             virtual            destination"
        )
        for conn in room.connections():
            proc.print(_connection(conn, room))
        return 0
    if "timeout" in options:
        timeouts = room.timeouts
        proc.print(f"Timeout (tcp tcpfin udp): {timeouts['tcp']} {timeouts['tcpfin']} {timeouts['udp']}")
        return 0
    if "daemon" in options:
        return 0
    room.expire()
    if request.virtual_given:
        services = [room.find(request.key)]
    else:
        proc.print(HEAD, end="")
        services = _sorted(room, "nosort" in options)
    mode = next((name for name in ("stats", "rate", "thresholds", "persistent-conn") if name in options), "")
    proc.print(TITLES[mode])
    for service in services:
        proc.print(_entry(service, mode, numeric, "exact" in options, "nosort" in options), end="")
    return 0


REMOTE = "\n  -> RemoteAddress:Port"
TITLES = {
    "": f"Prot LocalAddress:Port Scheduler Flags{REMOTE}           Forward Weight ActiveConn InActConn",
    "stats": f"Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes{REMOTE}",
    "rate": f"Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS{REMOTE}",
    "thresholds": f"Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn {REMOTE}",
    "persistent-conn": (
        f"Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn {REMOTE}"
    ),
}


def _sorted(room: Ipvs, nosort: bool) -> list[Service]:
    """ipvs_sort_services()."""
    services = list(room.services.values())
    if nosort:
        return services
    return sorted(services, key=lambda s: (s.fwmark, s.family, s.protocol, int(s.address or 0), s.port))


def _destinations(service: Service, nosort: bool) -> list[Destination]:
    if nosort:
        return list(service.destinations)
    return sorted(service.destinations, key=lambda d: (int(d.address), d.port))


def name(address: IpAddress, port: int, numeric: bool) -> str:
    """addrport_to_anyname()."""
    text = str(address) if address.family == 4 else f"[{address}]"
    return f"{text}:{port if numeric else PORT_NAMES.get(port, port)}"


def _virtual(service: Service, numeric: bool) -> str:
    if service.fwmark:
        return f"FWM  {service.fwmark}" + (" IPv6" if service.family == 6 else "")
    assert service.address is not None
    return f"{'TCP' if service.protocol == TCP else 'UDP'}  {name(service.address, service.port, numeric)}"


def large(value: int, exact: bool) -> str:
    """print_largenum()."""
    if exact:
        return f"{value:>11}" if value > 99999999 else f" {value:>8}"
    for limit, divisor, unit in (
        (10**8, 1, ""),
        (10**11, 10**3, "K"),
        (10**14, 10**6, "M"),
        (10**17, 10**9, "G"),
    ):
        if value < limit:
            return f" {value // divisor:>{8 - len(unit)}}{unit}"
    return f" {value // 10**12:>7}T"


def _entry(service: Service, mode: str, numeric: bool, exact: bool, nosort: bool) -> str:
    virtual = _virtual(service, numeric)
    if mode in ("stats", "rate"):
        numbers = service.stats.totals if mode == "stats" else service.stats.rates()
        text = f"{virtual:<33}" + "".join(large(number, exact) for number in numbers) + "\n"
    else:
        text = f"{virtual} {service.scheduler.name}"
        if service.flags:
            order = (
                ("sh-fallback", "sh-port")
                if service.scheduler.name == "sh"
                else ("flag-1", "flag-2", "flag-3")
            )
            text += f" ({','.join(flag for flag in order if flag in service.flags)})"
        if service.persistent:
            text += f" persistent {service.timeout}"
            if service.netmask is not None:
                text += f" mask {service.netmask}"
            text += f" pe {service.pe}" if service.pe else ""
        text += " ops" if service.one_packet else ""
        text += "\n"
    for destination in _destinations(service, nosort):
        text += _row(destination, mode, numeric, exact)
    return text


def _row(destination: Destination, mode: str, numeric: bool, exact: bool) -> str:
    head = f"  -> {name(destination.address, destination.port, numeric):<28}"
    active, inactive = destination.active, destination.inactive
    if mode in ("stats", "rate"):
        numbers = destination.stats.totals if mode == "stats" else destination.stats.rates()
        return head + "".join(large(number, exact) for number in numbers) + "\n"
    if mode == "thresholds":
        return f"{head} {destination.upper:<10} {destination.lower:<10} {active:<10} {inactive:<10}\n"
    if mode == "persistent-conn":
        return f"{head} {destination.weight:<9} {destination.persistent:<11} {active:<10} {inactive:<10}\n"
    return f"{head} {destination.forward:<7} {destination.weight:<6} {active:<10} {inactive:<10}\n"


def _saved(service: Service, numeric: bool) -> str:
    if service.fwmark:
        virtual = f"-f {service.fwmark}" + (" -6" if service.family == 6 else "")
    else:
        assert service.address is not None
        virtual = f"-{'t' if service.protocol == TCP else 'u'} {name(service.address, service.port, numeric)}"
    line = f"-A {virtual} -s {service.scheduler.name}"
    if service.flags:
        line += f" -b {','.join(sorted(service.flags))}"
    if service.persistent:
        line += f" -p {service.timeout}"
        if service.netmask is not None:
            line += f" -M {service.netmask}"
    line += " -o" if service.one_packet else ""
    lines = [line]
    for destination in _destinations(service, False):
        real = name(destination.address, destination.port, numeric)
        lines.append(f"-a {virtual} -r {real} {LETTERS[destination.forward]} -w {destination.weight}")
    return "\n".join(lines) + "\n"


def _connection(conn: Connection, room: Ipvs) -> str:
    left = max(0, conn.expires - room.net.loop.now) // SECOND
    protocol = {6: "TCP", 17: "UDP"}.get(conn.protocol, "IP ")
    source = name(conn.client, conn.cport, True)
    virtual = name(conn.virtual, conn.vport, True)
    return (
        f"{protocol} {left // 60:02d}:{left % 60:02d}  {conn.state:<11} {source:<18} {virtual:<18} "
        f"{name(conn.real, conn.rport, True)}"
    )
