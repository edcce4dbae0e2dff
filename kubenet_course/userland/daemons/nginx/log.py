"""access_log, log_format (src/http/modules/ngx_http_log_module.c) and error_log (src/core/ngx_log.c)."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.daemons.nginx.context import last_of
from kubenet_course.userland.daemons.nginx.variables import VARIABLE, expand, local_time
from kubenet_course.userland.daemons.web import wall_seconds

if TYPE_CHECKING:
    from kubenet_course.userland.daemons.nginx.config import Configuration
    from kubenet_course.userland.daemons.nginx.context import Context
    from kubenet_course.userland.http import Request, Response
    from kubenet_course.userland.process import Process


def access_log(
    proc: Process, config: Configuration, request: Request, response: Response, context: Context | None
) -> None:
    """A line for a request; `context` is None where it never came to a server."""
    settings = context.settings if context is not None else {}
    path = last_of(settings, "access_log", "/var/log/nginx/access.log")
    if path == "off":
        return
    line = f"{request.method} {request.target} {request.version}" if request.method != "-" else ""
    size = 0 if request.method == "HEAD" else len(response.body)
    referer, agent = request.headers.get("Referer") or "-", request.headers.get("User-Agent") or "-"
    text = (
        f'{request.peer[0]} - - [{local_time(proc)}] "{line}" {response.status} {size} "{referer}" "{agent}"'
    )
    chosen = settings["access_log"][-1].arguments[1:2] if settings.get("access_log") else []
    layout = config.formats.get(chosen[0]) if chosen else None
    if layout is not None and context is not None:
        text = _logged(layout, context, response.status, size)
    _append(proc, path, f"{text}\n")


def _logged(layout: str, context: Context, status: int, size: int) -> str:
    """A line by log_format; what a request does not have is a dash."""
    own = {"status": str(status), "body_bytes_sent": str(size), "request_time": "0.000", "remote_user": "-"}

    def value(match: re.Match[str]) -> str:
        word = match.group(1) or match.group(2)
        return own.get(word) or expand(f"${{{word}}}", context) or "-"

    return VARIABLE.sub(value, layout)


def error_log(text: str, context: Context, upstream: str = "") -> None:
    """A line of the level `error` about a request; `upstream` is the URL it was passed to."""
    request = context.request
    when = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(wall_seconds(context.proc)))
    line = f"{when} [error] {context.proc.vpid}#{context.proc.vpid}: *{context.number} {text}, client: {request.peer[0]}, server: {context.server.names[0]}, "  # noqa: E501
    line += f'request: "{request.method} {request.target} {request.version}"'
    line += f', upstream: "{upstream}"' if upstream else ""
    line += f', host: "{request.host}"\n'
    _append(context.proc, last_of(context.settings, "error_log", context.config.error_log), line)


def _append(proc: Process, path: str, line: str) -> None:
    if path in ("stderr", "/dev/stderr", "/dev/stdout"):
        (proc.stdout if path == "/dev/stdout" else proc.stderr).write(line.encode("utf-8", "surrogateescape"))
        return
    try:
        proc.files.write(path, line.encode("utf-8", "surrogateescape"), proc, append=True)
    except KernelError:
        return  # as nginx does when its log is gone
