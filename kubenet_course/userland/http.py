"""HTTP/1.1 messages (RFC 9112) on any `sockets.Stream`: what servers and clients here share.

    request = await read_request(Wire(stream))          # None at the end of the connection
    await write_response(stream, Response(200, body=b"ok"))
    response = await fetch(net, "GET", "http://10.0.1.12:8080/healthz", timeout=2)
    net.spawn(serve(net, listener, handler))            # handler: async Request -> Response

What is broken raises HttpError, never anything else. Bodies are whole bytes: by Content-Length, chunked,
or until the connection closes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubenet_course.errors import KernelError, KubenetError

if TYPE_CHECKING:
    from kubenet_course.userland.sockets import Listener, Network, Peer, Stream

MAX_LINE = 65536
MAX_HEADERS = 200
MAX_BODY = 64 << 20

REASONS = {
    100: "Continue", 101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
    206: "Partial Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
    307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
    413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
    422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}  # fmt: skip


class HttpError(KubenetError):
    """A message that is no HTTP; `status` is what a server answers to it."""

    def __init__(self, message: str, status: int = 400):
        super().__init__(message)
        self.status = status


class Headers:
    """Header fields in order; look-up ignores case and gives the first."""

    def __init__(self, fields: list[tuple[str, str]] | dict[str, str] | None = None):
        self.fields: list[tuple[str, str]] = list(
            fields.items() if isinstance(fields, dict) else fields or []
        )

    def get(self, name: str, default: str = "") -> str:
        wanted = name.lower()
        return next((value for key, value in self.fields if key.lower() == wanted), default)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(key.lower() == name.lower() for key, _ in self.fields)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)

    def set(self, name: str, value: str) -> None:
        """Replace every field of that name, or add one."""
        self.remove(name)
        self.fields.append((name, value))

    def add(self, name: str, value: str) -> None:
        self.fields.append((name, value))

    def remove(self, name: str) -> None:
        self.fields = [(key, value) for key, value in self.fields if key.lower() != name.lower()]

    def encode(self) -> bytes:
        return "".join(f"{key}: {value}\r\n" for key, value in self.fields).encode("latin-1", "replace")


class Request:
    """`target` is as on the request line; `path` and `query` are its parts."""

    def __init__(
        self,
        method: str,
        target: str,
        headers: Headers | None = None,
        body: bytes = b"",
        version: str = "HTTP/1.1",
        peer: Peer = ("", 0),
    ):
        self.method, self.target, self.version = method, target, version
        self.headers = headers or Headers()
        self.body = body
        self.peer = peer
        self.local: Peer = ("", 0)

    @property
    def path(self) -> str:
        target = self.target
        if "://" in target.partition("?")[0]:
            target = "/" + target.partition("://")[2].partition("/")[2]
        return target.partition("?")[0].partition("#")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def host(self) -> str:
        return self.headers.get("Host")

    def encode(self) -> bytes:
        line = f"{self.method} {self.target} {self.version}\r\n".encode("latin-1", "replace")
        return line + self.headers.encode() + b"\r\n" + self.body


class Response:
    """`reason` "" takes the usual words for the status."""

    def __init__(
        self,
        status: int,
        headers: Headers | dict[str, str] | None = None,
        body: bytes = b"",
        reason: str = "",
        version: str = "HTTP/1.1",
    ):
        self.status, self.version = status, version
        self.reason = reason or REASONS.get(status, "")
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body

    def head(self) -> bytes:
        return (
            f"{self.version} {self.status} {self.reason}\r\n".encode("latin-1", "replace")
            + self.headers.encode()
            + b"\r\n"
        )


# -- reading ------------------------------------------------------------------------------------
class Wire:
    """A stream with a buffer in front, for reading lines and exact amounts."""

    def __init__(self, stream: Stream):
        self.stream = stream
        self.buffer = bytearray()
        self.ended = False

    async def more(self) -> bool:
        """Read once more; False at the end."""
        data = await self.stream.read()
        if not data:
            self.ended = True
            return False
        self.buffer += data
        return True

    async def line(self) -> bytes:
        """Up to and with the newline; what is left where there is none."""
        while (at := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > MAX_LINE:
                raise HttpError("line too long", 414)
            if not await self.more():
                at = len(self.buffer) - 1
                break
        taken = bytes(self.buffer[: at + 1])
        del self.buffer[: at + 1]
        return taken

    async def some(self, most: int = 65536) -> bytes:
        """What is there, at least one byte; b"" at the end."""
        if not self.buffer and not await self.more():
            return b""
        taken = bytes(self.buffer[:most])
        del self.buffer[:most]
        return taken

    async def exactly(self, count: int) -> bytes:
        """HttpError where the stream ends before."""
        while len(self.buffer) < count:
            if not await self.more():
                raise HttpError("unexpected end of stream")
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken


async def read_headers(wire: Wire) -> Headers:
    """The fields up to the empty line. Raises HttpError."""
    headers = Headers()
    while True:
        line = await wire.line()
        text = line.rstrip(b"\r\n").decode("latin-1")
        if not text:
            if not line:
                raise HttpError("headers cut short")
            return headers
        if text[0] in " \t" and headers.fields:  # obsolete folding
            name, value = headers.fields[-1]
            headers.fields[-1] = (name, f"{value} {text.strip()}")
            continue
        name, colon, value = text.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpError(f"bad header line {text[:60]!r}")
        headers.add(name, value.strip())
        if len(headers.fields) > MAX_HEADERS:
            raise HttpError("too many headers", 431)


def body_length(headers: Headers) -> int | None:
    """Content-Length; None where there is none; HttpError where it is nonsense."""
    text = headers.get("Content-Length")
    if not text:
        return None
    if (
        not (text.isascii() and text.isdigit())
        or len(text) > 15
        or len(set(headers.all("Content-Length"))) > 1
    ):
        raise HttpError(f"bad Content-Length {text[:40]!r}")
    return int(text)


def is_chunked(headers: Headers) -> bool:
    return headers.get("Transfer-Encoding").lower().split(",")[-1].strip() == "chunked"


async def read_chunk(wire: Wire) -> bytes:
    """One chunk of a chunked body; b"" after the last, with its trailers read."""
    line = (await wire.line()).partition(b";")[0].strip()
    try:
        size = int(line.decode("ascii"), 16)
    except (ValueError, UnicodeDecodeError):
        raise HttpError("bad chunk size") from None
    if not 0 <= size <= MAX_BODY:
        raise HttpError("chunk too large", 413)
    if size == 0:
        while (await wire.line()).strip(b"\r\n"):
            pass
        return b""
    data = await wire.exactly(size)
    if (await wire.line()).strip(b"\r\n"):
        raise HttpError("no newline after a chunk")
    return data


async def read_body(wire: Wire, headers: Headers, until_close: bool = False) -> bytes:
    """Chunked, by Content-Length, or with `until_close` to the end of the connection. Raises HttpError (413)."""
    if is_chunked(headers):
        whole = bytearray()
        while chunk := await read_chunk(wire):
            whole += chunk
            if len(whole) > MAX_BODY:
                raise HttpError("body too large", 413)
        return bytes(whole)
    length = body_length(headers)
    if length is not None:
        if length > MAX_BODY:
            raise HttpError("body too large", 413)
        return await wire.exactly(length)
    if not until_close:
        return b""
    whole = bytearray()
    while data := await wire.some():
        whole += data
    return bytes(whole)


async def read_request_head(wire: Wire) -> Request | None:
    """The request line and headers; None where the connection ended before."""
    line = b""
    while not line.strip(b"\r\n"):
        line = await wire.line()
        if not line:
            return None
    try:
        words = line.decode("latin-1").strip("\r\n").split()
        method, target, version = words if len(words) == 3 else (*words, "HTTP/0.9")
    except ValueError:
        raise HttpError("bad request line") from None
    if not version.startswith("HTTP/") or not method.isalpha():
        raise HttpError("bad request line")
    headers = await read_headers(wire) if version != "HTTP/0.9" else Headers()
    return Request(method, target, headers, version=version, peer=wire.stream.peer)


async def read_request(wire: Wire) -> Request | None:
    """A whole request, 100-continue answered; None where the connection ended before one. Raises HttpError."""
    request = await read_request_head(wire)
    if request is not None:
        if request.headers.get("Expect").lower() == "100-continue":
            await wire.stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.body = await read_body(wire, request.headers)
    return request


async def read_response_head(wire: Wire) -> Response:
    """Status line and fields. Raises HttpError."""
    line = await wire.line()
    if not line:
        raise HttpError("empty reply")
    parts = line.decode("latin-1").strip("\r\n").split(" ", 2)
    if not parts[0].startswith("HTTP/") or len(parts) < 2 or not parts[1].isdigit() or len(parts[1]) != 3:
        raise HttpError("not HTTP")
    response = Response(int(parts[1]), await read_headers(wire), version=parts[0])
    response.reason = parts[2] if len(parts) > 2 else ""
    return response


def has_body(response: Response, method: str) -> bool:
    """Whether the answer to `method` is followed by a body (RFC 9112, 6.3)."""
    return method != "HEAD" and response.status >= 200 and response.status not in (204, 304)


async def read_response(wire: Wire, method: str = "GET") -> Response:
    """The final answer with its body, interim ones (1xx) passed over. Raises HttpError."""
    response = await read_response_head(wire)
    while response.status in (100, 102, 103):
        response = await read_response_head(wire)
    if has_body(response, method):
        response.body = await read_body(wire, response.headers, until_close=True)
    return response


# -- serving ------------------------------------------------------------------------------------
Handler = Callable[[Request], Awaitable[Response]]


def keeps_alive(version: str, headers: Headers) -> bool:
    wish = headers.get("Connection").lower()
    return "close" not in wish if version == "HTTP/1.1" else "keep-alive" in wish


async def write_response(stream: Stream, response: Response, method: str = "GET") -> None:
    """With a Content-Length unless the headers say how long the body is."""
    if (
        "Content-Length" not in response.headers
        and not is_chunked(response.headers)
        and response.status not in (204, 304)
    ):
        response.headers.add("Content-Length", str(len(response.body)))
    body = b"" if method == "HEAD" else response.body
    await stream.write(response.head() + body)


async def serve_connection(stream: Stream, handler: Handler) -> None:
    """Requests one after the other until either side has enough; closes the stream."""
    wire = Wire(stream)
    try:
        while True:
            try:
                request = await read_request(wire)
                if request is None:
                    return
                request.local = stream.local
                response = await handler(request)
            except HttpError as problem:
                body = f"{problem.status} {REASONS.get(problem.status, 'Bad Request')}\n".encode()
                request = Request("GET", "/", version="HTTP/1.0")
                response = Response(
                    problem.status, {"Connection": "close", "Content-Type": "text/plain"}, body
                )
            alive = keeps_alive(request.version, request.headers) and keeps_alive(
                "HTTP/1.1", response.headers
            )
            await write_response(stream, response, request.method)
            if not alive:
                return
    except KernelError:
        return  # the client went away
    finally:
        stream.close()


async def serve(net: Network, listener: Listener, handler: Handler) -> None:
    """Accept for ever, each connection in a task of its own."""
    while True:
        stream = await listener.accept()
        net.spawn(serve_connection(stream, handler))


# -- asking -------------------------------------------------------------------------------------
async def fetch(
    net: Network, method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes = b"", timeout: float | None = None,
    resolve: Callable[[str], Awaitable[str]] | None = None,
) -> Response:  # fmt: skip
    """One request on a connection of its own. HttpError or KernelError where it fails.

    The host must be an address unless `resolve` turns names into addresses. `timeout` is for
    connecting, and for the whole answer again.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        raise HttpError(f"bad URL {url!r}") from None
    if parts.scheme != "http" or not parts.hostname:
        raise HttpError(f"bad URL {url!r}")
    address = await resolve(parts.hostname) if resolve is not None else parts.hostname
    stream = await net.connect(address, port, timeout)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = Request(method, target, Headers([("Host", parts.netloc)]), body)
        for name, value in (headers or {}).items():
            request.headers.set(name, value)
        request.headers.set("Connection", "close")
        if body:
            request.headers.set("Content-Length", str(len(body)))
        await stream.write(request.encode())
        return await read_response(Wire(_Limited(net, stream, timeout)), method)
    finally:
        stream.close()


class _Limited:
    """A stream whose reads share one deadline."""

    def __init__(self, net: Any, stream: Stream, timeout: float | None):
        self.net, self.stream = net, stream
        self.local, self.peer = stream.local, stream.peer
        self.deadline = None if timeout is None else net.time() + timeout

    async def read(self, size: int = 65536, timeout: float | None = None) -> bytes:
        left = None if self.deadline is None else max(0.0, self.deadline - self.net.time())
        return await self.stream.read(size, left if timeout is None else timeout)

    async def write(self, data: bytes) -> None:
        await self.stream.write(data)

    def write_eof(self) -> None:
        self.stream.write_eof()

    def close(self) -> None:
        self.stream.close()
