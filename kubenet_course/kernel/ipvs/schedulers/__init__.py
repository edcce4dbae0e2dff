"""Which real server a new connection gets: one scheduler a file, found by its name (ipvsadm -s NAME).

A module's `Scheduler` has `schedule(service, skb)`, which gives a destination or None, `changed()`, called
when
destinations came, went or changed, and `removing(destination)`, called before one goes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.registry import discover

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Service


@lru_cache(1)
def _found() -> tuple[tuple[str, Any], ...]:
    return tuple((name, module.Scheduler) for name, module in discover(__name__).items())


def make(name: str, service: Service) -> Any:
    """KernelError(ENOENT) for a name that no module has."""
    kinds = dict(_found())
    if name not in kinds:
        raise KernelError(errno.ENOENT)
    return kinds[name](service)
