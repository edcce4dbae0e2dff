"""Checks that accept any correct state and say what is missing, and why it matters.

A check is a function of an `Expect`: each call looks at the lab through ordinary commands and notes
a `Finding`. Nothing is compared with one particular solution: a route may be more general than the
exercise thought of, an address may be given in another way, as long as the network behaves.

    def check(expect):
        expect.route("a", "192.168.2.0/24", why="A must know that network 2 is behind the router")
        expect.ping("a", "192.168.2.5")
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubenet_course.lab.lab import Lab
    from kubenet_course.lab.machine import Completed


#: Two tries, as the first may wait for ARP. Two seconds are enough for an answer, also where a router answers ARP for
#: others (proxy_arp) and takes up to 0.8 each way (net.ipv4.neigh.default.proxy_delay); to hear
#: Destination Host Unreachable, and not just silence, takes a little more than three.
TRY, PING = "ping -c 2 -i 0.2 -W 2", "ping -c 2 -i 0.2 -W 3.5"
#: Packets that are sent to see whether they come through: more than ARP and IPv6 send by themselves meanwhile.
PROBES = 10


@dataclass(frozen=True)
class Finding:
    """One thing a check looked at: what was wanted, whether it is so, and why it matters.

    `hint` is the number (from 1) of the exercise's hint that fits, 0 for the next one in order.
    """

    ok: bool
    text: str
    why: str = ""
    hint: int = 0

    def __str__(self) -> str:
        line = f"{'✔' if self.ok else '✘'} {self.text}"
        return line if self.ok or not self.why else f"{line}\n    {self.why}"


class Expect:
    """Collects findings about one lab. Every method returns whether it is as wanted."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.findings: list[Finding] = []

    @property
    def passed(self) -> bool:
        return bool(self.findings) and all(finding.ok for finding in self.findings)

    # -- looking ----------------------------------------------------------------------------
    def run(self, machine: str, command: str) -> Completed:
        """Run a command outside of the lab's history: a look is not a change."""
        return self.lab.query(machine, command)

    def json(self, machine: str, command: str) -> list[dict[str, Any]]:
        """What a command with JSON output printed; an empty list where it failed or said nothing."""
        done = self.run(machine, command)
        if done.returncode or not done.stdout.strip():
            return []
        return json.loads(done.stdout)

    # -- judging ----------------------------------------------------------------------------
    def that(self, ok: bool, text: str, why: str = "", hint: int = 0) -> bool:
        """Note one finding; `text` says what is wanted, `why` what its lack means."""
        self.findings.append(Finding(bool(ok), text, why, hint))
        return bool(ok)

    def reaches(self, machine: str, target: str) -> bool:
        """Whether `machine` gets an answer from `target`. Notes nothing."""
        return self.run(machine, f"{TRY} {target}").returncode == 0

    def ping(self, machine: str, target: str, why: str = "", hint: int = 0, *, owner: str = "") -> bool:
        """`machine` gets an answer from `target`, and from nobody else than `owner` if one is named."""
        wanted = f"{machine} can ping {target}"
        others = self.impostors(target, owner) if owner else []
        if others:
            reason = f"{target} is {owner}'s address, and {' and '.join(others)} has it as well: take it away there."
            return self.that(False, wanted, reason, hint)
        done = self.run(machine, f"{PING} {target}")
        return self.that(done.returncode == 0, wanted, why or last_words(done), hint)

    def impostors(self, address: str, owner: str) -> list[str]:
        """The machines other than `owner` that have `address` themselves: a ping may end at them."""
        return [name for name in self.lab.machines if name != owner and address in self.addresses(name)]

    def addresses(self, machine: str, *, netns: str = "", device: str = "") -> dict[str, str]:
        """A machine's IPv4 addresses → the device that each is on."""
        command = f"ip {_in(netns)}-j -4 addr show" + (f" dev {device}" if device else "")
        return {
            entry["local"]: link["ifname"] for link in self.json(machine, command) for entry in link.get("addr_info", ())
        }

    def receives(self, machine: str, device: str, sender: str, target: str) -> bool:
        """Whether what `sender` sends to `target` comes in at `device` of `machine`, answered or not. Notes nothing."""
        before = self._received(machine, device)
        self.run(sender, f"ping -c {PROBES} -i 0.1 -W 1 {target}")
        return self._received(machine, device) - before >= PROBES

    def _received(self, machine: str, device: str) -> int:
        links = self.json(machine, f"ip -j -s link show dev {device}")
        return int(links[0]["stats64"]["rx"]["packets"]) if links else 0

    def address(self, machine: str, device: str, address: str, why: str = "", hint: int = 0, *, netns: str = "") -> bool:
        """`device` has `address` (with its prefix length)."""
        wanted = ipaddress.ip_interface(address)
        found = [
            f"{entry.get('local')}/{entry.get('prefixlen')}"
            for link in self.json(machine, f"ip {_in(netns)}-j addr show dev {device}")
            for entry in link.get("addr_info", ())
        ]
        ok = any(ipaddress.ip_interface(text) == wanted for text in found)
        where = f"{device} in namespace {netns}" if netns else f"{device} of {machine}"
        seen = ", ".join(text for text in found if ":" not in text) or "none"
        return self.that(ok, f"{where} has {address}", why or f"It has: {seen}.", hint)

    def up(self, machine: str, device: str, why: str = "", hint: int = 0, *, netns: str = "") -> bool:
        """`device` is up and has a carrier."""
        links = self.json(machine, f"ip {_in(netns)}-j link show dev {device}")
        flags = links[0].get("flags", []) if links else []
        where = f"{device} in namespace {netns}" if netns else f"{device} of {machine}"
        if not links:
            reason = "There is no such device."
        elif "UP" not in flags:
            reason = "It is down: an interface has to be set up before it carries anything."
        else:
            reason = "It is up but has no carrier: the other end of the cable is down."
        return self.that("UP" in flags and "LOWER_UP" in flags, f"{where} is up", why or reason, hint)

    def way(self, machine: str, name: str, target: str, via: str, hint: int = 0, *, works: bool) -> bool:
        """`machine` has a route to `target` that leads to `via`; any other route will do where `works`."""
        routes = self.json(machine, f"ip -j route get {target}")
        gateway = routes[0].get("gateway", "") if routes else ""
        if routes and routes[0].get("type") == "local":
            why = f"{target} is an address of {machine} itself now: take it away."
        elif gateway:
            why = f"Its route leads to {gateway}, and that is not {via}."
        else:
            why = "It has a route without a gateway." if routes else "It has no route for that address."
        return self.that(works or gateway == via, f"{machine} has a route to {name} ({target})", why, hint)

    def route(self, machine: str, prefix: str, why: str = "", hint: int = 0, *, via: str = "", netns: str = "") -> bool:
        """A packet from `machine` to any address of `prefix` finds a route (through `via`, if given)."""
        network = ipaddress.ip_network(prefix)
        ok = True
        seen = "no route"
        for address in {network[0] if network.num_addresses < 3 else network[1], network[-2 if network.num_addresses > 2 else -1]}:
            routes = self.json(machine, f"ip {_in(netns)}-j route get {address}")
            gateway = routes[0].get("gateway", "") if routes else ""
            if not routes or (via and gateway != via):
                ok = False
                seen = f"a route via {gateway}" if gateway else ((
                    "a route without a gateway"
                ) if routes else "no route")
        who = f"namespace {netns}" if netns else machine
        wanted = f"{who} has a route to {prefix}" + (f" via {via}" if via else "")
        return self.that(ok, wanted, why or f"It has {seen} for that network.", hint)

    def sysctl(self, machine: str, key: str, value: str, why: str = "", hint: int = 0) -> bool:
        """A kernel setting has a value."""
        now = self.run(machine, f"sysctl -n {key}").stdout.strip()
        return self.that(now == value, f"{key} is {value} on {machine}", why or (
            f"It is {now or 'not there'}."
        ), hint)

    def output(self, machine: str, command: str, text: str, wanted: str, why: str = "", hint: int = 0) -> bool:
        """`command` succeeds and prints `text` somewhere."""
        done = self.run(machine, command)
        ok = done.returncode == 0 and text in done.stdout
        return self.that(ok, wanted, why or last_words(done), hint)


def _in(netns: str) -> str:
    return f"-n {netns} " if netns else ""


def last_words(done: Completed) -> str:
    """The most telling line of a failed command."""
    lines = [line for line in done.output.splitlines() if line.strip()]
    for mark in ("Unreachable", "unreachable", "exceeded", "ping:", "connect", "Error", "packet loss"):
        for line in lines:
            if mark in line:
                return f"It says: {line.strip()}"
    return f"It says: {lines[-1].strip()}" if lines else "It says nothing."
