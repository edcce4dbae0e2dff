"""Answers requests as the configuration says (the core, static, return, autoindex, proxy and log modules).

Length: a request's phases, in their order.
"""

from __future__ import annotations

import html
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland import tls
from kubenet_course.userland.daemons.nginx.config import Configuration, Directive, Location, Server
from kubenet_course.userland.daemons.web import http_date, parse_http_date, wall_seconds
from kubenet_course.userland.http import (
    HttpError,
    Request,
    Response,
    Wire,
    keeps_alive,
    read_request,
    read_response,
    write_response,
)
from kubenet_course.userland.resolver import ResolverError, getaddrinfo
from kubenet_course.userland.sockets import EmulatedStream, Sockets, adopt, background, open_socket
from kubenet_course.wire.addresses import parse_address

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp import TcpSocket
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.sockets import Stream

VERSION = "nginx/1.22.1"
REASONS = {405: "Not Allowed", 302: "Moved Temporarily", 400: "Bad Request", 413: "Request Entity Too Large", 504: "Gateway Time-out",
           503: "Service Temporarily Unavailable"}  # fmt: skip
Settings = dict[str, list[Directive]]


class BindError(Exception):
    """A listening socket could not be had; nginx' sentence."""


class Context:
    """One request on its way: its server, location settings and variables."""

    def __init__(self, request: Request, server: Server, settings: Settings):
        self.request, self.server, self.settings = request, server, settings
        self.uri = unquote(request.path, errors="surrogateescape")
        self.prefix = ""
        self.captures: tuple[str | None, ...] = ()
        self.status_text = ""


