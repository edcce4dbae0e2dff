"""nginx' configuration language: words, blocks, includes; and the servers it describes.

    directives := { WORD { WORD } ( ";" | "{" directives "}" ) }      # comments to the end of the line

`load(read, glob, path)` gives a `Configuration`; ConfigError holds nginx' sentence with file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from kubenet_course.errors import KernelError, KubenetError
from kubenet_course.userland.tls import Certificate, read_certificates


class ConfigError(KubenetError):
    """``unknown directive "foo" in /etc/nginx/nginx.conf:3``."""


class NotEmulated(ConfigError):
    """A directive that is nginx' and not ours."""


class Directive(NamedTuple):
    name: str
    arguments: list[str]
    block: list[Directive] | None
    where: str


#: Directives that are known: the contexts they may stand in (m main, e events, h http, s server, l location,
#: u upstream, i if), and the number of arguments (least, most). True: it begins a block.
KNOWN: dict[str, tuple[str, int, int, bool]] = {
    "user": ("m", 1, 2, False), "worker_processes": ("m", 1, 1, False), "pid": ("m", 1, 1, False), "daemon": ("m", 1, 1, False),
    "master_process": ("m", 1, 1, False), "error_log": ("mhsl", 1, 2, False), "load_module": ("m", 1, 1, False),
    "worker_rlimit_nofile": ("m", 1, 1, False), "events": ("m", 0, 0, True), "http": ("m", 0, 0, True),
    "worker_connections": ("e", 1, 1, False), "multi_accept": ("e", 1, 1, False), "use": ("e", 1, 1, False),
    "server": ("hu", 0, 9, True), "location": ("sl", 1, 2, True), "upstream": ("h", 1, 1, True), "types": ("hsl", 0, 0, True),
    "listen": ("s", 1, 9, False), "server_name": ("s", 1, 99, False), "root": ("hsli", 1, 1, False), "alias": ("l", 1, 1, False),
    "index": ("hsl", 1, 99, False), "return": ("sli", 1, 2, False), "rewrite": ("sli", 2, 3, False), "try_files": ("sl", 2, 99, False),
    "proxy_pass": ("li", 1, 1, False), "proxy_set_header": ("hsl", 2, 2, False), "add_header": ("hsli", 2, 3, False),
    "default_type": ("hsl", 1, 1, False), "access_log": ("hsli", 1, 9, False), "log_format": ("h", 2, 99, False),
    "autoindex": ("hsl", 1, 1, False), "error_page": ("hsli", 2, 99, False), "server_tokens": ("hsl", 1, 1, False),
    "sendfile": ("hsl", 1, 1, False), "tcp_nopush": ("hsl", 1, 1, False), "tcp_nodelay": ("hsl", 1, 1, False),
    "keepalive_timeout": ("hsl", 1, 2, False), "types_hash_max_size": ("hsl", 1, 1, False), "gzip": ("hsl", 1, 1, False),
    "gzip_types": ("hsl", 1, 99, False), "client_max_body_size": ("hsl", 1, 1, False), "internal": ("l", 0, 0, False),
    "proxy_http_version": ("hsl", 1, 1, False), "proxy_connect_timeout": ("hsl", 1, 1, False), "proxy_read_timeout": ("hsl", 1, 1, False),
    "proxy_send_timeout": ("hsl", 1, 1, False), "proxy_buffering": ("hsl", 1, 1, False), "proxy_redirect": ("hsl", 1, 2, False),
    "proxy_next_upstream": ("hsl", 1, 99, False), "server_names_hash_bucket_size": ("h", 1, 1, False), "resolver": ("hsl", 1, 99, False),
    "keepalive": ("u", 1, 1, False), "least_conn": ("u", 0, 0, False), "ip_hash": ("u", 0, 0, False), "zone": ("u", 1, 2, False),
    "include": ("mehslu", 1, 1, False), "charset": ("hsl", 1, 1, False), "expires": ("hsl", 1, 2, False),
    "ssl_protocols": ("hs", 1, 9, False), "ssl_prefer_server_ciphers": ("hs", 1, 1, False),
    "ssl_certificate": ("hs", 1, 1, False), "ssl_certificate_key": ("hs", 1, 1, False), "ssl_session_timeout": ("hs", 1, 1, False),
    "ssl_ciphers": ("hs", 1, 1, False), "ssl_session_cache": ("hs", 1, 2, False), "set": ("sli", 2, 2, False),
}  # fmt: skip
#: What holds in its own place only.
NOT_INHERITED = frozenset({"return", "rewrite", "set", "try_files", "server_name", "proxy_pass", "alias", "internal"})
#: Directives without an effect here that would change what is seen → the values that change nothing.
NOT_EMULATED: Mapping[str, frozenset[str]] = MappingProxyType({
    "charset": frozenset({"off"}), "expires": frozenset({"off"}), "ip_hash": frozenset(), "least_conn": frozenset(),
    "load_module": frozenset(), "proxy_next_upstream": frozenset(), "proxy_redirect": frozenset({"default"}),
    "server_tokens": frozenset({"on"}),
})  # fmt: skip
CONTEXTS = {"events": "e", "http": "h", "server": "s", "location": "l", "upstream": "u", "types": "t"}


