"""``ip addr show``, ``ip addr flush`` and ``ip link show``: which links and addresses (ip/ipaddress.c)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.inet import devinet
from kubenet_course.kernel.inet6 import addrconf
from kubenet_course.kernel.rtnetlink import device_kind
from kubenet_course.userland.commands.ip.address_show import flags_of, print_address
from kubenet_course.userland.commands.ip.link_show import print_link, print_link_brief, print_stats
from kubenet_course.userland.commands.ip.printer import Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Prefix,
    Quit,
    Words,
    duparg2,
    get_prefix,
    invarg,
    matches,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

#: Flag words of a selector, each with a dash before it for the opposite.
FLAG_SELECTORS = frozenset(
    {
        "permanent", "secondary", "nodad", "optimistic", "dadfailed", "home", "deprecated", "tentative", "mngtmpaddr",
        "noprefixroute", "autojoin", "stable-privacy", "temporary",
    }
)  # fmt: skip


@dataclass
class Filter:
    """What the words after show or flush select. `flags`: word → wanted (True) or unwanted (False)."""

    family: Any = 0
    prefix: Prefix | None = None
    scope: int | None = None
    up: bool = False
    flags: dict[str, bool] = field(default_factory=dict)
    label: str | None = None
    #: Addresses only, without their links' lines.
    headless: bool = False
    group: int | None = None
    master: NetDevice | None = None
    nomaster: bool = False
    kind: str | None = None
    port_kind: str | None = None
    dev: NetDevice | None = None

    def takes_address(self, dev: NetDevice, address: Any, now: int) -> bool:
        family = address.local.family
        if self.family and self.family != family:
            return False
        if self.scope is not None and address.scope != self.scope:
            return False
        flags = flags_of(address, now)
        if any((word in flags) != wanted for word, wanted in self.flags.items()):
            return False
        if self.label is not None:
            if not fnmatchcase(getattr(address, "label", "") or dev.name, self.label):
                return False
        if self.prefix is not None:
            if family != self.prefix.family:
                return False
            if not self.prefix.covers(address.local):
                return False
        return True

    def takes_link(self, dev: NetDevice) -> bool:
        """print_linkinfo()'s own conditions; where one fails JSON has ``{}``."""
        if self.up and not dev.up:
            return False
        if self.label is not None and self.family in (0, "link") and not fnmatchcase(dev.name, self.label):
            return False
        if self.group is not None and dev.group != self.group:
            return False
        if self.nomaster and dev.master is not None:
            return False
        if self.kind is not None and dev.kind != self.kind:
            return False
        return self.port_kind is None or (dev.master is not None and dev.master.kind == self.port_kind)

    def dumped(self, dev: NetDevice) -> bool:
        """What the kernel filters itself: the master, and a kind that it knows."""
        if self.master is not None and dev.master is not self.master:
            return False
        return self.kind is None or device_kind(self.kind) is None or dev.kind == self.kind


def parse_filter(words: Words, session: Session, link: bool, usage: str) -> Filter:
    chosen = Filter(family="link" if link else session.options.family)
    name: str | None = None
    while words.more:
        word = words.take()
        if word == "to":
            chosen.prefix = get_prefix(words.value(), chosen.family if chosen.family in (4, 6) else 0)
            if not chosen.family:
                chosen.family = chosen.prefix.family
        elif word == "scope":
            text = words.value()
            scope = session.tables.number("scope", text)
            if scope is None and text != "all":
                invarg('invalid "scope"\n', text)
            chosen.scope = scope
        elif word == "up":
            chosen.up = True
        elif _flag(word, chosen):
            continue
        elif word == "label":
            chosen.label = words.value()
            chosen.headless = True
        elif word == "group":
            text = words.value()
            chosen.group = session.tables.number("group", text)
            if chosen.group is None:
                invarg('Invalid "group" value\n', text)
        elif word in ("master", "vrf"):
            text = words.value()
            chosen.master = session.find(text)
            if word == "vrf" and (chosen.master is None or chosen.master.kind != "vrf"):
                invarg("Not a valid VRF name\n", text)
            if chosen.master is None:
                invarg("Device does not exist\n", text)
        elif word == "nomaster":
            chosen.nomaster = True
        elif word == "type":
            text = words.value()
            if text.endswith("_slave"):
                chosen.port_kind = text.removesuffix("_slave")
            else:
                chosen.kind = text
        else:
            if word == "dev":
                word = words.value()
            elif matches(word, "help"):
                session.usage(usage)
            if name is not None:
                duparg2("dev", word)
            name = word
    if name is not None:
        chosen.dev = session.find(name)
        if chosen.dev is None:
            raise Quit(1, f'Device "{name}" does not exist.\n')
    return chosen


def _flag(word: str, chosen: Filter) -> bool:
    """get_filter()."""
    if word == "dynamic":
        chosen.flags["permanent"] = False
        return True
    if word == "primary":
        chosen.flags["secondary"] = False
        return True
    wanted = not word.startswith("-")
    bare = word.removeprefix("-")
    if bare not in FLAG_SELECTORS:
        return False
    chosen.flags["secondary" if bare == "temporary" else bare] = wanted
    return True


