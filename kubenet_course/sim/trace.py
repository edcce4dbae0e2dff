"""The recorder behind `loop.tracer`: what every packet met, as references to immutable headers.

A packet made while `loop.tracer` is a `Recorder` carries it as `skb.trace`; the kernel calls its
methods at guarded points (`if skb.trace is not None`), so that switched off it costs one test.
Nothing is formatted here: an `Event` keeps the headers as they were, and of what changes (names of
devices, a neighbour's state) a copy. `view/emulated_journey.py` turns events into words.

    recorder = Recorder(loop)
    with recorder:              # sets loop.tracer, puts back what was there before
        ...run a command...
    recorder.events

An observer in `recorder.observers` is called with every event. One that raises is dropped and its
name and error are kept in `recorder.dropped`; the run goes on. The same holds for the recorder's
own methods: a call site with an unexpected argument never ends a simulation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

#: Events kept of one recording; more are counted in `Recorder.missed`.
LIMIT = 200_000


class Event(NamedTuple):
    """One thing that happened to one packet.

    `kind` is the name of the recorder's method; `packet` is the packet's number, from 1 in the
    order of birth; `net` is the namespace (an object, for its identity), None where none is known;
    `device` the device's name or ""; the headers are those of that moment; `facts` depends on `kind`.
    """

    time: int
    kind: str
    packet: int
    net: Any
    device: str
    eth: Any
    network: Any
    transport: Any
    length: int
    mark: int
    facts: tuple[Any, ...]


class RouteFacts(NamedTuple):
    """A routing decision as it was: `route` and `rule` are the kernel's own (never changed) objects."""

    type: str
    device: str
    gateway: Any
    source: Any
    route: Any
    rule: Any
    error: int
    redirect: bool


class NeighbourFacts(NamedTuple):
    address: Any
    device: str
    mac: Any
    state: str
    waiting: int


def _guarded(method: Callable[..., None]) -> Callable[..., None]:
    """Note a failing trace point in `dropped` (once each) instead of ending the run."""

    @functools.wraps(method)
    def call(self: Recorder, *args: Any) -> None:
        try:
            method(self, *args)
        except Exception as failure:  # noqa: BLE001 - an observer must not change what it observes
            self._drop(method.__name__, failure)

    return call