def tokens(text: str, path: str) -> list[tuple[str, bool, int]]:
    """(word, whether it was quoted, line); ``{``, ``}`` and ``;`` are words of their own."""
    found: list[tuple[str, bool, int]] = []
    at, line = 0, 1
    while at < len(text):
        char = text[at]
        if char == "\n":
            line += 1
        if char.isspace():
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif char in "{};":
            found.append((char, False, line))
            at += 1
        elif char in "\"'":
            word, end = "", at + 1
            while end < len(text) and text[end] != char:
                if text[end] == "\\" and end + 1 < len(text):
                    end += 1
                    word += {"t": "\t", "r": "\r", "n": "\n"}.get(
                        text[end], ("" if text[end] in "\"'\\" else "\\") + text[end]
                    )
                else:
                    word += text[end]
                end += 1
            if end >= len(text):
                raise ConfigError(f'unexpected end of file, expecting ";" or "}}" in {path}:{line}')
            found.append((word, True, line))
            line += text.count("\n", at, end)
            at = end + 1
        else:
            end = at
            while (
                end < len(text)
                and not text[end].isspace()
                and (text[end] not in "{};" or (text[end] == "{" and text[end - 1 : end] == "$"))
            ):
                if text[end] == "{":
                    end = max(end, text.find("}", end))
                end += 1
            found.append((text[at:end], False, line))
            at = end
    return found


