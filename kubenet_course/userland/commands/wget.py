"""wget 1.21: files over HTTP, with its log lines and dots. No FTP or recursion.

Length: one program; half of it is what it says.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.sim.loop import MICROSECOND, SECOND
from kubenet_course.userland import tls
from kubenet_course.userland.commands.curl.url import BadUrl, Url, join, parse_url
from kubenet_course.userland.daemons.web import wall_seconds
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
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.resolver import ResolverError, getaddrinfo, numeric_address
from kubenet_course.userland.sockets import EmulatedStream, close_socket, open_socket, within

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

USAGE = "Usage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options."
LONG = {
    "output-document=": "O", "quiet": "q", "server-response": "S", "spider": "spider", "timeout=": "T", "tries=": "t", "no-verbose": "nv",
    "verbose": "v", "header=": "header", "user-agent=": "U", "post-data=": "post-data", "method=": "method", "body-data=": "post-data",
    "inet4-only": "4", "inet6-only": "6", "no-check-certificate": "no-check-certificate", "connect-timeout=": "connect-timeout", "read-timeout=": "read-timeout",  # noqa: E501
    "dns-timeout=": "ignored=", "max-redirect=": "max-redirect", "directory-prefix=": "P", "output-file=": "o", "append-output=": "a",
    "waitretry=": "waitretry", "no-cache": "ignored", "content-on-error": "content-on-error", "no-proxy": "ignored", "progress=": "progress",  # noqa: E501
    "show-progress": "ignored", "no-clobber": "nc", "bind-address=": "bind-address", "retry-connrefused": "retry-connrefused",
    "no-http-keep-alive": "ignored", "no-hsts": "ignored", "force-html": "F", "input-file=": "i", "continue": "c", "recursive": "r",
    "background": "b", "timestamping": "N", "mirror": "m", "limit-rate=": "limit-rate", "user=": "user", "password=": "password",
}  # fmt: skip
UNSUPPORTED = {"F": "-F", "i": "-i", "c": "-c", "r": "-r", "b": "-b", "N": "-N", "m": "-m", "limit-rate": "--limit-rate", "user": "--user",
               "password": "--password", "x": "-x", "k": "-k", "p": "-p", "l": "-l", "A": "-A", "R": "-R", "D": "-D", "H": "-H", "L": "-L",
               "E": "-E", "K": "-K", "B": "-B", "e": "-e", "w": "-w", "Q": "-Q"}  # fmt: skip


class Failure(Exception):
    """The URL could not be had: wget's exit status; everything is said already."""

    def __init__(self, status: int, retry: bool = False):
        super().__init__(status)
        self.status, self.retry = status, retry


class Settings:
    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.headers: list[str] = []

    def seconds(self, *names: str, default: float) -> float:
        for name in names:
            if name in self.values:
                try:
                    return max(0.0, float(self.values[name]))
                except ValueError:
                    return default
        return default


async def main(proc: Process, argv: list[str]) -> int:
    words = [
        "--no-verbose" if word == "-nv" else "--no-clobber" if word == "-nc" else word
        for word in argv
        if word not in ("-nd", "-nH")
    ]
    try:
        options, urls = parse(words, "qvSdO:T:t:U:P:o:a:46Fi:crbNmxkpl:A:R:D:HLEKB:e:w:Q:Vh", LONG)
    except OptionError as problem:
        if problem.unsupported:
            return problem.report(proc, "wget")
        proc.error(f"wget: {problem.message}")
        proc.error(USAGE)
        return 2
    settings = Settings()
    for name, value in options:
        if name in UNSUPPORTED:
            proc.error(f"kubenet: wget: option {UNSUPPORTED[name]} is not emulated")
            return 1
        settings.flags.add(name)
        settings.values[name] = value
        if name == "header":
            settings.headers.append(value)
    if "V" in settings.flags:
        proc.print("GNU Wget 1.21.3 built on linux-gnu.")
        return 0
    for name in ("T", "t", "connect-timeout", "read-timeout", "max-redirect", "waitretry"):
        text = settings.values.get(name, "0")
        if name != "t" and not text.replace(".", "", 1).isdigit() and text != "inf":
            period = name not in ("t", "max-redirect")
            shown = "--timeout" if name == "T" else f"--{name}"
            proc.error(
                f"wget: {shown}: Invalid {'time period' if period else 'number'} ‘{text}’{'' if period else '.'}"
            )
            return 2
    if not urls:
        proc.error("wget: missing URL")
        proc.error(USAGE)
        return 1
    return await Session(proc, settings).run(urls)