class Recorder:
    """Takes down what happens to packets; the methods are the trace points of the kernel."""

    def __init__(self, loop: Any, limit: int = LIMIT):
        self.loop = loop
        self.limit = limit
        self.events: list[Event] = []
        self.observers: list[Callable[[Event], object]] = []
        self.dropped: dict[str, str] = {}
        self.missed = 0
        self._packets = 0
        self._where: dict[int, Any] = {}
        self._before: Any = None

    def __enter__(self) -> Recorder:
        self._before = self.loop.tracer
        self.loop.tracer = self
        return self

    def __exit__(self, *exc: object) -> None:
        self.loop.tracer = self._before

    # -- birth and death --------------------------------------------------------------------
    @_guarded
    def born(self, skb: Any) -> None:
        """A new packet: it gets its number."""
        self._packets += 1
        skb.ident = self._packets
        self._note("born", skb, None, "", (_owner(skb.sk),))

    @_guarded
    def cloned(self, skb: Any, twin: Any) -> None:
        """`twin` is a copy of `skb`; it has a number of its own."""
        self._packets += 1
        parent, twin.ident = skb.ident, self._packets
        self._where[twin.ident] = self._where.get(parent)
        self._note("cloned", twin, None, "", (parent,))

    @_guarded
    def caused(self, skb: Any, answer: Any) -> None:
        """`answer` exists because of `skb`: a reply, an error about it, the question for its neighbour."""
        self._note("caused", answer, None, "", (skb.ident,))

    @_guarded
    def merged(self, pieces: Any, whole: Any) -> None:
        """Fragments have become one packet again."""
        self._note("merged", whole, None, "", tuple(piece.ident for piece in pieces))

    @_guarded
    def died(self, skb: Any, reason: str, where: Any) -> None:
        net, device = _place(where)
        self._note("died", skb, net, device, (reason,))

    @_guarded
    def arrived(self, skb: Any, where: Any) -> None:
        net, device = _place(where)
        self._note("arrived", skb, net, device, (_socket(where),))

    @_guarded
    def delivered(self, skb: Any, sock: Any) -> None:
        """A socket got it (or a copy of it)."""
        self._note("delivered", skb, sock.net, "", (_socket(sock), _owner(sock)))

    @_guarded
    def unsent(self, net: Any, destination: Any, error: int, route: Any = None, rule: Any = None) -> None:
        """No packet could be made: the look-up for `destination` gave an error."""
        self._keep(
            Event(
                self.loop.now, "unsent", 0, net, "", None, None, None, 0, 0, (destination, error, route, rule)
            )
        )

    # -- on the way -------------------------------------------------------------------------
    @_guarded
    def local_out(self, skb: Any, net: Any) -> None:
        """A packet of this host's own, with its route in `skb.dst`."""
        self._note("local_out", skb, net, "", (_route(skb.dst), _owner(skb.sk)))

    @_guarded
    def receive(self, skb: Any, dev: Any) -> None:
        self._note(
            "receive", skb, dev.net, dev.name, (skb.pkt_type, dev.kind or "", getattr(dev.master, "name", ""))
        )

    @_guarded
    def route(self, skb: Any, rt: Any) -> None:
        """The decision for a packet that came in."""
        self._note("route", skb, rt.net, getattr(skb.in_dev, "name", ""), (_route(rt),))

    @_guarded
    def stage(self, skb: Any, name: str, net: Any) -> None:
        self._note("stage", skb, net, getattr(skb.dev, "name", ""), (name,))

    @_guarded
    def neighbour(self, skb: Any, entry: Any) -> None:
        """It waits until the next hop's MAC is known."""
        self._note("neighbour", skb, entry.dev.net, entry.dev.name, (_neighbour(entry),))

    @_guarded
    def xmit(self, skb: Any, dev: Any) -> None:
        """A device is asked to send it; with the neighbour entry that gave its MAC, if any."""
        neigh = getattr(skb.dst, "neigh", None)
        facts = _neighbour(neigh) if neigh is not None and neigh.dev is dev else None
        self._note("xmit", skb, dev.net, dev.name, (facts, dev.kind or "", getattr(dev.master, "name", "")))

    @_guarded
    def fdb(self, skb: Any, bridge: Any, mac: Any, dev: Any) -> None:
        """The bridge learned that `mac` is behind its port `dev`."""
        self._note("fdb", skb, bridge.net, bridge.name, (mac, dev.name))

    @_guarded
    def bridge(self, skb: Any, bridge: Any, decision: str, ports: Any) -> None:
        """What a bridge does with a frame: `forward`, `flood` (to `ports`) or `up`."""
        self._note("bridge", skb, bridge.net, bridge.name, (decision, tuple(dev.name for dev in ports)))

    # -- netfilter --------------------------------------------------------------------------
    @_guarded
    def hook(self, skb: Any, name: str) -> None:
        self._note("hook", skb, None, "", (name,))

    @_guarded
    def rule(
        self, skb: Any, table: str, chain: str, number: int, text: str, matched: bool, verdict: Any
    ) -> None:
        self._note("rule", skb, None, "", (table, chain, number, text, matched, verdict))

    @_guarded
    def policy(self, skb: Any, table: str, chain: str, verdict: Any) -> None:
        self._note("policy", skb, None, "", (table, chain, verdict))

    @_guarded
    def conntrack(self, skb: Any, before: Any, after: Any) -> None:
        """`before` is a snapshot (a dictionary), None for a new one; `after` the entry itself."""
        self._note("conntrack", skb, None, "", (before, _connection(after), skb.ctinfo))

    @_guarded
    def nat(self, skb: Any, before: Any, after: Any) -> None:
        self._note("nat", skb, None, "", (before, after))

    # -- helpers ----------------------------------------------------------------------------
    def _note(self, kind: str, skb: Any, net: Any, device: str, facts: tuple[Any, ...]) -> None:
        number = skb.ident
        if net is None:
            net = self._where.get(number)
        else:
            self._where[number] = net
        self._keep(
            Event(
                self.loop.now,
                kind,
                number,
                net,
                device,
                skb.eth,
                skb.network,
                skb.transport,
                skb.len,
                skb.mark,
                facts,
            )
        )

    def _keep(self, event: Event) -> None:
        if len(self.events) < self.limit:
            self.events.append(event)
        else:
            self.missed += 1
        for observer in tuple(self.observers):
            try:
                observer(event)
            except Exception as failure:  # noqa: BLE001 - dropped and named, the run goes on
                self.observers.remove(observer)
                self._drop(getattr(observer, "__qualname__", repr(observer)), failure)

    def _drop(self, name: str, failure: Exception) -> None:
        self.dropped.setdefault(name, f"{type(failure).__name__}: {failure}")


def _place(where: Any) -> tuple[Any, str]:
    """(namespace, device name) of a device, a socket, a namespace or None."""
    if where is None:
        return None, ""
    net = getattr(where, "net", None)
    if net is None:
        return (where, "") if hasattr(where, "devices") else (None, "")
    return net, getattr(where, "name", "") if hasattr(where, "ifindex") else ""


def _route(rt: Any) -> RouteFacts | None:
    if rt is None:
        return None
    device = getattr(rt.dev, "name", "")
    return RouteFacts(
        rt.type,
        device,
        rt.gateway,
        getattr(rt, "source", None),
        getattr(rt, "route", None),
        getattr(rt, "rule", None),
        getattr(rt, "error", 0),
        bool(getattr(rt, "redirect", False)),
    )


def _neighbour(entry: Any) -> NeighbourFacts:
    return NeighbourFacts(entry.ip, entry.dev.name, entry.mac, entry.state, len(entry.queue))


def _socket(where: Any) -> tuple[str, Any, int] | None:
    """(kind, local address, local port) of a socket, None for anything else."""
    kind = getattr(where, "type_name", None)
    if kind is None:
        return None
    return kind, getattr(where, "local", None), getattr(where, "local_port", 0)


def _owner(sock: Any) -> str:
    """The name of the program a socket belongs to, "" where nobody has said."""
    owner = getattr(sock, "owner", None)
    return str(getattr(owner, "comm", "") or "")


def _connection(entry: Any) -> dict[str, Any] | None:
    """What of a connection may change later, as the kernel's own `describe()` has it."""
    if entry is None:
        return None
    state = getattr(entry.tcp, "name", None)
    return {
        "orig": entry.orig,
        "reply": entry.reply,
        "status": entry.status,
        "mark": entry.mark,
        "state": state,
    }
