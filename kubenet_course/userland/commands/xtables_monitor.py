"""xtables-monitor 1.8.9: changes of the rules in iptables' words, and the way of packets marked by -j TRACE."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.hooks import HOOK_NAMES
from kubenet_course.kernel.netfilter.tables import ACCEPT, ruleset
from kubenet_course.userland.commands.nft.xt_words import xt_words
from kubenet_course.wire.ipv4 import IP_DF, Ipv4Header
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("xtables-monitor",)
HELP = """xtables-monitor 1.8.9 (nf_tables)
Usage: xtables-monitor [ -t | -e ]
        --trace    -t    trace ruleset traversal of packets tagged via -j TRACE rule
        --event    -e    show events that modify the ruleset
Optional arguments:
        --ipv4     -4    only monitor IPv4
        --ipv6     -6    only monitor IPv6
\t--counters -c    show counters in rules"""
LONG = {"trace": "t", "event": "e", "ipv4": "4", "ipv6": "6", "counters": "c", "version": "V", "help": "h"}
NUMBERS = {"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10}
FLAGS = ((64, "ECE"), (128, "CWR"), (32, "URG"), (16, "ACK"), (8, "PSH"), (4, "RST"), (2, "SYN"), (1, "FIN"))


async def main(proc: Process, argv: list[str]) -> int:
    letters: set[str] = set()
    for word in argv[1:]:
        if word.startswith("--"):
            matches = {letter for name, letter in LONG.items() if name.startswith(word[2:])}
            letters |= matches if len(matches) == 1 else {"?"}
        elif word.startswith("-") and len(word) > 1:
            letters |= set(word[1:])
        # other words are not looked at
    if letters - set(LONG.values()):
        proc.error("xtables-monitor 1.8.9: Bad argument.\nTry `xtables-monitor -h' for more information.")
        return 2
    if "V" in letters:
        proc.print("xtables-monitor 1.8.9")
        return 0
    if "h" in letters or not letters & {"t", "e"}:
        proc.print(HELP)
        return 0
    return await watch(proc, letters)


async def watch(proc: Process, letters: set[str]) -> int:
    from kubenet_course.userland.commands.nft.watch import Watcher

    rules = ruleset(proc.net)
    monitor = Monitor(proc, letters)
    watcher = Watcher(rules, monitor.changed)
    if "e" in letters:
        rules.listeners.append(watcher)
    if "t" in letters:
        rules.tracers.append(monitor.trace)
    finished = proc.loop.future()
    proc.handlers[signal.SIGINT] = lambda: finished.set_result(None)
    try:
        await finished
    finally:
        if "e" in letters:
            rules.listeners.remove(watcher)
        if "t" in letters:
            rules.tracers.remove(monitor.trace)
    return 0


class Monitor:
    def __init__(self, proc: Process, letters: set[str]):
        self.proc = proc
        self.families = {family for letter, family in (("4", "ip"), ("6", "ip6")) if letter in letters}
        self.counters = "c" in letters
        self._run: Any = None

    # -- events -----------------------------------------------------------------------------
    def changed(self, events: list[tuple[Any, ...]]) -> None:
        for verb, kind, subject, *more in events:
            line = getattr(self, f"_{kind}", None)
            text = line(verb, subject, *more) if line is not None else ""
            if text is not None and line is not None:
                self.proc.print(f" EVENT: {text}")
        if events:
            rules = ruleset(self.proc.net)
            pid, name = rules.actor
            self.proc.print(f"NEWGEN: GENID={rules.generation} PID={pid} NAME={name}")

    def _wanted(self, family: str) -> bool:
        return not self.families or family in self.families

    def _table(self, verb: str, table: Any) -> str | None:
        if not self._wanted(table.family):
            return None
        word = "DEL" if verb == "delete" else "NEW"
        uses = len(table.chains) if verb != "delete" else 0
        return f"nft: {word} table: table {table.name} {table.family} flags 0 use {uses} handle {table.handle}"

    def _chain(self, verb: str, chain: Any) -> str | None:
        table = chain.table
        if not self._wanted(table.family):
            return None
        if chain.base is None or verb == "delete":
            return f"{_letter(table.family)} -t {table.name} -{'X' if verb == 'delete' else 'N'} {chain.name}"
        base = chain.base
        policy = "accept" if base.policy == ACCEPT else "drop"
        hook = HOOK_NAMES[base.hook].lower()
        return (
            f"# nft: {table.family} {table.name} {chain.name} use {len(chain.rules)} type {base.type} hook {hook} "
            f"prio {base.priority} policy {policy} packets 0 bytes 0 flags 1"
        )

    def _rule(self, verb: str, rule: Any, chain: Any) -> str | None:
        table = chain.table
        if not self._wanted(table.family):
            return None
        if table.family not in ("ip", "ip6"):
            return ""
        counted = f" [{rule.packets}:{rule.bytes}]" if self.counters else ""
        words = xt_words(rule)
        spec = f" {words}" if words else ""
        return f"{_letter(table.family)} -t {table.name}{counted} -{'D' if verb == 'delete' else 'A'} {chain.name}{spec}"

    # -- packets ----------------------------------------------------------------------------
    def trace(self, event: dict[str, Any]) -> None:
        chain = event["chain"]
        family = chain.table.family
        if not self._wanted(family):
            return
        head = f"{NUMBERS[family]} {event['id']:08x}"
        if event["run"] is not self._run:
            self._run = event["run"]
            self.proc.print(f"PACKET: {head} {packet(event)}")
        place = f" TRACE: {head} {chain.table.name}:{chain.name}"
        if event["type"] == "policy":
            self.proc.print(f"{place}:policy:{event['verdict'].upper()} ")
            return
        rule = event["rule"]
        self.proc.print(f"{place}:rule:0x{rule.handle:x}:{_verdict(event['verdict'])}  {self._spec(rule, chain)}")

    def _spec(self, rule: Any, chain: Any) -> str:
        if chain.table.family not in ("ip", "ip6"):
            return ""
        counted = f" [{rule.packets}:{rule.bytes}]" if self.counters else ""
        words = xt_words(rule)
        spec = f" {words}" if words else ""
        return f"{_letter(chain.table.family)} -t {chain.table.name}{counted} -A {chain.name}{spec}"


def _letter(family: str) -> str:
    return {"ip": "-4", "ip6": "-6"}.get(family, "")


def _verdict(word: str) -> str:
    kind, _, chain = word.partition(" ")
    if kind == "return":
        return "0xfffffffb"
    return f"{kind.upper()}:{chain}" if chain else kind.upper()


def packet(event: dict[str, Any]) -> str:
    """trace_print_packet(): the packet as iptables' LOG would have it, nearly."""
    state, network, transport = event["state"], event["network"], event["transport"]
    words = []
    if state.indev is not None:
        words.append(f"IN={state.indev.name}")
    if state.outdev is not None:
        words.append(f"OUT={state.outdev.name}")
    if event["chain"].table.family == "inet":
        words.append(f"NFPROTO={2 if isinstance(network, Ipv4Header) else 10}")
    if state.indev is not None:
        eth = event["eth"]
        if state.indev.is_loopback:
            words.append("LOOPBACK")
        elif eth is not None:
            words.append(f"MACSRC={_mac(eth.source)} MACDST={_mac(eth.destination)} MACPROTO={eth.ethertype:04x}")
    if isinstance(network, Ipv4Header):
        words.append(
            f"SRC={network.source} DST={network.destination} LEN={network.total_length} TOS=0x{network.tos:x} "
            f"TTL={network.ttl} ID={network.identification}"
        )
        if network.flags_offset & IP_DF:
            words.append("DF")
    else:
        words.append(
            f"SRC={network.source} DST={network.destination} LEN={network.total_length} TC={network.traffic_class} "
            f"HOPLIMIT={network.ttl} FLOWLBL={network.flow_label}"
        )
    if isinstance(transport, (TcpHeader, UdpHeader)):
        words.append(f"SPORT={transport.source_port} DPORT={transport.destination_port}")
    if isinstance(transport, TcpHeader):
        words += [word for bit, word in FLAGS if transport.flags & bit]
    return " ".join(words) + " "


def _mac(address: Any) -> str:
    """Octets without leading noughts, where the tool leaves them out."""
    octets = str(address).split(":")
    return ":".join("0" if octet == "00" else octet for octet in octets)
