"""``ip neigh``: the neighbour tables (ip/ipneigh.c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel import neighbour
from kubenet_course.kernel.neighbour import Neighbour, NeighbourTable
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ip.link_parse import ll_addr
from kubenet_course.userland.commands.ip.printer import IFNAME, INET, INET6, MAC, Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Prefix,
    Quit,
    Words,
    c_number,
    duparg,
    duparg2,
    get_addr,
    get_prefix,
    invarg,
    matches,
)
from kubenet_course.wire.addresses import IpAddress, MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

STATES = ("permanent", "reachable", "noarp", "none", "stale", "incomplete", "delay", "probe", "failed")
BITS = {"incomplete": 1, "reachable": 2, "stale": 4, "delay": 8, "probe": 16, "failed": 32, "noarp": 64,
        "permanent": 128, "none": 0}  # fmt: skip


def run(words: Words, session: Session) -> int:
    if not words.more:
        return show(words, session)
    word = words.take()
    for full, verb in (("add", "add"), ("change", "change"), ("chg", "change"), ("replace", "replace")):
        if matches(word, full) and (full != "chg" or word == "chg"):
            return modify(words, session, verb)
    if matches(word, "delete"):
        return modify(words, session, "del")
    if matches(word, "get"):
        return get(words, session)
    if matches(word, "show") or matches(word, "lst") or matches(word, "list"):
        return show(words, session)
    if matches(word, "flush"):
        return show(words, session, flush=True)
    if matches(word, "help"):
        session.usage("neighbor")
    raise Quit(255, f'Command "{word}" is unknown, try "ip neigh help".\n')


def nud_number(text: str) -> str | None:
    """nud_state_a2n(): a state's name, abbreviated, or its number."""
    for name in STATES:
        if matches(text, name):
            return name
    value = c_number(text)
    return next((name for name, bit in BITS.items() if bit == value), None)


@dataclass
class _Said:
    """The words of add, change, replace and del."""

    address: IpAddress | None = None
    dev: str | None = None
    mac: bytes | None = None
    state: str | None = None
    proxy: bool = False
    router: bool = False
    extern_learn: bool = False
    use: bool = False
    managed: bool = False
    protocol: int = 0


def modify(words: Words, session: Session, verb: str) -> int:
    said = _parse(words, session)
    if said.proxy and said.dev is None and said.address is not None:
        return _proxy(session.net.arp if said.address.family == 4 else session.net.nd, said, None, verb)
    if said.dev is None or said.address is None:
        raise Quit(255, "Device and destination are required arguments.\n")
    dev = session.device(said.dev)
    table = session.net.arp if said.address.family == 4 else session.net.nd
    if said.proxy:
        return _proxy(table, said, dev, verb)
    if verb == "del":
        entry = table.entries.get((said.address, dev))
        if entry is None:
            raise KernelError(errno.ENOENT)
        if entry.state != neighbour.FAILED:
            entry.state = neighbour.FAILED  # neigh_delete(): told of as such before it goes
            session.net.rtnl_notify("neigh", entry)
        table.delete(entry)
        return 0
    _set(table, said, dev, verb)
    return 0


def _parse(words: Words, session: Session) -> _Said:
    said = _Said()
    family = session.options.family if session.options.family in (4, 6) else 0
    while words.more:
        word = words.take()
        if matches(word, "lladdr"):
            text = words.value()
            if said.mac is not None:
                duparg("lladdr", text)
            said.mac = ll_addr(text)
        elif word == "nud":
            text = words.value()
            said.state = nud_number(text)
            if said.state is None:
                invarg("nud state is bad", text)
        elif matches(word, "proxy"):
            text = words.value()
            if matches(text, "help"):
                session.usage("neighbor")
            if said.address is not None:
                duparg("address", text)
            said.address = get_addr(text, family)
            said.proxy = True
        elif word == "router":
            said.router = True
        elif word == "use":
            said.use = True
        elif word == "managed":
            said.managed = True
        elif matches(word, "extern_learn"):
            said.extern_learn = True
        elif word == "dev":
            said.dev = words.value()
        elif matches(word, "protocol"):
            text = words.value()
            protocol = session.tables.number("proto", text)
            if protocol is None:
                invarg('"protocol" value is invalid', text)
            said.protocol = protocol
        else:
            if word == "to":
                word = words.value()
            if matches(word, "help"):
                session.usage("neighbor")
            if said.address is not None:
                duparg2("to", word)
            said.address = get_addr(word, family)
    return said


def _proxy(table: NeighbourTable, said: _Said, dev: NetDevice | None, verb: str) -> int:
    """pneigh_lookup() and pneigh_delete()."""
    assert said.address is not None
    key = (int(said.address), dev)
    if verb == "del":
        if key not in table.proxies:
            raise KernelError(errno.ENOENT)
        del table.proxies[key]
        return 0
    entry = table.proxies.get(key)
    if entry is None:
        entry = table.proxies[key] = Neighbour(table, dev, said.address)
        entry.proxy = True
    entry.router = said.router
    entry.protocol = said.protocol
    return 0


