"""What one transfer knows, which every step of it is handed: curl's easy handle (lib/urldata.h: struct Curl_easy)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from kubenet_course.sim.loop import TimeoutExpired
from kubenet_course.userland.http import Response, Wire

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.failure import CurlError
    from kubenet_course.userland.commands.curl.progress import Meter
    from kubenet_course.userland.commands.curl.session import Session
    from kubenet_course.userland.commands.curl.sink import Sink
    from kubenet_course.userland.sockets import Stream

T = TypeVar("T")


class Connection:
    """An open connection; `place` is the (scheme, host, port) that it may be used again for."""

    def __init__(self, number: int, stream: Stream, place: tuple[str, str, int]):
        self.number, self.stream, self.place = number, stream, place
        self.wire = Wire(stream)

    def secure(self, stream: Stream) -> None:
        """From here on in TLS."""
        self.stream, self.wire = stream, Wire(stream)


class Result:
    """What --write-out can tell about a transfer; moments are ns of the virtual clock, sizes bytes."""

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


class Easy:
    """One transfer on its way: where it belongs, what it found out, and what it says when it is over."""

    def __init__(self, session: Session, result: Result, sink: Sink, meter: Meter):
        self.session, self.result, self.sink, self.meter = session, result, sink, meter
        self.proc, self.config = session.proc, session.config
        #: --max-time, as a moment in ns.
        self.deadline: int | None = None
        self.farewell: list[str] = []
        self.body_noted = False

    def info(self, text: str) -> None:
        """A line of -v."""
        self.session.info(text)

    async def limited(self, work: Awaitable[T], late: Callable[[], CurlError]) -> T:
        """`work`, or the CurlError that `late()` makes when --max-time is over."""
        left = None if self.deadline is None else max(0, self.deadline - self.proc.loop.now)
        try:
            return await self.proc.loop.wait_for(work, left)
        except TimeoutExpired:
            raise late() from None

    def discard(self, connection: Connection) -> None:
        """Close it, and let no later transfer find it."""
        connection.stream.close()
        if connection in self.session.connections:
            self.session.connections.remove(connection)
