"""Reading an answer: its head, what of it is shown, its body (lib/http.c: Curl_http_readwrite_headers(), lib/transfer.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.curl.failure import CurlError
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

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.easy import Connection, Easy
    from kubenet_course.userland.commands.curl.options import Configuration
    from kubenet_course.userland.commands.curl.url import Url


async def read_answer(easy: Easy, connection: Connection, url: Url, method: str) -> None:
    """Read the answer up to its end into `easy.result` and the sink. HttpError, KernelError, CurlError 18, 22, 23."""
    wire = connection.wire
    while True:
        response = await _head(easy, wire, url)
        if response.status >= 200 or response.status == 101:
            break
    easy.result.response = response
    easy.result.headers = len(response.headers.fields)
    await _body(easy, wire, response, "HEAD" if easy.config.head else method, connection)


async def _head(easy: Easy, wire: Wire, url: Url) -> Response:
    line = await wire.line()
    if not line:
        raise HttpError("empty reply")
    easy.result.first_byte = easy.result.first_byte or easy.proc.loop.now
    text = line.decode("latin-1").rstrip("\r\n")
    parts = text.split(" ", 2)
    if not parts[0].startswith("HTTP/1.") or len(parts) < 2 or not parts[1][:3].isdigit():
        raise HttpError("not HTTP")
    headers = await read_headers(wire)
    response = Response(int(parts[1][:3]), headers, version=parts[0])
    response.reason = parts[2] if len(parts) > 2 else ""
    if response.version == "HTTP/1.0":
        easy.session.old_servers.add((url.host, url.port))
        if "keep-alive" not in headers.get("Connection").lower():
            easy.info("HTTP 1.0, assume close after body")
    lines = [text, *(f"{name}: {value}" for name, value in headers), ""]
    raw = "".join(f"{one}\r\n" for one in lines).encode("latin-1", "replace")
    easy.result.size_header += len(raw)
    easy.result.version = response.version[5:]
    failing = easy.config.fail and response.status >= 400
    if easy.config.verbose:
        for one in lines:
            easy.proc.error(f"< {one}\r")
    if (easy.config.include or easy.config.head) and not failing:
        easy.sink.write(raw)
    if easy.config.dump_header:
        _dump(easy, raw)
    return response


def _dump(easy: Easy, raw: bytes) -> None:
    if easy.config.dump_header == "-":
        easy.proc.stdout.write(raw)
        return
    try:
        easy.proc.files.write(
            easy.config.dump_header, raw, easy.proc, append=easy.result.redirects > 0, cwd=easy.proc.cwd
        )
    except KernelError:
        raise CurlError(23, "Failed writing received data to disk/application") from None


async def _body(easy: Easy, wire: Wire, response: Response, method: str, connection: Connection) -> None:
    length = body_length(response.headers)
    easy.meter.total_down = length
    if easy.config.fail and response.status >= 400:
        easy.info(f"The requested URL returned error: {response.status}")
        easy.farewell.append(f"Closing connection {connection.number}")
        easy.discard(connection)
        raise CurlError(22, f"The requested URL returned error: {response.status}")
    if not has_body(response, method) or (easy.config.head and not easy.config.method):
        return
    following = location(easy.config, response) is not None
    if following and (length or is_chunked(response.headers)):
        easy.info("Ignoring the response-body")
    if is_chunked(response.headers):
        easy.meter.total_down = None
        while chunk := await read_chunk(wire):
            _got(easy, chunk, following)
        return
    left = length
    while left is None or left > 0:
        data = await wire.some(65536 if left is None else min(left, 65536))
        if not data:
            break
        if left is not None:
            left -= len(data)
        _got(easy, data, following)
    if left:
        easy.farewell += [
            f"transfer closed with {left} bytes remaining to read",
            f"Closing connection {connection.number}",
        ]
        easy.discard(connection)
        raise CurlError(18, f"transfer closed with {left} bytes remaining to read")
    if easy.meter.downloaded == 0 and easy.sink.to_file and not following:
        easy.sink.write(b"")


def _got(easy: Easy, data: bytes, ignore: bool) -> None:
    if easy.config.verbose and not easy.body_noted:
        easy.body_noted = True
        easy.proc.error(f"{{ [{len(data)} bytes data]")
    if not ignore:
        easy.meter.downloaded += len(data)
        easy.sink.write(data)


def location(config: Configuration, response: Response) -> str | None:
    """Where --location takes the transfer after this answer."""
    where = response.headers.get("Location")
    if not (config.location and where and 300 <= response.status < 400):
        return None
    return where
