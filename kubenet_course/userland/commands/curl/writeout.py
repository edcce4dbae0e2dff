"""-w: what to print after a transfer (src/tool_writeout.c)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.curl.progress import Meter, speed

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.easy import Result
    from kubenet_course.userland.process import Process


def values(result: Result, meter: Meter) -> dict[str, Any]:
    """Every variable; times are floats, texts str or None, the rest int."""
    response = result.response
    total = max(0, result.ended - result.started)

    def since(moment: int) -> float:
        return max(0, moment - result.started) / SECOND

    status = response.status if response is not None else 0
    return {
        "content_type": response.headers.get("Content-Type") or None if response is not None else None,
        "errormsg": result.error or None,
        "exitcode": result.code,
        "filename_effective": result.filename or None,
        "ftp_entry_path": None,
        "http_code": status,
        "http_connect": 0,
        "http_version": {"1.0": "1", "": "0"}.get(result.version, result.version),
        "local_ip": result.local[0],
        "local_port": result.local[1],
        "method": result.method,
        "num_connects": result.connects,
        "num_headers": result.headers,
        "num_redirects": result.redirects,
        "proxy_ssl_verify_result": 0,
        "redirect_url": result.redirect_url or None,
        "referer": None,
        "remote_ip": result.remote[0],
        "remote_port": result.remote[1],
        "response_code": status,
        "scheme": result.scheme or None,
        "size_download": meter.downloaded,
        "size_header": result.size_header,
        "size_request": result.size_request,
        "size_upload": meter.uploaded,
        "speed_download": speed(meter.downloaded, total) if meter.downloaded else 0,
        "speed_upload": speed(meter.uploaded, total) if meter.uploaded else 0,
        "ssl_verify_result": 0,
        "time_appconnect": 0.0,
        "time_connect": since(result.connected),
        "time_namelookup": since(result.looked_up),
        "time_pretransfer": since(result.prepared),
        "time_redirect": result.redirect_time / SECOND,
        "time_starttransfer": since(result.first_byte),
        "time_total": total / SECOND,
        "url": result.url,
        "url_effective": result.effective,
        "urlnum": result.number,
    }


def write_out(proc: Process, pattern: str, result: Result, meter: Meter) -> None:
    """Print `pattern`, or with @ the pattern in a file, with its variables filled in."""
    if pattern.startswith("@"):
        try:
            pattern = proc.files.read_text(pattern[1:], proc, proc.cwd)
        except KernelError:
            return
    known = values(result, meter)
    stream = proc.stdout

    def emit(text: str) -> None:
        stream.write(text.encode("utf-8", "surrogateescape"))

    for piece in re.findall(r"%\{[^}]*\}|%%|\\.|%header\{[^}]*\}|.", pattern, re.S):
        if piece == "%{stderr}":
            stream = proc.stderr
        elif piece == "%{stdout}":
            stream = proc.stdout
        elif piece == "%{onerror}":
            if not result.code:
                return
        elif piece in ("%{json}", "%{header_json}"):
            emit(_json(known, result, piece))
        elif piece.startswith("%{") and len(piece) > 2:
            name = piece[2:-1]
            if name not in known:
                proc.error(f"curl: unknown --write-out variable: '{name}'")
                continue
            emit(_text(name, known[name]))
        else:
            emit({"%%": "%", "\\n": "\n", "\\t": "\t", "\\r": "\r"}.get(piece, piece))


def _text(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    if name in ("http_code", "response_code", "http_connect"):
        return f"{value:03d}"
    return "" if value is None else str(value)


def _json(known: dict[str, Any], result: Result, which: str) -> str:
    if which == "%{header_json}":
        fields: dict[str, list[str]] = {}
        for name, value in result.response.headers if result.response is not None else ():
            fields.setdefault(name.lower(), []).append(value)
        return (
            "{"
            + ",\n".join(f"{json.dumps(name)}:{json.dumps(found)}" for name, found in fields.items())
            + "\n}"
        )
    parts = [
        f'"{name}":{value:.6f}' if isinstance(value, float) else f'"{name}":{json.dumps(value)}'
        for name, value in known.items()
    ]
    return "{" + ",".join(parts) + ',"curl_version":"libcurl/7.88.1"}'
