"""The table of all matches and targets, found by name as iptables finds libxt_NAME.so."""

from __future__ import annotations

from functools import lru_cache

from kubenet_course.errors import KubenetError
from kubenet_course.kernel.netfilter.xt import Extension
from kubenet_course.registry import discover


@lru_cache(2)
def _table(package: str) -> dict[tuple[str, int], type[Extension]]:
    found: dict[tuple[str, int], type[Extension]] = {}
    for module in discover(f"kubenet_course.kernel.netfilter.{package}").values():
        extension: type[Extension] = module.EXTENSION
        for name in (extension.name, *extension.aliases):
            for family in extension.families:
                if (name, family) in found:
                    raise KubenetError(f"{package}: {name!r} is defined twice for family {family}")
                found[(name, family)] = extension
    return found


def find_match(name: str, family: int) -> Extension | None:
    """A new match of that name, or None where there is no such extension."""
    kind = _table("matches").get((name, family))
    return kind(family) if kind is not None else None


def find_target(name: str, family: int) -> Extension | None:
    kind = _table("targets").get((name, family))
    return kind(family) if kind is not None else None
