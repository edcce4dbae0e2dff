"""One URL: ask, follow its redirections, decide about the connection (lib/multi.c, lib/http.c, lib/transfer.c)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import MILLISECOND, SECOND
from kubenet_course.userland.commands.curl.connect import connect, reuse, secure
from kubenet_course.userland.commands.curl.failure import CurlError, protocol_problem
from kubenet_course.userland.commands.curl.request import request_head
from kubenet_course.userland.commands.curl.response import location, read_answer
from kubenet_course.userland.commands.curl.url import PORTS, BadUrl, Url, join, parse_url, squash
from kubenet_course.userland.http import HttpError, has_body, is_chunked

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.easy import Connection, Easy

#: ns of the virtual clock between the last byte of an answer and what follows from it.
READING_TIME = 100_000


async def perform(easy: Easy, text: str) -> None:
    """Fetch the URL `text` and where it redirects to; what was learnt is in `easy.result`. CurlError."""
    try:
        url = parse_url(text)
    except BadUrl:
        raise CurlError(3, "URL using bad/illegal format or missing URL", quiet_meter=True) from None
    if url.scheme not in PORTS:
        raise CurlError(1, f'Protocol "{url.scheme}" not supported or disabled in libcurl', quiet_meter=True)
    easy.sink.choose_name(url)
    easy.result.effective = text if "://" in text else f"http://{text}{'' if '/' in text else '/'}"
    easy.result.started = easy.proc.loop.now
    easy.meter.begin()
    if easy.config.max_time is not None:
        easy.deadline = easy.proc.loop.now + round(easy.config.max_time * SECOND) + MILLISECOND
    if not easy.session.noted:
        easy.session.noted = True
        for note in easy.config.resolve_notes:
            easy.info(note)
    method, body = _method(easy)
    while True:
        if not easy.config.path_as_is:
            url = url._replace(target=squash(url.target))
        where = await _exchange(easy, url, method, body)
        if where is None:
            break
        easy.result.redirects += 1
        target = join(url, where)
        easy.info(f"Issue another request to this URL: '{target}'")
        easy.result.redirect_time = easy.proc.loop.now - easy.result.started
        status = easy.result.response.status if easy.result.response else 0
        if not easy.config.method and (status == 303 or (status in (301, 302) and method == "POST")):
            method, body = "GET", None
        try:
            url = parse_url(target)
        except BadUrl:
            raise CurlError(3, "URL using bad/illegal format or missing URL") from None
        easy.result.effective = str(url)
    easy.result.ended = easy.proc.loop.now


def _method(easy: Easy) -> tuple[str, bytes | None]:
    """The method and the body of the first request."""
    config = easy.config
    body = config.data
    if config.get and body is not None:
        body = None
    method = "HEAD" if config.head else "POST" if body is not None else "GET"
    if config.upload:
        try:
            body = easy.proc.files.read(config.upload, easy.proc, easy.proc.cwd)
        except KernelError:
            raise CurlError(26, f"Can't open '{config.upload}'!", quiet_meter=True) from None
        method = "PUT"
    return config.method or method, body


async def _exchange(easy: Easy, url: Url, method: str, body: bytes | None) -> str | None:
    """The Location to go to next, or None where this was the last answer."""
    if url.scheme not in ("http", "https"):
        await connect(easy, url)
        easy.proc.error(f"kubenet: curl: the protocol {url.scheme} is not emulated")
        raise CurlError(1, f'Protocol "{url.scheme}" not supported or disabled in libcurl')
    place = (url.scheme, url.host.lower(), url.port)
    connection = reuse(easy, place, url)
    while True:
        fresh = connection is None
        if connection is None:
            connection = await connect(easy, url)
            easy.result.connects += 1
        if url.scheme == "https" and fresh:
            await secure(easy, connection, url)
        try:
            return await _ask(easy, connection, url, method, body)
        except KernelError as failure:
            easy.discard(connection)
            text = f"Recv failure: {failure.strerror}"
            easy.info(text)
            if fresh or easy.result.response is not None:
                easy.farewell.append(f"Closing connection {connection.number}")
                raise CurlError(56, text) from None
        except HttpError as problem:
            easy.discard(connection)
            if str(problem) != "empty reply":
                easy.farewell.append(f"Closing connection {connection.number}")
                raise protocol_problem(problem) from None
            if fresh:
                easy.farewell += ["Empty reply from server", f"Closing connection {connection.number}"]
                raise CurlError(52, "Empty reply from server") from None
        easy.info("Connection died, retrying a fresh connect (retry count: 1)")
        easy.info(f"Closing connection {connection.number}")
        easy.info(f"Issue another request to this URL: '{url}'")
        connection = None


async def _ask(easy: Easy, connection: Connection, url: Url, method: str, body: bytes | None) -> str | None:
    """One request and its answer; the Location to go to next, or None."""
    line, fields = request_head(easy, url, method, body)
    head = "\r\n".join(
        [line, *(f"{name}: {value}" if value else f"{name}:" for name, value in fields), "", ""]
    )
    if easy.config.verbose:
        for text in head[:-4].split("\r\n"):
            easy.proc.error(f"> {text}\r")
        easy.proc.error("> \r")
        if body:
            easy.proc.error(f"}} [{len(body)} bytes data]")
    data = head.encode("utf-8", "surrogateescape") + (body or b"")
    easy.result.method = method
    easy.result.prepared = easy.proc.loop.now
    easy.result.size_request += len(head)
    easy.meter.total_up = len(body) if body else None
    late = partial(_too_late, easy)
    try:
        await easy.limited(connection.stream.write(data), late)
        easy.meter.uploaded += len(body or b"")
        await easy.limited(read_answer(easy, connection, url, method), late)
    except CurlError as failure:
        if failure.code == 28:
            easy.farewell += [str(failure), f"Closing connection {connection.number}"]
            easy.discard(connection)
        raise
    # Reading the answer takes a moment: a server that closes behind it has done so by then.
    await easy.proc.loop.sleep(READING_TIME)
    return _after(easy, connection, url, method)


def _too_late(easy: Easy) -> CurlError:
    elapsed = (easy.proc.loop.now - easy.result.started) // MILLISECOND
    expected = easy.meter.total_down
    got = f"{easy.meter.downloaded} out of {expected}" if expected else str(easy.meter.downloaded)
    return CurlError(28, f"Operation timed out after {elapsed} milliseconds with {got} bytes received")


def _after(easy: Easy, connection: Connection, url: Url, method: str) -> str | None:
    """What becomes of the connection, and the Location to go to next, or None."""
    response = easy.result.response
    assert response is not None
    easy.body_noted = False
    target = response.headers.get("Location")
    if target and 300 <= response.status < 400:
        easy.result.redirect_url = join(url, target)
    wish = response.headers.get("Connection").lower()
    measured = (
        "Content-Length" in response.headers or is_chunked(response.headers) or not has_body(response, method)
    )
    close = "close" in wish or not measured or (response.version == "HTTP/1.0" and "keep-alive" not in wish)
    note = (
        f"Closing connection {connection.number}"
        if close
        else f"Connection #{connection.number} to host {url.host} left intact"
    )
    where = location(easy.config, response)
    if where is not None and easy.result.redirects >= easy.config.max_redirects >= 0:
        easy.discard(connection)
        easy.farewell += [f"Maximum ({easy.config.max_redirects}) redirects followed", note]
        raise CurlError(47, f"Maximum ({easy.config.max_redirects}) redirects followed")
    if close:
        easy.discard(connection)
    if where is not None:
        easy.info(note)
        easy.result.redirect_url = ""
    else:
        easy.farewell.append(note)
    if where is None and easy.config.fail_with_body and response.status >= 400:
        raise CurlError(22, f"The requested URL returned error: {response.status}")
    return where
