"""rewrite, return (src/http/modules/ngx_http_rewrite_module.c) and try_files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.daemons.nginx.pages import NO_ANSWER, body_response, page, redirect
from kubenet_course.userland.daemons.nginx.static import content_type, path_of, serve_static
from kubenet_course.userland.daemons.nginx.variables import expand
from kubenet_course.userland.http import Response

if TYPE_CHECKING:
    from kubenet_course.userland.daemons.nginx.context import Context


def rewritten(context: Context) -> Response | None:
    """The answer of `return` or a redirecting `rewrite`; None to go on, maybe with another URI.

    All `set` of the place are done first, wherever they stand.
    """
    for one in context.settings.get("set", []):
        context.variables[one.arguments[0].removeprefix("$")] = expand(one.arguments[1], context)
    for one in context.settings.get("rewrite", []):
        found = re.search(one.arguments[0], context.uri)
        if found is None:
            continue
        target = expand(_with_groups(found, one.arguments[1]), context)
        flag = one.arguments[2] if len(one.arguments) > 2 else ""
        if flag in ("redirect", "permanent") or target.startswith(("http://", "https://")):
            return redirect(context, 301 if flag == "permanent" else 302, target)
        context.uri = target.partition("?")[0]
        if flag == "break":
            return serve_static(context)
        break
    given = context.settings.get("return")
    if not given:
        return None
    first, *rest = given[0].arguments
    if not first.isdigit():
        return redirect(context, 302, expand(first, context))
    status = int(first)
    text = expand(rest[0], context) if rest else ""
    if status in (301, 302, 303, 307, 308) and text:
        return redirect(context, status, text)
    if status == NO_ANSWER or not rest and status >= 300:
        return page(context.proc, status)
    body = text.encode("utf-8", "surrogateescape")
    return body_response(context.proc, status, body, content_type(context, context.uri))


def _with_groups(found: re.Match[str], replacement: str) -> str:
    """`replacement` with what the groups of the expression found for $1 to $9."""
    return re.sub(r"\$(\d)", lambda digit: found.group(int(digit.group(1))) or "", replacement)


def try_files(context: Context) -> str:
    """ "" to serve the current URI, "=404" for a status, else the URI to go to."""
    given = context.settings.get("try_files")
    if not given:
        return ""
    *candidates, last = given[0].arguments
    for candidate in candidates:
        uri = expand(candidate, context)
        path = path_of(context, uri)
        found = (
            context.proc.files.isdir(path, context.proc)
            if uri.endswith("/")
            else context.proc.files.isfile(path, context.proc)
        )
        if found:
            if uri.endswith("/") and not context.uri.endswith("/"):
                return ""
            context.uri = uri
            return ""
    return last if last.startswith("=") else expand(last, context)
