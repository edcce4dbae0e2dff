"""``ip netconf``: what is switched on per interface (ip/ipnetconf.c; RTM_GETNETCONF)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kubenet_course.userland.commands.ip.printer import Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, matches

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

RP_FILTER = {0: "off", 1: "strict", 2: "loose"}
#: The words, and the settings below conf/<interface>/ that they show.
FACTS = {
    4: (
        ("forwarding", "forwarding"),
        ("rp_filter", "rp_filter"),
        ("mc_forwarding", "mc_forwarding"),
        ("proxy_neigh", "proxy_arp"),
        ("ignore_routes_with_linkdown", "ignore_routes_with_linkdown"),
    ),
    6: (
        ("forwarding", "forwarding"),
        ("mc_forwarding", "mc_forwarding"),
        ("proxy_neigh", "proxy_ndp"),
        ("ignore_routes_with_linkdown", "ignore_routes_with_linkdown"),
    ),
}


def run(words: Words, session: Session) -> int:
    word = words.take() if words.more else "show"
    if any(matches(word, name) for name in ("show", "lst", "list")):
        return _show(words, session)
    if matches(word, "help"):
        session.usage("netconf")
    raise Quit(255, f'Command "{word}" is unknown, try "ip netconf help".\n')


def _show(words: Words, session: Session) -> int:
    name = ""
    while words.more:
        if words.take() == "dev":
            name = words.value()
            if session.find(name) is None:
                raise Quit(1, f'Device "{name}" does not exist.\n')
    net = session.net
    with session.output() as out:
        for family in (4, 6):
            if session.options.family in (0, family):
                for device in [name] if name else _devices(net, family):
                    print_netconf(net, family, device, out)
    return 0


def _devices(net: NetNamespace, family: int) -> Iterator[str]:
    """Those that take part in the protocol, then the two that stand for all and for those to come."""
    for dev in net.devices.values():
        if family == 4 or dev in net.ipv6.devices:
            yield dev.name
    yield from ("all", "default")


def print_netconf(net: NetNamespace, family: int, device: str, out: Printer) -> None:
    if family == 6 and device in net.devices and net.devices[device] not in net.ipv6.devices:
        return
    protocol = "inet" if family == 4 else "inet6"
    out.open_object()
    out.any("family", "%s ", protocol)
    out.any("interface", "%s ", device)
    for word, setting in FACTS[family]:
        value = net.sysctl.conf(f"ipv{family}", device, setting)
        if word == "rp_filter":
            out.any(word, word + " %s ", RP_FILTER.get(value, f"unknown mode {value}"))
        elif out.json:
            out.js(word, bool(value))
        else:
            out.fp(f"{word} {'on' if value else 'off'} ")
    out.fp("\n")
    out.close()
