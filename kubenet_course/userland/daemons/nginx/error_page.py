"""error_page: another answer in the place of nginx' own (ngx_http_send_error_page())."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kubenet_course.userland.daemons.nginx.pages import REASONS
from kubenet_course.userland.http import Response

if TYPE_CHECKING:
    from kubenet_course.userland.daemons.nginx.context import Context


class ErrorPage(NamedTuple):
    """Where to go; `status` is what the client is told then: None for the error's own, 0 for that of what is found."""

    uri: str
    status: int | None


def error_page_of(context: Context, status: int) -> ErrorPage | None:
    """What the first ``error_page CODE … [=[STATUS]] URI`` that names the status says."""
    for one in context.settings.get("error_page", []):
        *words, uri = one.arguments
        change = words.pop() if words and words[-1].startswith("=") else None
        if str(status) in words:
            return ErrorPage(uri, None if change is None else int(change[1:] or 0))
    return None


def overwrite(response: Response, status: int) -> Response:
    """The answer under another status; what only holds for a 200 goes."""
    if status != 200:
        response.headers.remove("Accept-Ranges")
        response.headers.remove("Last-Modified")
    return Response(status, response.headers, response.body, reason=REASONS.get(status, ""))
