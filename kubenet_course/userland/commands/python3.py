"""python3: only `-m http.server`, which half the world uses as a web server, and `--version`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.userland.process import Signalled
from kubenet_course.userland.resolver import ResolverError, getaddrinfo
from kubenet_course.userland.sockets import open_socket

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("python3", "python3.11")

USAGE = "usage: server.py [-h] [--cgi] [-b ADDRESS] [-d DIRECTORY] [-p VERSION] [port]"
HELP = f"""{USAGE}

positional arguments:
  port                  bind to this port (default: 8000)

options:
  -h, --help            show this help message and exit
  --cgi                 run as CGI server
  -b ADDRESS, --bind ADDRESS
                        bind to this address (default: all interfaces)
  -d DIRECTORY, --directory DIRECTORY
                        serve this directory (default: current directory)
  -p VERSION, --protocol VERSION
                        conform to this HTTP version (default: HTTP/1.0)"""

# The end of Python's own words when the port is taken.
TRACEBACK = """Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "<frozen runpy>", line 88, in _run_code
  File "/usr/lib/python3.11/http/server.py", line 1309, in <module>
    test(
  File "/usr/lib/python3.11/http/server.py", line 1256, in test
    with ServerClass(addr, HandlerClass) as httpd:
         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/socketserver.py", line 456, in __init__
    self.server_bind()
  File "/usr/lib/python3.11/http/server.py", line 1303, in server_bind
    return super().server_bind()
           ^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/http/server.py", line 136, in server_bind
    socketserver.TCPServer.server_bind(self)
  File "/usr/lib/python3.11/socketserver.py", line 472, in server_bind
    self.socket.bind(self.scoped_address)"""


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    while words and words[0] in ("-u", "-B", "-E", "-s"):
        words = words[1:]
    if words[:1] in (["-V"], ["--version"]):
        proc.print("Python 3.11.2")
        return 0
    if words[:1] != ["-m"] or len(words) < 2:
        proc.error("kubenet: python3: only `python3 -m http.server` is emulated on this machine")
        return 1
    module = words[1]
    if module != "http.server":
        proc.error(f"kubenet: python3: the module {module} is not emulated; only http.server is")
        return 1
    return await http_server(proc, words[2:])


class _Usage(Exception):
    pass


def _parse(words: list[str]) -> dict[str, str]:
    """argparse' reading of the server's options; _Usage with its complaint."""
    known = {
        "-b": "bind",
        "--bind": "bind",
        "-d": "directory",
        "--directory": "directory",
        "-p": "protocol",
        "--protocol": "protocol",
    }
    labels = {"bind": "-b/--bind", "directory": "-d/--directory", "protocol": "-p/--protocol"}
    found: dict[str, str] = {}
    extra: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in ("-h", "--help"):
            return {"help": ""}
        if word == "--cgi":
            found["cgi"] = ""
        elif name in known and name.startswith("--") and equals:
            found[known[name]] = value
        elif word in known:
            if not rest or (rest[0].startswith("-") and len(rest[0]) > 1):
                raise _Usage(f"argument {labels[known[word]]}: expected one argument")
            found[known[word]] = rest.pop(0)
        elif word[:2] in known and len(word) > 2 and not word.startswith("--"):
            found[known[word[:2]]] = word[2:]
        elif word.startswith("-") and len(word) > 1 or "port" in found:
            extra.append(word)
        else:
            try:
                int(word)
            except ValueError:
                raise _Usage(f"argument port: invalid int value: {word!r}") from None
            found["port"] = word
    if extra:
        raise _Usage(f"unrecognized arguments: {' '.join(extra)}")
    return found


async def http_server(proc: Process, words: list[str]) -> int:
    """``python3 -m http.server``."""
    from kubenet_course.userland.daemons.python_http import serve_forever

    try:
        options = _parse(words)
    except _Usage as problem:
        proc.error(USAGE)
        proc.error(f"server.py: error: {problem}")
        return 2
    if "help" in options:
        proc.print(HELP)
        return 0
    for name in ("cgi", "protocol"):
        if name in options and options[name] != "HTTP/1.0":
            proc.error(f"kubenet: python3: --{name} of http.server is not emulated")
            return 1
    port = int(options.get("port", "8000"))
    family, address = 4, None
    if options.get("bind"):
        try:
            info = (await getaddrinfo(proc, options["bind"]))[0]
        except ResolverError as problem:
            proc.error(f"socket.gaierror: [Errno {problem.code}] {problem}")
            return 1
        family, address = info.family, info.address  # type: ignore[assignment]
    if not 0 <= port <= 65535:
        proc.error("OverflowError: bind(): port must be 0-65535.")
        return 1
    sock = open_socket(proc, AF_INET if family == 4 else AF_INET6, SOCK_STREAM)
    sock.reuse_address = True
    try:
        sock.bind(address, port)
        sock.listen(5)
    except KernelError as failure:
        proc.error(TRACEBACK)
        proc.error(f"OSError: [Errno {failure.errno}] {failure.strerror}")
        return 1
    host = str(sock.local) if sock.local is not None else ("0.0.0.0" if family == 4 else "::")
    shown = f"[{host}]" if ":" in host else host
    greeting = f"Serving HTTP on {host} port {sock.local_port} (http://{shown}:{sock.local_port}/) ..."
    buffered = not getattr(proc.stdout, "is_terminal", False)  # then Python writes it when it ends
    if not buffered:
        proc.print(greeting)
    directory = (
        proc.files.resolve(options.get("directory", proc.cwd), proc.cwd, proc)
        if proc.files.exists(options.get("directory", proc.cwd), proc)
        else options.get("directory", proc.cwd)
    )
    try:
        await serve_forever(proc, sock, directory)
    except Signalled as signalled:
        if signalled.signum != 2:
            raise
        if buffered:
            proc.print(greeting)
        proc.print("\nKeyboard interrupt received, exiting.")
    return 0