class Loader:
    """Reads a configuration with its includes."""

    def __init__(self, read: Callable[[str], str], glob: Callable[[str], list[str]]):
        self.read, self.glob = read, glob
        self.depth = 0

    def file(self, path: str, context: str = "m") -> list[Directive]:
        try:
            text = self.read(path)
        except KernelError as failure:
            raise ConfigError(f'open() "{path}" failed ({failure.errno}: {failure.strerror})') from None
        self.depth += 1
        if self.depth > 20:
            raise ConfigError(f"too many nested includes in {path}:1")
        words = tokens(text, path)
        directives, at = self._block(words, 0, context, path, top=True)
        self.depth -= 1
        return directives

    def _block(
        self, words: list[tuple[str, bool, int]], at: int, context: str, path: str, top: bool = False
    ) -> tuple[list[Directive], int]:
        found: list[Directive] = []
        while True:
            if at >= len(words):
                if not top:
                    line = words[-1][2] if words else 1
                    raise ConfigError(f'unexpected end of file, expecting "}}" in {path}:{line}')
                return found, at
            word, quoted, line = words[at]
            if word == "}" and not quoted:
                if top:
                    raise ConfigError(f'unexpected "}}" in {path}:{line}')
                return found, at + 1
            arguments: list[str] = []
            at += 1
            while at < len(words) and (words[at][1] or words[at][0] not in ("{", "}", ";")):
                arguments.append(words[at][0])
                at += 1
            if word in (";", "{") and not quoted:
                raise ConfigError(f'unexpected "{word}" in {path}:{line}')
            if at >= len(words):
                raise ConfigError(f'unexpected end of file, expecting ";" or "}}" in {path}:{words[-1][2]}')
            end = words[at][0]
            where = f"{path}:{line}"
            if end == "}":
                raise ConfigError(f'unexpected "}}" in {path}:{words[at][2]}')
            if context == "t":
                found.append(Directive(word, arguments, None, where))
                at += 1
                continue
            self._check(word, arguments, end == "{", context, where)
            at += 1
            if end == "{":
                block, at = self._block(words, at, CONTEXTS.get(word, context), path)
                found.append(Directive(word, arguments, block, where))
            elif word == "include":
                found += self._include(arguments[0], context, path)
            else:
                found.append(Directive(word, arguments, None, where))

    @staticmethod
    def _check(word: str, arguments: list[str], block: bool, context: str, where: str) -> None:
        known = KNOWN.get(word)
        if known is None:
            raise ConfigError(f'unknown directive "{word}" in {where}')
        contexts, least, most, opens = known
        if context not in contexts:
            raise ConfigError(f'"{word}" directive is not allowed here in {where}')
        if word == "server":
            opens = context == "h"
        if opens and not block:
            raise ConfigError(f'directive "{word}" has no opening "{{" in {where}')
        if block and not opens:
            raise ConfigError(f'directive "{word}" is not terminated by ";" in {where}')
        if not least <= len(arguments) <= most:
            raise ConfigError(f'invalid number of arguments in "{word}" directive in {where}')
        if word in NOT_EMULATED and not set(arguments) & NOT_EMULATED[word]:
            raise NotEmulated(f"the directive {word} in {where} is not emulated")
        if word == "error_page" and arguments[-1].startswith("@"):
            raise NotEmulated(f"the named location {arguments[-1]} in {where} is not emulated")

    def _include(self, pattern: str, context: str, path: str) -> list[Directive]:
        full = pattern if pattern.startswith("/") else path.rpartition("/")[0] + "/" + pattern
        paths = self.glob(full) if any(char in full for char in "*?[") else [full]
        found: list[Directive] = []
        for one in paths:
            found += self.file(one, context)
        return found


# -- what it describes --------------------------------------------------------------------------
class Location:
    """A location block: `kind` is "=", "^~", "~", "~*" or "" (prefix)."""

    def __init__(self, kind: str, path: str, block: list[Directive], parent: dict[str, list[Directive]]):
        self.kind, self.path = kind, path
        self.settings = settings_of(block, parent)
        self.inner = locations_of(block, self.settings)


class Server:
    """A server block: `listens` are (address, port, default, IPv6), names as written. Raises ConfigError."""

    def __init__(self, block: list[Directive], parent: dict[str, list[Directive]]):
        self.settings = settings_of(block, parent)
        self.names = [name for one in self.settings.get("server_name", []) for name in one.arguments] or [""]
        self.listens: list[tuple[str, int, bool, bool]] = []
        self.tls: set[tuple[str, int]] = set()  # addresses and ports of `listen … ssl`
        for one in block:
            if one.name == "listen":
                self.listens.append(_listen(one))
                if "ssl" in one.arguments:
                    self.tls.add(self.listens[-1][:2])
                    if "ssl_certificate" not in self.settings:
                        raise ConfigError(f'no "ssl_certificate" is defined for the "listen ... ssl" directive in {one.where}')
                    if "ssl_certificate_key" not in self.settings:
                        path = self.settings["ssl_certificate"][-1].arguments[0]
                        raise ConfigError(f'no "ssl_certificate_key" is defined for certificate "{path}"')
        if not self.listens:
            self.listens.append(("", 80, False, False))
        self.locations = locations_of(block, self.settings)


