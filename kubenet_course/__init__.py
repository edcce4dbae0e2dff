"""How packets travel through Linux and Kubernetes: labs on an emulated Linux kernel, or on real namespaces.

    from kubenet_course import Lab

    with Lab.load("switching") as lab:
        lab.run("A", "ip addr add 192.168.1.10/24 dev eth0")
        print(lab.run("A", "ip addr").stdout)

Public: `Lab`, `Topology`, `Completed`, `load_ipython_extension`, and the errors. Importing this package
imports none of its rooms; each name is fetched when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import (
    ApiError,
    BackendError,
    CommandError,
    KernelError,
    KubenetError,
    LabError,
)

if TYPE_CHECKING:
    from kubenet_course.lab.lab import Lab
    from kubenet_course.lab.machine import Completed
    from kubenet_course.lab.topology import Topology

__version__ = "0.1.0"
__all__ = [
    "ApiError",
    "BackendError",
    "CommandError",
    "Completed",
    "KernelError",
    "KubenetError",
    "Lab",
    "LabError",
    "Topology",
    "load_ipython_extension",
    "unload_ipython_extension",
]

_WHERE = {
    "Lab": "kubenet_course.lab.lab",
    "Topology": "kubenet_course.lab.topology",
    "Completed": "kubenet_course.lab.machine",
}


def __getattr__(name: str) -> Any:
    """Fetch a public name from its room (PEP 562)."""
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext kubenet_course`: the magics, and completion."""
    importlib.import_module("kubenet_course.jupyter").load_ipython_extension(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext kubenet_course`."""
    importlib.import_module("kubenet_course.jupyter").unload_ipython_extension(ipython)
