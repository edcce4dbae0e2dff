"""$variables of the core, log and proxy modules (src/http/ngx_http_variables.c); what is unset is empty."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from kubenet_course.userland.daemons.nginx.pages import VERSION
from kubenet_course.userland.daemons.web import wall_seconds

if TYPE_CHECKING:
    from kubenet_course.userland.daemons.nginx.context import Context
    from kubenet_course.userland.process import Process

VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def expand(text: str, context: Context) -> str:
    """`text` with the value of each $name and ${name} in it."""
    request = context.request
    name = re.sub(r":\d+$", "", request.host).lower()

    def value(match: re.Match[str]) -> str:
        word = match.group(1) or match.group(2)
        if word.isdigit():
            index = int(word) - 1
            return (context.captures[index] or "") if 0 <= index < len(context.captures) else ""
        if word in context.variables:
            return context.variables[word]
        if word.startswith("http_"):
            return request.headers.get(word[5:].replace("_", "-"))
        if word.startswith("arg_"):
            found = re.search(rf"(?:^|&){re.escape(word[4:])}=([^&]*)", request.query)
            return found.group(1) if found else ""
        forwarded = request.headers.get("X-Forwarded-For")
        return {
            "uri": context.uri, "document_uri": context.uri, "request_uri": request.target, "args": request.query,
            "query_string": request.query, "is_args": "?" if request.query else "", "host": name or context.server.names[0],
            "remote_addr": request.peer[0], "remote_port": str(request.peer[1]), "server_addr": request.local[0],
            "server_port": str(request.local[1]), "request_method": request.method, "scheme": "http", "https": "",
            "server_name": context.server.names[0], "server_protocol": request.version, "hostname": context.proc.uts.hostname,
            "nginx_version": VERSION.removeprefix("nginx/"),
            "proxy_add_x_forwarded_for": f"{forwarded}, {request.peer[0]}" if forwarded else request.peer[0],
            "request": f"{request.method} {request.target} {request.version}", "content_type": request.headers.get("Content-Type"),
            "content_length": request.headers.get("Content-Length"), "pid": str(context.proc.vpid),
            "request_body": request.body.decode("latin-1"), "proxy_host": "",
            "time_local": local_time(context.proc), "msec": f"{wall_seconds(context.proc)}.000",
        }.get(word, "")  # fmt: skip

    return VARIABLE.sub(value, text)


def local_time(proc: Process) -> str:
    """$time_local."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(wall_seconds(proc)))
