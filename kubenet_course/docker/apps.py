"""The small servers in the lab's images: whoami, http-echo, a static web server, a redis.

docker-app whoami | http-echo | static FOLDER | redis | redis-cli | curl-entrypoint
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from kubenet_course.errno import EADDRINUSE, ECONNRESET
from kubenet_course.errors import KernelError
from kubenet_course.userland.http import Headers, Request, Response, serve
from kubenet_course.userland.sockets import Stream
from kubenet_course.userland.surroundings import Surroundings


async def program(here: Surroundings, argv: list[str]) -> int:
    apps: dict[str, Callable[[Surroundings, list[str]], Awaitable[int]]] = {
        "whoami": whoami,
        "http-echo": http_echo,
        "static": static,
        "redis": redis_server,
        "redis-cli": redis_cli,
        "curl-entrypoint": curl_entrypoint,
    }
    if len(argv) < 2 or argv[1] not in apps:
        here.err(f"kubenet: docker-app: one of {', '.join(apps)}\n")
        return 1
    return await apps[argv[1]](here, argv[2:])


def _options(words: list[str]) -> dict[str, str]:
    """-name=value, --name value."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and not equals and rest and not rest[0].startswith("-"):
            value = rest.pop(0)
        found[name] = value
    return found


async def _serve(here: Surroundings, port: int, handler: Any, name: str) -> int:
    """Listen on all addresses until SIGTERM or SIGINT."""
    try:
        listener = await here.net.listen("", port)
    except KernelError as failure:
        said = "address already in use" if failure.errno == EADDRINUSE else failure.strerror.lower()
        here.err(f"{name}: listen tcp :{port}: bind: {said}\n")
        return 1
    here.net.spawn(serve(here.net, listener, handler))
    await here.signalled(2, 15, 28)
    return 0


def _date(here: Surroundings) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(here.time()))


# -- whoami -------------------------------------------------------------------------------------
async def whoami(here: Surroundings, words: list[str]) -> int:
    """What traefik/whoami answers: who it is, and what the request looked like."""
    options = _options(words)
    port = int(options.get("port") or here.env.get("WHOAMI_PORT_NUMBER") or 80)
    name = options.get("name") or here.env.get("WHOAMI_NAME", "")
    addresses = await _addresses(here)

    async def handler(request: Request) -> Response:
        peer = getattr(request, "peer", None)
        lines = [f"Name: {name}"] if name else []
        lines += [f"Hostname: {here.env.get('HOSTNAME', '')}", *(f"IP: {one}" for one in addresses)]
        if peer:
            lines.append(f"RemoteAddr: {peer[0]}:{peer[1]}")
        lines.append(f"{request.method} {request.target} {request.version}")
        lines += [f"{key}: {value}" for key, value in _pairs(request.headers)]
        body = "\n".join([*lines, "", ""])
        return Response(
            200, {"Date": _date(here), "Content-Type": "text/plain; charset=utf-8"}, body.encode()
        )

    here.err(time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(here.time())) + f" Starting up on port {port}\n")
    return await _serve(here, port, handler, "whoami")


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    items = list(headers)
    host = [one for one in items if one[0].lower() == "host"]
    return [*host, *sorted(one for one in items if one[0].lower() != "host")]


async def _addresses(here: Surroundings) -> list[str]:
    import json

    done = await here.run(["ip", "-j", "addr"])
    found = []
    for dev in json.loads(done.stdout or "[]"):
        found += [one["local"] for one in dev.get("addr_info", []) if one.get("scope") != "link"]
    return found


# -- http-echo ----------------------------------------------------------------------------------
async def http_echo(here: Surroundings, words: list[str]) -> int:
    """What hashicorp/http-echo does: -text="hello" -listen=":5678"."""
    options = _options(words)
    text = options.get("text") or here.env.get("ECHO_TEXT", "")
    if not text:
        here.err("Missing -text option!\n")
        return 127
    port = int(options.get("listen", ":5678").rpartition(":")[2])

    async def handler(request: Request) -> Response:
        headers = {
            "X-App-Name": "http-echo",
            "X-App-Version": "1.0.0",
            "Date": _date(here),
            "Content-Type": "text/plain; charset=utf-8",
        }
        return Response(200, headers, text.encode() + b"\n")

    here.err(
        time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(here.time()))
        + f" [INFO] server is listening on :{port}\n"
    )
    return await _serve(here, port, handler, "http-echo")


# -- files --------------------------------------------------------------------------------------
async def static(here: Surroundings, words: list[str]) -> int:
    """static [--name SERVER] FOLDER: files on port 80."""
    server = words[1] if words[:1] == ["--name"] else "static"
    folder = words[-1].rstrip("/")

    async def handler(request: Request) -> Response:
        path = request.target.partition("?")[0]
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        name = "/".join([folder, *parts])
        if here.isdir(name):
            name += "/index.html"
        headers = {"Date": _date(here), "Server": server}
        try:
            body = here.read(name)
        except KernelError:
            text = "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"
            return Response(404, {**headers, "Content-Type": "text/html; charset=iso-8859-1"}, text.encode())
        kind = "text/html" if name.endswith((".html", ".htm")) else "text/plain"
        return Response(200, {**headers, "Content-Type": kind}, body)

    return await _serve(here, 80, handler, "httpd")


