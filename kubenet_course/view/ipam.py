"""The address pools of a container host, as host-local keeps them in files: who has what, and what comes next.

The networks come from /etc/cni/net.d, the reservations from their data directories; containers get the
name of their namespace where the runtime's cache (/var/lib/cni/results) says which that is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kubenet_course.cni import hostlocal
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import parse_ip
from kubenet_course.cni.plugins import host_local
from kubenet_course.cni.result import Address
from kubenet_course.view.target import Target, ask

_FILE = re.compile(r"^==> (.+) <==\n", re.M)
_READ = 'for f in {}; do [ -f "$f" ] && set -- "$@" "$f"; done; [ $# = 0 ] || head -v -c 100000 "$@"'
#: Of how many addresses at most each is counted by itself.
COUNTED = 1 << 16


@dataclass(frozen=True)
class PoolRange:
    """Addresses from `start` to `end` of a network, all but the gateway to be given."""

    subnet: str
    start: str
    end: str
    gateway: str

    @property
    def size(self) -> int:
        """How many addresses it can give."""
        first, last, gateway = (_ip(text) for text in (self.start, self.end, self.gateway))
        inside = gateway.version == first.version and int(first) <= int(gateway) <= int(last)
        return int(last) - int(first) + 1 - inside


@dataclass(frozen=True)
class Given:
    """An address that is given: to which container and interface; `owner` is the container's readable name."""

    address: str
    container: str
    ifname: str
    owner: str = ""


@dataclass(frozen=True)
class Pool:
    """One range set of a network. `last` was given last, `next` will be; "" where there is none."""

    network: str
    number: int
    ranges: tuple[PoolRange, ...]
    given: tuple[Given, ...] = ()
    last: str = ""
    next: str = ""
    source: str = ""

    @property
    def size(self) -> int:
        return sum(item.size for item in self.ranges)

    @property
    def free(self) -> int:
        taken = {item.address for item in self.given}
        return self.size - sum(_inside(address, self.ranges) for address in taken)

    def runs(self) -> list[tuple[str, str]]:
        """What is free, as first and last address of each run."""
        taken = {int(_ip(item.address)) for item in self.given}
        found = []
        for item in self.ranges:
            start, end = int(_ip(item.start)), int(_ip(item.end))
            stops = sorted(number for number in taken | {int(_ip(item.gateway))} if start <= number <= end)
            for stop in [*stops, end + 1]:
                if start < stop:
                    kind = type(_ip(item.start))
                    found.append((str(kind(start)), str(kind(stop - 1))))
                start = stop + 1
        return found


def _ip(text: str) -> Address:
    found = parse_ip(text)
    assert found is not None, text
    return found


def _inside(address: str, ranges: tuple[PoolRange, ...]) -> bool:
    number, version = int(_ip(address)), _ip(address).version
    return any(
        version == _ip(item.start).version
        and int(_ip(item.start)) <= number <= int(_ip(item.end))
        and address != item.gateway
        for item in ranges
    )


# -- reading --------------------------------------------------------------------------------------
def pools(lab: Any, target: Target, network: str = "") -> list[Pool]:
    """The pools of a machine, in the order of its configurations; of one network, or of all."""
    owners = _owners(lab, target)
    found = []
    for path, config in _configs(lab, target):
        name = str(config.get("name", ""))
        if network in ("", name):
            found += _pools_of(lab, target, path, config, owners)
    return found


def _files(lab: Any, target: Target, pattern: str) -> Iterator[tuple[str, str]]:
    """Path and text of the files that a pattern of the shell matches."""
    parts = _FILE.split(ask(lab, target, "sh", "-c", _READ.format(pattern)))
    yield from zip(parts[1::2], parts[2::2])


def _configs(lab: Any, target: Target) -> Iterator[tuple[str, dict[str, Any]]]:
    """The configurations with a host-local section: lists are taken apart."""
    folder = "/etc/cni/net.d"
    for path, text in _files(lab, target, f"{folder}/*.conflist {folder}/*.conf {folder}/*.json"):
        try:
            data = json.loads(text)
        except ValueError:
            continue  # what is wrong with it, the runtime says
        if not isinstance(data, dict):
            continue
        plugins = data["plugins"] if isinstance(data.get("plugins"), list) else [data]
        for plugin in plugins:
            ipam = plugin.get("ipam") if isinstance(plugin, dict) else None
            if isinstance(ipam, dict) and ipam.get("type") == "host-local":
                yield path, {**plugin, "name": data.get("name", ""), "cniVersion": data.get("cniVersion", "")}


def _owners(lab: Any, target: Target) -> dict[tuple[str, str], str]:
    """(container id, interface) → the name of its namespace."""
    found = {}
    for _, text in _files(lab, target, "/var/lib/cni/results/*"):
        try:
            data = json.loads(text)
            found[data["containerId"], data["ifName"]] = str(data.get("netns", "")).rpartition("/")[2]
        except (ValueError, KeyError, TypeError):
            continue  # not one of the cache's
    return found


def _pools_of(
    lab: Any, target: Target, path: str, data: dict[str, Any], owners: dict[tuple[str, str], str]
) -> list[Pool]:
    try:
        config = host_local.load(json.dumps(data).encode(), "")
    except CniError:
        return []  # the plugin says what is wrong with it
    folder = f"{(config.data_dir or hostlocal.DATA_DIR).rstrip('/')}/{config.name}"
    files = {name.rpartition("/")[2]: text for name, text in _files(lab, target, f"'{folder}'/*")}
    given = []
    for name, text in files.items():
        if parse_ip(name) is not None:
            container, _, ifname = text.strip().partition("\n")
            key = (container.strip(), ifname.strip())
            given.append(Given(name, *key, owners.get(key, "")))
    given.sort(key=lambda item: (_ip(item.address).version, int(_ip(item.address))))
    return [
        _pool(config.name, number, ranges, given, files, path) for number, ranges in enumerate(config.ranges)
    ]


def _pool(
    network: str,
    number: int,
    ranges: hostlocal.RangeSet,
    given: list[Given],
    files: dict[str, str],
    path: str,
) -> Pool:
    own = tuple(item for item in given if ranges.contains(_ip(item.address)))
    last = parse_ip(files.get(f"{hostlocal.LAST}{number}", "").strip())
    store = _Taken({int(_ip(item.address)) for item in own}, last)
    return Pool(
        network,
        number,
        tuple(PoolRange(str(r.subnet), str(r.start), str(r.end), str(r.gateway)) for r in ranges),
        own,
        str(last or ""),
        store.next(ranges),
        path,
    )


class _Taken:
    """Just enough of a store to ask the allocator what it would try."""

    def __init__(self, taken: set[int], last: Address | None):
        self.taken = taken
        self.last = last

    def last_reserved(self, set_id: str) -> Address | None:
        return self.last

    def next(self, ranges: hostlocal.RangeSet) -> str:
        allocator = hostlocal.Allocator(ranges, self, 0)  # type: ignore[arg-type]
        for count, (prefix, _) in enumerate(allocator.candidates()):
            if int(prefix.ip) not in self.taken:
                return str(prefix.ip)
            if count > COUNTED:
                break
        return ""
