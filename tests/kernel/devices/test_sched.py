"""Queueing disciplines on the virtual clock: rates and delays to the nanosecond, chances within their bounds."""

from __future__ import annotations

from typing import Any

import pytest

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.dummy import Dummy
from kubenet_course.kernel.host import Host
from kubenet_course.kernel.sched import api
from kubenet_course.kernel.sched.netem import Netem, quantile
from kubenet_course.kernel.sched.qdisc import TC_H_ROOT
from kubenet_course.kernel.skbuff import Ledger, SkBuff
from kubenet_course.sim.loop import MILLISECOND, SECOND, Loop
from kubenet_course.wire.addresses import IPv4Address, MacAddress
from kubenet_course.wire.ethernet import EthernetHeader
from kubenet_course.wire.ipv4 import Ipv4Header


class Sink(Dummy):
    """Notes when each packet leaves."""

    kind = None

    def __init__(self, net: Any):
        super().__init__(net, "d0")
        self.left: list[tuple[int, int]] = []

    def xmit(self, skb: SkBuff) -> None:
        self.left.append((self.net.loop.now, skb.network.identification))
        skb.consume(self)


@pytest.fixture
def dev() -> Sink:
    loop = Loop(1)
    loop.skb_ledger = Ledger()
    host = Host(loop, "host")
    sink = Sink(host.init_net)
    add(host, sink)
    return sink


def add(host: Host, sink: Sink) -> None:
    """Up, and without IPv6: nothing is sent but by the test."""
    host.init_net.add_device(sink)
    host.init_net.sysctl.write(("net", "ipv6", "conf", "d0", "disable_ipv6"), "1")
    sink.set_up()


def send(dev: Sink, count: int, size: int = 1000) -> None:
    """`count` packets of `size` bytes with their Ethernet header, at this instant."""
    address = IPv4Address.parse("10.0.0.1")
    for number in range(count):
        ip = Ipv4Header(address, address, 17, 64, size - 14, number)
        eth = EthernetHeader(MacAddress(2), MacAddress(4), 0x0800)
        dev.queue_xmit(SkBuff(dev.net.loop, ip, None, bytes(size - 34), length=size - 14, eth=eth))


def root(dev: Sink, kind: str, **options: Any) -> Any:
    api.modify(dev, kind, 0, TC_H_ROOT, options, create=True, excl=True, replace=False)
    return api.root_of(dev)


def test_netem_delays_every_packet_by_the_same_time(dev: Sink) -> None:
    root(dev, "netem", latency=20 * MILLISECOND)
    send(dev, 3)
    assert dev.left == []
    dev.net.loop.run_for(SECOND)
    assert [when for when, _ in dev.left] == [20 * MILLISECOND] * 3


def test_netem_jitter_stays_within_its_bounds_and_reorders(dev: Sink) -> None:
    root(dev, "netem", latency=50 * MILLISECOND, jitter=10 * MILLISECOND)
    send(dev, 500)
    dev.net.loop.run_for(SECOND)
    times = [when for when, _ in dev.left]
    assert 40 * MILLISECOND <= min(times) < 42 * MILLISECOND
    assert 58 * MILLISECOND < max(times) < 60 * MILLISECOND
    assert [number for _, number in dev.left] != sorted(number for _, number in dev.left)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_netem_loses_its_share_of_packets(dev: Sink, share: float) -> None:
    qdisc = root(dev, "netem", loss=round(share * 0xFFFFFFFF), limit=10000)
    send(dev, 5000)
    dev.net.loop.run_for(SECOND)
    lost = 5000 - len(dev.left)
    assert abs(lost - 5000 * share) < 4 * (5000 * share * (1 - share)) ** 0.5
    assert qdisc.stats.drops == lost and qdisc.stats.packets == len(dev.left)


def test_netem_is_the_same_in_two_runs_with_one_seed() -> None:
    runs = []
    for _ in range(2):
        host = Host(Loop(1), "host", seed=7)
        sink = Sink(host.init_net)
        add(host, sink)
        api.link_netem(sink, delay=5 * MILLISECOND, jitter=2 * MILLISECOND, loss=0.2)
        send(sink, 50)
        host.loop.run_for(SECOND)
        runs.append(sink.left)
    assert runs[0] == runs[1] and 20 < len(runs[0]) < 50


def test_netem_rate_spaces_packets_out(dev: Sink) -> None:
    root(dev, "netem", rate=(125000, 0, 0, 0))
    send(dev, 4)
    dev.net.loop.run_for(SECOND)
    assert [when for when, _ in dev.left] == [8 * MILLISECOND * n for n in (1, 2, 3, 4)]


def test_netem_duplicates(dev: Sink) -> None:
    root(dev, "netem", duplicate=0xFFFFFFFF)
    send(dev, 3)
    dev.net.loop.run_for(SECOND)
    assert sorted(number for _, number in dev.left) == [0, 0, 1, 1, 2, 2]


def test_netem_drops_what_is_beyond_its_limit(dev: Sink) -> None:
    qdisc = root(dev, "netem", latency=SECOND, limit=5)
    send(dev, 9)
    assert qdisc.qlen == 5 and qdisc.stats.drops == 4


def test_tbf_lets_a_burst_through_and_then_keeps_its_rate(dev: Sink) -> None:
    root(dev, "tbf", rate=125000, limit=100000, buffer_ns=16 * MILLISECOND)
    send(dev, 6)
    assert len(dev.left) == 2
    dev.net.loop.run_for(SECOND)
    assert [when for when, _ in dev.left] == [0, 0, *(8 * MILLISECOND * n for n in (1, 2, 3, 4))]


def test_tbf_drops_what_does_not_fit_its_queue(dev: Sink) -> None:
    qdisc = root(dev, "tbf", rate=125000, limit=3000, buffer_ns=8 * MILLISECOND)
    send(dev, 10)
    dev.net.loop.run_for(SECOND)
    # One leaves at once, one waits in hand, three fit the limit.
    assert len(dev.left) == 5 and qdisc.stats.drops == 5


def test_taking_a_discipline_away_ends_its_packets(dev: Sink) -> None:
    root(dev, "netem", latency=SECOND)
    send(dev, 4)
    api.delete(dev, None, 0, TC_H_ROOT)
    assert dev.qdisc is None and not dev.net.loop.skb_ledger.lost()


def test_link_netem_without_anything_leaves_the_fast_path(dev: Sink) -> None:
    api.link_netem(dev, delay=MILLISECOND)
    assert isinstance(api.root_of(dev), Netem)
    api.link_netem(dev)
    assert dev.qdisc is None


def test_an_unknown_kind_is_refused(dev: Sink) -> None:
    with pytest.raises(KernelError, match="Specified qdisc kind is unknown"):
        root(dev, "frob")


@pytest.mark.parametrize("name", ["normal", "pareto", "paretonormal"])
def test_distributions_have_mean_zero(name: str) -> None:
    values = [quantile(name, (n + 0.5) / 10000) for n in range(10000)]
    assert abs(sum(values) / len(values)) < 0.1
