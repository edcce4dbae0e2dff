"""busybox: only its httpd applet (`busybox httpd -f -p 8080 -h /www`), also as `httpd`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET6, SOCK_STREAM
from kubenet_course.userland.daemons.web import below, http_date, media_type, read_file, wall_seconds
from kubenet_course.userland.http import Request, Response, serve
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.sockets import EmulatedListener, Sockets, close_socket, open_socket
from kubenet_course.userland.streams import Reader, Writer
from kubenet_course.wire.addresses import parse_address

if TYPE_CHECKING:
    from kubenet_course.userland.http import Handler

NAMES = ("busybox", "httpd")
NOT_FOUND = (
    b"<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>\n<BODY><H1>404 Not Found</H1>\n"
    b"The requested URL was not found\n</BODY></HTML>\n"
)


async def main(proc: Process, argv: list[str]) -> int:
    words = argv if argv[0].rpartition("/")[2] == "httpd" else argv[1:]
    if not words or words[0] != "httpd":
        proc.error(
            f"kubenet: busybox: only the applet httpd is emulated{f', not {words[0]}' if words else ''}"
        )
        return 1
    try:
        options, _ = parse(words, "ifvp:u:r:m:c:h:e:d:")
    except OptionError as problem:
        proc.error(f"httpd: {problem.message}")
        return 1
    settings = dict(options)
    for letter in "iurmced":
        if letter in settings:
            proc.error(f"kubenet: httpd: option -{letter} is not emulated")
            return 1
    address, _, port_text = settings.get("p", "80").rpartition(":")
    home = settings.get("h", proc.cwd)
    if not proc.files.isdir(home, proc, proc.cwd):
        proc.error(f"httpd: can't change directory to '{home}': No such file or directory")
        return 1
    home = proc.files.resolve(home, proc.cwd, proc)
    try:
        wanted = parse_address(address.strip("[]")) if address else None
        port = int(port_text)
    except ValueError:
        proc.error(f"httpd: bad port '{settings['p']}'")
        return 1
    sock = open_socket(proc, AF_INET6 if wanted is None or wanted.family == 6 else 2, SOCK_STREAM)
    sock.reuse_address = True
    try:
        sock.bind(wanted, port)
        sock.listen(9)
    except KernelError as failure:
        close_socket(proc, sock)
        proc.error(f"httpd: bind: {failure.strerror}")
        return 1

    async def daemon(own: Process, _: list[str]) -> int:
        sock.owner = own
        own.owns(sock)
        await serve(Sockets(own), EmulatedListener(own, sock), handler(own, home))
        return 0

    proc.resources.remove(sock)
    if "f" in settings:
        return await daemon(proc, argv)
    proc.system.spawn(
        argv, program=daemon, parent=proc.system.init, net=proc.net, files=proc.files, env=proc.env, cwd=home, stdin=Reader(),
        stdout=Writer(), stderr=Writer(),
    )  # fmt: skip
    await proc.sleep(0)
    return 0


def handler(proc: Process, home: str) -> Handler:
    """What busybox' httpd answers from the folder `home`."""
    async def answer(request: Request) -> Response:
        head = {"Date": http_date(wall_seconds(proc)), "Connection": "close"}
        if request.method not in ("GET", "HEAD"):
            return Response(501, {**head, "Content-type": "text/html"}, b"")
        path = below(home, request.path)
        if proc.files.isdir(path, proc):
            if not request.path.endswith("/"):
                return Response(302, {**head, "Location": request.path + "/"}, b"", reason="Found")
            path = path.rstrip("/") + "/index.html"
        found = None if path.endswith("/") else read_file(proc, path)
        if found is None:
            return Response(404, {**head, "Content-type": "text/html"}, NOT_FOUND)
        body, modified = found
        extra = {
            "Content-type": media_type(path, "application/octet-stream"),
            "Accept-Ranges": "bytes",
            "Last-Modified": http_date(modified),
        }
        return Response(200, {**head, **extra}, body)

    return answer
