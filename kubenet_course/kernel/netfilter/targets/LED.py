"""-j LED: iptables knows it, the kernel has no module for it (libxt_LED)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.missing import Missing
from kubenet_course.kernel.netfilter.xt import Opt


class Led(Missing):
    name = "LED"
    families = (4, 6)
    options = (Opt("led-trigger-id", "string", mand=True), Opt("led-delay", "string"), Opt("led-always-blink"),)  # fmt: skip


EXTENSION = Led
