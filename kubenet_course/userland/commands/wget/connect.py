"""From a URL to an open connection: look up, connect, TLS, and what is said of it (src/connect.c, src/host.c, src/gnutls.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland import tls
from kubenet_course.userland.commands.wget.options import Failure
from kubenet_course.userland.http import Response, Wire
from kubenet_course.userland.resolver import ResolverError, getaddrinfo, numeric_address
from kubenet_course.userland.sockets import EmulatedStream, close_socket, open_socket

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp import TcpSocket
    from kubenet_course.userland.commands.curl.url import Url
    from kubenet_course.userland.commands.wget.log import Log
    from kubenet_course.userland.commands.wget.options import Settings
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.sockets import Stream


class Connector:
    """Opens connections, and keeps the last one for the next request (persistent_connection in src/http.c)."""

    def __init__(self, proc: Process, settings: Settings, log: Log):
        self.proc, self.settings, self.log = proc, settings, log
        self.kept: tuple[str, int, Stream, Wire] | None = None

    async def open(self, url: Url) -> tuple[Stream, Wire]:
        """The kept connection, or a new one with TLS where the URL asks for it. Failure."""
        kept, self.kept = self.kept, None
        if kept is not None and kept[:2] == (url.host, url.port):
            name = f"[{url.host}]:{url.port}" if ":" in url.host else f"{url.host}:{url.port}"
            self.log.say(f"Reusing existing connection to {name}.\n")
            stream, wire = kept[2:]
        else:
            stream = await self._connect(url)
            wire = Wire(stream)
        if url.scheme == "https" and not isinstance(stream, tls.TlsStream):
            stream = await self._secure(stream, url.host)
            wire = Wire(stream)
        return stream, wire

    def keep(self, url: Url, stream: Stream, wire: Wire, response: Response) -> None:
        """For the next request, unless the server closes it."""
        wish = response.headers.get("Connection").lower()
        if "close" in wish or (response.version == "HTTP/1.0" and "keep-alive" not in wish):
            stream.close()
        else:
            self.kept = (url.host, url.port, stream, wire)

    def close(self) -> None:
        if self.kept is not None:
            self.kept[2].close()

    async def _connect(self, url: Url) -> Stream:
        family = 4 if "4" in self.settings.flags else 6 if "6" in self.settings.flags else 0
        literal = numeric_address(self.proc, url.host)
        if literal is None:
            self.log.say(f"Resolving {url.host} ({url.host})... ")
            try:
                addresses = [info.address for info in await getaddrinfo(self.proc, url.host, family)]
            except ResolverError as problem:
                self.log.say(f"failed: {problem}.\n")
                self.log.insist(f"wget: unable to resolve host address ‘{url.host}’\n")
                raise Failure(4) from None
            self.log.say(
                ", ".join(str(one) for one in addresses[:3]) + (", ..." if len(addresses) > 3 else "") + "\n"
            )
        else:
            addresses = [literal[0]]
        last: KernelError | None = None
        for address in addresses:
            place = f"[{address}]:{url.port}" if address.family == 6 else f"{address}:{url.port}"
            shown = place if literal is not None else f"{url.host} ({url.host})|{address}|:{url.port}"
            self.log.say(f"Connecting to {shown}... ")
            sock = open_socket(self.proc, AF_INET if address.family == 4 else AF_INET6, SOCK_STREAM)
            limit = self.settings.seconds("connect-timeout", "T", default=0.0)
            try:
                await self._bind(sock, address.family)
                await sock.connect(address, url.port, round(limit * SECOND) if limit else None)
            except KernelError as failure:
                close_socket(self.proc, sock)
                last = KernelError(errno.ETIMEDOUT) if failure.errno == errno.EINPROGRESS else failure
                self.log.insist(f"failed: {last.strerror}.\n")
                continue
            self.log.say("connected.\n")
            return EmulatedStream(self.proc, sock)
        refused = last is not None and last.errno == errno.ECONNREFUSED
        fatal = last is None or last.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT)
        raise Failure(4, retry=not fatal and (not refused or "retry-connrefused" in self.settings.flags))

    async def _bind(self, sock: TcpSocket, family: int) -> None:
        """--bind-address. KernelError."""
        name = self.settings.values.get("bind-address")
        if name is None:
            return
        try:
            source = (await getaddrinfo(self.proc, name))[0].address
        except ResolverError:
            self.log.insist(f"wget: unable to resolve bind address ‘{name}’; disabling bind.\n")
            return
        if source.family != family:
            raise KernelError(errno.EAFNOSUPPORT)
        sock.bind(source, 0)

    async def _secure(self, stream: Stream, host: str) -> Stream:
        """TLS, and what is said of the certificate."""
        try:
            secured = await tls.connect(
                stream, host, trusted=None, random=self.proc.loop.random.randbytes, timeout=900
            )
        except tls.TlsError as problem:
            stream.close()
            if problem.kind == "not TLS":
                self.log.write("" if self.log.quiet else "GnuTLS: An unexpected TLS packet was received.\n")
            self.log.insist("Unable to establish SSL connection.\n")
            raise Failure(4) from None
        except KernelError as failure:
            stream.close()
            self.log.insist(f"GnuTLS: {failure.strerror}\nUnable to establish SSL connection.\n")
            raise Failure(4) from None
        assert secured.certificate is not None
        problem_kind = tls.check(secured.certificate, host, tls.trusted_certificates(self.proc))
        lenient = "no-check-certificate" in self.settings.flags
        word = "WARNING" if lenient else "ERROR"
        if problem_kind == "untrusted":
            self.log.insist(f"{word}: The certificate of ‘{host}’ is not trusted.\n")
            self.log.insist(f"{word}: The certificate of ‘{host}’ doesn't have a known issuer.\n")
        if problem_kind and not secured.certificate.fits(host):
            self.log.insist(f"The certificate's owner does not match hostname ‘{host}’\n")
        if problem_kind and not lenient:
            secured.close()
            raise Failure(5)
        return secured