def addresses_of(dev: NetDevice, family: Any) -> list[Any]:
    """A device's addresses, IPv4's first."""
    found: list[Any] = []
    if family in (0, 4):
        found += dev.net.ipv4.addresses.get(dev, [])
    if family in (0, 6):
        found += dev.net.ipv6.addresses.get(dev, [])
    return found


def show(words: Words, session: Session, *, link: bool = False) -> int:
    link = session.links_only = link or session.links_only
    chosen = parse_filter(words, session, link, "link" if link else "address")
    mode = link
    link = link or chosen.family == "link"
    now = session.net.loop.now
    with session.output() as out:
        devices = [chosen.dev] if chosen.dev is not None else list(session.net.devices.values())
        for dev in devices:
            if not (link and chosen.dev is not None) and not chosen.dumped(dev):
                continue
            found: list[Any] = []
            everything: list[Any] = []
            missing: list[Any] = []
            if not link:
                everything = addresses_of(dev, chosen.family)
                found = [address for address in everything if chosen.takes_address(dev, address, now)]
                missing = [address for address in everything if address not in found]
                if not found and (everything or chosen.family):
                    continue
            if out.json and found and missing:
                # One that is not selected leaves an empty object.
                found = [None if address in missing else address for address in everything]
            _one(dev, found, chosen, out, session, link=link, mode=mode)
    return 0


def _one(
    dev: NetDevice, found: list[Any], chosen: Filter, out: Printer, session: Session, *, link: bool, mode: bool
) -> None:
    """`link`: no addresses; `mode`: as ``ip link`` shows it."""
    options = session.options
    out.open_object()
    shown = chosen.takes_link(dev)
    if options.brief:
        if shown and not chosen.headless:
            print_link_brief(dev, out, session, link=link, family=6 if options.family == 6 else 0)
        if shown or chosen.headless:
            if not link:
                out.open_array("addr_info")
                for address in found:
                    print_address(dev, address, out, session, brief=True)
                out.close()
                out.fp("\n")
    elif options.oneline and not link:
        if shown or not chosen.up:
            out.open_array("addr_info")
            for address in found:
                _oneline(dev, address, out, session)
            out.close()
    elif chosen.headless and not link:
        out.open_array("addr_info")
        for address in found:
            print_address(dev, address, out, session)
        out.close()
    elif shown:
        # A device that was named is asked for by itself, with all that is known of it.
        wanted = options.family if options.family in (4, 6) else 0
        family = 0 if link else 4 if chosen.dev is not None and wanted == 6 else wanted
        print_link(dev, out, session, link=mode, family=family, selected=0 if link else chosen.family)
        if not link:
            out.open_array("addr_info")
            for address in found:
                print_address(dev, address, out, session)
            out.close()
            if options.stats:
                print_stats(dev, out, session)
                out.fp("\n")
    out.close()


def _oneline(dev: NetDevice, address: Any, out: Printer, session: Session) -> None:
    print_address(dev, address, out, session, prefix=True)


def flush(words: Words, session: Session) -> int:
    """ipaddr_flush(): as they are listed, until a round finds nothing."""
    if not words.more:
        raise Quit(1, "Flush requires arguments.\n")
    chosen = parse_filter(words, session, False, "address")
    if chosen.family == "link":
        raise Quit(1, "Cannot flush link addresses.\n")
    stats = session.options.stats
    now = session.net.loop.now
    rounds = 0
    proc = session.proc
    while rounds < session.options.loops:
        victims = [
            (dev, address)
            for dev in ([chosen.dev] if chosen.dev is not None else list(session.net.devices.values()))
            if (chosen.takes_link(dev) and chosen.dumped(dev)) or chosen.label is not None
            for address in addresses_of(dev, chosen.family)
            if chosen.takes_address(dev, address, now)
        ]
        if not victims:
            if stats:
                done = f"*** Flush is complete after {rounds} round{'s' if rounds > 1 else ''} ***\n"
                proc.print("Nothing to flush." if rounds == 0 else done, end="\n" if rounds == 0 else "")
            return 0
        rounds += 1
        for dev, address in victims:
            if stats > 1:
                out = Printer(oneline=session.options.oneline)
                print_address(dev, address, out, session, prefix=True)
                proc.print(out.done(), end="")
            remove(dev, address)
        if stats:
            proc.print(f"\n*** Round {rounds}, deleting {len(victims)} addresses ***")
        if chosen.flags.get("secondary") is False:
            if stats:
                proc.print(f"*** Flush is complete after {rounds} round{'s' if rounds > 1 else ''} ***")
            return 0
    raise Quit(1, f"*** Flush remains incomplete after {session.options.loops} rounds. ***\n")


def remove(dev: NetDevice, address: Any) -> None:
    """RTM_DELADDR for either family."""
    if address.local.family == 4:
        if address not in dev.net.ipv4.addresses.get(dev, []):
            return
        devinet.address_remove(dev.net, dev, address)
        return
    if address in dev.net.ipv6.addresses.get(dev, []):
        addrconf.address_remove(dev.net, dev, address)
