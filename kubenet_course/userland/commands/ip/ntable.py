"""``ip ntable``: the parameters of the neighbour tables, and of each device in them (ip/ipntable.c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.userland.commands.ip.printer import Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, invarg, matches, missarg, u32, unsupported

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.neighbour import NeighbourTable

#: USER_HZ: the unit of some settings below /proc/sys is a hundredth of a second.
TICK = 10
#: What is shown and changed, with the setting below neigh/<device>/ and how many milliseconds (or pieces) its unit is.
PARAMETERS = {
    "base_reachable": ("base_reachable_time_ms", 1),
    "retrans": ("retrans_time_ms", 1),
    "gc_stale": ("gc_stale_time", 1000),
    "delay_probe": ("delay_first_probe_time", 1000),
    "queue": ("unres_qlen", 1),
    "app_probes": ("app_solicit", 1),
    "ucast_probes": ("ucast_solicit", 1),
    "mcast_probes": ("mcast_solicit", 1),
    "anycast_delay": ("anycast_delay", TICK),
    "proxy_delay": ("proxy_delay", TICK),
    "proxy_queue": ("proxy_qlen", 1),
    "locktime": ("locktime", TICK),
}
#: Lines of the text after the first.
LINES = (
    ("gc_stale", "delay_probe", "queue"),
    ("app_probes", "ucast_probes", "mcast_probes"),
    ("anycast_delay", "proxy_delay", "proxy_queue", "locktime"),
)
#: Of the table itself: only the computer's first network namespace may change them.
OF_THE_TABLE = {"thresh1": 128, "thresh2": 512, "thresh3": 1024, "gc_int": 30000}
NAMES = {4: "arp_cache", 6: "ndisc_cache"}
#: What a table's own parameters are, of which each device's are a copy.
DEFAULTS = {
    "base_reachable": 30000, "retrans": 1000, "gc_stale": 60000, "delay_probe": 5000, "queue": 101, "app_probes": 0,
    "ucast_probes": 3, "mcast_probes": 3, "anycast_delay": 1000, "proxy_delay": 800, "proxy_queue": 64,
}  # fmt: skip
LOCKTIME = {4: 1000, 6: 0}


def run(words: Words, session: Session) -> int:
    word = words.take() if words.more else "show"
    if any(matches(word, name) for name in ("change", "chg")):
        return _change(words, session)
    if any(matches(word, name) for name in ("show", "lst", "list")):
        return _show(words, session)
    if matches(word, "help"):
        session.usage("ntable")
    raise Quit(255, f'Command "{word}" is unknown, try "ip ntable help".\n')


def _tables(session: Session) -> list[tuple[int, NeighbourTable]]:
    both = [(4, session.net.arp), (6, session.net.nd)]
    return [(family, table) for family, table in both if session.options.family in (0, family)]


# -- show -----------------------------------------------------------------------------------------
def _show(words: Words, session: Session) -> int:
    device: NetDevice | None = None
    name = ""
    while words.more:
        word = words.take()
        if word == "dev":
            text = words.value()
            device = session.find(text)
            if device is None:
                invarg('"DEV" is invalid', text)
        elif word == "name":
            name = words.value()
        else:
            invarg("unknown", word)
    if session.options.stats:
        unsupported("ip -s ntable")
    with session.output() as out:
        for family, table in _tables(session):
            if name in ("", NAMES[family]):
                if device is None:
                    _table(family, out)
                # The newest first, as the table keeps them.
                for dev in reversed([d for d in session.net.devices.values() if device is None or d is device]):
                    if family == 4 or dev in session.net.ipv6.devices:
                        _device(family, table, dev, out)
    return 0


def _table(family: int, out: Printer) -> None:
    values = {**DEFAULTS, "locktime": LOCKTIME[family]}
    _open(family, out)
    for word, value in OF_THE_TABLE.items():
        out.any(word, f"{word} %u ", value)
    _parameters(values, 1, values["base_reachable"], out)


def _device(family: int, table: NeighbourTable, dev: NetDevice, out: Printer) -> None:
    values = {word: table.setting(dev, setting) * unit for word, (setting, unit) in PARAMETERS.items()}
    _open(family, out)
    out.any("dev", "dev %s ", dev.name)
    users = 1 + sum(entry.dev is dev for entry in table.entries.values())
    _parameters(values, users, table.reachable_time(dev) // MILLISECOND, out)


def _open(family: int, out: Printer) -> None:
    out.open_object()
    out.any("family", "%s ", "inet" if family == 4 else "inet6")
    out.any("name", "%s ", NAMES[family])
    out.nl()
    out.fp("    ")


def _parameters(values: dict[str, int], users: int, reachable: int, out: Printer) -> None:
    out.nl()
    out.fp("    ")
    out.any("refcnt", "refcnt %u ", users)
    out.any("reachable", "reachable %u ", reachable)
    for word in ("base_reachable", "retrans"):
        out.any(word, f"{word} %u ", values[word])
    for line in LINES:
        out.nl()
        out.fp("    ")
        for word in line:
            out.any(word, f"{word} %u ", values[word])
    out.nl()
    out.fp("\n")
    out.close()


# -- change ---------------------------------------------------------------------------------------
@dataclass
class Change:
    name: str = ""
    dev: str = ""
    #: By word; a table's own among them.
    values: dict[str, int] | None = None


def _change(words: Words, session: Session) -> int:
    change = Change(values={})
    assert change.values is not None
    while words.more:
        word = words.take()
        if word == "name":
            change.name = words.value()
        elif word == "dev":
            change.dev = words.value()
        elif word in PARAMETERS or word in OF_THE_TABLE:
            text = words.value()
            value = u32(text)
            if value is None:
                invarg(f'"{word}" value is invalid', text)
            change.values[word] = value
        else:
            invarg("unknown", word)
    if not change.name:
        missarg("NAME")
    if not change.values:
        raise Quit(255, "Not enough information: changeable attributes required.\n")
    dev = session.device(change.dev) if change.dev else None
    table = next((table for family, table in _tables(session) if NAMES[family] == change.name), None)
    # neightbl_set(): what belongs to the table is the first namespace's, and no lab's.
    if table is None or dev is None or change.values.keys() & OF_THE_TABLE.keys():
        raise Quit(2, "RTNETLINK answers: No such file or directory\n")
    for word, value in change.values.items():
        setting, unit = PARAMETERS[word]
        family = "ipv4" if table.family == 4 else "ipv6"
        session.net.sysctl.write(("net", family, "neigh", dev.name, setting), str(value // unit))
    return 0
