"""A VRF's member in ``ip -d link``."""

from __future__ import annotations

from kubenet_course.userland.commands.ip.kinds.vrf import parse, show

__all__ = ["parse", "show"]
