"""``ip mrule``: see mroute.py."""

from __future__ import annotations

from kubenet_course.userland.commands.ip.mroute import run_rules as run

__all__ = ["run"]