class Session:
    def __init__(self, proc: Process, settings: Settings):
        self.proc, self.settings = proc, settings
        self.quiet = "q" in settings.flags
        self.brief = "nv" in settings.flags
        self.log_file = settings.values.get("o") or settings.values.get("a")
        if "o" in settings.flags:
            self._write_log("", fresh=True)
        self.connection: tuple[str, int, Any, Wire] | None = None
        self.output: Any = None
        self.bytes = self.files = 0

    # -- talking ----------------------------------------------------------------------------
    def _write_log(self, text: str, fresh: bool = False) -> None:
        if self.log_file is None:
            self.proc.stderr.write(text.encode("utf-8", "surrogateescape"))
            return
        try:
            self.proc.files.write(
                self.log_file, text.encode("utf-8", "surrogateescape"), self.proc, append=not fresh, cwd=self.proc.cwd
            )
        except KernelError:
            self.log_file = None

    def say(self, text: str) -> None:
        """A line of the normal log."""
        if not self.quiet and not self.brief:
            self._write_log(text)

    def insist(self, text: str) -> None:
        """What -nv still says."""
        if not self.quiet:
            self._write_log(text)

    def now(self) -> str:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(wall_seconds(self.proc)))

    # -- all URLs ---------------------------------------------------------------------------
    async def run(self, urls: list[str]) -> int:
        status = 0
        for text in urls:
            try:
                await self._one(text)
            except Failure as failure:
                status = failure.status if not status else min(status, failure.status)
        if self.connection is not None:
            self.connection[2].close()
        if self.output is not None and self.output is not self.proc.stdout:
            self.output.close()
        return status

    async def _one(self, text: str) -> None:
        try:
            url = parse_url(text)
        except BadUrl:
            problem = "Invalid host name" if text.endswith("://") else "Bad port number"
            self.insist(f"{text}: {problem}.\n")
            raise Failure(1) from None
        if url.scheme not in ("http", "https"):
            if url.scheme in ("ftp", "ftps"):
                self.proc.error(f"kubenet: wget: the protocol {url.scheme} is not emulated")
                raise Failure(1)
            self.insist(f"{text}: Unsupported scheme ‘{url.scheme}’.\n")
            raise Failure(1)
        if "spider" in self.settings.flags:
            self.say("Spider mode enabled. Check if remote file exists.\n")
        wanted = self.settings.values.get("t", "20")
        tries = int(wanted) if wanted.isdigit() and int(wanted) else 1 << 30
        attempt = 1
        while True:
            try:
                await self._follow(url, attempt)
                return
            except Failure as failure:
                if not failure.retry:
                    raise
                if attempt >= tries:
                    self.insist("Giving up.\n\n")
                    raise
                self.say("Retrying.\n\n")
                await self.proc.sleep(min(attempt, self.settings.seconds("waitretry", default=10.0)))
                attempt += 1

    async def _follow(self, url: Url, attempt: int) -> None:
        first = url
        limit = int(self.settings.values.get("max-redirect", "20"))
        redirects = 0
        while True:
            tried = f"  (try:{attempt:2d})" if attempt > 1 else ""
            self.say(f"--{self.now()}--{tried}  {self._shown(url)}\n")
            where = await self._request(url, first)
            if where is None:
                return
            redirects += 1
            if redirects > limit:
                self.insist(f"{limit} redirections exceeded.\n")
                raise Failure(8)
            try:
                url = parse_url(join(url, where))
            except BadUrl:
                self.insist(f"{where}: Invalid host name.\n")
                raise Failure(1) from None

    @staticmethod
    def _shown(url: Url) -> str:
        host = f"[{url.host}]" if ":" in url.host else url.host
        return f"{url.scheme}://{host}{f':{url.port}' if url.explicit_port else ''}{url.target}"

    # -- connecting -------------------------------------------------------------------------
    async def _connect(self, url: Url) -> tuple[Any, Wire]:
        if self.connection is not None and self.connection[:2] == (url.host, url.port):
            name = f"[{url.host}]:{url.port}" if ":" in url.host else f"{url.host}:{url.port}"
            self.say(f"Reusing existing connection to {name}.\n")
            return self.connection[2], self.connection[3]
        family = 4 if "4" in self.settings.flags else 6 if "6" in self.settings.flags else 0
        literal = numeric_address(self.proc, url.host)
        if literal is None:
            self.say(f"Resolving {url.host} ({url.host})... ")
            try:
                addresses = [info.address for info in await getaddrinfo(self.proc, url.host, family)]
            except ResolverError as problem:
                self.say(f"failed: {problem}.\n")
                self.insist(f"wget: unable to resolve host address ‘{url.host}’\n")
                raise Failure(4) from None
            self.say(
                ", ".join(str(one) for one in addresses[:3]) + (", ..." if len(addresses) > 3 else "") + "\n"
            )
        else:
            addresses = [literal[0]]
        last: KernelError | None = None
        for address in addresses:
            place = f"[{address}]:{url.port}" if address.family == 6 else f"{address}:{url.port}"
            shown = place if literal is not None else f"{url.host} ({url.host})|{address}|:{url.port}"
            self.say(f"Connecting to {shown}... ")
            sock = open_socket(self.proc, AF_INET if address.family == 4 else AF_INET6, SOCK_STREAM)
            limit = self.settings.seconds("connect-timeout", "T", default=0.0)
            try:
                await sock.connect(address, url.port, round(limit * SECOND) if limit else None)
            except KernelError as failure:
                close_socket(self.proc, sock)
                last = KernelError(errno.ETIMEDOUT) if failure.errno == errno.EINPROGRESS else failure
                self.insist(f"failed: {last.strerror}.\n")
                continue
            self.say("connected.\n")
            stream = EmulatedStream(self.proc, sock)
            return stream, Wire(stream)
        refused = last is not None and last.errno == errno.ECONNREFUSED
        fatal = last is None or last.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH)
        raise Failure(4, retry=not fatal and (not refused or "retry-connrefused" in self.settings.flags))

    async def _secure(self, stream: Any, host: str) -> tuple[Any, Wire]:
        """TLS, and what is said of the certificate."""
        try:
            secured = await tls.connect(stream, host, trusted=None, random=self.proc.loop.random.randbytes, timeout=900)
        except tls.TlsError as problem:
            stream.close()
            if problem.kind == "not TLS":
                self._write_log("" if self.quiet else "GnuTLS: An unexpected TLS packet was received.\n")
            self.insist("Unable to establish SSL connection.\n")
            raise Failure(4) from None
        except KernelError as failure:
            stream.close()
            self.insist(f"GnuTLS: {failure.strerror}\nUnable to establish SSL connection.\n")
            raise Failure(4) from None
        assert secured.certificate is not None
        problem_kind = tls.check(secured.certificate, host, tls.trusted_certificates(self.proc))
        lenient = "no-check-certificate" in self.settings.flags
        word = "WARNING" if lenient else "ERROR"
        if problem_kind == "untrusted":
            self.insist(f"{word}: The certificate of ‘{host}’ is not trusted.\n")
            self.insist(f"{word}: The certificate of ‘{host}’ doesn't have a known issuer.\n")
        if problem_kind and not secured.certificate.fits(host):
            self.insist(f"The certificate's owner does not match hostname ‘{host}’\n")
        if problem_kind and not lenient:
            secured.close()
            raise Failure(5)
        return secured, Wire(secured)

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
        stream, wire = await self._connect(url)
        self.connection = None
        if url.scheme == "https" and not isinstance(stream, tls.TlsStream):
            stream, wire = await self._secure(stream, url.host)
        head = self._head(url)
        limit = self.settings.seconds("read-timeout", "T", default=900.0) or None
        self.say("HTTP request sent, awaiting response... ")
        try:
            await stream.write(head)
            response = await within(self.proc, read_response_head(wire), limit)
        except KernelError as failure:
            stream.close()
            words = "Connection timed out" if failure.errno == errno.EAGAIN else failure.strerror
            self.insist(f"Read error ({words}) in headers.\n")
            raise Failure(4, retry=True) from None
        except HttpError as problem:
            stream.close()
            self.insist("No data received.\n" if str(problem) == "empty reply" else "Malformed status line\n")
            raise Failure(4, retry=True) from None
        if "S" in self.settings.flags:
            lines = [
                f"{response.version} {response.status} {response.reason}",
                *(f"{name}: {value}" for name, value in response.headers),
            ]
            self.insist("\n" + "".join(f"  {line}\n" for line in lines))
        else:
            self.say(f"{response.status} {response.reason}\n")
        method = head.split(b" ", 1)[0].decode()
        try:
            return await self._answer(url, first, stream, wire, response, method)
        except HttpError:
            stream.close()
            self.insist("Read error: malformed body.\n")
            raise Failure(4) from None
        except KernelError as failure:
            stream.close()
            self.insist(f"Read error ({failure.strerror}).\n")
            raise Failure(4, retry=True) from None

    async def _answer(
        self, url: Url, first: Url, stream: Any, wire: Wire, response: Response, method: str
    ) -> str | None:
        spider = "spider" in self.settings.flags
        location = response.headers.get("Location")
        if location and response.status in (301, 302, 303, 307, 308):
            await self._drain(wire, response, method)
            self._keep(url, stream, wire, response)
            self.say(f"Location: {location} [following]\n")
            return location
        if response.status >= 400 or response.status < 200 or response.status in (304,):
            self._keep_or_close(stream)
            if spider and response.status == 404:
                self.insist("Remote file does not exist -- broken link!!!\n\n")
            else:
                if self.brief:
                    self._write_log(f"{self._shown(url)}:\n")
                self.insist(
                    f"{self.now()} ERROR {response.status}: {response.reason or '(no description)'}.\n"
                )
                self.say("\n")
            raise Failure(6 if response.status == 401 else 8)
        length = body_length(response.headers)
        kind = response.headers.get("Content-Type").partition(";")[0].strip()
        shown = (
            f"{length}{f' ({_human(length)})' if length >= 1024 else ''}"
            if length is not None
            else "unspecified"
        )
        self.say(f"Length: {shown}{f' [{kind}]' if kind else ''}\n")
        if spider:
            self._keep(url, stream, wire, response)
            if kind in ("text/html", "application/xhtml+xml"):
                self.say(
                    "Remote file exists and could contain further links,\nbut recursion is disabled -- not retrieving.\n\n"
                )
            else:
                self.say("Remote file exists.\n\n")
            if self.brief:
                self._write_log(f"{self.now()} URL: {self._shown(url)} {response.status} {response.reason}\n")
            return None
        await self._save(url, first, stream, wire, response, method, length)
        return None

    def _keep(self, url: Url, stream: Any, wire: Wire, response: Response) -> None:
        wish = response.headers.get("Connection").lower()
        if "close" in wish or (response.version == "HTTP/1.0" and "keep-alive" not in wish):
            stream.close()
        else:
            self.connection = (url.host, url.port, stream, wire)

    @staticmethod
    def _keep_or_close(stream: Any) -> None:
        stream.close()

    async def _drain(self, wire: Wire, response: Response, method: str) -> None:
        if has_body(response, method):
            async for _ in _pieces(wire, response):
                pass

    # -- saving -----------------------------------------------------------------------------
    def _open(self, first: Url) -> tuple[Any, str]:
        name = self.settings.values.get("O")
        if name == "-":
            return self.proc.stdout, "STDOUT"
        if name is not None:
            if self.output is None:
                self.output = self._writer(name)
            return self.output, name
        name = first.target.partition("#")[0].rpartition("/")[2] or "index.html"
        prefix = self.settings.values.get("P")
        if prefix:
            if not self.proc.files.isdir(prefix, self.proc, self.proc.cwd):
                self.proc.files.mkdir(prefix, proc=self.proc, cwd=self.proc.cwd)
            name = f"{prefix.rstrip('/')}/{name}"
        unique, number = name, 0
        while self.proc.files.lexists(unique, self.proc, self.proc.cwd):
            number += 1
            unique = f"{name}.{number}"
        return self._writer(unique), unique

    def _writer(self, name: str) -> Any:
        try:
            return self.proc.files.open_writer(name, self.proc, cwd=self.proc.cwd)
        except KernelError as failure:
            self.insist(f"{name}: {failure.strerror}\n")
            raise Failure(3) from None

    async def _save(
        self,
        url: Url,
        first: Url,
        stream: Any,
        wire: Wire,
        response: Response,
        method: str,
        length: int | None,
    ) -> None:
        writer, name = self._open(first)
        self.say(f"Saving to: ‘{name}’\n")
        started = self.proc.loop.now
        dots = Dots(self, length)
        self.say("\n")
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
        rate = _rate(received, elapsed)
        if length is not None and received < length:
            stream.close()
            self.insist(f"{self.now()} ({rate}) - Connection closed at byte {received}. ")
            raise Failure(4, retry=True)
        total = f"{received}/{length}" if length is not None else f"{received}"
        if self.brief:
            self._write_log(
                ""
                if self.quiet
                else f'{self.now()} URL:{self._shown(url)} [{total}] -> "{"-" if name == "STDOUT" else name}" [1]\n'
            )
        else:
            target = "written to stdout" if name == "STDOUT" else f"‘{name}’ saved"
            self.say(f"{self.now()} ({rate}) - {target} [{total}]\n\n")
        self._keep(url, stream, wire, response)


