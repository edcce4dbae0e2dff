"""Services, their destinations, and connections (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_conn.c, ip_vs_est.c).

Connections end on the virtual clock and are looked after when they are met or listed, not by timers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.ipvs import schedulers
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import IpAddress, IPv4Address

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

TCP, UDP = 6, 17
MASQ, LOCAL, TUNNEL, DROUTE = "Masq", "Local", "Tunnel", "Route"
SYSCTLS = {
    "am_droprate": "10", "amemthresh": "1024", "backup_only": "0", "cache_bypass": "0",
    "conn_reuse_mode": "1",
    "conntrack": "0", "debug_level": "0", "drop_entry": "0", "drop_packet": "0", "expire_nodest_conn": "0",
    "expire_quiescent_template": "0", "ignore_tunneled": "0", "nat_icmp_send": "0", "pmtu_disc": "1",
    "run_estimation": "1", "schedule_icmp": "0", "secure_tcp": "0", "sloppy_sctp": "0", "sloppy_tcp": "0",
    "snat_reroute": "1", "sync_persist_mode": "0", "sync_ports": "1", "sync_qlen_max": "2360",
    "sync_refresh_period": "0", "sync_retries": "0", "sync_sock_size": "0", "sync_threshold": "3\t50",
    "sync_version": "1",
}  # fmt: skip
TICK = 2 * SECOND


class Counters:
    """struct ip_vs_stats, with the estimator's moving averages,
    worked out when something happens or is asked."""

    __slots__ = ("loop", "totals", "last", "averages", "ticked")

    def __init__(self, loop: Any):
        self.loop = loop
        self.totals = [0, 0, 0, 0, 0]
        self.last = [0, 0, 0, 0, 0]
        self.averages = [0, 0, 0, 0, 0]
        self.ticked = loop.now

    def count(self, conns: int = 0, inp: int = 0, outp: int = 0, inb: int = 0, outb: int = 0) -> None:
        self.advance()
        totals = self.totals
        for position, amount in enumerate((conns, inp, outp, inb, outb)):
            totals[position] += amount

    def advance(self) -> None:
        """estimation_timer(): every 2 s a quarter of the way to the last interval's rate."""
        ticks = (self.loop.now - self.ticked) // TICK
        if not ticks:
            return
        self.ticked += ticks * TICK
        for _ in range(min(ticks, 200)):
            for position in range(5):
                shift = 9 if position < 3 else 4
                rate = (self.totals[position] - self.last[position]) << shift
                self.last[position] = self.totals[position]
                self.averages[position] += (rate - self.averages[position]) >> 2

    def rates(self) -> list[int]:
        """Connections, packets in and out a second, bytes in and out a second."""
        self.advance()
        return [
            (average + 0x1FF) >> 10 if position < 3 else (average + 0xF) >> 5
            for position, average in enumerate(self.averages)
        ]

    def zero(self) -> None:
        self.advance()
        self.totals = [0, 0, 0, 0, 0]
        self.last = [0, 0, 0, 0, 0]


class Destination:
    """A real server of one service. `active` and `inactive` count its connections."""

    def __init__(self, loop: Any, address: IpAddress, port: int):
        self.address = address
        self.port = port
        self.forward = MASQ
        self.weight = 1
        self.upper = self.lower = 0
        self.overloaded = False
        self.available = True
        self.active = self.inactive = self.persistent = 0
        self.stats = Counters(loop)

    @property
    def usable(self) -> bool:
        return self.available and not self.overloaded and self.weight > 0

    def check_load(self) -> None:
        """ip_vs_dest_totalconns() against the thresholds."""
        total = self.active + self.inactive
        if self.upper and total >= self.upper:
            self.overloaded = True
        elif self.lower:
            if total < self.lower:
                self.overloaded = False
        elif not self.upper or total * 4 < self.upper * 3:
            self.overloaded = False


class Service:
    """One virtual service: by (protocol, address, port) or by firewall mark. `destinations` in the kernel's
    order, the last added first."""

    def __init__(
        self, loop: Any, family: int, protocol: int, address: IpAddress | None, port: int, fwmark: int
    ):
        self.family = family
        self.protocol = protocol
        self.address = address
        self.port = port
        self.fwmark = fwmark
        self.scheduler: Any = None
        self.flags: set[str] = set()
        self.timeout = 0
        self.netmask: Any = None
        self.one_packet = False
        self.pe = ""
        self.destinations: list[Destination] = []
        self.stats = Counters(loop)

    @property
    def key(self) -> tuple[Any, ...]:
        if self.fwmark:
            return (self.family, "fwm", self.fwmark)
        return (self.family, self.protocol, self.address, self.port)

    @property
    def persistent(self) -> bool:
        return bool(self.timeout)


