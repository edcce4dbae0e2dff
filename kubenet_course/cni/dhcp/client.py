"""A DHCP client: one exchange at a time, for one interface of the namespace it runs in.

    dhcp client acquire eth0 HEXID      DISCOVER, OFFER, REQUEST, ACK
    dhcp client renew eth0 HEXID ADDRESS SERVER
    dhcp client release eth0 HEXID ADDRESS SERVER

It prints what the server said as JSON. The daemon runs it in the container's namespace. It asks for answers
by broadcast (the packaged client reads frames that are sent to its MAC address alone).

# RFC 2131, section 4.4; containernetworking/plugins plugins/ipam/dhcp/client.go
"""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import Any

from kubenet_course.errors import KernelError, KubenetError
from kubenet_course.userland.sockets import Datagrams
from kubenet_course.userland.surroundings import Surroundings
from kubenet_course.wire import dhcp
from kubenet_course.wire.addresses import MacAddress
from kubenet_course.wire.dhcp import DhcpMessage

EVERYBODY = "255.255.255.255"


class ClientError(KubenetError):
    """The exchange came to nothing; in the packaged client's words."""


class Client:
    """Speaks for one device; `provide` are options to send, `request` codes of options to ask for."""

    def __init__(
        self, here: Surroundings, device: str, client_id: bytes, options: dict[str, Any], timeout: float
    ):
        self.here = here
        self.device = device
        self.client_id = client_id
        self.provide = [(int(code), bytes.fromhex(value)) for code, value in options.get("provide", ())]
        self.request = bytes(options.get("request", (dhcp.SUBNET_MASK, dhcp.ROUTER)))
        self.timeout = timeout

    def _message(self, kind: int, *options: tuple[int, bytes], ciaddr: bytes = bytes(4)) -> DhcpMessage:
        mac = MacAddress.parse(self.here.read(f"/sys/class/net/{self.device}/address").decode().strip())
        every = [(dhcp.MESSAGE_TYPE, bytes([kind])), *options, (dhcp.CLIENT_ID, b"\0" + self.client_id)]
        if kind in (dhcp.DISCOVER, dhcp.ASK):
            every += [*self.provide, (dhcp.PARAMETERS, self.request)]
        xid = int.from_bytes(self.here.random(4), "big")
        flags = 0 if any(ciaddr) else dhcp.BROADCAST
        return DhcpMessage(dhcp.REQUEST, xid, mac, tuple(every), flags, ciaddr)

    async def _socket(self) -> Datagrams:
        return await self.here.net.udp("0.0.0.0", dhcp.CLIENT_PORT, device=self.device)

    async def _answer(self, sock: Datagrams, question: DhcpMessage, *kinds: int) -> DhcpMessage:
        """The first message that answers. Raises ClientError when the time is up."""
        until = self.here.time() + self.timeout
        while (left := until - self.here.time()) > 0:
            try:
                data, _ = await sock.receive(left)
                found = DhcpMessage.decode(data)
            except (KernelError, ValueError):
                continue
            if found.op == dhcp.REPLY and found.xid == question.xid and found.kind in kinds:
                return found
        raise ClientError("i/o timeout")

    async def acquire(self) -> DhcpMessage:
        """A new lease. Raises ClientError, KernelError."""
        sock = await self._socket()
        try:
            discover = self._message(dhcp.DISCOVER)
            await sock.send(discover.encode(), EVERYBODY, dhcp.SERVER_PORT)
            offer = await self._answer(sock, discover, dhcp.OFFER)
            server = offer.option(dhcp.SERVER_ID) or bytes(4)
            ask = self._message(dhcp.ASK, (dhcp.SERVER_ID, server), (dhcp.REQUESTED_ADDRESS, offer.yiaddr))
            ask = ask._replace(xid=discover.xid, siaddr=offer.siaddr)
            await sock.send(ask.encode(), EVERYBODY, dhcp.SERVER_PORT)
            return self._granted(
                await self._answer(sock, ask, dhcp.ACK, dhcp.NAK), "DHCP server NACK'd own offer"
            )
        finally:
            sock.close()

    @staticmethod
    def _granted(answer: DhcpMessage, failure: str) -> DhcpMessage:
        if answer.kind == dhcp.NAK:
            raise ClientError(failure)
        return answer

    async def renew(self, address: IPv4Address, server: IPv4Address) -> DhcpMessage:
        """The same lease for longer. Raises ClientError, KernelError."""
        sock = await self._socket()
        try:
            ask = self._message(dhcp.ASK, ciaddr=address.packed)
            await sock.send(ask.encode(), str(server), dhcp.SERVER_PORT)
            return self._granted(
                await self._answer(sock, ask, dhcp.ACK, dhcp.NAK), "DHCP server did not renew lease"
            )
        finally:
            sock.close()

    async def release(self, address: IPv4Address, server: IPv4Address) -> None:
        """Give the lease back; nobody answers."""
        sock = await self._socket()
        try:
            message = self._message(dhcp.RELEASE, (dhcp.SERVER_ID, server.packed), ciaddr=address.packed)
            await sock.send(message.encode(), str(server), dhcp.SERVER_PORT)
        finally:
            sock.close()


def to_data(answer: DhcpMessage) -> dict[str, Any]:
    """What the daemon wants to know: the address, and options by code as hexadecimal text."""
    options = {str(code): (answer.option(code) or b"").hex() for code, _ in answer.options}
    return {"address": str(IPv4Address(answer.yiaddr)), "options": options}


async def main(here: Surroundings, argv: list[str]) -> int:
    """The program; the options to provide and to request come as JSON on standard input."""
    what, device, client_id, *rest = argv[2:]
    given = json.loads((await here.stdin()) or b"{}")
    client = Client(here, device, bytes.fromhex(client_id), given, float(given.get("timeout", 10)))
    try:
        if what == "acquire":
            here.out(json.dumps(to_data(await client.acquire())))
        elif what == "renew":
            here.out(json.dumps(to_data(await client.renew(IPv4Address(rest[0]), IPv4Address(rest[1])))))
        else:
            await client.release(IPv4Address(rest[0]), IPv4Address(rest[1]))
    except ClientError as error:
        here.err(str(error))
        return 1
    except KernelError as error:
        here.err(error.strerror.lower())
        return 1
    return 0
