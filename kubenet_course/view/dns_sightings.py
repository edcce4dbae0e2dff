"""Where DNS messages were seen: each message of port 53 as it left a network namespace and as it came to one.

    with sightings(lab) as seen:
        lab.run("client", "dig www.example.org")
    seen        # list of Sighting, by time

On the emulated kernel the recorder's trace points tell it, on real namespaces tcpdump in each of them.
Over TCP, messages are cut out of the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from kubenet_course.view.follow import net_names
from kubenet_course.view.target import Target

PORT = 53


class Sighting(NamedTuple):
    """A message at a namespace: `out` where it left. `time` is in ns; addresses are text."""

    time: int
    space: Target
    out: bool
    source: str
    source_port: int
    destination: str
    port: int
    tcp: bool
    message: bytes

    @property
    def is_answer(self) -> bool:
        return len(self.message) > 2 and bool(self.message[2] & 0x80)


class _Streams:
    """Messages out of TCP segments, one direction of one connection at one place at a time."""

    def __init__(self) -> None:
        self.waiting: dict[Any, tuple[int, bytes]] = {}

    def add(self, key: Any, sequence: int, data: bytes) -> Iterator[bytes]:
        expected, have = self.waiting.get(key, (sequence, b""))
        if sequence != expected or not data:
            return
        have += data
        while len(have) >= 2 and len(have) >= 2 + (size := int.from_bytes(have[:2], "big")):
            yield have[2 : 2 + size]
            have = have[2 + size :]
        self.waiting[key] = ((sequence + len(data)) & 0xFFFFFFFF, have)


class _Collector:
    def __init__(self) -> None:
        self.found: list[Sighting] = []
        self.streams = _Streams()

    def add(self, time: int, space: Target, out: bool, network: Any, transport: Any, payload: bytes) -> None:
        ports = (getattr(transport, "source_port", 0), getattr(transport, "destination_port", 0))
        if PORT not in ports or not payload:
            return
        source, destination = str(network.source), str(network.destination)
        tcp = network.protocol == 6
        key = (space, out, source, destination, ports)
        messages = self.streams.add(key, transport.sequence, payload) if tcp else (payload,)
        for message in messages:
            if len(message) >= 12:
                self.found.append(
                    Sighting(time, space, out, source, ports[0], destination, ports[1], tcp, bytes(message))
                )


@contextmanager
def sightings(lab: Any) -> Iterator[list[Sighting]]:
    """The list is filled when the block ends."""
    found: list[Sighting] = []
    if lab.backend.name == "emulated":
        with _emulated(lab, found):
            yield found
    else:
        with _real(lab, found):
            yield found


@contextmanager
def _emulated(lab: Any, found: list[Sighting]) -> Iterator[None]:
    from kubenet_course.sim.trace import Recorder

    raw: list[tuple[int, Any, bool, int, Any, Any, bytes]] = []

    class Wire(Recorder):
        """Keeps what is in DNS packets when a program sends them and when they reach their machine."""

        def _note(self, kind: str, skb: Any, net: Any, device: str, facts: tuple[Any, ...]) -> None:
            if kind not in ("local_out", "receive") or net is None:
                return
            transport, network = skb.transport, skb.network
            if PORT not in (getattr(transport, "source_port", 0), getattr(transport, "destination_port", 0)):
                return
            if kind == "receive" and not (net.ipv4 if network.destination.family == 4 else net.ipv6).is_local(
                network.destination
            ):
                return
            raw.append(
                (self.loop.now, net, kind == "local_out", skb.ident, network, transport, bytes(skb.payload))
            )

    backend = lab.backend
    names = net_names(lab)
    with Wire(backend.loop):
        yield
    names = {**names, **net_names(lab)}
    collector = _Collector()
    known: set[tuple[int, Any, bool]] = set()
    for time, net, out, ident, network, transport, payload in raw:
        if (ident, net, out) in known:  # a bridge's port and the bridge: the same arrival
            continue
        known.add((ident, net, out))
        machine, namespace = names.get(net) or (net.host.hostname, "")
        collector.add(time, Target(machine, namespace), out, network, transport, payload)
    found += collector.found


@contextmanager
def _real(lab: Any, found: list[Sighting]) -> Iterator[None]:
    from kubenet_course.view.capture import Capture, containers_named

    with containers_named(lab):
        capture = Capture(lab, only=f"port {PORT}")
        try:
            yield
        finally:
            seen, _ = capture.stop()
    collector = _Collector()
    known: set[Any] = set()
    for one in seen:
        if one.transport is None:
            continue
        # A bridge shows a packet at its port and at itself.
        mark = (
            one.space,
            one.out,
            getattr(one.network, "identification", 0),
            str(one.network.source),
            one.payload,
        )
        if mark in known and one.device != "lo":
            continue
        known.add(mark)
        collector.add(one.time, one.space, one.out, one.network, one.transport, one.payload)
    found += collector.found
