"""URLs as curl reads them, and its patterns ``{a,b}`` and ``[1-3]``."""

from __future__ import annotations

import re
from typing import NamedTuple


class BadUrl(Exception):
    pass


class GlobError(Exception):
    def __init__(self, message: str, position: int):
        super().__init__(f"{message} {position}:")
        self.position = position


class Url(NamedTuple):
    """A URL's parts: `user` is ``name:password``, `target` the path with its query."""

    scheme: str
    user: str
    host: str
    port: int
    target: str
    explicit_port: bool

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS.get(self.scheme) else f"{host}:{self.port}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.explicit_port else ''}{self.target}"


PORTS = {"http": 80, "https": 443, "ftp": 21, "ftps": 990, "telnet": 23, "smtp": 25, "dict": 2628, "gopher": 70, "tftp": 69,
         "scp": 22, "sftp": 22, "ldap": 389, "imap": 143, "pop3": 110, "rtsp": 554, "mqtt": 1883, "smb": 445, "file": 0}  # fmt: skip


def parse_url(text: str) -> Url:
    """BadUrl (curl's exit 3) where it is none; the scheme is http where none is given."""
    if not text or any(ord(char) <= 32 or ord(char) == 127 for char in text):
        raise BadUrl
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        scheme, rest = ("ftp" if text.lower().startswith("ftp.") else "http"), text
    scheme = scheme.lower()
    match = re.match(r"[^/?#]*", rest)
    authority = match.group() if match else ""
    target = rest[len(authority) :].partition("#")[0]
    user, at, place = authority.rpartition("@")
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\](?::(\d*))?", place)
    plain = re.fullmatch(r"([^:\[\]]+)(?::(\d*))?", place)
    found = bracketed or plain
    if found is None and scheme != "file":
        raise BadUrl
    host, number = (found.group(1), found.group(2)) if found else ("", None)
    port = int(number) if number else PORTS.get(scheme, 0)
    if port > 65535:
        raise BadUrl
    if not target.startswith("/"):
        target = "/" + target
    return Url(scheme, user, host, port, target, bool(number) and port != PORTS.get(scheme))


def squash(target: str) -> str:
    """dedotdotify(): remove . and .. from the path (RFC 3986, 5.2.4)."""
    path, mark, query = target.partition("?")
    out: list[str] = []
    parts = path.split("/")[1:]
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "..":
            if out:
                out.pop()
            if last:
                out.append("")
        elif part == ".":
            if last:
                out.append("")
        else:
            out.append(part)
    return "/" + "/".join(out) + mark + query


def join(base: Url, location: str) -> str:
    """Where a Location header leads."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", location):
        return location
    if location.startswith("//"):
        return f"{base.scheme}:{location}"
    root = f"{base.scheme}://{f'[{base.host}]' if ':' in base.host else base.host}{f':{base.port}' if base.explicit_port else ''}"
    if location.startswith("/"):
        return root + location
    path = base.target.partition("?")[0]
    if location.startswith("?"):
        return root + path + location
    return root + squash(path.rpartition("/")[0] + "/" + location)


def expand(pattern: str) -> list[tuple[str, list[str]]]:
    """Every URL of a pattern with the pieces that `#1`, `#2` stand for; GlobError."""
    results: list[tuple[str, list[str]]] = [("", [])]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern) and pattern[at + 1] in "{}[]":
            results = [(text + pattern[at + 1], parts) for text, parts in results]
            at += 2
            continue
        choices: list[str] | None = None
        if char == "{":
            end = pattern.find("}", at)
            if end < 0:
                raise GlobError("unmatched brace in URL position", at + 1)
            choices = pattern[at + 1 : end].split(",")
            if choices == [""]:
                raise GlobError("empty string within braces in URL position", at + 2)
        elif char == "[":
            end = pattern.find("]", at)
            inner = pattern[at + 1 : end] if end > 0 else ""
            if not re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[\w.-]+)?", inner) or end < 0:
                choices = _range(pattern, inner, at, end)
        elif char in "}]":
            raise GlobError("unmatched close brace/bracket in URL position", at + 1)
        if choices is None:
            stop = pattern.find("]", at) + 1 if char == "[" else at + 1
            results = [(text + pattern[at:stop], parts) for text, parts in results]
            at = stop
            continue
        results = [(text + choice, [*parts, choice]) for text, parts in results for choice in choices]
        if len(results) > 10000:
            raise GlobError("too many globs in URL position", at + 1)
        at = end + 1
    return results


def _range(pattern: str, inner: str, at: int, end: int) -> list[str]:
    numbers = re.fullmatch(r"(\d+)-(\d+)(?::(\d+))?", inner)
    letters = re.fullmatch(r"([A-Za-z])-([A-Za-z])(?::(\d+))?", inner)
    found = numbers or letters
    if end < 0 or found is None:
        # glob_range(): where a number's range went wrong behind its "-", the complaint is about that place.
        start = pattern[at + 1 :]
        begun = re.match(r"\d+- *", start)
        if not start[:1].isalnum():
            raise GlobError("bad range specification in URL position", at + 2)
        raise GlobError("bad range in URL position", at + 2 + (len(begun[0]) if begun is not None else 0))
    step = int(found.group(3) or 1)
    if numbers:
        low, high = int(found.group(1)), int(found.group(2))
        width = len(found.group(1)) if found.group(1).startswith("0") else 0
        if low > high or not step or (high - low) // step > 10000:
            raise GlobError("bad range in URL position", end + 2)
        return [str(number).rjust(width, "0") for number in range(low, high + 1, step)]
    low, high = ord(found.group(1)), ord(found.group(2))
    if low > high or not step:
        raise GlobError("bad range in URL position", at + 2)
    return [chr(code) for code in range(low, high + 1, step)]
