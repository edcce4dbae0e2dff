"""One URL after the other: connect, ask, receive, follow (lib/http.c, lib/multi.c, src/tool_operate.c).

Length: one transfer, from name to last byte.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.sim.loop import MILLISECOND, SECOND, TimeoutExpired
from kubenet_course.userland import tls
from kubenet_course.userland.commands.curl.progress import Meter
from kubenet_course.userland.commands.curl.url import PORTS, BadUrl, Url, join, parse_url, squash
from kubenet_course.userland.commands.curl.writeout import write_out
from kubenet_course.userland.http import (
    HttpError,
    Response,
    Wire,
    body_length,
    has_body,
    is_chunked,
    read_chunk,
    read_headers,
)
from kubenet_course.userland.resolver import ResolverError, getaddrinfo, numeric_address
from kubenet_course.userland.sockets import EmulatedStream, close_socket, open_socket
from kubenet_course.wire.addresses import IpAddress

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.options import Configuration, Output
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.streams import Writer


#: ns of the virtual clock between the last byte of an answer and what follows from it.
READING_TIME = 100_000


class CurlError(Exception):
    """A transfer failed: curl's exit code and its words."""

    def __init__(self, code: int, message: str, quiet_meter: bool = False):
        super().__init__(message)
        self.code = code
        self.quiet_meter = quiet_meter


VERIFY = """
More details here: https://curl.se/docs/sslcerts.html

curl failed to verify the legitimacy of the server and therefore could not
establish a secure connection to it. To learn more about this situation and
how to fix it, please visit the web page mentioned above."""


def _tls_problem(problem: Exception, url: Url) -> CurlError:
    """What OpenSSL's curl says of a handshake that failed."""
    kind = problem.kind if isinstance(problem, tls.TlsError) else "closed"
    if kind == "untrusted":
        return CurlError(60, f"SSL certificate problem: self-signed certificate{VERIFY}")
    if kind == "name":
        return CurlError(60, f"SSL: no alternative certificate subject name matches target host name '{url.host}'{VERIFY}")
    if kind == "not TLS":
        return CurlError(35, "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number")
    return CurlError(35, f"OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to {url.host}:{url.port} ")


class Connection:
    def __init__(self, number: int, stream: EmulatedStream, place: tuple[str, str, int]):
        self.number, self.stream, self.place = number, stream, place
        self.wire = Wire(stream)
        self.used = 0

    def secure(self, stream: Any) -> None:
        """From here on in TLS."""
        self.stream, self.wire = stream, Wire(stream)


class Result:
    """What --write-out can tell about a transfer."""

    def __init__(self, url: str, number: int):
        self.url, self.number = url, number
        self.effective = url
        self.response: Response | None = None
        self.version = ""
        self.method = "GET"
        self.scheme = ""
        self.local: tuple[str, int] = ("", 0)
        self.remote: tuple[str, int] = ("", 0)
        self.size_header = self.size_request = self.redirects = self.connects = self.headers = 0
        self.redirect_url = ""
        self.filename = ""
        self.code, self.error = 0, ""
        self.started = self.looked_up = self.connected = self.prepared = self.first_byte = self.ended = 0
        self.redirect_time = 0


class Session:
    """Keeps connections open between transfers of one command."""

    def __init__(self, proc: Process, config: Configuration):
        self.proc, self.config = proc, config
        self.connections: list[Connection] = []
        self.next_number = 0
        self.known_hosts: set[tuple[str, int]] = set()
        self.old_servers: set[tuple[str, int]] = set()
        self.noted = False

    def close(self) -> None:
        for connection in self.connections:
            connection.stream.close()
        self.connections.clear()

    def info(self, text: str) -> None:
        if self.config.verbose:
            self.proc.error(f"* {text}")

    # -- one transfer -----------------------------------------------------------------------
    async def transfer(self, text: str, output: Output | None, number: int) -> int:
        """Curl's exit code; says what went wrong unless silent."""
        self.old_servers.clear()
        attempt = 0
        while True:
            status = await self._attempt(text, output, number)
            refused = status == 7 and self.config.retry_refused
            if status not in (6, 28) and not refused or attempt >= self.config.retry:
                return status
            pause = self.config.retry_delay or 2.0**attempt
            left = self.config.retry - attempt
            attempt += 1
            if not self.config.silent:
                what = "connection refused" if status == 7 else "timeout"
                tries = "retries" if left != 1 else "retry"
                self.proc.error(
                    f"Warning: Problem: {what}. Will retry in {int(pause)} seconds. {left} {tries} left."
                )
            await self.proc.sleep(pause)

    async def _attempt(self, text: str, output: Output | None, number: int) -> int:
        proc, config = self.proc, self.config
        result = Result(text, number)
        sink = Sink(proc, config, output)
        shown = not (config.silent or config.meter_off) and (
            sink.to_file or not getattr(proc.stdout, "is_terminal", False)
        )
        transfer = Transfer(self, result, sink, Meter(proc, shown, config.bar))
        proc.owns(transfer.meter)
        try:
            await transfer.run(text)
        except CurlError as failure:
            result.code, result.error = failure.code, str(failure)
            if failure.quiet_meter:
                transfer.meter.stop()
            else:
                transfer.meter.end()
        else:
            transfer.meter.end()
        proc.resources.remove(transfer.meter)
        for note in transfer.farewell:
            self.info(note)
        if result.code and config.show_errors:
            proc.error(f"curl: ({result.code}) {result.error}")
        sink.close()
        result.ended = result.ended or proc.loop.now
        result.filename = sink.name
        if config.write_out:
            write_out(proc, config.write_out, result, transfer.meter)
        return result.code


