"""One address as `ip addr` prints it (ip/ipaddress.c: print_addrinfo())."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ip.printer import INET, INET6, Printer
from kubenet_course.userland.commands.ip.session import Session

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

FOREVER = 0xFFFFFFFF
#: Words of print_ifa_flags() in order, with the attribute that says so; "dynamic" is the lack of permanent.
FLAG_WORDS = ("secondary", "nodad", "optimistic", "dadfailed", "home", "deprecated", "tentative", "dynamic",
              "mngtmpaddr", "noprefixroute", "autojoin", "stable-privacy")  # fmt: skip


def flags_of(address: Any, now: int) -> set[str]:
    """IFA_FLAGS as words; ``permanent`` where there is no end to its life."""
    words = set(getattr(address, "flags", ()))
    words |= {word for word in FLAG_WORDS if getattr(address, word.replace("-", "_"), False)}
    if "temporary" in words:
        words.add("secondary")
    words.discard("dynamic")
    if address.valid is None:
        words.add("permanent")
    elif address.preferred is not None and address.preferred <= now:
        words.add("deprecated")
    return words


def print_address(
    dev: NetDevice, address: Any, out: Printer, session: Session, *, prefix: bool = False, brief: bool = False
) -> None:
    """`prefix`: with the device's number and name first (``-o``, and what a flush shows)."""
    if address is None:
        out.open_object()
        out.close()
        return
    now = dev.net.loop.now
    family = address.local.family
    color = INET if family == 4 else INET6
    out.open_object()
    if not brief:
        if prefix:
            out.any("index", "%u: ", dev.ifindex)
            out.any("dev", "%s", dev.name)
        out.any("family", "    %s ", "inet" if family == 4 else "inet6")
    out.color(color, "local", "%s", address.local)
    if address.peer is not None and address.peer != address.local:
        out.fp(" peer ")
        out.color(color, "address", "%s", address.peer)
    out.any("prefixlen", "/%d ", address.prefixlen)
    if address.metric:
        out.any("metric", "metric %u ", address.metric)
    if not brief:
        _rest(address, out, session, now, color, family)
    out.close()


def _rest(address: Any, out: Printer, session: Session, now: int, color: str, family: int) -> None:
    broadcast = getattr(address, "broadcast", None)
    if broadcast is not None:
        out.fp("brd ")
        out.color(color, "broadcast", "%s ", broadcast)
    anycast = getattr(address, "anycast", None)
    if anycast is not None:
        out.fp("any ")
        out.color(color, "anycast", "%s ", anycast)
    out.any("scope", "scope %s ", session.tables.name("scope", address.scope))
    flags = flags_of(address, now)
    for word in FLAG_WORDS:
        if word == "dynamic":
            if "permanent" not in flags:
                out.any("dynamic", "dynamic ", True)
        elif word in flags:
            shown = "temporary" if word == "secondary" and family == 6 else word
            out.any(shown, f"{shown} ", True)
    label = getattr(address, "label", None)
    if label:
        out.any("label", "%s", label)
    out.fp(out.sl)
    out.fp("       valid_lft ")
    _life(out, "valid_life_time", address.valid, now)
    out.fp(" preferred_lft ")
    always = family == 4 and address.valid is None
    _life(out, "preferred_life_time", None if always else address.preferred, now)
    out.fp("\n")


def seconds_left(end: int | None, now: int) -> int:
    """Whole seconds until `end`, as the kernel counts them."""
    if end is None:
        return FOREVER
    return max(0, -(-(end - now) // SECOND))


def _life(out: Printer, key: str, end: int | None, now: int) -> None:
    left = seconds_left(end, now)
    out.any(key, "forever" if left == FOREVER else "%usec", left)
