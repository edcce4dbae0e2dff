"""From a name to a connection: look up, connect, bind, TLS (lib/hostip.c, lib/connect.c, lib/vtls/)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.sim.loop import MILLISECOND, SECOND
from kubenet_course.userland import tls
from kubenet_course.userland.commands.curl.easy import Connection, Easy
from kubenet_course.userland.commands.curl.failure import CurlError, tls_problem
from kubenet_course.userland.resolver import ResolverError, getaddrinfo, numeric_address
from kubenet_course.userland.sockets import EmulatedStream, close_socket, open_socket
from kubenet_course.wire.addresses import IpAddress

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.options import Configuration
    from kubenet_course.userland.commands.curl.url import Url


async def _addresses(easy: Easy, url: Url) -> list[IpAddress]:
    """Curl_resolv(): from --resolve, what is a number already, or the resolver."""
    given = easy.config.resolve.get((url.host.lower(), url.port))
    session = easy.session
    if given is not None:
        session.info(f"Hostname {url.host} was found in DNS cache")
        numbers = [numeric_address(easy.proc, text) for text in given]
        return [one[0] for one in numbers if one is not None]
    if (url.host.lower(), url.port) in session.known_hosts:
        session.info(f"Hostname {url.host} was found in DNS cache")
    number = numeric_address(easy.proc, url.host.partition("%")[0])
    if number is not None:
        if easy.config.family and number[0].family != easy.config.family:
            raise CurlError(7, "Couldn't connect to server")
        addresses = [number[0]]
    else:
        try:
            # With -6 both families are asked for, and only one is used (Curl_resolv()).
            wanted = 4 if easy.config.family == 4 else 0
            found = await easy.limited(getaddrinfo(easy.proc, url.host, wanted), partial(_resolving, easy))
            addresses = [info.address for info in found if easy.config.family in (0, info.family)]
            if not addresses:
                raise CurlError(7, "Couldn't connect to server")
        except ResolverError:
            session.info(f"Could not resolve host: {url.host}")
            session.info(f"Closing connection {session.next_number}")
            raise CurlError(6, f"Could not resolve host: {url.host}", quiet_meter=True) from None
    session.known_hosts.add((url.host.lower(), url.port))
    return addresses


def _resolving(easy: Easy) -> CurlError:
    elapsed = (easy.proc.loop.now - easy.result.started) // MILLISECOND
    return CurlError(28, f"Resolving timed out after {elapsed} milliseconds")


def _route_target(config: Configuration, url: Url) -> Url:
    """--connect-to HOST1:PORT1:HOST2:PORT2."""
    for words in config.connect_to:
        host, port, to_host, to_port = (words + [""] * 4)[:4]
        if host in ("", url.host) and port in ("", str(url.port)):
            return url._replace(
                host=to_host or url.host, port=int(to_port) if to_port.isdigit() else url.port
            )
    return url


async def connect(easy: Easy, url: Url) -> Connection:
    """A TCP connection to the first address that takes one, kept in the session. CurlError 6, 7, 28, 45."""
    target = _route_target(easy.config, url)
    addresses = await _addresses(easy, target)
    session, proc = easy.session, easy.proc
    began = proc.loop.now
    easy.result.looked_up = began
    number = session.next_number
    session.next_number += 1
    limit = began + round(easy.config.connect_timeout * SECOND) + MILLISECOND
    late = False
    for address in addresses:
        shown = f"[{address}]" if address.family == 6 else str(address)
        session.info(f"  Trying {shown}:{target.port}...")
        sock = open_socket(proc, AF_INET if address.family == 4 else AF_INET6, SOCK_STREAM)
        _bind(easy, sock, address.family)
        try:
            until = min(limit, easy.deadline) if easy.deadline is not None else limit
            scope = url.host.partition("%")[2]
            await sock.connect(address, target.port, max(0, until - proc.loop.now), scope=scope)
        except KernelError as failure:
            close_socket(proc, sock)
            late = failure.errno == errno.EINPROGRESS
            if late:
                break
            if failure.errno in (errno.ENETUNREACH, errno.EADDRNOTAVAIL) and proc.loop.now == began:
                session.info(f"Immediate connect fail for {address}: {failure.strerror}")
            else:
                session.info(f"connect to {address} port {target.port} failed: {failure.strerror}")
            continue
        sock.nodelay = True
        stream = EmulatedStream(proc, sock)
        connection = Connection(number, stream, (url.scheme, url.host.lower(), url.port))
        session.connections.append(connection)
        session.info(f"Connected to {url.host} ({address}) port {target.port} (#{number})")
        easy.result.connected = proc.loop.now
        easy.result.local, easy.result.remote = stream.local, stream.peer
        easy.result.scheme = url.scheme.upper()
        return connection
    easy.farewell.append(f"Closing connection {number}")
    elapsed = (proc.loop.now - began) // MILLISECOND
    if late and easy.deadline is not None and proc.loop.now >= easy.deadline:
        text = (
            f"Connection timed out after {(proc.loop.now - easy.result.started) // MILLISECOND} milliseconds"
        )
        session.info(text)
        raise CurlError(28, text)
    text = f"Failed to connect to {url.host} port {target.port} after {elapsed} ms: "
    text += "Timeout was reached" if late else "Couldn't connect to server"
    session.info(text)
    raise CurlError(28 if late else 7, text)


def _bind(easy: Easy, sock: Any, family: int) -> None:
    """--interface and --local-port."""
    name = easy.config.interface
    port = easy.config.local_port.partition("-")[0]
    if not name and not port:
        return
    try:
        if name.removeprefix("if!") in easy.proc.net.devices:
            sock.bind_device(name.removeprefix("if!"))
            if not port:
                return
        found = (
            None
            if not name or sock.device is not None
            else numeric_address(easy.proc, name.removeprefix("host!"))
        )
        if name and sock.device is None and (found is None or found[0].family != family):
            raise CurlError(45, f"Couldn't bind to '{name}'")
        sock.bind(found[0] if found else None, int(port) if port.isdigit() else 0)
    except KernelError as failure:
        raise CurlError(45, f"bind failed with errno {failure.errno}: {failure.strerror}") from None


async def secure(easy: Easy, connection: Connection, url: Url) -> None:
    """TLS on a new connection. CurlError 28, 35, 60."""
    trusted = None if easy.config.insecure else tls.trusted_certificates(easy.proc)
    try:
        connection.secure(await easy.limited(
            tls.connect(connection.stream, url.host, trusted=trusted, random=easy.proc.loop.random.randbytes),
            lambda: CurlError(28, "SSL connection timeout"),
        ))  # fmt: skip
    except (tls.TlsError, KernelError) as problem:
        easy.discard(connection)
        easy.farewell.append(f"Closing connection {connection.number}")
        raise tls_problem(problem, url) from None


def reuse(easy: Easy, place: tuple[str, str, int], url: Url) -> Connection | None:
    """The kept connection to (scheme, host, port), if there is one (lib/conncache.c)."""
    for connection in easy.session.connections:
        if connection.place == place:
            easy.info(f"Found bundle for host: 0x55d0c0de{connection.number:04x} [serially]")
            easy.info("Can not multiplex, even if we wanted to")
            easy.info(f"Re-using existing connection #{connection.number} with host {url.host}")
            return connection
    return None
