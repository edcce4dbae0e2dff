"""`lab.explain("red", "ping -c1 8.8.8.8")`: run it, and say in a few sentences how it went and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubenet_course.view import netmap
from kubenet_course.view.explain import Explanation, explain
from kubenet_course.view.follow import follow


def show(lab: Any, machine: str, command: str | Sequence[str], **options: Any) -> Explanation:
    """The explanation; its repr is the sentences."""
    return explain(follow(lab, machine, command, **options), netmap.read(lab))
