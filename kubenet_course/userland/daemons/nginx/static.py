"""Files: root and alias, index, ranges, conditions, directory listings (ngx_http_{static,index,autoindex}_module.c)."""

from __future__ import annotations

import html
import re
import time
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.daemons.nginx.context import last_of
from kubenet_course.userland.daemons.nginx.log import error_log
from kubenet_course.userland.daemons.nginx.pages import body_response, head, page, redirect
from kubenet_course.userland.daemons.nginx.variables import expand
from kubenet_course.userland.daemons.web import http_date, parse_http_date
from kubenet_course.userland.http import Request, Response

if TYPE_CHECKING:
    from kubenet_course.userland.daemons.nginx.context import Context


#: Where the configuration has no `types` (ngx_http_core_default_types).
DEFAULT_TYPES = MappingProxyType({"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"})


def path_of(context: Context, uri: str) -> str:
    """The file that a URI means here: ngx_http_map_uri_to_path()."""
    alias = context.settings.get("alias")
    if alias:
        return expand(alias[-1].arguments[0], context) + uri[len(context.prefix) :]
    return expand(last_of(context.settings, "root", "/usr/share/nginx/html"), context).rstrip("/") + uri


def serve_static(context: Context) -> Response:
    """The file, the index or the listing of a directory, or a page that says why not."""
    proc, request, files = context.proc, context.request, context.proc.files
    path = path_of(context, context.uri)
    if files.isdir(path, proc):
        if not context.uri.endswith("/"):
            return redirect(
                context, 301, quote(context.uri) + "/" + (f"?{request.query}" if request.query else "")
            )
        names = [name for one in context.settings.get("index", []) for name in one.arguments] or [
            "index.html"
        ]
        for name in names:
            if files.isfile(path.rstrip("/") + "/" + name, proc):
                path = path.rstrip("/") + "/" + name
                break
        else:
            if last_of(context.settings, "autoindex", "off") == "on":
                return _autoindex(context, path)
            error_log(f'directory index of "{path}" is forbidden', context)
            return page(context.proc, 403)
    elif context.uri.endswith("/"):
        error_log(f'"{path}index.html" is not found (2: No such file or directory)', context)
        return page(context.proc, 404)
    if context.method not in ("GET", "HEAD"):
        return page(context.proc, 405)
    try:
        stat = files.stat(path, proc)
        body = files.read(path, proc)
    except KernelError as failure:
        error_log(f'open() "{path}" failed ({failure.errno}: {failure.strerror})', context)
        return page(context.proc, 403 if failure.strerror == "Permission denied" else 404)
    modified = stat.mtime // SECOND
    kind = content_type(context, path)
    tag = f'"{modified:x}-{len(body):x}"'
    since = parse_http_date(request.headers.get("If-Modified-Since"))
    if request.headers.get("If-None-Match") == tag or (since is not None and since == modified):
        response = Response(304, head(context.proc))
        response.headers.add("Last-Modified", http_date(modified))
        response.headers.add("Connection", "keep-alive")
        response.headers.add("ETag", tag)
        return response
    return _ranged(context, request, body, kind, modified, tag)


def content_type(context: Context, path: str) -> str:
    """What `types` says of a name, else `default_type` (ngx_http_set_content_type())."""
    types = context.config.types or DEFAULT_TYPES
    extension = path.rpartition("/")[2].rpartition(".")[2].lower()
    return types.get(extension) or last_of(context.settings, "default_type", "text/plain")




def _ranged(context: Context, request: Request, body: bytes, kind: str, modified: int, tag: str) -> Response:
    whole = len(body)
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range"))
    status, extra = 200, ("Accept-Ranges", "bytes")
    if wanted and (wanted.group(1) or wanted.group(2)):
        first = int(wanted.group(1)) if wanted.group(1) else max(0, whole - int(wanted.group(2)))
        last = min(int(wanted.group(2)), whole - 1) if wanted.group(1) and wanted.group(2) else whole - 1
        if first > last:
            refused = page(context.proc, 416)
            refused.headers.add("Content-Range", f"bytes */{whole}")
            return refused
        body = body[first : last + 1]
        status, extra = 206, ("Content-Range", f"bytes {first}-{last}/{whole}")
    response = Response(status, head(context.proc), body)
    for name, value in (
        ("Content-Type", kind), ("Content-Length", str(len(body))), ("Last-Modified", http_date(modified)),
        ("Connection", "keep-alive"), ("ETag", tag), extra,
    ):  # fmt: skip
        response.headers.add(name, value)
    return response


def _autoindex(context: Context, path: str) -> Response:
    proc, files = context.proc, context.proc.files
    shown = html.escape(context.uri, quote=False)
    lines = [
        f'<html>\r\n<head><title>Index of {shown}</title></head>\r\n<body>\r\n<h1>Index of {shown}</h1><hr><pre><a href="../">../</a>\r\n'  # noqa: E501
    ]
    entries = []
    for name in files.listdir(path, proc):
        if not name.startswith("."):
            full = path.rstrip("/") + "/" + name
            entries.append((not files.isdir(full, proc), name, files.stat(full, proc)))
    for is_file, name, stat in sorted(entries, key=lambda entry: entry[:2]):
        label = name if is_file else name + "/"
        cut = label if len(label) <= 50 else label[:47] + "..>"
        when = time.strftime("%d-%b-%Y %H:%M", time.gmtime(stat.mtime // SECOND))
        size = str(stat.size) if is_file else "-"
        lines.append(
            f'<a href="{quote(label)}">{html.escape(cut, quote=False)}</a>{" " * (51 - len(cut))}{when}{size:>20s}\r\n'
        )
    lines.append("</pre><hr></body>\r\n</html>\r\n")
    text = "".join(lines).encode()
    response = body_response(context.proc, 200, text, "text/html")
    if context.request.version == "HTTP/1.1":
        # Made while it is sent: its length is not known when the head goes out.
        response.body = f"{len(text):x}\r\n".encode() + text + b"\r\n0\r\n\r\n"
        response.headers.fields = [
            ("Transfer-Encoding", "chunked") if name == "Content-Length" else (name, value)
            for name, value in response.headers
        ]
    return response
