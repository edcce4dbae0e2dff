"""`python3 -m http.server`: Python 3.11's SimpleHTTPRequestHandler (HTTP/1.0, one request a connection)."""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from kubenet_course.errors import KernelError
from kubenet_course.userland.daemons.web import (
    below,
    http_date,
    media_type,
    parse_http_date,
    read_file,
    wall_seconds,
)
from kubenet_course.userland.http import HttpError, Request, Wire, read_request_head
from kubenet_course.userland.sockets import EmulatedStream, adopt, background

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp import TcpSocket
    from kubenet_course.userland.process import Process

SERVER = "SimpleHTTP/0.6 Python/3.11.2"
EXPLANATIONS = {
    400: "Bad request syntax or unsupported method",
    404: "Nothing matches the given URI",
    414: "URI is too long",
    431: "The server is unwilling to process the request because its header fields are too large",
    501: "Server does not support this operation",
}
ERROR_PAGE = """<!DOCTYPE HTML>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <title>Error response</title>
    </head>
    <body>
        <h1>Error response</h1>
        <p>Error code: {code}</p>
        <p>Message: {message}.</p>
        <p>Error code explanation: {code} - {explain}.</p>
    </body>
</html>
"""


async def serve_forever(proc: Process, listener: TcpSocket, directory: str) -> None:
    while True:
        conn, _ = await listener.accept()
        stream = EmulatedStream(proc, adopt(proc, conn))
        background(proc, _Connection(proc, stream, directory).handle())


class _Connection:
    def __init__(self, proc: Process, stream: EmulatedStream, directory: str):
        self.proc, self.stream, self.directory = proc, stream, directory
        self.line = ""
        self.version = "HTTP/1.1"

    async def handle(self) -> None:
        try:
            await self._handle()
            self.stream.write_eof()
        except KernelError:
            return  # the client went away
        finally:
            self.stream.close()

    async def _handle(self) -> None:
        wire = Wire(self.stream)
        while (at := wire.buffer.find(b"\n")) < 0:
            if not await wire.more():
                return
        self.line = wire.buffer[:at].decode("latin-1").rstrip("\r")
        words = self.line.split()
        if not words:
            return
        if not await self._acceptable(words):
            return
        if len(words) == 2:
            self.version = "HTTP/0.9"
        try:
            request = await read_request_head(wire)
        except HttpError as problem:
            await self._error(problem.status, str(problem))
            return
        if request is None:
            return
        if request.method not in ("GET", "HEAD"):
            await self._error(501, f"Unsupported method ({request.method!r})")
            return
        await self._send_file(request)

    async def _acceptable(self, words: list[str]) -> bool:
        """parse_request(): the request line's form."""
        problem = ""
        if len(words) >= 3:
            major, dot, minor = words[-1].removeprefix("HTTP/").partition(".")
            if not (words[-1].startswith("HTTP/") and dot and major.isdigit() and minor.isdigit()):
                problem = f"Bad request version ({words[-1]!r})"
        if not problem and not 2 <= len(words) <= 3:
            problem = f"Bad request syntax ({self.line!r})"
        if not problem and len(words) == 2 and words[0] != "GET":
            problem = f"Bad HTTP/0.9 request type ({words[0]!r})"
        if problem:
            self.version = "HTTP/0.9"
            await self._error(400, problem)
        return not problem

    # -- answers ----------------------------------------------------------------------------
    async def _send_file(self, request: Request) -> None:
        path = below(self.directory, request.path)
        files, proc = self.proc.files, self.proc
        if files.isdir(path, proc):
            if not request.path.endswith("/"):
                query = f"?{request.query}" if request.query else ""
                await self._respond(
                    request,
                    301,
                    "Moved Permanently",
                    [("Location", request.path + "/" + query), ("Content-Length", "0")],
                )
                return
            for index in ("index.html", "index.htm"):
                if files.isfile(path.rstrip("/") + "/" + index, proc):
                    path = path.rstrip("/") + "/" + index
                    break
            else:
                await self._listing(request, path)
                return
        if path.endswith("/"):
            await self._error(404, "File not found")
            return
        found = read_file(proc, path)
        if found is None:
            await self._error(404, "File not found")
            return
        body, modified = found
        since = parse_http_date(request.headers.get("If-Modified-Since"))
        if since is not None and "If-None-Match" not in request.headers and modified <= since:
            await self._respond(request, 304, "Not Modified", [])
            return
        fields = [
            ("Content-type", media_type(path, "application/octet-stream")),
            ("Content-Length", str(len(body))),
            ("Last-Modified", http_date(modified)),
        ]
        await self._respond(request, 200, "OK", fields, body)

    async def _listing(self, request: Request, path: str) -> None:
        """list_directory()."""
        names = sorted(self.proc.files.listdir(path, self.proc), key=str.lower)
        title = f"Directory listing for {html.escape(request.path, quote=False)}"
        lines = [
            "<!DOCTYPE HTML>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f"<title>{title}</title>",
            "</head>",
        ]
        lines += ["<body>", f"<h1>{title}</h1>", "<hr>", "<ul>"]
        for name in names:
            full = path.rstrip("/") + "/" + name
            shown = link = name
            if self.proc.files.isdir(full, self.proc):
                shown = link = name + "/"
            if self.proc.files.islink(full, self.proc):
                shown = name + "@"
            lines.append(
                f'<li><a href="{quote(link, errors="surrogatepass")}">{html.escape(shown, quote=False)}</a></li>'
            )
        lines += ["</ul>", "<hr>", "</body>", "</html>", ""]
        body = "\n".join(lines).encode("utf-8", "surrogateescape")
        fields = [("Content-type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
        await self._respond(request, 200, "OK", fields, body)

    async def _respond(
        self, request: Request, status: int, reason: str, fields: list[tuple[str, str]], body: bytes = b""
    ) -> None:
        self._log(f'"{self.line}" {status} -')
        if self.version != "HTTP/0.9":
            await self.stream.write(self._head(status, reason, fields))
        if body and request.method != "HEAD":
            await self.stream.write(body)

    async def _error(self, code: int, message: str) -> None:
        self._log(f"code {code}, message {message}")
        self._log(f'"{self.line}" {code} -')
        page = ERROR_PAGE.format(
            code=code, message=html.escape(message, quote=False), explain=EXPLANATIONS.get(code, "???")
        ).encode()
        fields = [
            ("Connection", "close"),
            ("Content-Type", "text/html;charset=utf-8"),
            ("Content-Length", str(len(page))),
        ]
        if self.version != "HTTP/0.9":
            await self.stream.write(self._head(code, message, fields))
        if not self.line.startswith("HEAD "):
            await self.stream.write(page)

    def _head(self, status: int, reason: str, fields: list[tuple[str, str]]) -> bytes:
        date = http_date(wall_seconds(self.proc))
        lines = [f"HTTP/1.0 {status} {reason}", f"Server: {SERVER}", f"Date: {date}"]
        lines += [f"{name}: {value}" for name, value in fields]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _log(self, text: str) -> None:
        when = time.strftime("%d/%b/%Y %H:%M:%S", time.gmtime(wall_seconds(self.proc)))
        safe = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
        address = self.stream.peer[0]
        self.proc.error(f"{address} - - [{when}] {safe}")