class Nginx:
    def __init__(self, proc: Process, config: Configuration):
        self.proc, self.config = proc, config
        self.listeners: list[tuple[TcpSocket, str, int]] = []
        self.next_upstream = 0
        self.connections = 0

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
            self.connections += 1
            background(
                self.proc,
                self._connection(
                    EmulatedStream(self.proc, adopt(self.proc, conn)), address, port, self.connections
                ),
            )

    async def _secured(self, stream: EmulatedStream, address: str, port: int) -> Stream | None:
        """The stream, or the TLS in it on an address that is to speak it; None where that came to nothing."""
        server = next((one for one in self.config.servers if (address, port) in one.tls), None)
        if server is None:
            return stream
        try:
            return await tls.accept(stream, self.config.certificates[id(server)], random=self.proc.loop.random.randbytes, timeout=60)
        except tls.TlsError as problem:
            if problem.kind == "not TLS":
                response = self.page(400)
                text = "The plain HTTP request was sent to HTTPS port"
                response.body = response.body.replace(b"400 Bad Request</title>", f"400 {text}</title>".encode()).replace(
                    b"<hr>", f"<center>{text}</center>\r\n<hr>".encode()
                )
                response.headers.set("Content-Length", str(len(response.body)))
                response.headers.set("Connection", "close")
                self._access_log(Request("-", "-", version="HTTP/1.1", peer=stream.peer), response, None)
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
                    response, context = self.page(status), None
                    response.headers.set("Connection", "close")
                alive = (
                    keeps_alive(request.version, request.headers)
                    and response.headers.get("Connection") != "close"
                )
                if not alive:
                    response.headers.set("Connection", "close")
                self._access_log(request, response, context)
                await write_response(stream, response, request.method)
                if not alive:
                    stream.write_eof()
                    return
        except KernelError:
            return  # the client went away
        finally:
            stream.close()

    # -- which server, which location -------------------------------------------------------
    def choose_server(self, address: str, port: int, host: str) -> Server:
        """The server_name that fits: exact, ``*.x``, ``x.*``, regex, else the default of the socket."""
        here = [
            server
            for server in self.config.servers
            if any(one[1] == port and one[0] in ("", address) for one in server.listens)
        ]
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        name = name.lower()
        for fits in (_exact, _leading, _trailing, _regex):
            for server in here:
                if any(fits(pattern, name) for pattern in server.names):
                    return server
        return next(
            (server for server in here if any(one[1] == port and one[2] for one in server.listens)), here[0]
        )

    @staticmethod
    def choose_location(locations: list[Location], path: str) -> Location | None:
        best: Location | None = None
        for location in locations:
            if location.kind == "=" and location.path == path:
                return location
            if location.kind in ("", "^~") and path.startswith(location.path):
                if best is None or len(location.path) > len(best.path):
                    best = location
        if best is None or best.kind != "^~":
            for location in locations:
                if location.kind in ("~", "~*") and _matches(location, path):
                    return location
        if best is not None and best.inner:
            return Nginx.choose_location(best.inner, path) or best
        return best

    # -- the answer -------------------------------------------------------------------------
    async def handle(
        self, request: Request, address: str, port: int, number: int = 0
    ) -> tuple[Response, Context | None]:
        if "Host" not in request.headers and request.version == "HTTP/1.1":
            response = self.page(400)
            response.headers.set("Connection", "close")
            return response, None
        if (
            not request.target.startswith("/")
            or "/.." in unquote(request.path)
            and _climbs(unquote(request.path))
        ):
            response = self.page(400)
            response.headers.set("Connection", "close")
            return response, None
        server = self.choose_server(address, port, request.host)
        context = Context(request, server, server.settings)
        try:
            response = await self._in_server(context, number)
        except HttpError as problem:
            response = self.page(problem.status)
        return self._finish(context, response), context

    async def _in_server(self, context: Context, number: int) -> Response:
        answered = self._return(context)
        if answered is not None:
            return answered
        for _ in range(10):
            location = self.choose_location(context.server.locations, context.uri)
            if location is None:
                return self._static(context, number)
            context.settings, context.prefix = location.settings, location.path
            if location.kind in ("~", "~*"):
                found = _matches(location, context.uri)
                context.captures = tuple(found.groups()) if found else ()
            before = context.uri
            answered = self._return(context)
            if answered is not None:
                return answered
            if context.uri != before:
                continue
            if "proxy_pass" in location.settings:
                return await self._proxy(context, location, number)
            tried = self._try_files(context)
            if tried == "":
                return self._static(context, number)
            if tried.startswith("="):
                raise HttpError("try_files", int(tried[1:]))
            context.uri = tried
        raise HttpError("rewrite or internal redirection cycle", 500)

    def _return(self, context: Context) -> Response | None:
        """`return` and `rewrite`."""
        for one in context.settings.get("rewrite", []):
            found = re.search(one.arguments[0], context.uri)
            if found is None:
                continue
            target = re.sub(
                r"\$(\d)", lambda match, found=found: found.group(int(match.group(1))) or "", one.arguments[1]  # type: ignore[misc]
            )  # type: ignore[misc]
            target = self.expand(target, context)
            flag = one.arguments[2] if len(one.arguments) > 2 else ""
            if flag in ("redirect", "permanent") or target.startswith(("http://", "https://")):
                return self._redirect(context, 301 if flag == "permanent" else 302, target)
            context.uri = target.partition("?")[0]
            if flag == "break":
                return self._static(context, 0)
            break
        given = context.settings.get("return")
        if not given:
            return None
        first, *rest = given[0].arguments
        if not first.isdigit():
            return self._redirect(context, 302, self.expand(first, context))
        status = int(first)
        if status == 444:
            raise HttpError("closed", 444)
        text = self.expand(rest[0], context) if rest else ""
        if status in (301, 302, 303, 307, 308) and text:
            return self._redirect(context, status, text)
        if not rest:
            return self.page(status)
        return self._response(status, text.encode("utf-8", "surrogateescape"), self._default_type(context))

    def _redirect(self, context: Context, status: int, target: str) -> Response:
        if target.startswith("/"):
            host = context.request.host or context.request.local[0]
            port = context.request.local[1]
            name = re.sub(r":\d+$", "", host)
            target = f"http://{name}{'' if port == 80 else f':{port}'}{target}"
        response = self.page(status)
        fields = response.headers.fields
        fields.insert(
            next((at for at, field in enumerate(fields) if field[0] == "Connection"), len(fields)),
            ("Location", target),
        )
        return response

    def _default_type(self, context: Context) -> str:
        return _last(context.settings, "default_type", "text/plain")

    def _path(self, context: Context, uri: str) -> str:
        alias = context.settings.get("alias")
        if alias:
            return self.expand(alias[-1].arguments[0], context) + uri[len(context.prefix) :]
        return (
            self.expand(_last(context.settings, "root", "/usr/share/nginx/html"), context).rstrip("/") + uri
        )

    def _try_files(self, context: Context) -> str:
        """ "" to serve the current URI, "=404" for a status, else the URI to go to."""
        given = context.settings.get("try_files")
        if not given:
            return ""
        *candidates, last = given[0].arguments
        for candidate in candidates:
            uri = self.expand(candidate, context)
            path = self._path(context, uri)
            found = (
                self.proc.files.isdir(path, self.proc)
                if uri.endswith("/")
                else self.proc.files.isfile(path, self.proc)
            )
            if found:
                if uri.endswith("/") and not context.uri.endswith("/"):
                    return ""
                context.uri = uri
                return ""
        return last if last.startswith("=") else self.expand(last, context)

    def _static(self, context: Context, number: int) -> Response:
        request, files, proc = context.request, self.proc.files, self.proc
        path = self._path(context, context.uri)
        if files.isdir(path, proc):
            if not context.uri.endswith("/"):
                return self._redirect(
                    context, 301, quote(context.uri) + "/" + (f"?{request.query}" if request.query else "")
                )
            names = [name for one in context.settings.get("index", []) for name in one.arguments] or [
                "index.html"
            ]
            for name in names:
                if files.isfile(path.rstrip("/") + "/" + name, proc):
                    path = path.rstrip("/") + "/" + name
                    break
            else:
                if _last(context.settings, "autoindex", "off") == "on":
                    return self._autoindex(context, path)
                self._error(f'directory index of "{path}" is forbidden', context, number)
                return self.page(403)
        elif context.uri.endswith("/"):
            self._error(f'"{path}index.html" is not found (2: No such file or directory)', context, number)
            return self.page(404)
        if request.method not in ("GET", "HEAD"):
            return self.page(405)
        try:
            stat = files.stat(path, proc)
            body = files.read(path, proc)
        except KernelError as failure:
            self._error(f'open() "{path}" failed ({failure.errno}: {failure.strerror})', context, number)
            return self.page(403 if failure.strerror == "Permission denied" else 404)
        modified = stat.mtime // SECOND
        kind = (
            self.config.types.get(path.rpartition(".")[2].lower(), self._default_type(context))
            if self.config.types
            else self._plain_type(path, context)
        )
        tag = f'"{modified:x}-{len(body):x}"'
        since = parse_http_date(request.headers.get("If-Modified-Since"))
        if request.headers.get("If-None-Match") == tag or (since is not None and since == modified):
            response = Response(304, self._head())
            response.headers.add("Last-Modified", http_date(modified))
            response.headers.add("Connection", "keep-alive")
            response.headers.add("ETag", tag)
            return response
        return self._ranged(request, body, kind, modified, tag)

    def _plain_type(self, path: str, context: Context) -> str:
        return {"html": "text/html", "htm": "text/html"}.get(
            path.rpartition(".")[2], self._default_type(context)
        )

    def _ranged(self, request: Request, body: bytes, kind: str, modified: int, tag: str) -> Response:
        whole = len(body)
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range"))
        status, extra = 200, ("Accept-Ranges", "bytes")
        if wanted and (wanted.group(1) or wanted.group(2)):
            first = int(wanted.group(1)) if wanted.group(1) else max(0, whole - int(wanted.group(2)))
            last = min(int(wanted.group(2)), whole - 1) if wanted.group(1) and wanted.group(2) else whole - 1
            if first > last:
                response = self.page(416)
                response.headers.add("Content-Range", f"bytes */{whole}")
                return response
            body = body[first : last + 1]
            status, extra = 206, ("Content-Range", f"bytes {first}-{last}/{whole}")
        response = Response(status, self._head(), body)
        for name, value in (
            ("Content-Type", kind), ("Content-Length", str(len(body))), ("Last-Modified", http_date(modified)),
            ("Connection", "keep-alive"), ("ETag", tag), extra,
        ):  # fmt: skip
            response.headers.add(name, value)
        return response

    def _autoindex(self, context: Context, path: str) -> Response:
        files, proc = self.proc.files, self.proc
        shown = html.escape(context.uri, quote=False)
        lines = [
            f'<html>\r\n<head><title>Index of {shown}</title></head>\r\n<body>\r\n<h1>Index of {shown}</h1><hr><pre><a href="../">../</a>\r\n'  # noqa: E501
        ]
        entries = []
        for name in files.listdir(path, proc):
            if not name.startswith("."):
                full = path.rstrip("/") + "/" + name
                entries.append((not files.isdir(full, proc), name, files.stat(full, proc)))
        for is_file, name, stat in sorted(entries, key=lambda entry: entry[:2]):
            label = name if is_file else name + "/"
            cut = label if len(label) <= 50 else label[:47] + "..>"
            when = time.strftime("%d-%b-%Y %H:%M", time.gmtime(stat.mtime // SECOND))
            size = str(stat.size) if is_file else "-"
            lines.append(
                f'<a href="{quote(label)}">{html.escape(cut, quote=False)}</a>{" " * (51 - len(cut))}{when}{size:>20s}\r\n'
            )
        lines.append("</pre><hr></body>\r\n</html>\r\n")
        return self._response(200, "".join(lines).encode(), "text/html")

    # -- proxying ---------------------------------------------------------------------------
    async def _proxy(self, context: Context, location: Location, number: int) -> Response:
        """proxy_pass: to an address, a name or an upstream group, one after the other."""
        given = self.expand(location.settings["proxy_pass"][-1].arguments[0], context)
        found = re.fullmatch(r"http://([^/]+)(/.*)?", given)
        if found is None:
            raise HttpError("only http:// upstreams", 500)
        name, path = found.group(1), found.group(2)
        uri = quote(context.uri, safe="/%:@!$&'()*+,;=~-._")
        target = path + uri[len(location.path) :] if path is not None else uri
        target += f"?{context.request.query}" if context.request.query else ""
        group = self.config.upstreams.get(name)
        places = group or [name]
        if group:
            start = self.next_upstream % len(group)
            self.next_upstream += 1
            places = group[start:] + group[:start]
        status = 502
        for place in places:
            host, _, port = place.partition(":")
            try:
                address = (await getaddrinfo(self.proc, host))[0].address
                return await self._ask(
                    context, str(address), int(port or 80), name if group else place, target
                )
            except ResolverError:
                self._error(f"{host} could not be resolved", context, number)
            except (KernelError, HttpError) as failure:
                code = failure.errno if isinstance(failure, KernelError) else 0
                words = failure.strerror if isinstance(failure, KernelError) else str(failure)
                status = 504 if words == "Connection timed out" else 502
                what = "upstream timed out" if status == 504 else "connect() failed"
                self._error(
                    f"{what} ({code}: {words}) while connecting to upstream",
                    context,
                    number,
                    f"http://{place}{target}",
                )
        return self.page(status)

    async def _ask(self, context: Context, address: str, port: int, host: str, target: str) -> Response:
        stream = await Sockets(self.proc).connect(address, port, timeout=60)
        try:
            request = Request(context.request.method, target, version="HTTP/1.0", body=context.request.body)
            own = {
                one.arguments[0].lower(): one.arguments
                for one in context.settings.get("proxy_set_header", [])
            }
            if "host" not in own:
                request.headers.add("Host", host)
            for words in own.values():
                value = self.expand(words[1], context)
                if value:
                    request.headers.add(words[0], value)
            request.headers.set("Connection", "close")
            for name, value in context.request.headers:
                if name.lower() not in ("host", "connection", "keep-alive", "transfer-encoding", *own):
                    request.headers.add(name, value)
            await stream.write(request.encode())
            answer = await read_response(Wire(stream), context.request.method)
        finally:
            stream.close()
        response = Response(answer.status, self._head(), answer.body, reason=answer.reason)
        kind = answer.headers.get("Content-Type")
        if kind:
            response.headers.add("Content-Type", kind)
        if answer.status not in (204, 304):
            length = (
                answer.headers.get("Content-Length")
                if context.request.method == "HEAD"
                else str(len(answer.body))
            )
            response.headers.add("Content-Length", length or "0")
        response.headers.add("Connection", "keep-alive")
        hidden = (
            "server",
            "date",
            "content-type",
            "content-length",
            "connection",
            "transfer-encoding",
            "x-accel-redirect",
        )
        for name, value in answer.headers:
            if name.lower() not in hidden:
                response.headers.add(name, value)
        return response

    # -- building ---------------------------------------------------------------------------
    def _head(self) -> dict[str, str]:
        return {"Server": VERSION, "Date": http_date(wall_seconds(self.proc))}

    def _response(self, status: int, body: bytes, kind: str) -> Response:
        response = Response(status, self._head(), body, reason=REASONS.get(status, ""))
        if status not in (204, 304):
            response.headers.add("Content-Type", kind)
            response.headers.add("Content-Length", str(len(body)))
        response.headers.add("Connection", "keep-alive")
        return response

    def page(self, status: int) -> Response:
        """A special response with nginx' own page."""
        response = self._response(status, b"", "text/html")
        if status in (204, 304) or status < 300:
            return response
        title = f"{status} {response.reason}"
        lines = [
            "<html>",
            f"<head><title>{title}</title></head>",
            "<body>",
            f"<center><h1>{title}</h1></center>",
            f"<hr><center>{VERSION}</center>",
        ]
        response.body = "".join(f"{line}\r\n" for line in (*lines, "</body>", "</html>")).encode()
        response.headers.set("Content-Length", str(len(response.body)))
        fields = [field for field in response.headers.fields if field[0] != "Connection"]
        response.headers.fields = [*fields, ("Connection", "keep-alive")]
        return response

    def _finish(self, context: Context, response: Response) -> Response:
        """add_header (for the statuses it is for, or always)."""
        for one in context.settings.get("add_header", []):
            always = len(one.arguments) > 2 and one.arguments[2] == "always"
            if always or response.status in (200, 201, 204, 206, 301, 302, 303, 304, 307, 308):
                value = self.expand(one.arguments[1], context)
                if value:
                    response.headers.add(one.arguments[0], value)
        return response

    def expand(self, text: str, context: Context) -> str:
        """$variables of the core and proxy modules."""
        request = context.request
        name = re.sub(r":\d+$", "", request.host).lower()

        def value(match: re.Match[str]) -> str:
            word = match.group(1) or match.group(2)
            if word.isdigit():
                index = int(word) - 1
                return (context.captures[index] or "") if 0 <= index < len(context.captures) else ""
            if word.startswith("http_"):
                return request.headers.get(word[5:].replace("_", "-"))
            if word.startswith("arg_"):
                found = re.search(rf"(?:^|&){re.escape(word[4:])}=([^&]*)", request.query)
                return found.group(1) if found else ""
            forwarded = request.headers.get("X-Forwarded-For")
            return {
                "uri": context.uri, "document_uri": context.uri, "request_uri": request.target, "args": request.query,
                "query_string": request.query, "is_args": "?" if request.query else "", "host": name or context.server.names[0],
                "remote_addr": request.peer[0], "remote_port": str(request.peer[1]), "server_addr": request.local[0],
                "server_port": str(request.local[1]), "request_method": request.method, "scheme": "http", "https": "",
                "server_name": context.server.names[0], "server_protocol": request.version, "hostname": self.proc.uts.hostname,
                "nginx_version": "1.22.1", "proxy_add_x_forwarded_for": f"{forwarded}, {request.peer[0]}" if forwarded else request.peer[0],
                "request": f"{request.method} {request.target} {request.version}", "content_type": request.headers.get("Content-Type"),
                "content_length": request.headers.get("Content-Length"), "pid": str(self.proc.vpid), "request_body": request.body.decode("latin-1"),  # noqa: E501
                "proxy_host": "", "time_local": self._local_time(), "msec": f"{wall_seconds(self.proc)}.000",
            }.get(word, "")  # fmt: skip

        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, text)

    # -- logs -------------------------------------------------------------------------------
    def _local_time(self) -> str:
        return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(wall_seconds(self.proc)))

    def _access_log(self, request: Request, response: Response, context: Context | None) -> None:
        settings = context.settings if context is not None else {}
        path = _last(settings, "access_log", "/var/log/nginx/access.log")
        if path == "off":
            return
        line = f"{request.method} {request.target} {request.version}" if request.method != "-" else ""
        size = 0 if request.method == "HEAD" else len(response.body)
        referer, agent = request.headers.get("Referer") or "-", request.headers.get("User-Agent") or "-"
        text = f'{request.peer[0]} - - [{self._local_time()}] "{line}" {response.status} {size} "{referer}" "{agent}"'
        chosen = settings["access_log"][-1].arguments[1:2] if settings.get("access_log") else []
        layout = self.config.formats.get(chosen[0]) if chosen else None
        if layout is not None and context is not None:
            text = self._logged(layout, context, response.status, size)
        self._append(path, f"{text}\n")

    def _logged(self, layout: str, context: Context, status: int, size: int) -> str:
        """A line by log_format; what a request does not have is a dash."""
        own = {"status": str(status), "body_bytes_sent": str(size), "request_time": "0.000", "remote_user": "-"}

        def value(match: re.Match[str]) -> str:
            word = match.group(1) or match.group(2)
            return own.get(word) or self.expand(f"${{{word}}}", context) or "-"

        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, layout)

    def _error(self, text: str, context: Context, number: int, upstream: str = "") -> None:
        request = context.request
        when = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(wall_seconds(self.proc)))
        line = f"{when} [error] {self.proc.vpid}#{self.proc.vpid}: *{number} {text}, client: {request.peer[0]}, server: {context.server.names[0]}, "  # noqa: E501
        line += f'request: "{request.method} {request.target} {request.version}"'
        line += f', upstream: "{upstream}"' if upstream else ""
        line += f', host: "{request.host}"\n'
        self._append(_last(context.settings, "error_log", self.config.error_log), line)

    def _append(self, path: str, line: str) -> None:
        if path == "stderr" or path in ("/dev/stderr", "/dev/stdout"):
            (self.proc.stdout if path == "/dev/stdout" else self.proc.stderr).write(
                line.encode("utf-8", "surrogateescape")
            )
            return
        try:
            self.proc.files.write(path, line.encode("utf-8", "surrogateescape"), self.proc, append=True)
        except KernelError:
            return  # as nginx does when its log is gone


def _last(settings: Settings, name: str, default: str) -> str:
    found = settings.get(name)
    return found[-1].arguments[0] if found else default


def _climbs(path: str) -> bool:
    depth = 0
    for part in path.split("/"):
        depth += -1 if part == ".." else 1 if part not in ("", ".") else 0
        if depth < 0:
            return True
    return False


def _matches(location: Location, path: str) -> re.Match[str] | None:
    try:
        return re.search(location.path, path, re.IGNORECASE if location.kind == "~*" else 0)
    except re.error:
        return None


def _exact(pattern: str, name: str) -> bool:
    return pattern.lower() == name or (pattern.startswith(".") and name == pattern[1:].lower())


def _leading(pattern: str, name: str) -> bool:
    return (pattern.startswith("*.") and name.endswith(pattern[1:].lower())) or (
        pattern.startswith(".") and name.endswith(pattern.lower())
    )


def _trailing(pattern: str, name: str) -> bool:
    return pattern.endswith(".*") and name.startswith(pattern[:-1].lower())


def _regex(pattern: str, name: str) -> bool:
    try:
        return pattern.startswith("~") and re.search(pattern[1:], name) is not None
    except re.error:
        return False
