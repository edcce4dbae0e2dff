"""dnsmasq as far as it is a DHCP server: what a lab's LAN needs to give out addresses.

    dnsmasq --port=0 --interface=br0 --bind-interfaces --dhcp-range=10.8.0.50,10.8.0.60,12h
            [--dhcp-host=MAC,ADDRESS[,NAME]] [--dhcp-option=option:router,10.8.0.1] [--dhcp-leasefile=FILE]

An address is chosen by a hash of the client's MAC address and counted up from there, and the client keeps
it while its lease is known: so a client that comes back gets what it had. Leases are lines of
/var/lib/misc/dnsmasq.leases: expiry, MAC address, address, name, client identifier.

DNS and all else that dnsmasq does are not emulated and said to be so.

# dnsmasq 2.90: src/dhcp.c (address_allocate), src/rfc2131.c, src/lease.c
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface

from kubenet_course.cni import link
from kubenet_course.cni.netns import Netns
from kubenet_course.errors import KernelError
from kubenet_course.userland.sockets import Datagrams
from kubenet_course.userland.surroundings import Surroundings
from kubenet_course.wire import dhcp
from kubenet_course.wire.dhcp import DhcpMessage

LEASES = "/var/lib/misc/dnsmasq.leases"
EVERYBODY = "255.255.255.255"


@dataclass
class DhcpRange:
    """Addresses to give, and for how many seconds (0: for ever)."""

    start: IPv4Address
    end: IPv4Address
    duration: int = 3600


@dataclass
class Reservation:
    mac: str
    address: IPv4Address | None
    name: str = ""


@dataclass
class Lease:
    """A line of the file; `expiry` in seconds since 1970, 0 for never."""

    expiry: int
    mac: str
    address: IPv4Address
    name: str = "*"
    client_id: str = "*"

    def __str__(self) -> str:
        return f"{self.expiry} {self.mac} {self.address} {self.name} {self.client_id}"


@dataclass
class Settings:
    ranges: list[DhcpRange] = field(default_factory=list)
    hosts: list[Reservation] = field(default_factory=list)
    options: dict[int, bytes] = field(default_factory=dict)
    interfaces: list[str] = field(default_factory=list)
    leasefile: str = LEASES
    authoritative: bool = False
    sequential: bool = False


def hash_mac(mac: bytes) -> int:
    """SDBM, which spreads clients over a range."""
    value = 0
    for byte in mac:
        value = (byte + (value << 6) + (value << 16) - value) & 0xFFFFFFFF
    return value or 1


class Server:
    """Answers on the interfaces it was given. `log` takes lines as dnsmasq writes them."""

    def __init__(self, here: Surroundings, settings: Settings):
        self.here = here
        self.settings = settings
        self.leases: dict[IPv4Address, Lease] = {}
        self.offers: dict[IPv4Address, str] = {}

    def log(self, text: str) -> None:
        self.here.err(f"dnsmasq-dhcp: {text}\n")

    # -- the file ---------------------------------------------------------------------------
    def load(self) -> None:
        """Raises KernelError where the file cannot be made."""
        if not self.here.exists(self.settings.leasefile):
            self.here.write(self.settings.leasefile, "")
        for line in self.here.read(self.settings.leasefile).decode("utf-8", "replace").splitlines():
            words = line.split()
            try:
                lease = Lease(int(words[0]), words[1], IPv4Address(words[2]), *words[3:5])
            except (ValueError, IndexError):
                continue  # not a lease of IPv4
            self.leases[lease.address] = lease

    def save(self) -> None:
        text = "".join(f"{lease}\n" for lease in self.leases.values())
        self.here.write(self.settings.leasefile, text)

    def _prune(self) -> None:
        now = self.here.time()
        old = [address for address, lease in self.leases.items() if 0 < lease.expiry <= now]
        for address in old:
            del self.leases[address]

    # -- serving ----------------------------------------------------------------------------
    async def serve(self, interface: str, sock: Datagrams) -> None:
        """Answer what comes in by one interface."""
        while True:
            data, _ = await sock.receive()
            try:
                message = DhcpMessage.decode(data)
            except ValueError:
                continue
            device = await link.find(Netns(self.here), interface)
            own = (
                next((item for item in device.addresses if isinstance(item, IPv4Interface)), None)
                if device
                else None
            )
            if message.op != dhcp.REQUEST or own is None:
                continue
            answer = self.answer(interface, own, message)
            if answer is not None:
                target = (
                    IPv4Address(message.ciaddr)
                    if any(message.ciaddr) and answer.kind != dhcp.NAK
                    else EVERYBODY
                )
                try:
                    await sock.send(answer.encode(), str(target), dhcp.CLIENT_PORT)
                except KernelError as failure:
                    self.log(f"Error sending DHCP packet to {target}: {failure.strerror}")

    def answer(self, interface: str, own: IPv4Interface, message: DhcpMessage) -> DhcpMessage | None:
        """What to say to a message; None: nothing."""
        self._prune()
        wanted = next((item for item in self.settings.ranges if item.start in own.network), None)
        if wanted is None:
            self.log(f"no address range available for DHCP request via {interface}")
            return None
        mac, name = str(message.mac), self._name(message)
        if message.kind == dhcp.DISCOVER:
            return self._offer(interface, own, wanted, message, name)
        if message.kind == dhcp.ASK:
            return self._request(interface, own, wanted, message, name)
        if message.kind == dhcp.RELEASE:
            lease = self.leases.get(IPv4Address(message.ciaddr))
            if lease is not None and lease.mac == mac:
                del self.leases[lease.address]
                self.save()
            self.log(
                f"DHCPRELEASE({interface}) {IPv4Address(message.ciaddr)} {mac} {name if name != '*' else ''}"
            )
        elif message.kind == dhcp.DECLINE:
            self.log(f"DHCPDECLINE({interface}) {mac} {name if name != '*' else ''}")
        elif message.kind == dhcp.INFORM:
            self.log(f"DHCPINFORM({interface}) {IPv4Address(message.ciaddr)} {mac} ")
            return self._reply(dhcp.ACK, own, wanted, message, IPv4Address(0), leased=False)
        return None

    def _name(self, message: DhcpMessage) -> str:
        host = self._host(str(message.mac))
        given = (message.option(dhcp.HOST_NAME) or b"").decode("ascii", "replace").split(".")[0]
        return (host.name if host and host.name else given) or "*"

    def _host(self, mac: str) -> Reservation | None:
        return next((item for item in self.settings.hosts if item.mac == mac), None)

    def _offer(
        self, interface: str, own: IPv4Interface, wanted: DhcpRange, message: DhcpMessage, name: str
    ) -> DhcpMessage | None:
        mac = str(message.mac)
        self.log(f"DHCPDISCOVER({interface}) {mac} ")
        address = self._choose(own, wanted, message)
        if address is None:
            self.log(f"DHCPDISCOVER({interface}) {mac} no address available")
            return None
        self.offers[address] = mac
        self.log(f"DHCPOFFER({interface}) {address} {mac} ")
        return self._reply(dhcp.OFFER, own, wanted, message, address)

    def _choose(self, own: IPv4Interface, wanted: DhcpRange, message: DhcpMessage) -> IPv4Address | None:
        """Reserved, still leased, asked for and free, or by the hash."""
        mac = str(message.mac)
        host = self._host(mac)
        if host is not None and host.address is not None:
            return host.address
        known = next((lease.address for lease in self.leases.values() if lease.mac == mac), None)
        if known is not None and wanted.start <= known <= wanted.end:
            return known
        asked = message.option(dhcp.REQUESTED_ADDRESS)
        if asked is not None and len(asked) == 4 and self._free(own, wanted, IPv4Address(asked), mac):
            return IPv4Address(asked)
        count = int(wanted.end) - int(wanted.start) + 1
        first = 0 if self.settings.sequential else hash_mac(int(message.mac).to_bytes(6, "big")) % count
        for step in range(count):
            address = wanted.start + (first + step) % count
            if self._free(own, wanted, address, mac):
                return address
        return None

    def _free(self, own: IPv4Interface, wanted: DhcpRange, address: IPv4Address, mac: str) -> bool:
        reserved = any(item.address == address for item in self.settings.hosts)
        inside = wanted.start <= address <= wanted.end and address != own.ip
        odd = (
            int(address) & 255 in (0, 255) and int(address) >> 29 == 6
        )  # class C's ends confuse some clients
        other = self.offers.get(address, mac) != mac
        return inside and not odd and not reserved and not other and address not in self.leases

    def _request(
        self, interface: str, own: IPv4Interface, wanted: DhcpRange, message: DhcpMessage, name: str
    ) -> DhcpMessage | None:
        mac = str(message.mac)
        asked = message.option(dhcp.REQUESTED_ADDRESS) or message.ciaddr
        server = message.option(dhcp.SERVER_ID)
        address = IPv4Address(asked[:4].ljust(4, b"\0"))
        if server is not None and server != own.ip.packed:
            self.offers = {key: value for key, value in self.offers.items() if value != mac}
            return None  # the client took another server's offer
        self.log(f"DHCPREQUEST({interface}) {address} {mac} ")
        refusal = self._refusal(own, wanted, address, mac)
        if refusal == "unknown" and not self.settings.authoritative and server is None:
            return None
        if refusal:
            words = {"unknown": "lease not found"}.get(refusal, refusal)
            self.log(f"DHCPNAK({interface}) {address} {mac} {words}")
            return self._reply(dhcp.NAK, own, wanted, message, IPv4Address(0), leased=False)
        client_id = message.option(dhcp.CLIENT_ID)
        expiry = int(self.here.time()) + wanted.duration if wanted.duration else 0
        shown = ":".join(f"{byte:02x}" for byte in client_id) if client_id else "*"
        self.offers.pop(address, None)
        for other in [key for key, lease in self.leases.items() if lease.mac == mac and key != address]:
            del self.leases[other]
        self.leases[address] = Lease(expiry, mac, address, name, shown)
        self.save()
        self.log(f"DHCPACK({interface}) {address} {mac} {name if name != '*' else ''}")
        return self._reply(dhcp.ACK, own, wanted, message, address)

    def _refusal(self, own: IPv4Interface, wanted: DhcpRange, address: IPv4Address, mac: str) -> str:
        """Why a client does not get what it asks for; "" if it does."""
        if address not in own.network:
            return "wrong network"
        lease = self.leases.get(address)
        if lease is not None:
            return "" if lease.mac == mac else "address in use"
        host = self._host(mac)
        if host is not None and host.address is not None:
            return "" if host.address == address else "static lease available"
        if not wanted.start <= address <= wanted.end:
            return "address not available"
        if self.offers.get(address) == mac or self._free(own, wanted, address, mac):
            return ""
        return "unknown"

    def _reply(
        self,
        kind: int,
        own: IPv4Interface,
        wanted: DhcpRange,
        message: DhcpMessage,
        address: IPv4Address,
        leased: bool = True,
    ) -> DhcpMessage:
        options: list[tuple[int, bytes]] = [
            (dhcp.MESSAGE_TYPE, bytes([kind])),
            (dhcp.SERVER_ID, own.ip.packed),
        ]
        if leased:
            duration = wanted.duration or 0xFFFFFFFF
            for code, seconds in (
                (dhcp.LEASE_TIME, duration),
                (dhcp.RENEWAL_TIME, duration // 2),
                (dhcp.REBINDING_TIME, duration * 7 // 8),
            ):
                options.append((code, seconds.to_bytes(4, "big")))
        if kind != dhcp.NAK:
            standard = {
                dhcp.SUBNET_MASK: own.netmask.packed,
                dhcp.BROADCAST_ADDRESS: own.network.broadcast_address.packed,
                dhcp.ROUTER: own.ip.packed,
            }
            asked = message.option(dhcp.PARAMETERS)
            for code, value in {**standard, **self.settings.options}.items():
                if value and (asked is None or code in asked or code == dhcp.SUBNET_MASK):
                    options.append((code, value))
        return DhcpMessage(
            dhcp.REPLY, message.xid, message.mac, tuple(options), message.flags, message.ciaddr, address.packed,
            own.ip.packed if kind != dhcp.NAK else bytes(4),
        )  # fmt: skip