def _set(table: NeighbourTable, said: _Said, dev: NetDevice, verb: str) -> None:
    """neigh_add(): refuses what cannot be, makes the entry, then neigh_update() as an administrator."""
    assert said.address is not None
    state = said.state or "permanent"
    if said.mac is not None and len(said.mac) < 6:
        raise KernelError(errno.EINVAL, "Invalid link address")
    entry = table.entries.get((said.address, dev))
    if entry is None:
        if verb == "change":
            raise KernelError(errno.ENOENT)
        entry = table.get(said.address, dev)
    elif verb == "add":
        raise KernelError(errno.EEXIST)
    mac = MacAddress.decode(said.mac) if said.mac is not None else None
    if said.protocol:
        entry.protocol = said.protocol
    if said.managed:
        entry.managed = True
    if said.use or (said.managed and mac is None):
        entry.resolve()
    else:
        entry.update(mac, state.upper(), admin=True)
    entry.router = said.router
    entry.extern_learn = said.extern_learn


# -- showing -------------------------------------------------------------------------------------
@dataclass
class Filter:
    dev: NetDevice | None = None
    prefix: Prefix | None = None
    states: set[str] | None = None
    unused: bool = False
    proxy: bool = False
    master: NetDevice | None = None
    nomaster: bool = False
    protocol: int = 0
    family: int = 0


def _parse_filter(words: Words, session: Session) -> Filter:
    chosen = Filter(family=session.options.family if session.options.family in (4, 6) else 0)
    while words.more:
        word = words.take()
        if word == "dev":
            text = words.value()
            if chosen.dev is not None:
                duparg("dev", text)
            chosen.dev = session.find(text)
            if chosen.dev is None:
                raise Quit(1, f'Cannot find device "{text}"\n')
        elif word in ("master", "vrf"):
            text = words.value()
            chosen.master = session.find(text)
            if word == "vrf" and (chosen.master is None or chosen.master.kind != "vrf"):
                invarg("Not a valid VRF name\n", text)
            if chosen.master is None:
                invarg("Device does not exist\n", text)
        elif word == "nomaster":
            chosen.nomaster = True
        elif word == "unused":
            chosen.unused = True
        elif word == "nud":
            text = words.value()
            if chosen.states is None:
                chosen.states = set()
            if text == "all":
                chosen.states |= set(STATES)
                continue
            state = nud_number(text)
            if state is None:
                invarg("nud state is bad", text)
            chosen.states.add(state)
        elif word == "proxy":
            chosen.proxy = True
        elif matches(word, "protocol"):
            text = words.value()
            protocol = session.tables.number("proto", text)
            if protocol is None:
                invarg("invalid protocol\n", text)
            chosen.protocol = protocol
        else:
            if word == "to":
                word = words.value()
            if matches(word, "help"):
                session.usage("neighbor")
            if word in ("default", "any", "all") and not chosen.family:
                continue  # get_prefix_1(): of no family
            chosen.prefix = get_prefix(word, chosen.family)
            chosen.family = chosen.family or chosen.prefix.family
    return chosen


def show(words: Words, session: Session, flush: bool = False) -> int:
    """do_show_or_flush()."""
    if flush and not words.more:
        raise Quit(1, "Flush requires arguments.\n")
    chosen = _parse_filter(words, session)
    default = set(STATES) - {"noarp"} if not flush else set(STATES) - {"permanent", "noarp"}
    if not flush:
        default -= {"none"}
    states = chosen.states if chosen.states is not None else default
    if flush:
        return _flush(chosen, states, session)
    with session.output() as out:
        for table in (session.net.arp, session.net.nd):
            if chosen.family and chosen.family != table.family:
                continue
            entries = table.proxies.listed() if chosen.proxy else table.shown()
            for entry in list(entries):
                if _selected(entry, chosen, states):
                    print_neigh(entry, chosen, out, session)
    return 0


def _selected(entry: Neighbour, chosen: Filter, states: set[str]) -> bool:
    if chosen.dev is not None and entry.dev is not chosen.dev:
        return False
    if not entry.proxy and not entry.extern_learn and entry.state.lower() not in states:
        return False
    if chosen.prefix is not None and (
        chosen.prefix.family != entry.ip.family or not chosen.prefix.covers(int(entry.ip))
    ):
        return False
    if chosen.master is not None and entry.dev is not None and entry.dev.master is not chosen.master:
        return False
    if chosen.nomaster and entry.dev is not None and entry.dev.master is not None:
        return False
    if chosen.protocol and entry.protocol != chosen.protocol:
        return False
    return not (chosen.unused and in_use(entry))


