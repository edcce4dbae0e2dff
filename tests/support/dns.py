"""DNS queries from a machine of an emulated lab, as bytes, without any command."""

from __future__ import annotations

import dns.flags
import dns.message

from kubenet_course.dns.host import exchange
from kubenet_course.lab.lab import Lab
from kubenet_course.userland.sockets import Sockets


def query(name: str, rdtype: str = "A", *, edns: bool = True, payload: int = 1232, rd: bool = True, ident: int = 4711) -> dns.message.Message:
    message = dns.message.make_query(name, rdtype, use_edns=0 if edns else -1, payload=payload, id=ident)
    if not rd:
        message.flags &= ~dns.flags.RD
    return message


def send(lab: Lab, machine: str, server: str, wire: bytes, *, protocol: str = "udp", port: int = 53, seconds: float = 5) -> bytes | str:
    """The answer's bytes, or what went wrong in words."""
    system = lab.backend.machines[machine].system  # type: ignore[attr-defined]
    found: list[bytes | str] = []

    async def program(proc, argv):  # type: ignore[no-untyped-def]
        try:
            found.append(await exchange(Sockets(proc), server, port, wire, protocol, round(seconds * 1e9)))
        except OSError as problem:
            found.append(str(problem))
        return 0

    process = system.spawn(["query"], program=program)
    lab.backend.loop.run_until(process.exited, round((seconds + 1) * 1e9))  # type: ignore[attr-defined]
    return found[0]


def ask(lab: Lab, machine: str, server: str, name: str, rdtype: str = "A", **options) -> dns.message.Message:  # type: ignore[no-untyped-def]
    """The parsed answer; AssertionError with the problem where there is none."""
    where = {key: options.pop(key) for key in ("protocol", "port", "seconds") if key in options}
    answer = send(lab, machine, server, query(name, rdtype, **options).to_wire(), **where)
    assert isinstance(answer, bytes), answer
    return dns.message.from_wire(answer)
