"""Answers that nginx makes itself: its pages for a status, redirections (src/http/ngx_http_special_response.c)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.daemons.nginx.context import Context
from kubenet_course.userland.daemons.web import http_date, wall_seconds
from kubenet_course.userland.http import Response

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

VERSION = "nginx/1.22.1"
#: Where nginx' reason differs from the RFC's.
REASONS = {405: "Not Allowed", 302: "Moved Temporarily", 400: "Bad Request", 413: "Request Entity Too Large", 504: "Gateway Time-out",
           503: "Service Temporarily Unavailable"}  # fmt: skip
#: What `return 444` says: the connection is closed without a word (NGX_HTTP_CLOSE).
NO_ANSWER = 444
#: The statuses that have a page (ngx_http_error_pages); another's answer is empty.
PAGES = frozenset({301, 302, 303, 307, 308, *range(400, 407), *range(408, 417), 421, 429, *range(500, 506), 507})
#: Where the page says something else than the status line.
TITLES = {302: "Found"}


def head(proc: Process) -> dict[str, str]:
    """The fields that each answer begins with."""
    return {"Server": VERSION, "Date": http_date(wall_seconds(proc))}


def body_response(proc: Process, status: int, body: bytes, kind: str) -> Response:
    """An answer with a body of the content type `kind`."""
    response = Response(status, head(proc), body, reason=REASONS.get(status, ""))
    if status not in (204, 304):
        response.headers.add("Content-Type", kind)
        response.headers.add("Content-Length", str(len(body)))
    response.headers.add("Connection", "keep-alive")
    return response


class SpecialResponse(Response):
    """An answer of nginx' own, which `error_page` may take the place of."""


def page(proc: Process, status: int) -> SpecialResponse:
    """ngx_http_special_response_handler(): a status with nginx' own page, where it has one."""
    plain = body_response(proc, status, b"", "text/html")
    response = SpecialResponse(status, plain.headers, reason=plain.reason)
    if status < 300 or status == 304:
        return response
    if status not in PAGES:
        response.headers.remove("Content-Type")
        return response
    title = f"{status} {TITLES.get(status, response.reason)}"
    lines = [
        "<html>",
        f"<head><title>{title}</title></head>",
        "<body>",
        f"<center><h1>{title}</h1></center>",
        f"<hr><center>{VERSION}</center>",
    ]
    response.body = "".join(f"{line}\r\n" for line in (*lines, "</body>", "</html>")).encode()
    response.headers.set("Content-Length", str(len(response.body)))
    fields = [field for field in response.headers.fields if field[0] != "Connection"]
    response.headers.fields = [*fields, ("Connection", "keep-alive")]
    return response


def redirect(context: Context, status: int, target: str) -> Response:
    """To `target`, made absolute with the request's own host where it is a path (ngx_http_header_filter())."""
    response = page(context.proc, status)
    if not target.startswith("/"):
        response.headers.add("Location", target)
        return response
    host = context.request.host or context.request.local[0]
    port = context.request.local[1]
    name = re.sub(r":\d+$", "", host)
    where = f"http://{name}{'' if port == 80 else f':{port}'}{target}"
    fields = response.headers.fields
    before = next((at for at, field in enumerate(fields) if field[0] == "Connection"), len(fields))
    fields.insert(before, ("Location", where))
    return response