def in_use(entry: Neighbour) -> bool:
    """Whether a timer or somebody else holds a reference (refcnt beyond the table's own)."""
    return entry.timer is not None


def print_neigh(entry: Neighbour, chosen: Filter, out: Printer, session: Session) -> None:
    """print_neigh()."""
    out.open_object()
    color = INET if entry.ip.family == 4 else INET6
    out.color(color, "dst", "%s ", entry.ip)
    if chosen.dev is None and entry.dev is not None:
        out.fp("dev ")
        out.color(IFNAME, "dev", "%s ", entry.dev.name)
    if entry.mac is not None and not entry.proxy and entry.state not in (neighbour.INCOMPLETE, neighbour.FAILED, neighbour.NONE):
        out.fp("lladdr ")
        out.color(MAC, "lladdr", "%s", entry.mac)
        out.fp(" ")
    if entry.router:
        out.flag("router", "router ")
    if entry.proxy:
        out.flag("proxy", "proxy ")
    if entry.managed:
        out.flag("managed", "managed ")
    if entry.extern_learn:
        out.flag("extern_learn", "extern_learn ")
    if session.options.stats and not entry.proxy:
        _print_stats(entry, out)
    if not entry.proxy:
        _print_state(entry, out)
    if entry.protocol:
        out.any("protocol", "proto %s ", session.tables.name("proto", entry.protocol))
    out.fp("\n")
    out.close()


def _print_stats(entry: Neighbour, out: Printer) -> None:
    now = entry.dev.net.loop.now
    references = 1 if in_use(entry) else 0
    if references:
        out.any("refcnt", " ref %d", references)
    used, confirmed, updated = ((now - then) // SECOND for then in (entry.used, entry.confirmed, entry.updated))
    out.any("used", " used %d", used)
    out.any("confirmed", "/%d", confirmed)
    out.any("updated", "/%d", updated)
    out.any("probes", "probes %u ", entry.probes)


def _print_state(entry: Neighbour, out: Printer) -> None:
    if entry.state == neighbour.NONE:
        return
    out.open_array("state")
    out.any(None, "%s ", entry.state)
    out.close()


def _flush(chosen: Filter, states: set[str], session: Session) -> int:
    """Rounds of deleting, as ipneigh.c does; failed entries are told to be so by the kernel at once."""
    stats = session.options.stats
    rounds = 0
    proc = session.proc
    while rounds < session.options.loops:
        victims = [
            entry
            for table in (session.net.arp, session.net.nd)
            if not chosen.family or chosen.family == table.family
            for entry in (table.proxies.listed() if chosen.proxy else table.shown())
            if _selected(entry, chosen, states) and (rounds == 0 or entry.state != neighbour.FAILED)
        ]
        if not victims:
            if stats:
                if rounds == 0:
                    proc.print("Nothing to flush.")
                else:
                    proc.print(f"*** Flush is complete after {rounds} round{'s' if rounds > 1 else ''} ***")
            return 0
        rounds += 1
        for entry in victims:
            if stats > 1:
                out = Printer()
                print_neigh(entry, chosen, out, session)
                proc.print(out.done(), end="")
            if chosen.proxy:
                del entry.table.proxies[int(entry.ip), entry.dev]
            else:
                entry.table.delete(entry)
        if stats:
            proc.print(f"\n*** Round {rounds}, deleting {len(victims)} entries ***")
    proc.print(f"*** Flush not completed bailing out after {session.options.loops} rounds")
    return 1


def get(words: Words, session: Session) -> int:
    """ipneigh_get(): one entry of one device."""
    address: IpAddress | None = None
    name: str | None = None
    proxy = False
    while words.more:
        word = words.take()
        if word == "dev":
            name = words.value()
        elif matches(word, "proxy"):
            proxy = True
            text = words.value()
            if matches(text, "help"):
                session.usage("neighbor")
            if address is not None:
                duparg("address", text)
            address = get_addr(text)
        else:
            if word == "to":
                word = words.value()
            if matches(word, "help"):
                session.usage("neighbor")
            if address is not None:
                duparg2("to", word)
            address = get_addr(word)
    if name is None or address is None:
        raise Quit(1, "Device and address are required arguments.\n")
    dev = session.device(name)
    table = session.net.arp if address.family == 4 else session.net.nd
    entry: Any = table.entries.get((address, dev))
    if proxy:
        entry = table.proxies.get((int(address), dev)) or table.proxies.get((int(address), None))
    if entry is None:
        raise KernelError(errno.ENOENT, "Proxy neighbour entry not found" if proxy else "Neighbour entry not found")
    out = Printer(oneline=session.options.oneline, color=session.options.color)  # never JSON
    print_neigh(entry, Filter(), out, session)
    session.proc.print(out.done(), end="")
    return 0