class Connection:
    """struct ip_vs_conn; a template (of persistence) has client port 0."""

    __slots__ = (
        "family", "protocol", "client", "cport", "virtual", "vport", "real", "rport", "state", "timeout",
        "expires",
        "destination", "template", "control", "controlled", "inactive", "no_output", "tracked", "forward",
        "one_packet",
    )  # fmt: skip

    def __init__(
        self, family: int, protocol: int, client: IpAddress, cport: int, virtual: IpAddress, vport: int,
        real: IpAddress, rport: int,
    ):  # fmt: skip
        self.family = family
        self.protocol = protocol
        self.client, self.cport = client, cport
        self.virtual, self.vport = virtual, vport
        self.real, self.rport = real, rport
        self.state = "NONE"
        self.timeout = 2 * SECOND
        self.expires = 0
        self.destination: Destination | None = None
        self.template = False
        self.control: Connection | None = None
        self.controlled = 0
        self.inactive = False
        self.no_output = False
        self.tracked = False
        self.forward = MASQ
        self.one_packet = False

    @property
    def in_key(self) -> tuple[Any, ...]:
        return (self.protocol, self.client, self.cport, self.virtual, self.vport)

    @property
    def out_key(self) -> tuple[Any, ...]:
        return (self.protocol, self.real, self.rport, self.client, self.cport)


