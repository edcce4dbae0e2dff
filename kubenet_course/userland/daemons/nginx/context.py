"""One request on its way through nginx' phases (src/http/ngx_http_request.h: ngx_http_request_t)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from kubenet_course.userland.daemons.nginx.config import Configuration, Directive, Server

if TYPE_CHECKING:
    from kubenet_course.userland.http import Request
    from kubenet_course.userland.process import Process

#: Directive → each time it counts here, its own place's before those of the places around it.
Settings = dict[str, list[Directive]]


class Context:
    """A request with its server, the settings of its location, and what was found out on the way.

    `number` is that of the connection, as error_log has it.
    """

    def __init__(self, proc: Process, config: Configuration, request: Request, server: Server, number: int):
        self.proc, self.config, self.request, self.server, self.number = proc, config, request, server, number
        self.settings: Settings = server.settings
        self.uri = unquote(request.path, errors="surrogateescape")
        #: The path of the location that was chosen, which `alias` and `proxy_pass` replace.
        self.prefix = ""
        #: Not the client's own URI any more: `rewrite`, `try_files` or `error_page` has led here.
        self.internal = False
        #: What the method is now: GET once `error_page` has taken over.
        self.method = request.method
        #: $name of `set`.
        self.variables: dict[str, str] = {}
        #: What the groups of a regular expression found: $1, $2 …
        self.captures: tuple[str | None, ...] = ()


def last_of(settings: Settings, name: str, default: str) -> str:
    """The first argument of the directive `name` that counts here."""
    found = settings.get(name)
    return found[-1].arguments[0] if found else default
