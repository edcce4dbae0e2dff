"""Which server and which location a request is for (ngx_http_core_module: server_name, location)."""

from __future__ import annotations

import re

from kubenet_course.userland.daemons.nginx.config import Location, Server


def choose_server(servers: list[Server], address: str, port: int, host: str) -> Server:
    """The server_name that fits: exact, ``*.x``, ``x.*``, regex, else the default of the socket."""
    here = [
        server
        for server in servers
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


def choose_location(locations: list[Location], path: str) -> Location | None:
    """Exact, else the first regular expression that fits, else the longest prefix (`^~` before any expression)."""
    best: Location | None = None
    for location in locations:
        if location.kind == "=" and location.path == path:
            return location
        if location.kind in ("", "^~") and path.startswith(location.path):
            if best is None or len(location.path) > len(best.path):
                best = location
    if best is None or best.kind != "^~":
        for location in locations:
            if location.kind in ("~", "~*") and matches(location, path):
                return location
    if best is not None and best.inner:
        return choose_location(best.inner, path) or best
    return best


def matches(location: Location, path: str) -> re.Match[str] | None:
    """How a location of the kind ``~`` or ``~*`` fits the path."""
    try:
        return re.search(location.path, path, re.IGNORECASE if location.kind == "~*" else 0)
    except re.error:
        return None
