"""nginx' listening sockets and connections, and the phases a request goes through (src/http/ngx_http_core_module.c)."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.userland import tls
from kubenet_course.userland.daemons.nginx.config import Configuration
from kubenet_course.userland.daemons.nginx.context import Context
from kubenet_course.userland.daemons.nginx.error_page import error_page_of, overwrite
from kubenet_course.userland.daemons.nginx.location import choose_location, choose_server, matches
from kubenet_course.userland.daemons.nginx.log import access_log
from kubenet_course.userland.daemons.nginx.pages import NO_ANSWER, SpecialResponse, page, redirect
from kubenet_course.userland.daemons.nginx.proxy import RoundRobin, proxy_pass
from kubenet_course.userland.daemons.nginx.rewrite import rewritten, try_files
from kubenet_course.userland.daemons.nginx.static import serve_static
from kubenet_course.userland.daemons.nginx.variables import expand
from kubenet_course.userland.http import (
    HttpError,
    Request,
    Response,
    Wire,
    keeps_alive,
    read_request,
    write_response,
)
from kubenet_course.userland.sockets import EmulatedStream, adopt, background, open_socket
from kubenet_course.wire.addresses import parse_address

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp import TcpSocket
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.sockets import Stream


REDIRECTIONS = (301, 302, 303, 307, 308)


class BindError(Exception):
    """A listening socket could not be had; nginx' sentence."""


