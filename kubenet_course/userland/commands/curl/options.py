"""curl's command line (src/tool_getparam.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus

from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

VERSION = """curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1
Release-Date: 2023-02-20
Protocols: http
Features: AsynchDNS IPv6 Largefile"""

HELP = """Usage: curl [options...] <url>
 -d, --data <data>          HTTP POST data
 -f, --fail                 Fail fast with no output on HTTP errors
 -h, --help <category>      Get help for commands
 -i, --include              Include protocol response headers in the output
 -o, --output <file>        Write to file instead of stdout
 -O, --remote-name          Write output to a file named as the remote file
 -s, --silent               Silent mode
 -T, --upload-file <file>   Transfer local FILE to destination
 -u, --user <user:password> Server user and password
 -A, --user-agent <name>    Send User-Agent <name> to server
 -v, --verbose              Make the operation more talkative
 -V, --version              Show version number and quit

This is not the full help, this menu is stripped into categories.
Use "--help category" to get an overview of all categories.
For all options use the manual or "--help all"."""

#: long name -> (letter, takes a value). Names with "no-" in front switch off.
LONG = {
    "silent": ("s", 0), "show-error": ("S", 0), "verbose": ("v", 0), "include": ("i", 0), "head": ("I", 0),
    "output": ("o", 1), "remote-name": ("O", 0), "location": ("L", 0), "max-time": ("m", 1), "connect-timeout": ("connect-timeout", 1),
    "write-out": ("w", 1), "request": ("X", 1), "data": ("d", 1), "data-ascii": ("d", 1), "data-raw": ("data-raw", 1),
    "data-binary": ("data-binary", 1), "data-urlencode": ("data-urlencode", 1), "json": ("json", 1), "get": ("G", 0), "header": ("H", 1),
    "user-agent": ("A", 1), "insecure": ("k", 0), "fail": ("f", 0), "fail-with-body": ("fail-with-body", 0), "fail-early": ("fail-early", 0),  # noqa: E501
    "ipv4": ("4", 0), "ipv6": ("6", 0), "resolve": ("resolve", 1), "interface": ("interface", 1), "local-port": ("local-port", 1),
    "http1.0": ("0", 0), "http1.1": ("http1.1", 0), "http2": ("http2", 0), "referer": ("e", 1), "cookie": ("b", 1), "user": ("u", 1),
    "range": ("r", 1), "compressed": ("compressed", 0), "max-redirs": ("max-redirs", 1), "progress-bar": ("#", 0),
    "no-progress-meter": ("no-progress-meter", 0), "no-buffer": ("N", 0), "globoff": ("g", 0), "url": ("url", 1),
    "dump-header": ("D", 1), "upload-file": ("T", 1), "create-dirs": ("create-dirs", 0), "path-as-is": ("path-as-is", 0),
    "no-keepalive": ("no-keepalive", 0), "tcp-nodelay": ("tcp-nodelay", 0), "disable": ("q", 0), "stderr": ("stderr", 1),
    "version": ("V", 0), "help": ("h", 0), "retry": ("retry", 1), "retry-delay": ("retry-delay", 1), "retry-connrefused": ("retry-connrefused", 0),  # noqa: E501
    "connect-to": ("connect-to", 1), "noproxy": ("noproxy", 1), "tr-encoding": ("tr-encoding", 0), "post301": ("post301", 0),
    "location-trusted": ("L", 0), "remote-name-all": ("remote-name-all", 0), "anyauth": ("anyauth", 0), "basic": ("basic", 0),
}  # fmt: skip
SHORT = {
    **{name: (name, 0) for name in "sSviIOLGkf46#NgqVh0Zan"},
    **{name: (name, 1) for name in "omwXdHAebuzrDTxFKcEUtYyQPC"},
}
#: Real options that are not emulated.
UNSUPPORTED = {
    "x": "-x", "F": "-F", "K": "-K", "c": "-c", "E": "-E", "U": "-U", "t": "-t", "Y": "-Y", "y": "-y", "Q": "-Q", "P": "-P", "C": "-C",
    "z": "-z", "Z": "-Z", "a": "-a", "n": "-n",
}  # fmt: skip
UNSUPPORTED_LONG = frozenset(
    "proxy form config cookie-jar cert key cacert capath netrc proxytunnel parallel socks5 socks5-hostname unix-socket limit-rate "
    "digest ntlm negotiate http3 tlsv1.2 tlsv1.3 ciphers doh-url dns-servers mail-from mail-rcpt continue-at trace trace-ascii libcurl "
    "etag-save etag-compare haproxy-protocol tls-max pinnedpubkey oauth2-bearer aws-sigv4 preproxy form-string time-cond quote".split()
)
IGNORED = frozenset(
    {
        "N",
        "q",
        "tcp-nodelay",
        "no-keepalive",
        "noproxy",
        "tr-encoding",
        "http1.1",
        "http2",
        "basic",
        "anyauth",
        "post301",
    }
)


class CurlUsage(Exception):
    def __init__(self, message: str, unsupported: bool = False):
        super().__init__(message)
        self.unsupported = unsupported


class Output(NamedTuple):
    """Where one URL's body goes: a path ("-" is standard output), or the URL's own last name (`remote`)."""

    path: str | None
    remote: bool = False


class Configuration:
    """What the command line and the config files ask for (src/tool_cfgable.h); times in s."""

    def __init__(self) -> None:
        self.show = ""
        self.urls: list[str] = []
        self.outputs: list[Output] = []
        self.insecure = self.silent = self.show_error = self.verbose = self.include = self.head = False
        self.location = self.fail = self.fail_with_body = self.fail_early = False
        self.globbing, self.path_as_is = True, False
        self.get = self.compressed = self.meter_off = self.bar = False
        self.create_dirs = False
        self.family = 0
        self.version = "HTTP/1.1"
        self.max_time: float | None = None
        self.connect_timeout = 300.0
        self.max_redirects = 50
        self.write_out = ""
        self.method = ""
        self.data: bytes | None = None
        self.json = False
        self.headers: list[str] = []
        self.agent: str | None = "curl/7.88.1"
        self.referer = self.cookie = self.user = self.range = self.interface = self.local_port = ""
        self.dump_header = self.upload = ""
        self.resolve: dict[tuple[str, int], list[str]] = {}
        self.connect_to: list[list[str]] = []
        self.resolve_notes: list[str] = []
        self.retry = 0
        self.retry_delay = 0.0
        self.retry_refused = False

    @property
    def show_errors(self) -> bool:
        return self.show_error or not self.silent


def parse(proc: Process, words: list[str]) -> Configuration:
    """CurlUsage where curl would say ``try 'curl --help'``."""
    config = Configuration()
    remote_all = False
    rest = list(words)
    only_urls = False
    while rest:
        word = rest.pop(0)
        if only_urls or not word.startswith("-") or word == "-":
            config.urls.append(word)
        elif word == "--":
            only_urls = True
        elif word.startswith("--"):
            _long(proc, config, word, rest)
            remote_all = remote_all or word == "--remote-name-all"
        else:
            _short(proc, config, word, rest)
    while remote_all and len(config.outputs) < len(config.urls):
        config.outputs.append(Output(None, True))
    return config


def _long(proc: Process, config: Configuration, word: str, rest: list[str]) -> None:
    name = word[2:]
    found = LONG.get(name)
    on = True
    if found is None and name.startswith("no-") and name[3:] in LONG:
        found, on = LONG[name[3:]], False
    if found is None:
        if name in UNSUPPORTED_LONG:
            raise CurlUsage(f"option --{name} is not emulated", True)
        near = sorted(known for known in LONG if known.startswith(name))
        letters = {LONG[known] for known in near}
        if len(letters) > 1:
            raise CurlUsage(f"option {word}: is ambiguous")
        if not near:
            raise CurlUsage(f"option {word}: is unknown")
        found = LONG[near[0]]
    letter, takes = found
    value = ""
    if takes:
        if not rest:
            raise CurlUsage(f"option {word}: requires parameter")
        value = rest.pop(0)
    _apply(proc, config, letter, value, word, on)


def _short(proc: Process, config: Configuration, word: str, rest: list[str]) -> None:
    at = 1
    while at < len(word):
        letter = word[at]
        at += 1
        if letter == ":":
            continue
        if letter not in SHORT:
            raise CurlUsage(f"option {word}: is unknown")
        if letter in UNSUPPORTED and (letter != "z" or at < len(word) or rest):
            raise CurlUsage(f"option {UNSUPPORTED[letter]} is not emulated", True)
        value = ""
        if SHORT[letter][1]:
            if at < len(word):
                value, at = word[at:], len(word)
            elif rest:
                value = rest.pop(0)
            else:
                raise CurlUsage(f"option {word}: requires parameter")
        _apply(proc, config, letter, value, word, True)


_FLAGS = {
    "s": "silent", "S": "show_error", "v": "verbose", "i": "include", "I": "head", "L": "location", "f": "fail", "G": "get",
    "#": "bar", "compressed": "compressed", "no-progress-meter": "meter_off", "fail-with-body": "fail_with_body",
    "fail-early": "fail_early", "create-dirs": "create_dirs", "path-as-is": "path_as_is", "retry-connrefused": "retry_refused",
}  # fmt: skip
_TEXTS = {
    "w": "write_out", "X": "method", "e": "referer", "u": "user", "r": "range", "interface": "interface",
    "D": "dump_header", "T": "upload", "local-port": "local_port",
}  # fmt: skip


def _apply(proc: Process, config: Configuration, letter: str, value: str, word: str, on: bool) -> None:
    if letter in _FLAGS:
        setattr(config, _FLAGS[letter], on)
    elif letter in _TEXTS:
        setattr(config, _TEXTS[letter], value)
    elif letter in ("o", "O"):
        config.outputs.append(Output(value) if letter == "o" else Output(None, True))
    elif letter in ("4", "6"):
        config.family = int(letter)
    elif letter == "0":
        config.version = "HTTP/1.0"
    elif letter == "m":
        config.max_time = _seconds(value, word) or None
    elif letter == "connect-timeout":
        config.connect_timeout = _seconds(value, word) or 300.0
    elif letter in ("max-redirs", "retry"):
        setattr(
            config,
            "max_redirects" if letter == "max-redirs" else "retry",
            int(_seconds(value, word, negative=True)),
        )
    elif letter == "retry-delay":
        config.retry_delay = _seconds(value, word)
    elif letter in ("d", "data-raw", "data-binary", "data-urlencode", "json"):
        _data(proc, config, letter, value)
    elif letter == "H":
        config.headers += _header_lines(proc, value)
    elif letter == "A":
        config.agent = value or None
    elif letter == "b":
        if "=" not in value:
            raise CurlUsage("a cookie file (-b FILE) is not emulated", True)
        config.cookie = value
    elif letter == "g":
        config.globbing = not on
    elif letter == "resolve":
        _resolve(config, value)
    elif letter == "connect-to":
        config.connect_to.append(value.split(":"))
    elif letter == "url":
        config.urls.append(value)
    elif letter == "k":
        config.insecure = on
    elif letter in ("h", "V"):
        config.show = config.show or ("help" if letter == "h" else "version")
    elif letter == "stderr":
        raise CurlUsage("option --stderr is not emulated", True)
    elif letter not in IGNORED and letter != "remote-name-all":
        raise CurlUsage(f"option {word} is not emulated", True)


def _seconds(text: str, word: str, negative: bool = False) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -1e9 < value < 1e9 or (value < 0 and not negative):
        raise CurlUsage(
            f"option {word}: expected a {'positive' if text.startswith('-') else 'proper'} numerical parameter"
        )
    return value


def _data(proc: Process, config: Configuration, letter: str, value: str) -> None:
    """-d and its family: several are joined with &."""
    if letter == "data-urlencode":
        name, equals, content = value.partition("=")
        data = (f"{name}=" if name and equals else "") + quote_plus(content if equals else name, safe="-._~")
        piece = data.encode("utf-8", "surrogateescape")
    elif value.startswith("@") and letter != "data-raw":
        try:
            piece = proc.files.read(value[1:], proc, proc.cwd)
        except KernelError:
            piece = b""
        if letter == "d":
            piece = piece.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    else:
        piece = value.encode("utf-8", "surrogateescape")
    if letter == "json":
        config.json = True
        config.data = (config.data or b"") + piece
        return
    config.data = piece if config.data is None else config.data + b"&" + piece


def _header_lines(proc: Process, value: str) -> list[str]:
    if not value.startswith("@"):
        return [value]
    try:
        text = proc.files.read(value[1:], proc, proc.cwd).decode("utf-8", "surrogateescape")
    except KernelError:
        raise CurlUsage(f"Failed to open {value[1:]}") from None
    return [line for line in text.splitlines() if line]


def _resolve(config: Configuration, value: str) -> None:
    host, _, rest = value.lstrip("+").partition(":")
    port, _, addresses = rest.partition(":")
    if not host or not port.isdigit() or not addresses:
        config.resolve_notes.append(f"Couldn't parse CURLOPT_RESOLVE entry '{value}'")
        return
    config.resolve[(host.lower(), int(port))] = [one.strip("[]") for one in addresses.split(",")]
    config.resolve_notes.append(f"Added {host}:{port}:{addresses} to DNS cache")
