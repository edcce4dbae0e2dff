"""-j ULOG: iptables knows it, the kernel has no module for it (libxt_ULOG)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.missing import Missing
from kubenet_course.kernel.netfilter.xt import Opt


class Ulog(Missing):
    name = "ULOG"
    families = (4,)
    options = (Opt("ulog-nlgroup", "uint8", low=1, high=32), Opt("ulog-prefix", "string", high=33), Opt("ulog-cprange", "uint64"), Opt("ulog-qthreshold", "uint64", low=1, high=50),)  # fmt: skip  # noqa: E501


EXTENSION = Ulog
