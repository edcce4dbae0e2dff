"""proxy_pass: to an address, a name or an upstream group (ngx_http_{proxy,upstream}_module.c)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from kubenet_course.errors import KernelError
from kubenet_course.userland.daemons.nginx.context import last_of
from kubenet_course.userland.daemons.nginx.log import error_log
from kubenet_course.userland.daemons.nginx.pages import head, page
from kubenet_course.userland.daemons.nginx.variables import expand
from kubenet_course.userland.http import HttpError, Request, Response, Wire, read_response
from kubenet_course.userland.resolver import ResolverError, getaddrinfo
from kubenet_course.userland.sockets import Sockets

if TYPE_CHECKING:
    from kubenet_course.userland.daemons.nginx.config import Location
    from kubenet_course.userland.daemons.nginx.context import Context


class RoundRobin:
    """Whose turn it is among the servers of an upstream group (ngx_http_upstream_round_robin.c)."""

    def __init__(self, groups: dict[str, list[str]]):
        self.groups, self.turn = groups, 0

    def places(self, name: str) -> list[str] | None:
        """The group's ``host:port``, the next one first; None where `name` is no group."""
        group = self.groups.get(name)
        if not group:
            return None
        start = self.turn % len(group)
        self.turn += 1
        return group[start:] + group[:start]


async def proxy_pass(
    context: Context, location: Location, upstreams: RoundRobin, numbers: Iterator[int]
) -> Response:
    """proxy_pass: to an address, a name or an upstream group, one after the other."""
    given = expand(location.settings["proxy_pass"][-1].arguments[0], context)
    found = re.fullmatch(r"http://([^/]+)(/.*)?", given)
    if found is None:
        raise HttpError("only http:// upstreams", 500)
    name, path = found.group(1), found.group(2)
    uri = quote(context.uri, safe="/%:@!$&'()*+,;=~-._")
    target = path + uri[len(location.path) :] if path is not None else uri
    target += f"?{context.request.query}" if context.request.query else ""
    group = upstreams.places(name)
    status = 502
    for place in group or [name]:
        host, _, port = place.partition(":")
        try:
            address = (await getaddrinfo(context.proc, host))[0].address
            next(numbers)
            return await _ask(context, str(address), int(port or 80), name if group else place, target)
        except ResolverError:
            error_log(f"{host} could not be resolved", context)
        except (KernelError, HttpError) as failure:
            code = failure.errno if isinstance(failure, KernelError) else 0
            words = failure.strerror if isinstance(failure, KernelError) else str(failure)
            status = 504 if words == "Connection timed out" else 502
            what = "upstream timed out" if status == 504 else "connect() failed"
            error_log(
                f"{what} ({code}: {words}) while connecting to upstream",
                context,
                f"http://{place}{target}",
            )
    return page(context.proc, status)


async def _ask(context: Context, address: str, port: int, host: str, target: str) -> Response:
    stream = await Sockets(context.proc).connect(address, port, timeout=60)
    try:
        version = f"HTTP/{last_of(context.settings, 'proxy_http_version', '1.0')}"
        request = Request(context.request.method, target, version=version, body=context.request.body)
        own = {
            one.arguments[0].lower(): one.arguments for one in context.settings.get("proxy_set_header", [])
        }
        if "host" not in own:
            request.headers.add("Host", host)
        for words in own.values():
            value = expand(words[1], context)
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
    response = Response(answer.status, head(context.proc), answer.body, reason=answer.reason)
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
