"""``type dummy`` has no options."""

from __future__ import annotations

from kubenet_course.userland.commands.ip.kinds._no_options import ignore as parse
from kubenet_course.userland.commands.ip.kinds._no_options import nothing as show

__all__ = ["parse", "show"]