class Ipvs:
    """IPVS of one namespace: `net.rooms["ipvs"]`."""

    def __init__(self, net: NetNamespace):
        self.net = net
        self.services: dict[tuple[Any, ...], Service] = {}
        self.by_client: dict[tuple[Any, ...], Connection] = {}
        self.by_real: dict[tuple[Any, ...], Connection] = {}
        self.templates: dict[tuple[Any, ...], Connection] = {}
        self.trash: dict[tuple[Any, ...], Destination] = {}
        self.timeouts = {"tcp": 900, "tcpfin": 120, "udp": 300}
        self.hooked = False

    # -- services ---------------------------------------------------------------------------
    def add_service(self, service: Service, scheduler: str) -> None:
        """ip_vs_add_service(): the first one registers the hooks."""
        service.scheduler = schedulers.make(scheduler, service)
        self.services[service.key] = service
        if not self.hooked:
            from kubenet_course.kernel.ipvs.core import register_hooks

            register_hooks(self.net)
            self.hooked = True

    def find(self, key: tuple[Any, ...]) -> Service:
        """KernelError(ESRCH) where there is none."""
        found = self.services.get(key)
        if found is None:
            raise KernelError(errno.ESRCH)
        return found

    def edit_service(self, service: Service, scheduler: str) -> None:
        if scheduler != service.scheduler.name:
            service.scheduler = schedulers.make(scheduler, service)

    def delete_service(self, service: Service) -> None:
        for destination in list(service.destinations):
            self.unlink(service, destination)
        del self.services[service.key]

    def flush(self) -> None:
        for service in list(self.services.values()):
            self.delete_service(service)

    # -- destinations -----------------------------------------------------------------------
    def lookup(self, service: Service, address: IpAddress, port: int) -> Destination | None:
        return next((d for d in service.destinations if (d.address, d.port) == (address, port)), None)

    def add_destination(self, service: Service, address: IpAddress, port: int, **settings: Any) -> None:
        """ip_vs_add_dest(): one that still has connections comes back from the trash with them."""
        if self.lookup(service, address, port) is not None:
            raise KernelError(errno.EEXIST)
        self.expire()
        found = self.trash.pop((service.key, address, port), None)
        if found is None:
            found = Destination(self.net.loop, address, port)
        found.available = True
        found.stats = Counters(self.net.loop)
        self._set(found, settings)
        service.destinations.insert(0, found)
        service.scheduler.changed()

    def edit_destination(self, service: Service, address: IpAddress, port: int, **settings: Any) -> None:
        found = self.lookup(service, address, port)
        if found is None:
            raise KernelError(errno.ENOENT)
        self._set(found, settings)
        service.scheduler.changed()

    def _set(self, destination: Destination, settings: dict[str, Any]) -> None:
        destination.forward = settings.get("forward", DROUTE)
        destination.weight = settings.get("weight", 1)
        destination.upper = settings.get("upper", 0)
        destination.lower = settings.get("lower", 0)
        destination.check_load()

    def delete_destination(self, service: Service, address: IpAddress, port: int) -> None:
        found = self.lookup(service, address, port)
        if found is None:
            raise KernelError(errno.ENOENT)
        self.unlink(service, found)

    def unlink(self, service: Service, destination: Destination) -> None:
        """__ip_vs_del_dest(): kept in the trash while connections refer to it."""
        service.scheduler.removing(destination)
        service.destinations.remove(destination)
        service.scheduler.changed()
        destination.available = False
        self.expire()
        if destination.active or destination.inactive or destination.persistent:
            self.trash[(service.key, destination.address, destination.port)] = destination

    # -- connections ------------------------------------------------------------------------
    def add_connection(self, conn: Connection) -> None:
        """ip_vs_conn_hash() and ip_vs_bind_dest()."""
        conn.expires = self.net.loop.now + conn.timeout
        if conn.template:
            self.templates[conn.in_key] = conn
        else:
            self.by_client[conn.in_key] = conn
            if conn.forward == MASQ:
                self.by_real[conn.out_key] = conn
        destination = conn.destination
        if destination is not None:
            if conn.template:
                destination.persistent += 1
            elif conn.inactive:
                destination.inactive += 1
            else:
                destination.active += 1
            destination.check_load()

    def remove_connection(self, conn: Connection) -> None:
        """ip_vs_conn_unlink() and ip_vs_unbind_dest()."""
        table = self.templates if conn.template else self.by_client
        if table.get(conn.in_key) is not conn:
            return
        del table[conn.in_key]
        if self.by_real.get(conn.out_key) is conn:
            del self.by_real[conn.out_key]
        if conn.control is not None:
            conn.control.controlled -= 1
        destination = conn.destination
        if destination is not None:
            if conn.template:
                destination.persistent -= 1
            elif conn.inactive:
                destination.inactive -= 1
            else:
                destination.active -= 1
            destination.check_load()

    def live(self, conn: Connection | None) -> Connection | None:
        """The connection, unless its time is up; a template with connections gets another minute."""
        if conn is None or conn.expires > self.net.loop.now:
            return conn
        if conn.controlled:
            conn.expires = self.net.loop.now + 60 * SECOND
            return conn
        self.remove_connection(conn)
        return None

    def touch(self, conn: Connection) -> None:
        """ip_vs_conn_put(): its time starts anew."""
        conn.expires = self.net.loop.now + conn.timeout

    def expire(self) -> None:
        for conn in [*self.by_client.values(), *self.templates.values()]:
            self.live(conn)
        for key, destination in list(self.trash.items()):
            if not (destination.active or destination.inactive or destination.persistent):
                del self.trash[key]

    def connections(self) -> list[Connection]:
        self.expire()
        return [*self.by_client.values(), *self.templates.values()]

    def conf(self, name: str) -> int:
        """A setting of net.ipv4.vs."""
        return self.net.sysctl.get_int("net", "ipv4", "vs", name)


def ipvs(net: NetNamespace) -> Ipvs:
    """IPVS of this namespace; the first use loads the module on the whole machine."""
    load(net)
    found: Ipvs = net.rooms["ipvs"]
    return found


def load(net: NetNamespace, module: str = "ip_vs") -> None:
    """modprobe ip_vs: net.ipv4.vs appears in every namespace."""
    modules = net.host.modules
    if "ip_vs" not in modules:
        modules["ip_vs"] = _init
        for every in list(net.host.namespaces):
            _init(every)
    modules.setdefault(module, None)


def _init(net: NetNamespace) -> None:
    net.rooms["ipvs"] = Ipvs(net)
    for name, value in SYSCTLS.items():
        net.sysctl._own.setdefault(("net", "ipv4", "vs", name), value)


def masked(address: IpAddress, netmask: Any) -> IpAddress:
    """The client's address as persistence sees it."""
    if netmask is None:
        return address
    if isinstance(address, IPv4Address):
        return IPv4Address(address & int(netmask))
    bits = int(netmask)
    return type(address)(address & (((1 << bits) - 1) << (128 - bits)))
