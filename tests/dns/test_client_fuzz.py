"""Answers that nobody should send: random bytes, and real answers with bytes changed, cut and repeated. Never a traceback."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.dns.rig import Emulated
from tests.dns.server import NameServer

COMMANDS = (
    "dig +time=1 +tries=1 key.example.test DNSKEY +multiline", "dig +time=1 +tries=1 example.test ANY +notcp", "dig +time=1 +tries=1 +yaml svc.example.test HTTPS",
    "dig +time=1 +tries=1 +short loc.example.test LOC", "dig +tcp +time=1 +tries=1 solo.test AXFR", "dig +time=1 +tries=1 +trace www.solo.test",
    "dig +time=1 +tries=1 options.odd.test +unknownformat", "host -W 1 example.test", "host -W 1 -v -t ANY -U example.test", "nslookup -timeout=1 -retry=1 www.example.test",
    "nslookup -timeout=1 -retry=1 -debug -type=soa example.test", "getent ahosts www.example.test", "getent hosts 192.0.2.80", "getent hosts alias.example.test",
    "ping -c1 -W1 alias.example.test",
)  # fmt: skip


class Liar(NameServer):
    """Spoils what it should answer, each time in another way."""

    def __init__(self, seed: int):
        super().__init__()
        self.random = random.Random(seed)

    def answer(self, wire: bytes, tcp: bool, server: str) -> list[bytes]:
        return [self.spoil(message) for message in super().answer(wire, tcp, server)] or [self.spoil(wire)]

    def spoil(self, message: bytes) -> bytes:
        chance = self.random
        data = bytearray(message)
        kind = chance.randrange(7)
        if kind == 0:
            return data[:2] + chance.randbytes(chance.randrange(80))
        if kind == 1:
            return bytes(data[: chance.randrange(len(data) + 1)])
        if kind == 2:
            return bytes(data) + chance.randbytes(chance.randrange(1, 40))
        if kind == 3:  # counts that are not true
            at = chance.randrange(4, 12)
            data[at] = chance.randrange(256)
            return bytes(data)
        if kind == 4:  # pointers into nowhere and to themselves
            for _ in range(chance.randrange(1, 4)):
                at = chance.randrange(12, max(13, len(data) - 1))
                data[at : at + 2] = bytes([0xC0 | chance.randrange(4), chance.randrange(256)])
            return bytes(data)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(2, len(data))] = chance.randrange(256)
        return bytes(data)


@pytest.mark.parametrize("seed", range(6))
def test_spoiled_answers_end_in_words(seed: int) -> None:
    rig = Emulated(Liar(seed))
    for round_ in range(12):
        for command in COMMANDS:
            found: dict[str, Any] = rig.run({"cmd": command, "etc": {"resolv.conf": "nameserver 10.53.0.1\noptions timeout:1 attempts:1 edns0\n"}})
            assert "Traceback" not in found["stderr"] and "internal error" not in found["stderr"], (seed, round_, command, found)


@pytest.mark.parametrize("seed", range(4))
def test_random_command_lines_end_in_words(seed: int) -> None:
    rig, chance = Emulated(), random.Random(seed)
    words = (
        "example.test", "www", ".", "..", "@10.53.0.1", "@", "@x", "+short", "+trace", "+no", "+", "+edns=", "+subnet=1.2.3/99", "+cookie=0", "+ednsopt=8:00",
        "+split=7", "+padding=12", "-x", "-t", "-c", "-q", "-f", "-b", "1.2.3.4#x", "-p", "0", "-y", "a:b:c", "A", "IXFR=1", "ANY", "CH", "\\300", "'a b'", "-4",
        "-6", "::1", "-W", "-R", "-C", "-l", "-type=", "-q=x", "-port=1", "-", "-domain=..", "+qid=", "+ndots=3", "+search", "-N", "99", "+yaml", "+tries=1", "+time=1",
    )  # fmt: skip
    for _ in range(150):
        line = " ".join([chance.choice(("dig", "host", "nslookup", "getent ahosts", "getent hosts", "getent")), *chance.choices(words, k=chance.randrange(5))])
        rig.run({"cmd": f"{line} < /dev/null"})