async def _pieces(wire: Wire, response: Response) -> Any:
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


class Dots:
    """The dotted progress of a log: a dot a kilobyte, fifty a line."""

    def __init__(self, session: Session, length: int | None):
        self.session, self.length = session, length
        self.silent = session.quiet or session.brief
        self.received = self.row = self.dots = self.rest = 0
        self.row_bytes = 0
        self.row_started = self.started = session.proc.loop.now
        self.line = ""

    def add(self, count: int) -> None:
        self.received += count
        self.rest += count
        while self.rest >= 1024:
            self.rest -= 1024
            if self.dots == 0:
                self.line = f"{self.row * 50:6d}K"
            self.line += (" " if self.dots % 10 == 0 else "") + "."
            self.dots += 1
            self.row_bytes += 1024
            if self.dots == 50:
                self._finish_row(None)

    def _finish_row(self, elapsed: int | None) -> None:
        now = self.session.proc.loop.now
        text = self.line or f"{self.row * 50:6d}K"
        for position in range(self.dots, 50):
            text += (" " if position % 10 == 0 else "") + " "
        done = self.received if elapsed is not None else (self.row + 1) * 51200
        percent = f"{min(100, done * 100 // self.length):3d}%" if self.length else ""
        text += percent
        size = self.row_bytes + (self.rest if elapsed is not None else 0)
        text += " " + _short_rate(size, now - self.row_started)
        if elapsed is not None:
            text += f"={_elapsed(elapsed)}"
        elif self.length:
            passed = max(now - self.started, 1)
            text += f" {(self.length - done) * passed // max(done, 1) // SECOND}s"
        if not self.silent:
            self.session.say(text + "\n")
        self.row += 1
        self.dots = self.row_bytes = 0
        self.line = ""
        self.row_started = now

    def end(self, elapsed: int) -> None:
        self._finish_row(elapsed)
        self.session.say("\n")