class Sink:
    """Where the body goes; a file is made when the first byte (or the end) comes."""

    def __init__(self, proc: Process, config: Configuration, output: Output | None):
        self.proc, self.config, self.output = proc, config, output
        self.to_file = output is not None and output.path != "-"
        self.name = output.path or "" if output is not None and not output.remote else ""
        self.writer: Writer | None = None
        self.failed = False

    def choose_name(self, url: Url) -> None:
        if self.output is not None and self.output.remote:
            self.name = url.target.partition("?")[0].rpartition("/")[2]
            if not self.name:
                if not self.config.silent:
                    self.proc.error("curl: Remote file name has no length!")
                raise CurlError(23, "Failed writing received data to disk/application", quiet_meter=True)

    def write(self, data: bytes) -> None:
        if not self.to_file:
            self.proc.stdout.write(data)
            return
        if self.writer is None and not self.failed:
            try:
                if self.config.create_dirs and "/" in self.name:
                    self._make_directories(self.name.rpartition("/")[0])
                self.writer = self.proc.files.open_writer(self.name, self.proc, cwd=self.proc.cwd)
            except KernelError as failure:
                self.failed = True
                if not self.config.silent:
                    self.proc.error(f"Warning: Failed to open the file {self.name}: {failure.strerror}")
        if self.writer is None:
            raise CurlError(23, "Failure writing output to destination")
        self.writer.write(data)

    def _make_directories(self, path: str) -> None:
        whole = "/" if path.startswith("/") else ""
        for part in [part for part in path.split("/") if part]:
            whole += part
            if not self.proc.files.isdir(whole, self.proc, self.proc.cwd):
                self.proc.files.mkdir(whole, proc=self.proc, cwd=self.proc.cwd)
            whole += "/"

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class Transfer:
    def __init__(self, session: Session, result: Result, sink: Sink, meter: Meter):
        self.session, self.result, self.sink, self.meter = session, result, sink, meter
        self.proc, self.config = session.proc, session.config
        self.deadline: int | None = None
        self.farewell: list[str] = []
        self.body_noted = False

    async def run(self, text: str) -> None:
        try:
            url = parse_url(text)
        except BadUrl:
            raise CurlError(3, "URL using bad/illegal format or missing URL", quiet_meter=True) from None
        if url.scheme not in PORTS:
            raise CurlError(
                1, f'Protocol "{url.scheme}" not supported or disabled in libcurl', quiet_meter=True
            )
        self.sink.choose_name(url)
        self.result.effective = text if "://" in text else f"http://{text}{'' if '/' in text else '/'}"
        self.result.started = self.proc.loop.now
        self.meter.begin()
        if self.config.max_time is not None:
            self.deadline = self.proc.loop.now + round(self.config.max_time * SECOND) + MILLISECOND
        if not self.session.noted:
            self.session.noted = True
            for note in self.config.resolve_notes:
                self.session.info(note)
        method, body = self._method()
        while True:
            if not self.config.path_as_is:
                url = url._replace(target=squash(url.target))
            where = await self._exchange(url, method, body)
            if where is None:
                break
            self.result.redirects += 1
            target = join(url, where)
            self.session.info(f"Issue another request to this URL: '{target}'")
            self.result.redirect_time = self.proc.loop.now - self.result.started
            status = self.result.response.status if self.result.response else 0
            if not self.config.method and (status == 303 or (status in (301, 302) and method == "POST")):
                method, body = "GET", None
            try:
                url = parse_url(target)
            except BadUrl:
                raise CurlError(3, "URL using bad/illegal format or missing URL") from None
            self.result.effective = str(url)
        self.result.ended = self.proc.loop.now

    def _method(self) -> tuple[str, bytes | None]:
        config = self.config
        body = config.data
        if config.get and body is not None:
            body = None
        method = "HEAD" if config.head else "POST" if body is not None else "GET"
        if config.upload:
            try:
                body = self.proc.files.read(config.upload, self.proc, self.proc.cwd)
            except KernelError:
                raise CurlError(26, f"Can't open '{config.upload}'!", quiet_meter=True) from None
            method = "PUT"
        return config.method or method, body

    # -- one request ------------------------------------------------------------------------
    async def _exchange(self, url: Url, method: str, body: bytes | None) -> str | None:
        """The Location to go to next, or None where this was the last answer."""
        if url.scheme not in ("http", "https"):
            await self._connect(url)
            self.proc.error(f"kubenet: curl: the protocol {url.scheme} is not emulated")
            raise CurlError(1, f'Protocol "{url.scheme}" not supported or disabled in libcurl')
        place = (url.scheme, url.host.lower(), url.port)
        connection = self._reuse(place, url)
        while True:
            fresh = connection is None
            if connection is None:
                connection = await self._connect(url)
                self.result.connects += 1
            if url.scheme == "https" and fresh:
                await self._secure(connection, url)
            try:
                return await self._ask(connection, url, method, body)
            except KernelError as failure:
                self._discard(connection)
                text = f"Recv failure: {failure.strerror}"
                self.session.info(text)
                if fresh or self.result.response is not None:
                    self.farewell.append(f"Closing connection {connection.number}")
                    raise CurlError(56, text) from None
            except HttpError as problem:
                self._discard(connection)
                if str(problem) == "empty reply" and not fresh:
                    pass
                elif str(problem) == "empty reply":
                    self.farewell += ["Empty reply from server", f"Closing connection {connection.number}"]
                    raise CurlError(52, "Empty reply from server") from None
                else:
                    self.farewell.append(f"Closing connection {connection.number}")
                    raise self._protocol_error(problem) from None
            self.session.info("Connection died, retrying a fresh connect (retry count: 1)")
            self.session.info(f"Closing connection {connection.number}")
            self.session.info(f"Issue another request to this URL: '{url}'")
            connection = None

    async def _secure(self, connection: Connection, url: Url) -> None:
        """TLS on a new connection."""
        trusted = None if self.config.insecure else tls.trusted_certificates(self.proc)
        try:
            connection.secure(await self._limited(
                tls.connect(connection.stream, url.host, trusted=trusted, random=self.proc.loop.random.randbytes),
                lambda: CurlError(28, "SSL connection timeout"),
            ))  # fmt: skip
        except (tls.TlsError, KernelError) as problem:
            self._discard(connection)
            self.farewell.append(f"Closing connection {connection.number}")
            raise _tls_problem(problem, url) from None

    @staticmethod
    def _protocol_error(problem: HttpError) -> CurlError:
        if str(problem) == "not HTTP":
            return CurlError(1, "Received HTTP/0.9 when not allowed")
        if "Content-Length" in str(problem):
            return CurlError(8, "Invalid Content-Length: value")
        if "chunk" in str(problem):
            return CurlError(56, "Illegal or missing hexadecimal sequence in chunked-encoding")
        return CurlError(8, "Weird server reply")

    def _reuse(self, place: tuple[str, str, int], url: Url) -> Connection | None:
        for connection in self.session.connections:
            if connection.place == place:
                self.session.info(f"Found bundle for host: 0x55d0c0de{connection.number:04x} [serially]")
                self.session.info("Can not multiplex, even if we wanted to")
                self.session.info(f"Re-using existing connection #{connection.number} with host {url.host}")
                return connection
        return None

    def _discard(self, connection: Connection) -> None:
        connection.stream.close()
        if connection in self.session.connections:
            self.session.connections.remove(connection)

    # -- connecting -------------------------------------------------------------------------
    async def _addresses(self, url: Url) -> list[IpAddress]:
        given = self.config.resolve.get((url.host.lower(), url.port))
        session = self.session
        if given is not None:
            session.info(f"Hostname {url.host} was found in DNS cache")
            numbers = [numeric_address(self.proc, text) for text in given]
            return [one[0] for one in numbers if one is not None]
        if (url.host.lower(), url.port) in session.known_hosts:
            session.info(f"Hostname {url.host} was found in DNS cache")
        number = numeric_address(self.proc, url.host.partition("%")[0])
        if number is not None:
            if self.config.family and number[0].family != self.config.family:
                raise CurlError(7, "Couldn't connect to server")
            addresses = [number[0]]
        else:
            try:
                # With -6 both families are asked for, and only one is used (Curl_resolv()).
                wanted = 4 if self.config.family == 4 else 0
                found = await self._limited(getaddrinfo(self.proc, url.host, wanted), self._resolving)
                addresses = [info.address for info in found if self.config.family in (0, info.family)]
                if not addresses:
                    raise CurlError(7, "Couldn't connect to server")
            except ResolverError:
                session.info(f"Could not resolve host: {url.host}")
                session.info(f"Closing connection {session.next_number}")
                raise CurlError(6, f"Could not resolve host: {url.host}", quiet_meter=True) from None
        session.known_hosts.add((url.host.lower(), url.port))
        return addresses

    def _resolving(self) -> CurlError:
        elapsed = (self.proc.loop.now - self.result.started) // MILLISECOND
        return CurlError(28, f"Resolving timed out after {elapsed} milliseconds")

    async def _limited(self, work: Any, late: Any) -> Any:
        """`work`, or the CurlError that `late()` makes when --max-time is over."""
        left = None if self.deadline is None else max(0, self.deadline - self.proc.loop.now)
        try:
            return await self.proc.loop.wait_for(work, left)
        except TimeoutExpired:
            raise late() from None

    def _route_target(self, url: Url) -> Url:
        """--connect-to HOST1:PORT1:HOST2:PORT2."""
        for words in self.config.connect_to:
            host, port, to_host, to_port = (words + [""] * 4)[:4]
            if host in ("", url.host) and port in ("", str(url.port)):
                return url._replace(
                    host=to_host or url.host, port=int(to_port) if to_port.isdigit() else url.port
                )
        return url

    async def _connect(self, url: Url) -> Connection:
        target = self._route_target(url)
        addresses = await self._addresses(target)
        session, proc = self.session, self.proc
        began = proc.loop.now
        self.result.looked_up = began
        number = session.next_number
        session.next_number += 1
        limit = began + round(self.config.connect_timeout * SECOND) + MILLISECOND
        late = False
        for address in addresses:
            shown = f"[{address}]" if address.family == 6 else str(address)
            session.info(f"  Trying {shown}:{target.port}...")
            sock = open_socket(proc, AF_INET if address.family == 4 else AF_INET6, SOCK_STREAM)
            self._bind(sock, address.family)
            try:
                until = min(limit, self.deadline) if self.deadline is not None else limit
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
            self.result.connected = proc.loop.now
            self.result.local, self.result.remote = stream.local, stream.peer
            self.result.scheme = url.scheme.upper()
            return connection
        self.farewell.append(f"Closing connection {number}")
        elapsed = (proc.loop.now - began) // MILLISECOND
        if late and self.deadline is not None and proc.loop.now >= self.deadline:
            text = f"Connection timed out after {(proc.loop.now - self.result.started) // MILLISECOND} milliseconds"
            session.info(text)
            raise CurlError(28, text)
        text = f"Failed to connect to {url.host} port {target.port} after {elapsed} ms: "
        text += "Timeout was reached" if late else "Couldn't connect to server"
        session.info(text)
        raise CurlError(28 if late else 7, text)

    def _bind(self, sock: Any, family: int) -> None:
        """--interface and --local-port."""
        name = self.config.interface
        port = self.config.local_port.partition("-")[0]
        if not name and not port:
            return
        try:
            if name.removeprefix("if!") in self.proc.net.devices:
                sock.bind_device(name.removeprefix("if!"))
                if not port:
                    return
            found = (
                None
                if not name or sock.device is not None
                else numeric_address(self.proc, name.removeprefix("host!"))
            )
            if name and sock.device is None and (found is None or found[0].family != family):
                raise CurlError(45, f"Couldn't bind to '{name}'")
            sock.bind(found[0] if found else None, int(port) if port.isdigit() else 0)
        except KernelError as failure:
            raise CurlError(45, f"bind failed with errno {failure.errno}: {failure.strerror}") from None

    # -- asking -----------------------------------------------------------------------------
    def _request(self, url: Url, method: str, body: bytes | None) -> tuple[str, list[tuple[str, str]]]:
        config = self.config
        own: dict[str, str | None] = {}
        names: dict[str, str] = {}
        for line in config.headers:
            name, colon, value = line.partition(":")
            if colon:
                own[name.lower()] = value.strip() or None
            elif line.endswith(";"):
                name, own[line[:-1].lower()] = line[:-1], ""
            else:
                continue
            names[name.lower()] = name
        fields: list[tuple[str, str]] = []

        def put(name: str, value: str | None) -> None:
            if name.lower() in own and name.lower() not in ("range",):
                if name == "Host" and own["host"] is not None:
                    fields.append((names["host"], own["host"]))
                    own.pop("host")
                return
            if value is not None:
                fields.append((name, value))

        put("Host", url.authority)
        user = config.user or url.user
        if user:
            name = user.partition(":")[0]
            self.session.info(f"Server auth using Basic with user '{name}'")
            put(
                "Authorization", "Basic " + b64encode((user if ":" in user else user + ":").encode("utf-8", "surrogateescape")).decode()
            )
        put("Range", f"bytes={config.range}" if config.range else None)
        put("User-Agent", config.agent)
        put("Accept", "application/json" if config.json else "*/*")
        put("Accept-Encoding", "deflate, gzip, br, zstd" if config.compressed else None)
        put("Referer", config.referer or None)
        put("Cookie", config.cookie or None)
        fields += [(names[key], value) for key, value in own.items() if value is not None]
        if body is not None:
            put("Content-Length", str(len(body)))
            if not config.upload:
                put(
                    "Content-Type", "application/json" if config.json else "application/x-www-form-urlencoded"
                )
        target = url.target
        if config.get and config.data is not None:
            target += ("&" if "?" in target else "?") + config.data.decode("latin-1")
        version = "HTTP/1.0" if (url.host, url.port) in self.session.old_servers else config.version
        return f"{method} {target} {version}", fields

    async def _ask(self, connection: Connection, url: Url, method: str, body: bytes | None) -> str | None:
        line, fields = self._request(url, method, body)
        head = "\r\n".join(
            [line, *(f"{name}: {value}" if value else f"{name}:" for name, value in fields), "", ""]
        )
        if self.config.verbose:
            for text in head[:-4].split("\r\n"):
                self.proc.error(f"> {text}\r")
            self.proc.error("> \r")
            if body:
                self.proc.error(f"}} [{len(body)} bytes data]")
        data = head.encode("utf-8", "surrogateescape") + (body or b"")
        self.result.method = method
        self.result.prepared = self.proc.loop.now
        self.result.size_request += len(head)
        self.meter.total_up = len(body) if body else None
        connection.used += 1
        try:
            await self._limited(connection.stream.write(data), self._too_late)
            self.meter.uploaded += len(body or b"")
            await self._limited(self._answer(connection, url, method), self._too_late)
        except CurlError as failure:
            if failure.code == 28:
                self.farewell += [str(failure), f"Closing connection {connection.number}"]
                self._discard(connection)
            raise
        # Reading the answer takes a moment: a server that closes behind it has done so by then.
        await self.proc.loop.sleep(READING_TIME)
        return self._after(connection, url, method)

    def _too_late(self) -> CurlError:
        elapsed = (self.proc.loop.now - self.result.started) // MILLISECOND
        expected = self.meter.total_down
        got = f"{self.meter.downloaded} out of {expected}" if expected else str(self.meter.downloaded)
        return CurlError(28, f"Operation timed out after {elapsed} milliseconds with {got} bytes received")

    async def _answer(self, connection: Connection, url: Url, method: str) -> None:
        wire = connection.wire
        while True:
            response = await self._head(wire, url)
            if response.status >= 200 or response.status == 101:
                break
        self.result.response = response
        self.result.headers = len(response.headers.fields)
        await self._body(wire, response, "HEAD" if self.config.head else method, connection)

    async def _head(self, wire: Wire, url: Url) -> Response:
        line = await wire.line()
        if not line:
            raise HttpError("empty reply")
        self.result.first_byte = self.result.first_byte or self.proc.loop.now
        text = line.decode("latin-1").rstrip("\r\n")
        parts = text.split(" ", 2)
        if not parts[0].startswith("HTTP/1.") or len(parts) < 2 or not parts[1][:3].isdigit():
            raise HttpError("not HTTP")
        headers = await read_headers(wire)
        response = Response(int(parts[1][:3]), headers, version=parts[0])
        response.reason = parts[2] if len(parts) > 2 else ""
        if response.version == "HTTP/1.0":
            self.session.old_servers.add((url.host, url.port))
            if "keep-alive" not in headers.get("Connection").lower():
                self.session.info("HTTP 1.0, assume close after body")
        lines = [text, *(f"{name}: {value}" for name, value in headers), ""]
        raw = "".join(f"{one}\r\n" for one in lines).encode("latin-1", "replace")
        self.result.size_header += len(raw)
        self.result.version = response.version[5:]
        failing = self.config.fail and response.status >= 400
        if self.config.verbose:
            for one in lines:
                self.proc.error(f"< {one}\r")
        if (self.config.include or self.config.head) and not failing:
            self.sink.write(raw)
        if self.config.dump_header:
            self._dump(raw)
        return response

    def _dump(self, raw: bytes) -> None:
        if self.config.dump_header == "-":
            self.proc.stdout.write(raw)
            return
        try:
            self.proc.files.write(
                self.config.dump_header, raw, self.proc, append=self.result.redirects > 0, cwd=self.proc.cwd
            )
        except KernelError:
            raise CurlError(23, "Failed writing received data to disk/application") from None

    async def _body(self, wire: Wire, response: Response, method: str, connection: Connection) -> None:
        length = body_length(response.headers)
        self.meter.total_down = length
        if self.config.fail and response.status >= 400:
            self.session.info(f"The requested URL returned error: {response.status}")
            self.farewell.append(f"Closing connection {connection.number}")
            self._discard(connection)
            raise CurlError(22, f"The requested URL returned error: {response.status}")
        if not has_body(response, method) or (self.config.head and not self.config.method):
            return
        following = self._location(response) is not None
        if following and (length or is_chunked(response.headers)):
            self.session.info("Ignoring the response-body")
        if is_chunked(response.headers):
            self.meter.total_down = None
            while chunk := await read_chunk(wire):
                self._got(chunk, following)
            return
        left = length
        while left is None or left > 0:
            data = await wire.some(65536 if left is None else min(left, 65536))
            if not data:
                break
            if left is not None:
                left -= len(data)
            self._got(data, following)
        if left:
            self.farewell += [
                f"transfer closed with {left} bytes remaining to read",
                f"Closing connection {connection.number}",
            ]
            self._discard(connection)
            raise CurlError(18, f"transfer closed with {left} bytes remaining to read")
        if self.meter.downloaded == 0 and self.sink.to_file and not following:
            self.sink.write(b"")

    def _got(self, data: bytes, ignore: bool) -> None:
        if self.config.verbose and not self.body_noted:
            self.body_noted = True
            self.proc.error(f"{{ [{len(data)} bytes data]")
        if not ignore:
            self.meter.downloaded += len(data)
            self.sink.write(data)

    # -- afterwards -------------------------------------------------------------------------
    def _location(self, response: Response) -> str | None:
        location = response.headers.get("Location")
        if not (self.config.location and location and 300 <= response.status < 400):
            return None
        return location

    def _after(self, connection: Connection, url: Url, method: str) -> str | None:
        response = self.result.response
        assert response is not None
        self.body_noted = False
        location = response.headers.get("Location")
        if location and 300 <= response.status < 400:
            self.result.redirect_url = join(url, location)
        wish = response.headers.get("Connection").lower()
        measured = (
            "Content-Length" in response.headers
            or is_chunked(response.headers)
            or not has_body(response, method)
        )
        close = (
            "close" in wish or not measured or (response.version == "HTTP/1.0" and "keep-alive" not in wish)
        )
        note = (
            f"Closing connection {connection.number}"
            if close
            else f"Connection #{connection.number} to host {url.host} left intact"
        )
        where = self._location(response)
        if where is not None and self.result.redirects >= self.config.max_redirects >= 0:
            self._discard(connection)
            self.farewell += [f"Maximum ({self.config.max_redirects}) redirects followed", note]
            raise CurlError(47, f"Maximum ({self.config.max_redirects}) redirects followed")
        if close:
            self._discard(connection)
        if where is not None:
            self.session.info(note)
            self.result.redirect_url = ""
        else:
            self.farewell.append(note)
        if where is None and self.config.fail_with_body and response.status >= 400:
            raise CurlError(22, f"The requested URL returned error: {response.status}")
        return where
