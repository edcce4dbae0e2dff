"""A picture of the address pools of a container host: what is given and to whom, what is free, what comes next.

Every address of a small pool is a cell with the end of its number; a large one is a bar.
"""

from __future__ import annotations

from html import escape
from typing import Any

import traitlets

from kubenet_course.view import ipam
from kubenet_course.view.ipam import Pool, PoolRange
from kubenet_course.view.target import resolve
from kubenet_course.widgets._base import Picture, static
from kubenet_course.widgets._svg import picture, tag, text

CELL, ROW, TALL = 22, 32, 20
#: Networks of more addresses than this are bars.
CELLS = 512
WIDTH = CELL * ROW
LABEL = 96


# -- text -----------------------------------------------------------------------------------------
def pool_text(pool: Pool, where: str) -> str:
    """The facts of one pool."""
    part = f", range set {pool.number}" if pool.number else ""
    lines = [f"Addresses of {pool.network} on {where}{part} ({pool.source})"]
    for item in pool.ranges:
        lines.append(f"  range      {item.start} to {item.end} of {item.subnet}, gateway {item.gateway}")
    lines.append(f"  given      {len(pool.given)} of {_count(pool.size)}")
    width = max((len(item.address) for item in pool.given), default=0)
    for given in pool.given:
        who = f"{given.owner} " if given.owner else ""
        lines.append(f"    {given.address.ljust(width)}  {who}{given.ifname}  {given.container}".rstrip())
    runs = pool.runs()
    shown = ", ".join(first if first == last else f"{first} to {last}" for first, last in runs[:6])
    more = f", and {len(runs) - 6} more" if len(runs) > 6 else ""
    lines.append(
        f"  free       {_count(pool.free)}: {shown}{more}"
        if runs
        else "  free       none: the next ADD fails"
    )
    lines.append(f"  last given {pool.last or 'none yet'}")
    lines.append(f"  next       {pool.next or 'none'}")
    return "\n".join(lines)


def _count(number: int) -> str:
    """A number that people can read."""
    return str(number) if number < 10**9 else f"about 2^{number.bit_length()}"


# -- drawing --------------------------------------------------------------------------------------
def pool_svg(pool: Pool) -> str:
    """The pool as cells or bars, one below the other for several ranges."""
    parts, y = [], 0.0
    for item in pool.ranges:
        network = _network(item)
        drawn, height = _cells(pool, item, y) if network.num_addresses <= CELLS else _bar(pool, item, y)
        parts.append(drawn)
        y += height + 6
    return picture("".join(parts), LABEL + WIDTH + 2, y, f"The addresses of {pool.network}", "kn-ipam")


def _network(item: PoolRange) -> Any:
    from ipaddress import ip_network

    return ip_network(item.subnet)


def _state(pool: Pool, item: PoolRange, number: int) -> tuple[str, str]:
    """What an address is: a class, and words."""
    kind = type(ipam._ip(item.start))
    address = str(kind(number))
    owner = next((given for given in pool.given if given.address == address), None)
    if owner is not None:
        who = owner.owner or owner.container
        last = ", given last" if address == pool.last else ""
        return "kn-ip-given" + (" kn-ip-last" if last else ""), f"{address}: {who} {owner.ifname}{last}"
    if address == item.gateway:
        return "kn-ip-gateway", f"{address}: the gateway, never given"
    if not int(ipam._ip(item.start)) <= number <= int(ipam._ip(item.end)):
        return "kn-ip-outside", f"{address}: outside of the range"
    if address == pool.next:
        return "kn-ip-free kn-ip-next", f"{address}: free, comes next"
    if address == pool.last:
        return "kn-ip-free kn-ip-last", f"{address}: free again, was given last"
    return "kn-ip-free", f"{address}: free"


def _cells(pool: Pool, item: PoolRange, top: float) -> tuple[str, float]:
    network = _network(item)
    first, count = int(network.network_address), network.num_addresses
    parts, y = [], top
    for start in range(first, first + count, ROW):
        states = [_state(pool, item, number) for number in range(start, min(start + ROW, first + count))]
        if all(name == "kn-ip-outside" for name, _ in states):
            continue
        label = str(type(network.network_address)(start))
        parts.append(text(LABEL - 6, y + 14, label, "kn-addr", "end"))
        for column, (name, words) in enumerate(states):
            number, x = start + column, LABEL + column * CELL
            end = str(number & 255) if network.version == 4 else f"{number & 0xFFFF:x}"
            box = tag("title", escape(words))
            box += tag("rect", x=x + 1, y=y + 1, width=CELL - 2, height=TALL - 2, rx=3)
            box += text(x + CELL / 2, y + 13.5, end, "kn-ip-end", "middle")
            parts.append(tag("g", box, class_=f"kn-ip {name}"))
        y += TALL
    return "".join(parts), y - top


