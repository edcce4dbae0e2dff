"""What a container prints: read from its logs as it comes, for `run`, `logs`, `attach`, `start -a`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.docker.process import log_paths
from kubenet_course.docker.store import Record, attached_path
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

if TYPE_CHECKING:
    from kubenet_course.docker.cli import Session

SIGNALS = (1, 2, 3, 15)
PATIENCE = 5.0


class Follower:
    """Both outputs of one container; `position` is how far each has been read."""

    def __init__(self, here: Surroundings, container_id: str):
        self.here = here
        self.paths = log_paths(container_id)
        self.positions = [self._size(path) for path in self.paths]

    def _read(self, path: str) -> bytes:
        try:
            return self.here.read(path)
        except KernelError:
            return b""

    def _size(self, path: str) -> int:
        return len(self._read(path))

    def pass_on(self) -> bool:
        """Print what is new; whether there was anything."""
        found = False
        for number, (path, write) in enumerate(zip(self.paths, (self.here.out, self.here.err), strict=True)):
            data = self._read(path)
            if len(data) > self.positions[number]:
                write(data[self.positions[number] :])
                self.positions[number] = len(data)
                found = True
        return found

    async def attached(self, session: Session, record: Record, proxy: bool = True) -> int:
        """Pass on output until the container ends; its exit status. Signals go to the container."""
        engine = session.engine
        caught: list[int] = []
        if proxy:
            for signum in SIGNALS:
                self.here.on_signal(signum, lambda signum=signum: caught.append(signum))
        step = 0.002
        while True:
            now = engine.store.reload(record)
            self.pass_on()
            if now is None or not now["state"]["Running"]:
                break
            while caught:
                await engine.signal(now, caught.pop(0))
                step = 0.002
            await self.here.sleep(step)
            step = min(step * 1.3, 0.05)
        return int(now["state"]["ExitCode"]) if now is not None else 0

    def attach(self, record: Record) -> None:
        """Tell the shim that somebody still wants to read, so that `--rm` waits for it."""
        self.here.write(attached_path(record["id"]), f"{self.here.pid}")

    async def let_go(self, session: Session, record: Record) -> None:
        """The opposite; a container that removes itself is gone afterwards."""
        session.engine.store.remove_tree(attached_path(record["id"]))
        waited = 0.0
        while (
            record["host_config"]["AutoRemove"] and waited < PATIENCE and session.engine.store.reload(record)
        ):
            await self.here.sleep(0.002)
            waited += 0.002
