"""-j DNPT: translate the prefix of the destination (libip6t_DNPT)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.targets._npt import Npt


class Dnpt(Npt):
    name = "DNPT"
    index = 1
    hooks = (0, 3)


EXTENSION = Dnpt
