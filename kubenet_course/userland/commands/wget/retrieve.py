"""URLs one after the other: tries, redirections, the answer, the file (src/retr.c, src/http.c)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.curl.url import BadUrl, Url, join, parse_url
from kubenet_course.userland.commands.wget.connect import Connector
from kubenet_course.userland.commands.wget.log import Log
from kubenet_course.userland.commands.wget.options import Failure
from kubenet_course.userland.commands.wget.progress import Dots, human_size, rate_text
from kubenet_course.userland.http import (
    HttpError,
    Response,
    Wire,
    body_length,
    has_body,
    is_chunked,
    read_chunk,
    read_response_head,
)
from kubenet_course.userland.sockets import within

if TYPE_CHECKING:
    from kubenet_course.userland.commands.wget.options import Settings
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.sockets import Stream
    from kubenet_course.userland.streams import Writer


class Session:
    """All URLs of one command."""

    def __init__(self, proc: Process, settings: Settings):
        self.proc, self.settings = proc, settings
        self.log = Log(proc, settings)
        self.connector = Connector(proc, settings, self.log)
        #: The file of -O, which all URLs share.
        self.output: Writer | None = None

    async def run(self, urls: list[str]) -> int:
        """Every URL; the worst status (src/exits.c: the lowest number)."""
        status = 0
        for text in urls:
            try:
                await self._one(text)
            except Failure as failure:
                status = failure.status if not status else min(status, failure.status)
        self.connector.close()
        if self.output is not None:
            self.output.close()
        return status

    async def _one(self, text: str) -> None:
        try:
            url = parse_url(text)
        except BadUrl:
            problem = "Invalid host name" if text.endswith("://") else "Bad port number"
            self.log.insist(f"{text}: {problem}.\n")
            raise Failure(1) from None
        if url.scheme not in ("http", "https"):
            if url.scheme in ("ftp", "ftps"):
                self.proc.error(f"kubenet: wget: the protocol {url.scheme} is not emulated")
                raise Failure(1)
            self.log.insist(f"{text}: Unsupported scheme ‘{url.scheme}’.\n")
            raise Failure(1)
        if self._there(url):
            return
        if "spider" in self.settings.flags:
            self.log.say("Spider mode enabled. Check if remote file exists.\n")
        tries = self.settings.number("t", 20) or 1 << 30
        attempt = 1
        while True:
            try:
                await self._follow(url, attempt)
                return
            except Failure as failure:
                if not failure.retry:
                    raise
                if attempt >= tries:
                    self.log.insist("Giving up.\n\n")
                    raise
                self.log.say("Retrying.\n\n")
                await self.proc.sleep(min(attempt, self.settings.seconds("waitretry", default=10.0)))
                attempt += 1

    def _there(self, url: Url) -> bool:
        """-nc: whether the file is there already, which is said."""
        if "nc" not in self.settings.flags or "O" in self.settings.values:
            return False
        name = self._name(url)
        if not self.proc.files.exists(name, self.proc, self.proc.cwd):
            return False
        self.log.say(f"File ‘{name}’ already there; not retrieving.\n\n")
        return True

    async def _follow(self, url: Url, attempt: int) -> None:
        first = url
        limit = self.settings.number("max-redirect", 20)
        redirects = 0
        while True:
            tried = f"  (try:{attempt:2d})" if attempt > 1 else ""
            self.log.say(f"--{self.log.now()}--{tried}  {self._shown(url)}\n")
            where = await self._request(url, first)
            if where is None:
                return
            redirects += 1
            if redirects > limit:
                self.log.insist(f"{limit} redirections exceeded.\n")
                raise Failure(8)
            try:
                url = parse_url(join(url, where))
            except BadUrl:
                self.log.insist(f"{where}: Invalid host name.\n")
                raise Failure(1) from None

    @staticmethod
    def _shown(url: Url) -> str:
        host = f"[{url.host}]" if ":" in url.host else url.host
        return f"{url.scheme}://{host}{f':{url.port}' if url.explicit_port else ''}{url.target}"

    # -- one request ------------------------------------------------------------------------
    def _head(self, url: Url) -> bytes:
        spider = "spider" in self.settings.flags
        data = self.settings.values.get("post-data")
        method = self.settings.values.get("method") or (
            "HEAD" if spider else "POST" if data is not None else "GET"
        )
        fields = [
            ("Host", url.authority), ("User-Agent", self.settings.values.get("U", "Wget/1.21.3")), ("Accept", "*/*"),
            ("Accept-Encoding", "identity"), ("Connection", "Keep-Alive"),
        ]  # fmt: skip
        if data is not None:
            fields += [
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", str(len(data.encode("utf-8", "surrogateescape")))),
            ]
        for line in self.settings.headers:
            name, _, value = line.partition(":")
            fields = [field for field in fields if field[0].lower() != name.strip().lower()]
            if value.strip():
                fields.append((name.strip(), value.strip()))
        lines = [f"{method} {url.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        return ("\r\n".join(lines) + "\r\n\r\n" + (data or "")).encode("utf-8", "surrogateescape")

    async def _request(self, url: Url, first: Url) -> str | None:
        """The Location to follow, or None when all is done. Failure."""
        stream, wire = await self.connector.open(url)
        head = self._head(url)
        limit = self.settings.seconds("read-timeout", "T", default=900.0) or None
        self.log.say("HTTP request sent, awaiting response... ")
        try:
            await stream.write(head)
            response = await within(self.proc, read_response_head(wire), limit)
        except KernelError as failure:
            stream.close()
            words = "Connection timed out" if failure.errno == errno.EAGAIN else failure.strerror
            self.log.insist(f"Read error ({words}) in headers.\n")
            raise Failure(4, retry=True) from None
        except HttpError as problem:
            stream.close()
            self.log.insist(
                "No data received.\n" if str(problem) == "empty reply" else "Malformed status line\n"
            )
            raise Failure(4, retry=True) from None
        if "S" in self.settings.flags:
            lines = [
                f"{response.version} {response.status} {response.reason}",
                *(f"{name}: {value}" for name, value in response.headers),
            ]
            self.log.insist("\n" + "".join(f"  {line}\n" for line in lines))
        else:
            self.log.say(f"{response.status} {response.reason}\n")
        method = head.split(b" ", 1)[0].decode()
        try:
            return await self._answer(url, first, stream, wire, response, method)
        except HttpError:
            stream.close()
            self.log.insist("Read error: malformed body.\n")
            raise Failure(4) from None
        except KernelError as failure:
            stream.close()
            self.log.insist(f"Read error ({failure.strerror}).\n")
            raise Failure(4, retry=True) from None

    async def _answer(
        self, url: Url, first: Url, stream: Stream, wire: Wire, response: Response, method: str
    ) -> str | None:
        spider = "spider" in self.settings.flags
        location = response.headers.get("Location")
        if location and response.status in (301, 302, 303, 307, 308):
            await self._drain(wire, response, method)
            self.connector.keep(url, stream, wire, response)
            self.log.say(f"Location: {location} [following]\n")
            return location
        if response.status >= 400 or response.status < 200 or response.status in (304,):
            stream.close()
            if spider and response.status == 404:
                self.log.insist("Remote file does not exist -- broken link!!!\n\n")
            else:
                if self.log.brief:
                    self.log.write(f"{self._shown(url)}:\n")
                self.log.insist(
                    f"{self.log.now()} ERROR {response.status}: {response.reason or '(no description)'}.\n"
                )
                self.log.say("\n")
            raise Failure(6 if response.status == 401 else 8)
        length = body_length(response.headers)
        kind = response.headers.get("Content-Type").partition(";")[0].strip()
        shown = (
            f"{length}{f' ({human_size(length)})' if length >= 1024 else ''}"
            if length is not None
            else "unspecified"
        )
        self.log.say(f"Length: {shown}{f' [{kind}]' if kind else ''}\n")
        if spider:
            self.connector.keep(url, stream, wire, response)
            if kind in ("text/html", "application/xhtml+xml"):
                self.log.say(
                    "Remote file exists and could contain further links,\nbut recursion is disabled -- not retrieving.\n\n"
                )
            else:
                self.log.say("Remote file exists.\n\n")
            if self.log.brief:
                self.log.write(
                    f"{self.log.now()} URL: {self._shown(url)} {response.status} {response.reason}\n"
                )
            return None
        await self._save(url, first, stream, wire, response, method, length)
        return None

    async def _drain(self, wire: Wire, response: Response, method: str) -> None:
        if has_body(response, method):
            async for _ in _pieces(wire, response):
                pass

    # -- saving -----------------------------------------------------------------------------
    def _open(self, first: Url) -> tuple[Writer, str]:
        name = self.settings.values.get("O")
        if name == "-":
            return self.proc.stdout, "STDOUT"
        if name is not None:
            if self.output is None:
                self.output = self._writer(name)
            return self.output, name
        prefix = self.settings.values.get("P")
        if prefix and not self.proc.files.isdir(prefix, self.proc, self.proc.cwd):
            self.proc.files.mkdir(prefix, proc=self.proc, cwd=self.proc.cwd)
        name = self._name(first)
        unique, number = name, 0
        while self.proc.files.lexists(unique, self.proc, self.proc.cwd):
            number += 1
            unique = f"{name}.{number}"
        return self._writer(unique), unique

    def _name(self, url: Url) -> str:
        """url_file_name(): the last part of the path, below -P."""
        name = url.target.partition("#")[0].rpartition("/")[2] or "index.html"
        prefix = self.settings.values.get("P")
        return f"{prefix.rstrip('/')}/{name}" if prefix else name

    def _writer(self, name: str) -> Writer:
        try:
            return self.proc.files.open_writer(name, self.proc, cwd=self.proc.cwd)
        except KernelError as failure:
            self.log.insist(f"{name}: {failure.strerror}\n")
            raise Failure(3) from None

    async def _save(
        self,
        url: Url,
        first: Url,
        stream: Stream,
        wire: Wire,
        response: Response,
        method: str,
        length: int | None,
    ) -> None:
        writer, name = self._open(first)
        self.log.say(f"Saving to: ‘{name}’\n")
        started = self.proc.loop.now
        dots = Dots(self.log, length)
        self.log.say("\n")
        received = 0
        if has_body(response, method):
            async for piece in _pieces(wire, response):
                writer.write(piece)
                received += len(piece)
                dots.add(len(piece))
        elapsed = self.proc.loop.now - started
        dots.end(elapsed)
        if writer is not self.proc.stdout and writer is not self.output:
            writer.close()
        rate = rate_text(received, elapsed)
        if length is not None and received < length:
            stream.close()
            self.log.insist(f"{self.log.now()} ({rate}) - Connection closed at byte {received}. ")
            raise Failure(4, retry=True)
        total = f"{received}/{length}" if length is not None else f"{received}"
        if self.log.brief:
            self.log.write(
                ""
                if self.log.quiet
                else f'{self.log.now()} URL:{self._shown(url)} [{total}] -> "{"-" if name == "STDOUT" else name}" [1]\n'
            )
        else:
            target = "written to stdout" if name == "STDOUT" else f"‘{name}’ saved"
            self.log.say(f"{self.log.now()} ({rate}) - {target} [{total}]\n\n")
        self.connector.keep(url, stream, wire, response)


async def _pieces(wire: Wire, response: Response) -> AsyncIterator[bytes]:
    """The body as it arrives."""
    if is_chunked(response.headers):
        while chunk := await read_chunk(wire):
            yield chunk
        return
    left = body_length(response.headers)
    while left is None or left > 0:
        data = await wire.some(65536 if left is None else min(left, 65536))
        if not data:
            return
        if left is not None:
            left -= len(data)
        yield data
