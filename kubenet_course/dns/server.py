"""The sockets of an engine: UDP and TCP for DNS, HTTP for what plugins show; the same on both kernels.

    server = Listeners(network)
    await server.open(engine)        ListenError where an address cannot be had
    …
    await server.open(another)       a reload: what both listen on stays open
    server.close()
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from kubenet_course import errno
from kubenet_course.dns.engine import Engine, Server
from kubenet_course.dns.host import go_error, read_frame
from kubenet_course.dns.plugin import Endpoint
from kubenet_course.errors import KernelError, KubenetError
from kubenet_course.userland.daemons.web import http_date
from kubenet_course.userland.http import Headers, Request, Response, serve
from kubenet_course.userland.sockets import Datagrams, Listener, Network, Stream

BACKLOG = 4096  # Go's net package asks for net.core.somaxconn
BURST = 64  # datagrams that are answered before others have their turn
# A server that forwards to itself (no plugin `loop`) asks itself until it runs out of time. On a real machine that costs
# its processor; here time must pass for it, or the loop would have thousands of turns in each millisecond.
CROWD = 100  # questions that wait for others, before the next one has to wait for its turn
TURN = 0.02  # seconds that a turn takes then
FULL = 2.0  # seconds: a question that would have to wait longer gets lost, as in a full receive buffer
TCP_IDLE = 10.0  # seconds (core/dnsserver: timeouts' default for idle connections)


class ListenError(KubenetError):
    """An address cannot be listened on; the text is what CoreDNS prints."""


class Listeners:
    """What is open, by (kind, address, port); `engine` answers."""

    def __init__(self, network: Network):
        self.network = network
        self.engine: Engine | None = None
        self.sockets: dict[tuple[str, str, int], Any] = {}
        self.servers: dict[tuple[str, str, int], Server] = {}
        self.pages: dict[tuple[str, str, int], Endpoint] = {}
        #: Servers whose answers may take time: each in a task of its own.
        self.waiting: set[tuple[str, str, int]] = set()
        self.pending = 0
        self.free_at = 0.0

    async def open(self, engine: Engine) -> None:
        """Listen on all that `engine` asks for, and no longer on the rest."""
        servers: dict[tuple[str, str, int], Server] = {}
        for server in engine.servers:
            for kind in ("tcp", "udp"):
                servers[kind, server.address, int(server.port)] = server
        new: dict[tuple[str, str, int], Any] = {}
        try:
            for key in servers:
                if key not in self.sockets:
                    new[key] = await self._listen(*key)
        except ListenError:
            for sock in new.values():
                sock.close()
            raise
        for key in [key for key in self.sockets if key not in servers and key[0] != "http"]:
            self.sockets.pop(key).close()
        self.engine, self.servers = engine, servers
        self.waiting = {key for key, server in servers.items() if server.waits}
        for key, sock in new.items():
            self.sockets[key] = sock
            self.network.spawn(self._tcp(key, sock) if key[0] == "tcp" else self._udp(key, sock))

    async def open_pages(self, endpoints: list[Endpoint]) -> None:
        """The HTTP servers of plugins (health, ready, prometheus). ListenError, then what was open stays open."""
        wanted = {("http", endpoint.address, endpoint.port): endpoint for endpoint in endpoints}
        new: dict[tuple[str, str, int], Any] = {}
        try:
            for key, endpoint in wanted.items():
                if key not in self.sockets:
                    new[key] = await self._listen_for_pages(endpoint)
        except ListenError:
            for sock in new.values():
                sock.close()
            raise
        for key in [key for key in self.sockets if key[0] == "http" and key not in wanted]:
            self.sockets.pop(key).close()
        self.pages = wanted
        for key, sock in new.items():
            self.sockets[key] = sock
            self.network.spawn(self._http(key, sock))

    async def _listen_for_pages(self, endpoint: Endpoint) -> Listener:
        if endpoint.port < 0:
            host, _, port = endpoint.address.rpartition(":")
            why = f"lookup {host}: no such host" if port.isdigit() else f"lookup tcp/{port}: unknown port"
            raise ListenError(f"listen tcp: {why}")
        try:
            return await self.network.listen(endpoint.address, endpoint.port, BACKLOG)
        except KernelError as failure:
            place = f"[{endpoint.address}]:{endpoint.port}" if ":" in endpoint.address else f"{endpoint.address}:{endpoint.port}"
            raise ListenError(f"listen tcp {place}: bind: {go_error(failure)}") from None

    async def _listen(self, kind: str, address: str, port: int) -> Any:
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        try:
            if kind == "tcp":
                return await self.network.listen(address, port, BACKLOG)
            return await self.network.udp(address, port)
        except KernelError as failure:
            word = "Listen" if kind == "tcp" else "ListenPacket"
            raise ListenError(f"{word}: listen {kind} {place}: bind: {go_error(failure)}") from None

    def close(self) -> None:
        for sock in self.sockets.values():
            sock.close()
        self.sockets.clear()

    # -- DNS --------------------------------------------------------------------------------
    async def _udp(self, key: tuple[str, str, int], sock: Datagrams) -> None:
        count = 0
        while self.sockets.get(key) is sock:
            count += 1
            if not count % BURST:
                await self.network.sleep(0)  # others want to go on, too
            try:
                wire, (client, port), local = await sock.receive_at()
            except KernelError as failure:
                if failure.errno == errno.EBADF:
                    return  # closed
                continue  # an ICMP error about an earlier answer
            if key in self.waiting:
                self.network.spawn(self._pending(key, sock, wire, client, port, local))
            else:
                await self._answer(key, sock, wire, client, port, local)

    async def _answer(self, key: tuple[str, str, int], sock: Datagrams, wire: bytes, client: str, port: int, local: str) -> None:
        assert self.engine is not None
        answer = await self.engine.answer(self.servers[key], wire, client, port, "udp", local, key[2])
        if answer is None:
            return
        try:
            await sock.send(answer, client, port, local)
        except KernelError:
            return  # the client cannot be reached any more; that is its affair

    async def _pending(self, *question: Any) -> None:
        """An answer that may take time; where too many do, they come one after the other."""
        self.pending += 1
        try:
            if self.pending > CROWD:
                now = self.network.time()
                wait = max(self.free_at, now) - now
                if wait > FULL:
                    return
                self.free_at = now + wait + TURN
                await self.network.sleep(wait + TURN)
            await self._answer(*question)
        finally:
            self.pending -= 1

    async def _tcp(self, key: tuple[str, str, int], listener: Listener) -> None:
        while self.sockets.get(key) is listener:
            try:
                stream = await listener.accept()
            except KernelError:
                return
            self.network.spawn(self._connection(key, stream))

    async def _connection(self, key: tuple[str, str, int], stream: Stream) -> None:
        try:
            while key in self.servers and self.engine is not None:
                wire = await read_frame(stream, _constant(TCP_IDLE))
                if wire is None:
                    return
                client, port = stream.peer
                async for answer in self.engine.answers(self.servers[key], wire, client, port, stream.local[0], key[2]):
                    await stream.write(len(answer).to_bytes(2, "big") + answer)
        except KernelError:
            return  # reset, or silent for too long
        finally:
            stream.close()

    # -- HTTP -------------------------------------------------------------------------------
    async def _http(self, key: tuple[str, str, int], listener: Listener) -> None:
        try:
            await serve(self.network, listener, partial(self._page, key))
        except KernelError:
            return  # closed

    async def _page(self, key: tuple[str, str, int], request: Request) -> Response:
        """A page of a plugin's HTTP server, as Go's net/http serves it."""
        endpoint = self.pages.get(key)
        page = endpoint.pages.get(request.path) if endpoint else None
        plain = "text/plain; charset=utf-8"
        headers = Headers([("Date", http_date(self.network.time()))])
        if page is None:
            headers.add("X-Content-Type-Options", "nosniff")
        status, kind, text = page() if page else (404, plain, "404 page not found\n")
        headers.add("Content-Type", kind)
        return Response(status, headers=headers, body=text.encode())


def _constant(value: float) -> Callable[[], float]:
    return lambda: value
