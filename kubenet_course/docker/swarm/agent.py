"""dockerd's part in a swarm: whenever something has changed it looks at all tasks, and it holds the ports.

`docker` and the shims write what they know into the store and then knock at /run/docker.sock (`knock`); so a
container that ends is replaced although nobody has typed anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.docker.engine import Engine
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import LOG, SOCKET, SWARM
from kubenet_course.docker.swarm.cluster import GOSSIP_PORT, Cluster
from kubenet_course.docker.swarm.ingress import CHAIN
from kubenet_course.docker.swarm.orchestrator import Orchestrator
from kubenet_course.docker.swarm.state import Swarm
from kubenet_course.errors import KernelError
from kubenet_course.userland.http import Headers, HttpError, Request, Response, Wire, read_response

if TYPE_CHECKING:
    from kubenet_course.userland.surroundings import Surroundings


class Agent:
    """It belongs to one dockerd."""

    def __init__(self, here: Surroundings):
        self.here = here
        self.listeners: dict[tuple[str, int], Any] = {}
        self.ending: set[str] = set()
        self.busy = self.again = self.stopped = False
        self.alarm = 0

    async def begin(self, engine: Engine) -> None:
        """dockerd starts (its lock is held): the networks' namespaces are made anew."""
        cluster = Cluster(engine)
        if cluster.swarm.active:
            await engine.firewall.empty(CHAIN)
            await cluster.take_down()
            await cluster.bring_up()

    async def end(self, engine: Engine) -> None:
        """dockerd ends: no task is started any more, and no sandbox stays."""
        self.stopped = True
        cluster = Cluster(engine)
        if cluster.swarm.active:
            await cluster.take_down()

    def wake(self) -> None:
        """Look at everything, soon; nothing is forgotten if it is being done."""
        if self.busy:
            self.again = True
        elif not self.stopped:
            self.busy = True
            self.here.net.spawn(self._work())

    async def _work(self) -> None:
        try:
            while not self.stopped:
                self.again = False
                await self._round()
                if not self.again:
                    break
        finally:
            self.busy = False

    async def _round(self) -> None:
        engine = Engine(self.here)
        await engine.store.lock()
        try:
            if self.stopped:
                return
            swarm = Swarm(engine.store)
            await self._listen(swarm)
            if not swarm.active or swarm.here.get("leaving"):
                return
            ending, seconds = await Orchestrator(engine).round()
            await self._listen(Swarm(engine.store))
        except DaemonError as problem:
            self.here.write(LOG, f'level=error msg="{problem.message}"\n', append=True)
            return
        finally:
            engine.store.unlock()
        for container_id in ending:
            if container_id not in self.ending:
                self.ending.add(container_id)
                self.here.net.spawn(self._stop(container_id))
        if seconds is not None:
            self.alarm += 1
            self.here.net.spawn(self._later(seconds, self.alarm))

    async def _later(self, seconds: float, alarm: int) -> None:
        await self.here.sleep(seconds)
        if alarm == self.alarm:
            self.wake()

    async def _stop(self, container_id: str) -> None:
        engine = Engine(self.here)
        try:
            record = engine.store.container(container_id)
            if record["state"]["Running"]:
                record["stopped"] = True
                engine.store.save(record)
                await engine.stop_process(record, None)
        except DaemonError as problem:
            self.here.write(LOG, f'level=error msg="{problem.message}"\n', append=True)
        finally:
            self.ending.discard(container_id)
        self.wake()

    # -- ports ------------------------------------------------------------------------------
    async def _listen(self, swarm: Swarm) -> None:
        """dockerd itself holds 2377, 7946 and every port of the routing mesh, so that nobody else takes them."""
        wanted: set[tuple[str, int]] = set()
        if swarm.active:
            port = int(swarm.node["listen"].rpartition(":")[2])
            wanted = {("tcp", port), ("tcp", GOSSIP_PORT), ("udp", GOSSIP_PORT)}
            for service in swarm.services:
                if service["marks"]:
                    wanted.update(
                        (one["Protocol"], one["PublishedPort"])
                        for one in service["ports"]
                        if one["PublishMode"] == "ingress" and one["Protocol"] != "sctp"
                    )
        for key in [key for key in self.listeners if key not in wanted]:
            self.listeners.pop(key).close()
        for protocol, number in sorted(wanted - set(self.listeners)):
            try:
                opened = await (
                    self.here.net.listen("", number) if protocol == "tcp" else self.here.net.udp("", number)
                )
            except KernelError as failure:
                said = f"failed to create proxy for port {number}: {failure.strerror}"
                self.here.write(LOG, f'level=warning msg="{said}"\n', append=True)
                continue
            self.listeners[protocol, number] = opened

    async def answer(self, request: Request) -> Response:
        """What dockerd says at its socket: `docker` itself needs no more than to be heard."""
        if request.target == "/_ping":
            return Response(200, body=b"OK")
        if request.target == "/session":
            self.wake()
            return Response(204)
        said = b'{"message":"kubenet: the engine\'s HTTP interface is not emulated; use docker"}\n'
        return Response(501, body=said)


async def knock(here: Surroundings) -> None:
    """Tell dockerd that something has changed. Nothing happens where it does not run."""
    try:
        stream = await here.net.connect_unix(SOCKET)
    except KernelError:
        return
    try:
        fields = Headers({"Host": "docker", "Content-Length": "0", "Connection": "close"})
        await stream.write(Request("POST", "/session", fields).encode())
        await read_response(Wire(stream), "POST")
    except (KernelError, HttpError):
        return
    finally:
        stream.close()


async def tell(here: Surroundings) -> None:
    """A container has ended; in a swarm dockerd wants to know."""
    if here.exists(SWARM):
        await knock(here)
