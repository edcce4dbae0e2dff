"""``ip monitor``: what changes, while it changes (ip/ipmonitor.c).

Told of are links, addresses, routes, neighbours, rules, next hops and new or gone devices' settings. A change of a
port's bridge is one line here, where the kernel has several; settings that sysctl changes are not told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ip import netconf, nexthop
from kubenet_course.userland.commands.ip.address_show import print_address
from kubenet_course.userland.commands.ip.link_show import print_link
from kubenet_course.userland.commands.ip.neigh import Filter as NeighFilter
from kubenet_course.userland.commands.ip.neigh import print_neigh
from kubenet_course.userland.commands.ip.printer import Printer
from kubenet_course.userland.commands.ip.route_show import Hidden, line_of, print_route
from kubenet_course.userland.commands.ip.rule_show import print_rule
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, invarg, matches, unsupported

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace

#: Words in the order in which abbreviations are tried, and what they choose; "" is never told of here.
OBJECTS = (
    ("link", "link"), ("address", "address"), ("route", "route"), ("mroute", ""), ("prefix", ""), ("neigh", "neigh"),
    ("netconf", "netconf"), ("rule", "rule"), ("nsid", ""), ("nexthop", "nexthop"), ("stats", ""),
)  # fmt: skip
LABELS = {"link": "LINK", "address": "ADDR", "route": "ROUTE", "neigh": "NEIGH", "netconf": "NETCONF", "rule": "RULE",
          "nexthop": "NEXTHOP"}  # fmt: skip


async def run(words: Words, session: Session) -> int:
    """do_ipmonitor(): until a signal ends it."""
    chosen: set[str] = set()
    labelled = False
    dev: NetDevice | None = None
    while words.more:
        word = words.take()
        if matches(word, "file"):
            words.value()
            unsupported("ip monitor file")
        elif matches(word, "label"):
            labelled = True
        elif word == "all":
            chosen |= set(LABELS)
            labelled = True
        elif matches(word, "all-nsid"):
            unsupported("ip monitor all-nsid")
        elif word == "help":
            session.usage("monitor")
        elif word == "dev":
            name = words.value()
            dev = session.find(name)
            if dev is None:
                invarg("Device does not exist\n", name)
        else:
            group = next((group for full, group in OBJECTS if matches(word, full)), None)
            if group is None:
                raise Quit(255, f'Argument "{word}" is unknown, try "ip monitor help".\n')
            chosen.add(group)
    watch = Watch(session, chosen or set(LABELS), labelled, dev)
    listeners = session.net.rtnl_listeners
    listeners.append(watch.told)
    session.proc.owns(Listening(session.net, watch))
    await session.proc.loop.future()
    return 0


class Listening:
    """Ends with the process."""

    def __init__(self, net: NetNamespace, watch: Watch):
        self.net = net
        self.watch = watch

    def close(self) -> None:
        self.net.rtnl_listeners.remove(self.watch.told)


class Watch:
    """Prints each event of the groups that were asked for."""

    def __init__(self, session: Session, groups: set[str], labelled: bool, dev: NetDevice | None):
        self.session = session
        self.groups = groups
        self.labelled = labelled
        self.dev = dev
        self.told = self._told  # one and the same, for removal

    def _told(self, group: str, subject: Any, deleted: bool) -> None:
        """accept_msg()."""
        if group not in self.groups or not self._wanted(group, subject):
            return
        session = self.session
        out = Printer(json=False, oneline=session.options.oneline, color=session.options.color)
        if session.options.timestamp:
            now = session.proc.system.host.wall_clock()
            out.fp(f"[{now // SECOND}.{now % SECOND // 1000:06d}] ")
        if self.labelled:
            out.fp(f"[{LABELS[group]}]")
        if deleted:
            out.fp("Deleted ")
        getattr(self, f"_{group}")(subject, out, deleted)
        session.proc.print(out.done(), end="")

    def _wanted(self, group: str, subject: Any) -> bool:
        """The family of ``-4`` and ``-6``, and the device of ``dev``."""
        family: int | None = None
        dev = None
        if group == "link":
            dev = subject
        elif group == "address":
            dev, family = subject[0], subject[1].local.family
        elif group == "route":
            dev, family = subject.dev, subject.prefix.address.family
        elif group == "neigh":
            dev, family = subject.dev, subject.ip.family
        elif group == "netconf":
            family, dev = subject
        elif group == "rule":
            family = 4 if subject[0].bits == 32 else 6
        wanted = self.session.options.family
        if wanted in (4, 6) and family is not None and family != wanted:
            return False
        return self.dev is None or dev is None or dev is self.dev

    # -- one event each -----------------------------------------------------------------------
    def _link(self, dev: Any, out: Printer, deleted: bool) -> None:
        print_link(dev, out, self.session, link=False, queue_length=False)

    def _address(self, subject: Any, out: Printer, deleted: bool) -> None:
        dev, address = subject
        print_address(dev, address, out, self.session, prefix=True)

    def _route(self, route: Any, out: Printer, deleted: bool) -> None:
        family = route.prefix.address.family
        print_route(line_of(route, family, self.session.net.loop.now), out, self.session, Hidden())

    def _neigh(self, entry: Any, out: Printer, deleted: bool) -> None:
        print_neigh(entry, NeighFilter(), out, self.session)

    def _rule(self, subject: Any, out: Printer, deleted: bool) -> None:
        rules, rule = subject
        print_rule(rule, rules, out, self.session)

    def _nexthop(self, known: Any, out: Printer, deleted: bool) -> None:
        nexthop.print_nexthop(known, out, self.session)

    def _netconf(self, subject: Any, out: Printer, deleted: bool) -> None:
        family, dev = subject
        if deleted:
            out.fp(f"{'inet' if family == 4 else 'inet6'} {dev.name} \n")
        else:
            netconf.print_netconf(self.session.net, family, dev.name, out)
