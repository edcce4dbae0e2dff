"""A primary and its secondary (plugin/transfer/notify.go, plugin/file/secondary.go): NOTIFY, serials, what fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from kubenet_course.dns.engine import Engine
from tests.support.coredns import World, ask, rows

PRIMARY, SECONDARY = "10.0.0.1", "10.0.0.2"
ZONE = "@ 60 SOA ns hostmaster {serial} 7200 3600 1209600 60\n@ 60 NS ns\nwww 60 A 10.0.0.{serial}\n"
SERVE = "example.org {{\nfile /z {{\nreload 10s\n}}\ntransfer {{\nto {to}\n}}\n}}\n"
FOLLOW = "example.org {\nsecondary {\ntransfer from 10.0.0.1\n}\n}\n"


class Net:
    """The two engines; `wires` is what was sent, `cut` who cannot be reached."""

    def __init__(self, to: str = SECONDARY):
        self.cut: set[str] = set()
        self.seen: list[dns.message.Message] = []
        self.worlds = {PRIMARY: World({"/z": ZONE.format(serial=1)}), SECONDARY: World()}
        self.engines = {
            PRIMARY: self.worlds[PRIMARY].engine(SERVE.format(to=to)),
            SECONDARY: self.worlds[SECONDARY].engine(FOLLOW),
        }
        for address, world in self.worlds.items():
            world.upstream = self._exchange(address)
            world.environment.stream = self._stream(address)

    def _exchange(self, client: str) -> Any:
        async def exchange(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
            self.seen.append(dns.message.from_wire(wire))
            if server in self.cut:
                raise OSError("connection refused")
            engine = self.engines[server]
            found = await engine.answer(engine.servers[0], wire, client, 4000, protocol, server)
            if found is None:
                raise TimeoutError("i/o timeout")
            return found

        return exchange

    def _stream(self, client: str) -> Any:
        async def stream(server: str, port: int, wire: bytes, timeout: int) -> AsyncIterator[bytes]:
            if server in self.cut:
                raise OSError("connection refused")
            engine = self.engines[server]
            async for message in engine.answers(engine.servers[0], wire, client, 4000, server, 53):
                yield message

        return stream

    def handler(self, address: str, name: str) -> Any:
        return self.engines[address].configs[0].handlers[name]

    def log(self, address: str) -> list[str]:
        logged, self.worlds[address].logged[:] = list(self.worlds[address].logged), []
        return logged

    def close(self) -> None:
        for world in self.worlds.values():
            world.close()


@pytest.fixture
def net() -> Any:
    made = Net()
    yield made
    made.close()


def transferred(net: Net) -> None:
    assert asyncio.run(net.handler(SECONDARY, "secondary")._transfer("example.org.")) == ""
    assert net.log(SECONDARY) == ["[INFO] plugin/file: Transferred: example.org. from 10.0.0.1:53"]


def address(engine: Engine) -> str:
    return rows(ask(engine, "www.example.org").answer)[0][3]


def test_a_change_is_told_and_fetched(net: Net) -> None:
    transferred(net)
    net.worlds[PRIMARY].files["/z"] = ZONE.format(serial=7)
    net.handler(PRIMARY, "file").load()
    net.worlds[PRIMARY].run_tasks()
    told = net.seen[-1]
    assert (told.opcode(), told.flags & 0x7FF, told.question[0].to_text()) == (dns.opcode.NOTIFY, dns.flags.AA, "example.org. IN SOA")
    net.worlds[SECONDARY].run_tasks()
    assert net.log(SECONDARY) == [
        "[INFO] plugin/file: Notify from 10.0.0.1 for example.org.: checking transfer",
        "[INFO] plugin/file: Transferred: example.org. from 10.0.0.1:53",
    ]
    assert address(net.engines[SECONDARY]) == "10.0.0.7"


@pytest.mark.parametrize(("serial", "fetched"), [(2, True), (1, False), (0, False), (2**31, True), (2**31 + 1, False)])
def test_only_a_newer_serial_is_fetched(net: Net, serial: int, fetched: bool) -> None:
    """less(): serials wrap round (RFC 1982); one half of them is newer."""
    transferred(net)
    net.worlds[PRIMARY].files["/z"] = ZONE.format(serial=serial).replace(f"10.0.0.{serial}", "10.0.0.99")
    net.handler(PRIMARY, "file").load()
    newer, failure = asyncio.run(net.handler(SECONDARY, "secondary")._should_transfer("example.org."))
    assert (newer, failure) == (fetched, "")


def test_nothing_new_is_said(net: Net) -> None:
    transferred(net)
    assert asyncio.run(net.handler(PRIMARY, "transfer").notify("example.org.")) == ""
    net.worlds[SECONDARY].run_tasks()
    assert net.log(SECONDARY)[1:] == ["[INFO] plugin/file: Notify from 10.0.0.1 for example.org.: no SOA serial increase seen"]


def test_strangers_are_not_believed(net: Net) -> None:
    query = dns.message.make_query("example.org", "SOA")
    query.set_opcode(dns.opcode.NOTIFY)
    for server in (PRIMARY, SECONDARY):  # a primary takes none at all
        engine = net.engines[server]
        assert asyncio.run(engine.answer(engine.servers[0], query.to_wire(), "10.0.0.9")) is None
        assert net.log(server) == ["[INFO] plugin/file: Dropping notify from 10.0.0.9 for example.org."]


def test_who_does_not_take_it_is_told_three_times() -> None:
    net = Net(f"* {SECONDARY}:53")
    net.cut.add(SECONDARY)
    net.worlds[PRIMARY].files["/z"] = ZONE.format(serial=7)
    net.handler(PRIMARY, "file").load()
    net.worlds[PRIMARY].run_tasks()
    assert [message.opcode() for message in net.seen] == [dns.opcode.NOTIFY] * 3
    problem = 'notify for zone "example.org." was not accepted by "10.0.0.2:53": "connection refused"'
    assert net.log(PRIMARY)[1:] == [f"[WARNING] plugin/file: Failed sending notifies: {problem}"]
    net.close()


def test_a_first_transfer_is_tried_again_and_again(net: Net) -> None:
    net.cut.add(PRIMARY)
    world, pauses = net.worlds[SECONDARY], []

    async def sleep(ns: int) -> None:
        pauses.append(ns / 1e9)
        if len(pauses) == 8:
            net.cut.clear()
        elif len(pauses) == 9:
            net.handler(SECONDARY, "secondary").stop()

    world.environment.sleep = sleep
    asyncio.run(net.handler(SECONDARY, "secondary").start())
    world.run_tasks()
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 10, 10, 7200]
    logged = net.log(SECONDARY)
    assert logged[:2] == [
        "[ERROR] plugin/file: Failed to transfer `example.org.' from \"10.0.0.1:53\": connection refused",
        "[WARNING] plugin/secondary: All 'example.org.' masters failed to transfer, retrying in 250ms: connection refused",
    ]
    assert logged[-1] == "[INFO] plugin/file: Transferred: example.org. from 10.0.0.1:53"


def test_a_zone_is_forgotten_after_its_time(net: Net) -> None:
    world = net.worlds[SECONDARY]
    waits: list[float] = []

    async def sleep(ns: int) -> None:
        world.now += ns
        waits.append(ns / 1e9)
        net.cut.add(PRIMARY)
        if len(waits) > 340:
            net.handler(SECONDARY, "secondary").stop()

    world.environment.sleep = sleep
    asyncio.run(net.handler(SECONDARY, "secondary").start())
    world.run_tasks()
    assert waits[:3] == [7200, 3600, 3600]
    assert "[WARNING] plugin/file: Failed refresh check connection refused" in net.log(SECONDARY)
    assert ask(net.engines[SECONDARY], "www.example.org").rcode() == dns.rcode.SERVFAIL
