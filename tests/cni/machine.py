"""One machine with named namespaces, on either kernel, on which plugins are called by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubenet_course import Lab
from kubenet_course.lab.topology import Topology


@dataclass(frozen=True)
class Called:
    """How a plugin ended; `data` is what it printed, if that is JSON."""

    stdout: str
    stderr: str
    returncode: int

    @property
    def data(self) -> Any:
        return json.loads(self.stdout) if self.stdout.strip() else None


class Machine:
    """A lab of one machine `host`, with a namespace for each name."""

    def __init__(self, *namespaces: str, backend: str = "emulated", folder: str = "/opt/cni/bin"):
        self.lab = Lab(Topology("cni-test").host("host"), backend=backend)
        self.folder = folder
        for name in namespaces:
            assert self.run(f"ip netns add {name}").returncode == 0

    def run(self, command: str, **options: Any) -> Any:
        return self.lab.run("host", command, **options)

    def json(self, command: str) -> Any:
        return json.loads(self.run(command).stdout or "[]")

    def write(self, path: str, text: str) -> None:
        self.lab.machine("host").write(path, text)

    def read(self, path: str) -> str:
        return str(self.lab.machine("host").read(path))

    def plugin(
        self,
        name: str,
        command: str,
        config: dict[str, Any] | str,
        env: Mapping[str, str] | None = None,
    ) -> Called:
        """Call a plugin for container `dummy` and namespace `red`; `env` changes the environment."""
        text = config if isinstance(config, str) else json.dumps(config)
        done = self.run(
            [f"{self.folder}/{name}"],
            stdin=text,
            env={
                "CNI_COMMAND": command,
                "CNI_CONTAINERID": "dummy",
                "CNI_NETNS": "/var/run/netns/red",
                "CNI_IFNAME": "eth0",
                "CNI_PATH": self.folder,
                **(env or {}),
            },
        )
        return Called(done.stdout, done.stderr, done.returncode)

    def close(self) -> None:
        self.lab.close()
