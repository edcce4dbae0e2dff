"""The head of a request (lib/http.c: Curl_http())."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.easy import Easy
    from kubenet_course.userland.commands.curl.url import Url


def request_head(easy: Easy, url: Url, method: str, body: bytes | None) -> tuple[str, list[tuple[str, str]]]:
    """The request line and the fields in curl's order; -H replaces, empties (`Name;`) and removes (`Name:`) them."""
    config = easy.config
    own: dict[str, str | None] = {}
    names: dict[str, str] = {}
    for line in config.headers:
        name, colon, value = line.partition(":")
        if colon:
            own[name.lower()] = value.strip() or None
        elif line.endswith(";"):
            name, own[line[:-1].lower()] = line[:-1], ""
        else:
            continue
        names[name.lower()] = name
    fields: list[tuple[str, str]] = []

    def put(name: str, value: str | None) -> None:
        if name.lower() in own and name.lower() not in ("range",):
            if name == "Host" and own["host"] is not None:
                fields.append((names["host"], own["host"]))
                own.pop("host")
            return
        if value is not None:
            fields.append((name, value))

    put("Host", url.authority)
    user = config.user or url.user
    if user:
        name = user.partition(":")[0]
        easy.info(f"Server auth using Basic with user '{name}'")
        put(
            "Authorization",
            "Basic "
            + b64encode((user if ":" in user else user + ":").encode("utf-8", "surrogateescape")).decode(),
        )
    put("Range", f"bytes={config.range}" if config.range else None)
    put("User-Agent", config.agent)
    put("Accept", "application/json" if config.json else "*/*")
    put("Accept-Encoding", "deflate, gzip, br, zstd" if config.compressed else None)
    put("Referer", config.referer or None)
    put("Cookie", config.cookie or None)
    fields += [(names[key], value) for key, value in own.items() if value is not None]
    if body is not None:
        put("Content-Length", str(len(body)))
        if not config.upload:
            put("Content-Type", "application/json" if config.json else "application/x-www-form-urlencoded")
    target = url.target
    if config.get and config.data is not None:
        target += ("&" if "?" in target else "?") + config.data.decode("latin-1")
    version = "HTTP/1.0" if (url.host, url.port) in easy.session.old_servers else config.version
    return f"{method} {target} {version}", fields
