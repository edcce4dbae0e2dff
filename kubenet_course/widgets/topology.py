"""The network as a picture: machines, namespaces, bridges, interfaces with addresses, cables up or down.

Choosing a machine (click, or arrow keys and Enter) shows its routes and neighbours below the picture.
"""

from __future__ import annotations

from typing import Any

import traitlets

from kubenet_course.view import netmap
from kubenet_course.view.target import spaces
from kubenet_course.widgets._base import Picture, static
from kubenet_course.widgets._svg import topology_svg


def show(lab: Any) -> TopologyPicture:
    """The whole lab, now; the picture follows what is done to it."""
    picture = TopologyPicture(lab)
    picture.follow(lab)
    return picture


class TopologyPicture(Picture):
    """`svg` is the drawing; `selected` the machine that was chosen; `detail` what is said about it."""

    _esm = static("common.js", "topology.js")
    title = traitlets.Unicode().tag(sync=True)
    svg = traitlets.Unicode().tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)
    detail = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, lab: Any):
        self._lab = lab
        found = netmap.read(lab)
        super().__init__(svg=topology_svg(found), alt=str(found), title=lab.spec.title or lab.name)
        self.observe(self._choose, "selected")

    def refresh(self) -> None:
        """Draw the lab as it is now."""
        found = netmap.read(self._lab)
        with self.hold_sync():
            self.svg, self.alt = topology_svg(found), str(found)
            self._choose()

    def _choose(self, *_: object) -> None:
        self.detail = machine_tables(self._lab, self.selected) if self.selected else []


def machine_tables(lab: Any, machine: str) -> list[dict[str, str]]:
    """Routes, neighbours and learned MAC addresses of a machine and its namespaces, as printed."""
    found = []
    for target in spaces(lab, machine):
        for command in ("ip route", "ip neigh", "bridge fdb"):
            argv = target.command(*command.split())
            result = lab.query(machine, argv)
            lines = result.stdout.splitlines() if result.returncode == 0 else []
            if command == "bridge fdb":
                lines = [line for line in lines if "master" in line and "permanent" not in line]
            if lines:
                found.append({"command": f"{machine}$ {' '.join(argv)}", "text": "\n".join(lines)})
    return found or [{"command": machine, "text": "no routes, no neighbours"}]