def _scaled(amount: int, ns: int) -> tuple[float, int]:
    rate = amount * 1e9 / max(ns, MICROSECOND)
    unit = 0
    while rate >= 1024 and unit < 3:
        rate /= 1024
        unit += 1
    return rate, unit


def _decimals(rate: float) -> int:
    return 0 if rate >= 99.95 else 1 if rate >= 9.995 else 2


def _short_rate(amount: int, ns: int) -> str:
    rate, unit = _scaled(amount, ns)
    return f"{rate:4.{_decimals(rate)}f}{'BKMG'[unit]}"


def _rate(amount: int, ns: int) -> str:
    rate, unit = _scaled(amount, ns)
    return f"{rate:.{_decimals(rate)}f} {('B/s', 'KB/s', 'MB/s', 'GB/s')[unit]}"


def _elapsed(ns: int) -> str:
    seconds = ns / SECOND
    if seconds < 0.0005:
        return "0s"
    if seconds < 0.95:
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 9.95 else f"{seconds:.0f}s"
    return f"{int(seconds) // 60}m {int(seconds) % 60}s"


def _human(size: int) -> str:
    value, unit = size / 1024, 0
    while value >= 1024 and unit < 3:
        value /= 1024
        unit += 1
    return f"{value:.1f}{'KMGT'[unit]}" if value < 10 else f"{value:.0f}{'KMGT'[unit]}"