# -- redis --------------------------------------------------------------------------------------
class _Redis:
    """Strings, counters and lists of names: enough to see two containers share something."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def answer(self, words: list[str]) -> bytes:
        name, rest = words[0].upper(), words[1:]
        if name == "PING":
            return _bulk(rest[0]) if rest else b"+PONG\r\n"
        if name == "ECHO" and len(rest) == 1:
            return _bulk(rest[0])
        if name == "SET" and len(rest) >= 2:
            self.values[rest[0]] = rest[1]
            return b"+OK\r\n"
        if name == "GET" and len(rest) == 1:
            return _bulk(self.values.get(rest[0]))
        if name in ("INCR", "DECR", "INCRBY") and rest:
            try:
                step = int(rest[1]) if name == "INCRBY" else 1 if name == "INCR" else -1
                number = int(self.values.get(rest[0], "0")) + step
            except (ValueError, IndexError):
                return b"-ERR value is not an integer or out of range\r\n"
            self.values[rest[0]] = str(number)
            return f":{number}\r\n".encode()
        if name in ("DEL", "EXISTS"):
            there = sum(key in self.values for key in rest)
            if name == "DEL":
                self.values = {key: value for key, value in self.values.items() if key not in rest}
            return f":{there}\r\n".encode()
        if name == "KEYS" and len(rest) == 1:
            import fnmatch

            keys = [key for key in self.values if fnmatch.fnmatchcase(key, rest[0])]
            return f"*{len(keys)}\r\n".encode() + b"".join(_bulk(key) for key in keys)
        if name == "DBSIZE":
            return f":{len(self.values)}\r\n".encode()
        if name in ("COMMAND", "CONFIG"):
            return b"*0\r\n"
        shown = " ".join(f"'{word}'" for word in rest)
        return f"-ERR unknown command '{words[0]}', with args beginning with: {shown}\r\n".encode()


def _bulk(text: str | None) -> bytes:
    return b"$-1\r\n" if text is None else f"${len(text.encode())}\r\n{text}\r\n".encode()


class _Lines:
    """Lines and counted bytes of a stream."""

    def __init__(self, stream: Stream):
        self.stream = stream
        self.data = b""

    async def line(self) -> bytes | None:
        while b"\n" not in self.data:
            more = await self.stream.read()
            if not more:
                return None
            self.data += more
        line, _, self.data = self.data.partition(b"\n")
        return line.rstrip(b"\r")

    async def exactly(self, size: int) -> bytes:
        while len(self.data) < size:
            more = await self.stream.read()
            if not more:
                raise KernelError(ECONNRESET)
            self.data += more
        found, self.data = self.data[:size], self.data[size:]
        return found


async def _redis_client(stream: Stream, server: _Redis) -> None:
    lines = _Lines(stream)
    try:
        while True:
            head = await lines.line()
            if head is None:
                break
            if head.startswith(b"*"):
                words = []
                for _ in range(int(head[1:] or 0)):
                    size = int((await lines.line() or b"$0")[1:])
                    words.append((await lines.exactly(size + 2))[:-2].decode("utf-8", "replace"))
            else:
                words = head.decode("utf-8", "replace").split()
            if not words:
                continue
            if words[0].upper() == "QUIT":
                await stream.write(b"+OK\r\n")
                break
            await stream.write(server.answer(words))
    except (KernelError, ValueError):
        pass
    finally:
        stream.close()


async def redis_server(here: Surroundings, words: list[str]) -> int:
    options = _options(words)
    port = int(options.get("port") or 6379)
    server = _Redis()
    try:
        listener = await here.net.listen("", port)
    except KernelError as failure:
        here.out(
            f"1:M # Warning: Could not create server TCP listening socket *:{port}: bind: {failure.strerror}\n"
        )
        return 1

    async def accept() -> None:
        while True:
            here.net.spawn(_redis_client(await listener.accept(), server))

    here.net.spawn(accept())
    here.out("1:M * Ready to accept connections tcp\n")
    await here.signalled(2, 15)
    return 0


async def redis_cli(here: Surroundings, words: list[str]) -> int:
    """redis-cli [-h HOST] [-p PORT] COMMAND …"""
    host, port, rest = "127.0.0.1", 6379, list(words)
    while len(rest) > 1 and rest[0] in ("-h", "-p"):
        if rest[0] == "-h":
            host = rest[1]
        else:
            port = int(rest[1])
        rest = rest[2:]
    if not rest:
        here.err("kubenet: redis-cli: give it a command, such as PING\n")
        return 1
    found = await here.run(["getent", "ahostsv4", host])
    if found.returncode:
        here.err(f"Could not connect to Redis at {host}:{port}: Name or service not known\n")
        return 1
    try:
        stream = await here.net.connect(found.stdout.split()[0], port, 5)
    except KernelError as failure:
        here.err(f"Could not connect to Redis at {host}:{port}: {failure.strerror}\n")
        return 1
    await stream.write(f"*{len(rest)}\r\n".encode() + b"".join(_bulk(word) for word in rest))
    lines = _Lines(stream)
    here.out(await _reply(lines) + "\n")
    stream.close()
    return 0


async def _reply(lines: _Lines) -> str:
    head = (await lines.line() or b"").decode()
    kind, text = head[:1], head[1:]
    if kind == "$":
        if text == "-1":
            return "(nil)" if False else ""
        return (await lines.exactly(int(text) + 2))[:-2].decode("utf-8", "replace")
    if kind == "*":
        return "\n".join([await _reply(lines) for _ in range(int(text))])
    return text


# -- curl ---------------------------------------------------------------------------------------
async def curl_entrypoint(here: Surroundings, words: list[str]) -> int:
    """The image's entrypoint: options alone are curl's."""
    if not words or words[0].startswith("-") or "://" in words[0] or words[0] != "curl":
        words = ["curl", *words]
    done = await here.run(words)
    here.out(done.stdout)
    here.err(done.stderr)
    return done.returncode
