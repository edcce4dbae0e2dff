"""What the web servers here share: dates, media types, a file below a root."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

#: By extension, as both Python's and nginx' tables have them where they agree.
MEDIA_TYPES = {
    "html": "text/html", "htm": "text/html", "css": "text/css", "txt": "text/plain", "xml": "text/xml",
    "js": "text/javascript", "json": "application/json", "gif": "image/gif", "jpg": "image/jpeg",
    "jpeg": "image/jpeg", "png": "image/png", "svg": "image/svg+xml", "ico": "image/x-icon", "pdf": "application/pdf",
    "zip": "application/zip", "tar": "application/x-tar", "gz": "application/gzip", "tgz": "application/gzip",
    "md": "text/markdown", "csv": "text/csv", "sh": "application/x-sh", "py": "text/x-python", "wasm": "application/wasm",
    "mp3": "audio/mpeg", "mp4": "video/mp4", "webp": "image/webp", "log": "text/plain", "c": "text/plain",
}  # fmt: skip


def wall_seconds(proc: Process) -> int:
    return proc.system.host.wall_clock() // SECOND


def http_date(seconds: float) -> str:
    """``Mon, 23 Nov 2026 23:11:16 GMT``."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds))


def parse_http_date(text: str) -> float | None:
    """Seconds since 1970 of ``Mon, 23 Nov 2026 23:11:16 GMT``, None for anything else."""
    import calendar

    try:
        return calendar.timegm(time.strptime(text, "%a, %d %b %Y %H:%M:%S GMT"))
    except ValueError:
        return None


def media_type(name: str, default: str) -> str:
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower(), default) if "." in name else default


def below(root: str, target: str) -> str:
    """The file a URL path means, never outside of `root`; it keeps a final slash."""
    path = unquote(target.partition("?")[0].partition("#")[0], errors="surrogateescape")
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    joined = "/".join([root.rstrip("/"), *parts])
    return (joined or "/") + ("/" if path.endswith("/") and parts else "")


def read_file(proc: Process, path: str) -> tuple[bytes, int] | None:
    """(content, modification time in s); None where it cannot be read."""
    try:
        stat = proc.files.stat(path, proc)
        return proc.files.read(path, proc), stat.mtime // SECOND
    except KernelError:
        return None
