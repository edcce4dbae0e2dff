"""Labs by name: the scenarios of the course, and topologies in YAML files."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from kubenet_course.errors import LabError, near
from kubenet_course.lab.topology import Topology

SCENARIOS = "kubenet_course.course.scenarios"  # above this room, so it is named here, not imported


def scenario_names() -> list[str]:
    """All scenarios, by file name (with - for _)."""
    package = importlib.import_module(SCENARIOS)
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")]
    return sorted(name.replace("_", "-") for name in names)


def scenario_titles() -> dict[str, str]:
    """Name → title of every scenario."""
    return {name: _scenario_module(name).title for name in scenario_names()}


def _scenario_module(name: str) -> Any:
    return importlib.import_module(f"{SCENARIOS}.{name.replace('-', '_')}")


def find_topology(name: str) -> Topology:
    """The topology of a scenario, or of a YAML file; LabError if there is neither."""
    if name.endswith((".yaml", ".yml")):
        return Topology.load(name)
    if name not in scenario_names():
        raise LabError(f"there is no lab {name!r}{near(name, scenario_names())}; there are: {', '.join(scenario_names())}")
    topology: Topology = _scenario_module(name).topology()
    return topology
