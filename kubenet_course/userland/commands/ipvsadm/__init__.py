"""`ipvsadm` 1.31: the IP virtual server's table (ipvsadm.c). Using it loads the kernel module."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.ipvs import state
from kubenet_course.registry import text_of
from kubenet_course.userland.commands.ipvsadm import listing
from kubenet_course.userland.commands.ipvsadm.arguments import Fail, Request, read

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

VERSION = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)"
TRY = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n"
ENOENT, ESRCH, EEXIST = 2, 3, 17
#: ipvs_strerror(): (what was asked, errno) → the sentence.
MESSAGES = {
    ("add-service", EEXIST): "Service already exists",
    ("add-service", ENOENT): "Scheduler or persistence engine not found",
    ("edit-service", ESRCH): "No such service",
    ("edit-service", ENOENT): "Scheduler or persistence engine not found",
    ("delete-service", ESRCH): "No such service",
    ("zero", ESRCH): "No such service",
    ("list", ESRCH): "No such service",
    ("add-server", ESRCH): "Service not defined",
    ("add-server", EEXIST): "Destination already exists",
    ("edit-server", ESRCH): "Service not defined",
    ("edit-server", ENOENT): "No such destination",
    ("delete-server", ESRCH): "Service not defined",
    ("delete-server", ENOENT): "No such destination",
}


async def main(proc: Process, argv: list[str]) -> int:
    state.load(proc.net)
    try:
        request = read(argv[1:], proc)
        if request.command == "restore":
            return await _restore(proc)
        return run(request, proc)
    except Fail as failure:
        if failure.message:
            proc.error(failure.message, end="")
        return failure.status


async def _restore(proc: Process) -> int:
    """restore_table(): a command a line; the first bad one ends it."""
    text = b""
    while chunk := await proc.stdin.read():
        text += chunk
    for line in text.decode("utf-8", "replace").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        request = read(words, proc)
        if request.command == "restore":
            raise Fail(TRY, 255)
        run(request, proc)
    return 0


def run(request: Request, proc: Process) -> int:
    command = request.command
    room = state.ipvs(proc.net)
    if command == "help":
        proc.print(text_of(__name__, "help.txt"), end="")
        return 0
    if command == "version":
        proc.print(VERSION)
        return 0
    if command == "flush":
        room.flush()
        return 0
    if command in ("list", "save"):
        try:
            return listing.show(request, room, proc)
        except KernelError as failure:
            raise Fail(f"{_sentence('list', failure)}\n", 1) from None
    if command == "set":
        for key, seconds in zip(("tcp", "tcpfin", "udp"), request.timeouts):
            if seconds:
                room.timeouts[key] = seconds
        return 0
    try:
        change(request, room)
    except KernelError as failure:
        raise Fail(f"{_sentence(command, failure)}\n", 255) from None
    return 0


def _sentence(command: str, failure: KernelError) -> str:
    return MESSAGES.get((command, failure.errno), failure.strerror)


def change(request: Request, room: state.Ipvs) -> None:
    """The commands that change the table, as do_ip_vs_set_ctl() takes them."""
    command = request.command
    if command == "zero":
        wanted = [room.find(request.key)] if request.virtual_given else list(room.services.values())
        for service in wanted:
            service.stats.zero()
            for destination in service.destinations:
                destination.stats.zero()
        return
    if command == "add-service":
        if request.key in room.services:
            raise KernelError(EEXIST)
        service = state.Service(
            room.net.loop, request.family, request.protocol, request.address, request.port, request.fwmark
        )
        _configure(service, request)
        state.load(room.net, f"ip_vs_{request.scheduler or 'wlc'}")
        room.add_service(service, request.scheduler or "wlc")
        return
    service = room.find(request.key)
    if command == "edit-service":
        room.edit_service(service, request.scheduler or "wlc")
        state.load(room.net, f"ip_vs_{request.scheduler or 'wlc'}")
        _configure(service, request)
        service.scheduler.changed()
    elif command == "delete-service":
        room.delete_service(service)
    else:
        _server(request, room, service)


def _configure(service: state.Service, request: Request) -> None:
    service.flags = set(request.sched_flags)
    service.timeout = request.persistent
    service.netmask = request.netmask
    service.one_packet = request.one_packet
    service.pe = request.pe


def _server(request: Request, room: state.Ipvs, service: state.Service) -> None:
    assert request.real is not None
    port = request.real_port
    if port is None:
        port = service.port
    if request.command != "delete-server" and request.forward != state.MASQ:
        port = service.port
    settings = {
        "forward": request.forward, "weight": request.weight, "upper": request.upper, "lower": request.lower,
    }  # fmt: skip
    if request.command == "add-server":
        room.add_destination(service, request.real, port, **settings)
    elif request.command == "edit-server":
        room.edit_destination(service, request.real, port, **settings)
    else:
        room.delete_destination(service, request.real, port)
