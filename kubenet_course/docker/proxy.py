"""docker-proxy: carries what reaches a published port on this machine itself to the container.

    docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80

Packets from outside are translated by the rules of `rules.port_rules` and never get here; what is sent to
127.0.0.1, or from the host to an IPv6 address of a container that has none, does. With the environment
variable DOCKER_PROXY_READY, a file of that name says that it listens.
"""

from __future__ import annotations

from typing import Any

from kubenet_course.errors import KernelError
from kubenet_course.userland.sockets import Datagrams, Stream
from kubenet_course.userland.surroundings import Surroundings

UDP_IDLE_SECONDS = 90.0


async def program(here: Surroundings, argv: list[str]) -> int:
    options = _options(argv[1:])
    if options is None or options.get("-proto", "tcp") not in ("tcp", "udp"):
        here.err(
            f"kubenet: {argv[0]}: options are -proto (tcp or udp), -host-ip, -host-port, -container-ip, -container-port\n"
        )
        return 1
    here.on_signal(2, lambda: None)
    host, port = options["-host-ip"], int(options["-host-port"])
    target = options["-container-ip"], int(options["-container-port"])
    try:
        if options.get("-proto") == "udp":
            await _udp(here, await here.net.udp(host, port), target)
        else:
            await _tcp(here, await here.net.listen(host, port), target)
    except KernelError as failure:
        here.err(f"docker-proxy: {failure.strerror}\n")
        return 1
    return 0


def _options(words: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    words = [word for word in words if word != "-use-listen-fd"]
    while len(words) > 1:
        name, value, *words = words
        found[name] = value
    needed = {"-host-ip", "-host-port", "-container-ip", "-container-port"}
    return None if words or not needed <= set(found) else found


def tell_ready(here: Surroundings) -> None:
    """Say in the file that the environment names that we listen, and who we are."""
    path = here.env.get("DOCKER_PROXY_READY", "")
    if path:
        here.write(f"{path}.new", f"{here.pid}\n")
        here.rename(f"{path}.new", path)


async def _tcp(here: Surroundings, listener: Any, target: tuple[str, int]) -> None:
    tell_ready(here)
    while True:
        client = await listener.accept()
        here.net.spawn(_connection(here, client, target))


async def _connection(here: Surroundings, client: Stream, target: tuple[str, int]) -> None:
    try:
        backend = await here.net.connect(*target)
    except KernelError:
        client.close()
        return
    there = here.net.spawn(_copy(client, backend))
    await _copy(backend, client)
    await there
    client.close()
    backend.close()


async def _copy(source: Stream, sink: Stream) -> None:
    """One direction, to its end; then the other side is told."""
    try:
        while True:
            data = await source.read()
            if not data:
                break
            await sink.write(data)
        sink.write_eof()
    except KernelError:
        return


async def _udp(here: Surroundings, socket: Datagrams, target: tuple[str, int]) -> None:
    """A socket towards the container for each client, for as long as it answers."""
    tell_ready(here)
    clients: dict[tuple[str, int], Datagrams] = {}
    while True:
        data, peer = await socket.receive()
        if peer not in clients:
            clients[peer] = await here.net.udp("::" if ":" in target[0] else "0.0.0.0")
            here.net.spawn(_answers(clients, peer, socket))
        try:
            await clients[peer].send(data, *target)
        except KernelError:
            continue


async def _answers(
    clients: dict[tuple[str, int], Datagrams], peer: tuple[str, int], socket: Datagrams
) -> None:
    try:
        while True:
            data, _ = await clients[peer].receive(UDP_IDLE_SECONDS)
            await socket.send(data, *peer)
    except KernelError:
        clients.pop(peer).close()