class Configuration:
    """The whole configuration, as the modules read it. Raises ConfigError."""

    def __init__(self, directives: list[Directive]):
        top = settings_of(directives, {})
        self.certificates: dict[int, Certificate] = {}  # of servers that speak TLS, by id()
        self.pid = _first(top, "pid", "/run/nginx.pid")
        self.daemon = _first(top, "daemon", "on") != "off"
        self.error_log = _first(top, "error_log", "/var/log/nginx/error.log")
        levels = top["error_log"][0].arguments[1:] if top.get("error_log") else []
        #: Whether `error_log … notice` (or a lower level) asks for words about starting and stopping.
        self.notices = bool(levels) and levels[0] in ("notice", "info", "debug")
        #: log_format: name → text.
        self.formats: dict[str, str] = {}
        self.servers: list[Server] = []
        self.upstreams: dict[str, list[str]] = {}
        self.types: dict[str, str] = {}
        if not any(one.name == "events" for one in directives):
            raise ConfigError('no "events" section in configuration')
        for one in directives:
            if one.name == "http":
                self._http(one.block or [])

    def _http(self, block: list[Directive]) -> None:
        settings = settings_of(block, {})
        self.formats = {
            one.arguments[0]: "".join(word for word in one.arguments[1:] if not word.startswith("escape="))
            for one in block
            if one.name == "log_format"
        }
        for one in block:
            if one.name == "server":
                self.servers.append(Server(one.block or [], settings))
            elif one.name == "upstream":
                self.upstreams[one.arguments[0]] = [
                    inner.arguments[0] for inner in one.block or [] if inner.name == "server"
                ]
            elif one.name == "types":
                for kind in one.block or []:
                    self.types.update(dict.fromkeys(kind.arguments, kind.name))


def settings_of(block: list[Directive], parent: dict[str, list[Directive]]) -> dict[str, list[Directive]]:
    """A block's own simple directives over its parent's."""
    own: dict[str, list[Directive]] = {}
    for one in block:
        if one.block is None and one.name != "listen":
            own.setdefault(one.name, []).append(one)
    inherited = {
        name: value
        for name, value in parent.items()
        if name not in NOT_INHERITED
    }
    return {**inherited, **own}


def locations_of(block: list[Directive], parent: dict[str, list[Directive]]) -> list[Location]:
    """The location blocks of a block, in their order. Raises ConfigError."""
    found = []
    for one in block:
        if one.name == "location":
            kind, path = (
                ("", one.arguments[0]) if len(one.arguments) == 1 else (one.arguments[0], one.arguments[1])
            )
            if kind not in ("", "=", "^~", "~", "~*"):
                raise ConfigError(f'invalid location modifier "{kind}" in {one.where}')
            found.append(Location(kind, path, one.block or [], parent))
    return found


def _first(settings: dict[str, list[Directive]], name: str, default: str) -> str:
    found = settings.get(name)
    return found[-1].arguments[0] if found else default


def load_certificates(config: Configuration, read: Callable[[str], str]) -> None:
    """Fill `config.certificates`; ConfigError where one, or its key, cannot be read."""
    for server in config.servers:
        if not server.tls:
            continue
        texts = []
        for name, word in (("ssl_certificate", "certificate"), ("ssl_certificate_key", "certificate key")):
            path = _first(server.settings, name, "")
            try:
                texts.append(read(path))
            except KernelError as failure:
                number = {"No such file or directory": "02", "Permission denied": "0D"}.get(failure.strerror, "05")
                raise ConfigError(
                    f'cannot load {word} "{path}": BIO_new_file() failed (SSL: error:800000{number}:system library::'
                    f"{failure.strerror}:calling fopen({path}, r) error:10000080:BIO routines::no such file)"
                ) from None
            if len(texts) == 1:
                try:
                    config.certificates[id(server)] = read_certificates(texts[0])[0]
                except (ValueError, IndexError):
                    raise _no_pem(word, path, "PEM_read_bio_X509_AUX()", "TRUSTED CERTIFICATE") from None
            elif "PRIVATE KEY-----" not in texts[1]:
                raise _no_pem(word, path, "PEM_read_bio_PrivateKey()", "ANY PRIVATE KEY")


def _no_pem(word: str, path: str, function: str, kind: str) -> ConfigError:
    why = f"SSL: error:0480006C:PEM routines::no start line:Expecting: {kind}"
    return ConfigError(f'cannot load {word} "{path}": {function} failed ({why})')


def _listen(one: Directive) -> tuple[str, int, bool, bool]:
    """(address, port, default_server, IPv6)."""
    text = one.arguments[0]
    default = "default_server" in one.arguments or "default" in one.arguments
    address, port = "", text
    six = text.startswith("[")
    if six:
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or "80"
    elif ":" in text:
        address, _, port = text.rpartition(":")
    elif not text.isdigit():
        address, port = text, "80"
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f'invalid port in "{text}" of the "listen" directive in {one.where}')
    return address if address not in ("*", "0.0.0.0", "::") else "", int(port), default, six
