"""Doing something in a network namespace, by commands that anybody could type there.

`Netns` is the namespace behind a path (CNI_NETNS), or with "" the one that the plugin runs in. Paths in
/run/netns are used by their names (`ip -n red …`), others by nsenter.

# containernetworking/plugins pkg/ns
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import quoted
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Finished, Surroundings

_NAMED = ("/var/run/netns/", "/run/netns/")
#: What some plugins of 1.1 say, meaning to name the path.
NIL = "failed to open netns %!q(<nil>): "

_NSFS, _PROC = "6e736673", "9fa0"

#: What iproute2 prints where the kernel explains itself, and the errno's words that it stands for.
_EXPLAINED = {
    "mtu less than device minimum.": "invalid argument",
    "mtu greater than device maximum.": "invalid argument",
    "Attribute failed policy validation.": "numerical result out of range",
    "Nexthop has invalid gateway.": "network is unreachable",
    "Nexthop device is not up.": "network is down",
    "Invalid prefix for given prefix length.": "invalid argument",
    "Device for nexthop is not up.": "network is down",
    "No route to host": "no route to host",
    "Gateway can not be a local address": "invalid argument",
    "ipv4: Address already assigned.": "file exists",
    "ipv6: address already assigned.": "file exists",
    "Address already assigned.": "file exists",
    "Exclusivity flag on, cannot modify.": "file exists",
    "IPv6 is disabled on this device.": "permission denied",
    "ipv6: IPv6 is disabled on this device.": "permission denied",
    "IPv6 is disabled on nexthop device.": "permission denied",
    "Invalid VLAN id.": "numerical result out of range",
    "VLAN properties not specified.": "invalid argument",
    "Unknown device type.": "operation not supported",
    "8021q: VLAN device already exists.": "file exists",
}


class CommandFailure(CniError):
    """A command that did not do what it should; `reason` is the errno in Go's words."""

    def __init__(self, done: Finished):
        self.reason = reason(done.stderr)
        super().__init__(self.reason)


class NetnsMissing(CniError):
    """There is no such namespace: to be passed over on DEL."""


def reason(text: str) -> str:
    """The errno behind an error message of iproute2, as Go's syscall.Errno prints it."""
    line = next((line for line in text.splitlines() if line and not line.startswith("Command failed")), "")
    for start in ("RTNETLINK answers: ", "Error: "):
        if line.startswith(start):
            words = line[len(start) :]
            if words.startswith("argument") and "ifname" in words:
                return (
                    "numerical result out of range" if len(words.split('"')[1]) > 15 else "invalid argument"
                )
            return _EXPLAINED.get(words, words[:1].lower() + words[1:].rstrip("."))
    if line.startswith(("Cannot find device", "Device ")) or "does not exist" in line:
        return "Link not found"
    if "not a valid ifname" in line:
        return "numerical result out of range"
    return line or "unknown error"


class Netns:
    """A namespace that is there. Make one with `open_netns`, or `Netns(here)` for the plugin's own."""

    def __init__(self, here: Surroundings, path: str = ""):
        self.here = here
        self.path = path
        start = next((start for start in _NAMED if path.startswith(start)), "")
        name = path[len(start) :] if start else ""
        self.name = name if name and "/" not in name else ""

    def argv(self, *words: str) -> list[str]:
        """The command that does `words` there."""
        if not self.path:
            return list(words)
        if self.name and words[0] in ("ip", "bridge", "tc"):
            return [words[0], "-n", self.name, *words[1:]]
        if self.name:
            return ["ip", "netns", "exec", self.name, *words]
        return ["nsenter", f"--net={self.path}", *words]

    async def run(self, *words: str, stdin: str = "") -> Finished:
        return await self.here.run(self.argv(*words), stdin=stdin)

    async def do(self, *words: str) -> str:
        """Run a command; what it printed. Raises CommandFailure."""
        done = await self.run(*words)
        if done.returncode:
            raise CommandFailure(done)
        return done.stdout

    async def query(self, *words: str) -> list[dict[str, Any]]:
        """Run a command with -j; its objects. Raises CommandFailure."""
        data = json.loads(await self.do(*words) or "[]")
        return [item for item in data if item]

    async def batch(self, lines: Sequence[str]) -> tuple[int, str] | None:
        """Run lines by `ip -batch`, in one process; the first that failed (its number from 0, and why)."""
        if not lines:
            return None
        done = await self.run("ip", "-batch", "-", stdin="".join(f"{line}\n" for line in lines))
        if done.returncode == 0:
            return None
        number = done.stderr.rpartition("Command failed -:")[2].strip()
        return int(number) - 1 if number.isdigit() else 0, reason(done.stderr)

    async def sysctl(self, *settings: str) -> Finished:
        """Write settings such as ``net/ipv4/conf/eth0/arp_notify=1``."""
        return await self.run("sysctl", "-qw", *settings)


async def open_netns(here: Surroundings, path: str, failure: str = "") -> Netns:
    """The namespace at `path`. Raises CniError, NetnsMissing where nothing is there.

    `failure` comes before the reason (" ": nothing does); else ``failed to open netns "PATH": `` does.
    """
    failure = (failure or f"failed to open netns {quoted(path)}: ").lstrip()
    if not here.exists(path):
        raise NetnsMissing(f"{failure}failed to Statfs {quoted(path)}: no such file or directory")
    try:
        magic = (await here.run(["stat", "-f", "-c", "%t", path])).stdout.strip()
    except KernelError as error:
        raise CniError(f"{failure}{error.strerror.lower()}") from None
    if magic not in (_NSFS, _PROC):
        raise CniError(f"{failure}unknown FS magic on {quoted(path)}: {magic}")
    return Netns(here, path)
