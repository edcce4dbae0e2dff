"""-j SNPT: translate the prefix of the source (libip6t_SNPT)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.targets._npt import Npt


class Snpt(Npt):
    name = "SNPT"
    index = 0
    hooks = (1, 4)


EXTENSION = Snpt