class Nginx:
    """A worker: the sockets it listens on, and the requests that come."""

    def __init__(self, proc: Process, config: Configuration):
        self.proc, self.config = proc, config
        self.listeners: list[tuple[TcpSocket, str, int]] = []
        self.upstreams = RoundRobin(config.upstreams)
        #: Connections are numbered as they come and go, those to upstreams among them (ngx_connection_counter).
        self.numbers = count(1)

    # -- sockets ----------------------------------------------------------------------------
    def bind(self) -> None:
        """Open every listening socket; BindError, after five attempts in nginx' manner (at once here)."""
        wanted: dict[tuple[str, int, bool], None] = {}
        for server in self.config.servers:
            for address, port, _, six in server.listens:
                wanted[(address, port, six)] = None
        failures = []
        for number, (address, port, six) in enumerate(wanted):
            shown = f"[{address or '::'}]:{port}" if six else f"{address or '0.0.0.0'}:{port}"
            if six and not self._has_ipv6():
                continue
            try:
                sock = open_socket(self.proc, AF_INET6 if six else AF_INET, SOCK_STREAM)
                sock.fd = 5 + number
                sock.reuse_address, sock.v6only = True, six
                sock.bind(parse_address(address) if address else None, port)
                sock.listen(511)
            except KernelError as failure:
                failures.append(f"bind() to {shown} failed ({failure.errno}: {failure.strerror})")
                continue
            except ValueError:
                failures.append(f'host not found in "{shown}" of the "listen" directive')
                continue
            self.listeners.append((sock, address, port))
        if failures:
            raise BindError("\n".join(failures))

    def _has_ipv6(self) -> bool:
        try:
            return self.proc.net.sysctl.get_int("net", "ipv6", "conf", "all", "disable_ipv6") == 0
        except KernelError:
            return False

    async def serve(self) -> None:
        for sock, address, port in self.listeners:
            background(self.proc, self._accept(sock, address, port))
        await self.proc.loop.future()

    async def _accept(self, sock: TcpSocket, address: str, port: int) -> None:
        while True:
            conn, _ = await sock.accept()
            stream = EmulatedStream(self.proc, adopt(self.proc, conn))
            background(self.proc, self._connection(stream, address, port, next(self.numbers)))

    async def _secured(self, stream: EmulatedStream, address: str, port: int) -> Stream | None:
        """The stream, or the TLS in it on an address that is to speak it; None where that came to nothing."""
        server = next((one for one in self.config.servers if (address, port) in one.tls), None)
        if server is None:
            return stream
        try:
            return await tls.accept(
                stream,
                self.config.certificates[id(server)],
                random=self.proc.loop.random.randbytes,
                timeout=60,
            )
        except tls.TlsError as problem:
            if problem.kind == "not TLS":
                response = page(self.proc, 400)
                text = "The plain HTTP request was sent to HTTPS port"
                response.body = response.body.replace(
                    b"400 Bad Request</title>", f"400 {text}</title>".encode()
                ).replace(b"<hr>", f"<center>{text}</center>\r\n<hr>".encode())
                response.headers.set("Content-Length", str(len(response.body)))
                response.headers.set("Connection", "close")
                unread = Request("-", "-", version="HTTP/1.1", peer=stream.peer)
                access_log(self.proc, self.config, unread, response, None)
                await write_response(stream, response)
                stream.write_eof()
            return None

    async def _connection(self, connection: EmulatedStream, address: str, port: int, number: int) -> None:
        stream: Stream | None = connection
        try:
            stream = await self._secured(connection, address, port)
        except KernelError:
            stream = None
        if stream is None:
            connection.close()
            return
        wire = Wire(stream)
        try:
            while True:
                try:
                    request = await read_request(wire)
                    if request is None:
                        return
                    request.local = (stream.local[0], port)
                    response, context = await self.handle(request, address, port, number)
                except HttpError as problem:
                    request = Request("-", "-", version="HTTP/1.1", peer=stream.peer)
                    status = problem.status if problem.status in (413, 414) else 400
                    response, context = page(self.proc, status), None
                    response.headers.set("Connection", "close")
                alive = (
                    keeps_alive(request.version, request.headers)
                    and response.headers.get("Connection") != "close"
                )
                if not alive:
                    response.headers.set("Connection", "close")
                access_log(self.proc, self.config, request, response, context)
                if response.status == NO_ANSWER:
                    return
                await write_response(stream, response, request.method)
                if not alive:
                    stream.write_eof()
                    return
        except KernelError:
            return  # the client went away
        finally:
            stream.close()

    # -- the answer -------------------------------------------------------------------------
    async def handle(
        self, request: Request, address: str, port: int, number: int = 0
    ) -> tuple[Response, Context | None]:
        """The answer to a request that came to `address` and `port`; no context where it is no good request."""
        path = unquote(request.path)
        nameless = "Host" not in request.headers and request.version == "HTTP/1.1"
        if nameless or not request.target.startswith("/") or _climbs(path):
            bad = page(self.proc, 400)
            bad.headers.set("Connection", "close")
            return bad, None
        server = choose_server(self.config.servers, address, port, request.host)
        context = Context(self.proc, self.config, request, server, number)
        response: Response
        try:
            response = await self._in_server(context)
        except HttpError as problem:
            response = page(self.proc, problem.status)
        if isinstance(response, SpecialResponse):
            response = await self._error_page(context, response)
        return _add_headers(context, response), context

    async def _error_page(self, context: Context, response: SpecialResponse) -> Response:
        """The answer that `error_page` puts in the place of this one; an error on the way there is not replaced again."""
        wanted = error_page_of(context, response.status)
        if wanted is None:
            return response
        if not wanted.uri.startswith("/"):
            return redirect(context, wanted.status if wanted.status in REDIRECTIONS else 302, wanted.uri)
        context.uri, context.internal = expand(wanted.uri, context), True
        if context.method != "HEAD":
            context.method = "GET"
        try:
            found = await self._located(context)
        except HttpError as problem:
            return page(self.proc, problem.status)
        if isinstance(found, SpecialResponse) or wanted.status == 0:
            return found
        return overwrite(found, response.status if wanted.status is None else wanted.status)

    async def _in_server(self, context: Context) -> Response:
        """The phases: rewrite of the server, then those of the location."""
        answered = rewritten(context)
        return answered if answered is not None else await self._located(context)

    async def _located(self, context: Context) -> Response:
        """Find the location, its rewrite, try_files, content; again where that leads to another URI."""
        for _ in range(10):
            location = choose_location(context.server.locations, context.uri)
            if location is None:
                return serve_static(context)
            context.settings, context.prefix = location.settings, location.path
            if location.kind in ("~", "~*"):
                found = matches(location, context.uri)
                context.captures = tuple(found.groups()) if found else ()
            if "internal" in location.settings and not context.internal:
                raise HttpError("internal", 404)
            before = context.uri
            answered = rewritten(context)
            if answered is not None:
                return answered
            if context.uri != before:
                context.internal = True
                continue
            if "proxy_pass" in location.settings:
                return await proxy_pass(context, location, self.upstreams, self.numbers)
            tried = try_files(context)
            if tried == "":
                return serve_static(context)
            if tried.startswith("="):
                raise HttpError("try_files", int(tried[1:]))
            context.uri, context.internal = tried, True
        raise HttpError("rewrite or internal redirection cycle", 500)


def _add_headers(context: Context, response: Response) -> Response:
    """add_header (for the statuses it is for, or always)."""
    for one in context.settings.get("add_header", []):
        always = len(one.arguments) > 2 and one.arguments[2] == "always"
        if always or response.status in (200, 201, 204, 206, 301, 302, 303, 304, 307, 308):
            value = expand(one.arguments[1], context)
            if value:
                response.headers.add(one.arguments[0], value)
    return response


def _climbs(path: str) -> bool:
    """Whether ``..`` leads above the root."""
    depth = 0
    for part in path.split("/"):
        depth += -1 if part == ".." else 1 if part not in ("", ".") else 0
        if depth < 0:
            return True
    return False