def _bar(pool: Pool, item: PoolRange, top: float) -> tuple[str, float]:
    """A whole network as a bar: the range in it, given addresses as ticks, each as wide as can be seen."""
    network = _network(item)
    first, count = int(network.network_address), network.num_addresses

    def at(address: str) -> float:
        return LABEL + (int(ipam._ip(address)) - first) / count * WIDTH

    parts = [text(LABEL - 6, top + 15, str(network.network_address), "kn-addr", "end")]
    parts.append(tag("rect", x=LABEL, y=top + 2, width=WIDTH, height=18, class_="kn-ip-outside kn-ip-bar"))
    width = max(at(item.end) - at(item.start), 3.0)
    span = tag("title", f"{item.start} to {item.end}: the range")
    span += tag("rect", x=at(item.start), y=top + 2, width=width, height=18)
    parts.append(tag("g", span, class_="kn-ip kn-ip-free"))
    shown = [*((given.address, "kn-ip-given") for given in pool.given), (item.gateway, "kn-ip-gateway")]
    shown += [(pool.next, "kn-ip-next-tick")] if pool.next else []
    for address, name in shown:
        if ipam._ip(address) in network:
            words = _state(pool, item, int(ipam._ip(address)))[1]
            tick = tag("title", escape(words)) + tag("rect", x=at(address) - 1, y=top, width=3, height=22)
            parts.append(tag("g", tick, class_=f"kn-ip {name}"))
    parts.append(
        text(LABEL + 4, top + 36, f"{item.start} to {item.end}: {_count(item.size)} addresses", "kn-note")
    )
    return "".join(parts), 42


def legend_svg() -> str:
    """What the cells mean."""
    x, y, parts = float(LABEL), 0.0, []
    for name, words in (
        ("kn-ip-given", "given"),
        ("kn-ip-given kn-ip-last", "given last"),
        ("kn-ip-free kn-ip-next", "free, next"),
        ("kn-ip-free", "free"),
        ("kn-ip-gateway", "gateway"),
        ("kn-ip-outside", "not in the range"),
    ):
        parts.append(tag("g", tag("rect", x=x, y=y + 4, width=14, height=14, rx=3), class_=f"kn-ip {name}"))
        parts.append(text(x + 19, y + 15, words, "kn-note"))
        x += 34 + len(words) * 6.4
    return picture("".join(parts), LABEL + WIDTH + 2, 22, "What the cells mean", "kn-ipam")


# -- the widget -----------------------------------------------------------------------------------
class IpamPicture(Picture):
    """The pools of one machine, live."""

    _esm = static("common.js", "ipam.js")
    caption = traitlets.Unicode().tag(sync=True)
    pools = traitlets.List(traitlets.Dict()).tag(sync=True)
    legend = traitlets.Unicode().tag(sync=True)

    def __init__(self, lab: Any, machine: str, network: str):
        self._lab, self._machine, self._network = lab, machine, network
        super().__init__(legend=legend_svg(), **self._read())

    def refresh(self) -> None:
        with self.hold_sync():
            for name, value in self._read().items():
                setattr(self, name, value)

    def _read(self) -> dict[str, Any]:
        target = resolve(self._lab, self._machine)
        found = ipam.pools(self._lab, target, self._network)
        caption = f"Address pools of {target}"
        if not found:
            what = (
                f"network {self._network!r} with host-local" if self._network else "network with host-local"
            )
            return {"caption": caption, "pools": [], "alt": f"{caption}\n  (no {what} in /etc/cni/net.d)"}
        rows = [
            {
                "name": pool.network + (f", range set {pool.number}" if pool.number else ""),
                "svg": pool_svg(pool),
                "free": _count(pool.free),
                "size": _count(pool.size),
                "last": pool.last,
                "next": pool.next,
                "given": [
                    [given.address, given.owner or "", given.ifname, given.container] for given in pool.given
                ],
            }
            for pool in found
        ]
        alt = "\n\n".join(pool_text(pool, str(target)) for pool in found)
        return {"caption": caption, "pools": rows, "alt": alt}


def show(lab: Any, machine: str, network: str = "") -> IpamPicture:
    """The pools of a machine, of one network or of all: `lab.ipam("host", "bridge-net")`."""
    widget = IpamPicture(lab, machine, network)
    widget.follow(lab)
    return widget
