"""/proc/sys/net of one network namespace.

Values are the text that a read gives, without the newline. The defaults in
`sysctl_defaults.json` were read from a fresh namespace of a real kernel (6.18). Directories
`conf/<device>` and `neigh/<device>` come and go with their devices and begin as copies of
`default`. Code that needs a value on every packet keeps its own copy (see `watch`). What a file takes
(`sysctl_ranges.json`, least and largest number; an int where it is not named) was found by trying on the same kernel.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.registry import text_of

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

Path = tuple[str, ...]
#: SKB_TRUESIZE(ETH_FRAME_LEN), bytes.
FULL_FRAME = 2090
PER_DEVICE = (("net", "ipv4", "conf"), ("net", "ipv4", "neigh"), ("net", "ipv6", "conf"), ("net", "ipv6", "neigh"))

#: Files whose values are words, not numbers.
TEXT_FILES = frozenset(
    {"tcp_congestion_control", "tcp_allowed_congestion_control", "ip_local_reserved_ports", "tcp_fastopen_key", "stable_secret"}
)
#: Of the whole computer, so to be written in its first namespace only.
NETFILTER_LIMITS = ("nf_conntrack_max", "nf_conntrack_buckets", "nf_conntrack_expect_max")
READ_ONLY = frozenset(
    {"tcp_available_congestion_control", "nf_conntrack_count", "tcp_ehash_entries", "udp_hash_entries", "mc_forwarding",
     *NETFILTER_LIMITS}
)  # fmt: skip
INT = (-(2**31), 2**31 - 1)
CONGESTION_CONTROLS = ("reno", "cubic", "bbr")


@lru_cache(1)
def _defaults() -> tuple[tuple[Path, str], ...]:
    text = text_of("kubenet_course.kernel", "sysctl_defaults.json")
    return tuple((tuple(path.split("/")), value) for path, value in json.loads(text).items())


@lru_cache(1)
def _default_tree() -> dict[Path, frozenset[str]]:
    """Directory → names in it, of the files that every namespace has."""
    tree: dict[Path, set[str]] = {}
    for path in _default_values():
        for depth, name in enumerate(path):
            tree.setdefault(path[:depth], set()).add(name)
    return {path: frozenset(names) for path, names in tree.items()}


class _FirstNumbers(dict[Path, int]):
    """The first numbers in files that were asked for, until something is written or a device comes or goes."""

    def __init__(self, sysctl: Sysctl):
        super().__init__()
        self.sysctl = sysctl

    def __missing__(self, path: Path) -> int:
        number = self[path] = int(self.sysctl.read(path).split()[0])
        return number


class _DeviceFiles:
    """A device's files: what was written since it came, over what they began with, which many devices share."""

    __slots__ = ("own", "first")

    def __init__(self, first: Mapping[str, str], own: dict[str, str] | None = None):
        self.first = first
        self.own = own or {}

    def get(self, name: str) -> str | None:
        value = self.own.get(name)
        return value if value is not None else self.first.get(name)

    def names(self) -> set[str]:
        return {*self.first, *self.own}


class Sysctl:
    """Read, write and list by path tuple, ``("net", "ipv4", "ip_forward")``.

    Errors are KernelError: ENOENT, EINVAL (not a number, out of range), EPERM (read-only).
    """

    def __init__(self, net: NetNamespace):
        self.net = net
        self._own: dict[Path, str] = {}
        self._gone: set[Path] = set()
        #: (net, family, conf or neigh, device) → its files, copied from `default` when it came.
        self._devices: dict[Path, _DeviceFiles] = {}
        self._watchers: dict[Path, list[Callable[[str], object]]] = {}
        self._numbers_read = _FirstNumbers(self)

    # -- files ------------------------------------------------------------------------------
    def read(self, path: Path) -> str:
        if path in self._own:
            return self._own[path]
        if len(path) == 5:
            files = self._devices.get(path[:4])
            value = files.get(path[4]) if files is not None else None
            if value is not None:
                if path[4] == "stable_secret" and not value:
                    raise KernelError(errno.EIO)  # none was set
                return value
        default = _default_values().get(path)
        if default is None or path in self._gone or not self._visible(path):
            raise KernelError(errno.ENOENT)
        if path[-1] == "stable_secret":
            raise KernelError(errno.EIO)
        return default

    def write(self, path: Path, text: str) -> None:
        name = path[-1]
        if name != "stable_secret":
            self.read(path)
        if name in READ_ONLY and not (name in NETFILTER_LIMITS and self.net is self.net.host.init_net):
            raise KernelError(errno.EACCES)
        value = text.strip()
        if name not in TEXT_FILES:
            value = self._numbers(path, value)
        elif name == "tcp_congestion_control" and value not in CONGESTION_CONTROLS:
            raise KernelError(errno.ENOENT)
        self._store(path, value)
        self._after_write(path, value)

    def listdir(self, path: Path) -> list[str] | None:
        """Names below `path`, sorted, or None where it is no directory."""
        if not self._visible(path):
            return None
        depth = len(path)
        names = set(_default_tree().get(path, ()))
        names.update(known[depth] for known in self._own if len(known) > depth and known[:depth] == path)
        if depth == 4:
            names.update(self._devices[path].names() if path in self._devices else ())
        elif depth < 4:
            names.update(known[depth] for known in self._devices if known[:depth] == path)
        if depth == 1 and not self._visible((*path, "bridge")):
            names.discard("bridge")
        return sorted(names) if names else None

    def get_int(self, *path: str) -> int:
        """The first number in a file."""
        return self._numbers_read[path]

    def watch(self, path: Path, callback: Callable[[str], object]) -> None:
        """Call `callback(value)` after each write to `path`."""
        self._watchers.setdefault(path, []).append(callback)

    def conf(self, family: str, device: str, key: str) -> int:
        """A per-device setting, e.g. ``conf("ipv4", "eth0", "rp_filter")``."""
        return self._numbers_read["net", family, "conf", device, key]

    def neigh(self, family: str, device: str, key: str) -> int:
        """A setting of a device's neighbours, e.g. ``neigh("ipv4", "eth0", "locktime")``."""
        return self._numbers_read["net", family, "neigh", device, key]

    # -- devices ----------------------------------------------------------------------------
    def device_added(self, name: str) -> None:
        self._numbers_read.clear()
        if name == "lo":
            return
        for root in PER_DEVICE:
            # A namespace of its own has no neigh/default: new devices begin with lo's values.
            like = "default" if _files_below((*root, "default")) else "lo"
            first, own = _files_below((*root, like)), {}
            for key in first if self._own else ():
                changed = self._own.get((*root, like, key))
                if changed is not None:
                    own[key] = changed
            self._devices[(*root, name)] = _DeviceFiles(first, own)

    def device_removed(self, name: str) -> None:
        self._numbers_read.clear()
        for root in PER_DEVICE:
            self._devices.pop((*root, name), None)
            for store in (self._own, self._watchers):
                for path in [p for p in store if p[:4] == (*root, name)]:
                    del store[path]  # type: ignore[attr-defined]

    def device_renamed(self, old: str, new: str) -> None:
        self._numbers_read.clear()
        for root in PER_DEVICE:
            files = self._devices.pop((*root, old), None)
            if files is None:  # lo's files are everybody's defaults until it gets another name
                defaults = _files_below((*root, old))
                files = _DeviceFiles({key: self._own.pop((*root, old, key), value) for key, value in defaults.items()})
                self._gone.update((*root, old, key) for key in defaults)
            if files.names():
                self._devices[(*root, new)] = files

    # -- inside -----------------------------------------------------------------------------
    def _visible(self, path: Path) -> bool:
        if path[:2] == ("net", "bridge"):
            return self.net.host.has_bridge_netfilter
        return True

    def _store(self, path: Path, value: str) -> None:
        self._numbers_read.clear()
        files = self._devices.get(path[:4]) if len(path) == 5 else None
        if files is not None:
            files.own[path[4]] = value
        else:
            self._own[path] = value

    def _numbers(self, path: Path, text: str) -> str:
        """proc_dointvec(): whitespace-separated integers; EINVAL for anything else."""
        words = text.split()
        old = self.read(path).split()
        if not words:
            raise KernelError(errno.EINVAL)
        try:
            numbers = [int(word, 8 if word.lstrip("+-")[:1] == "0" and word.isdigit() else 0) for word in words[: max(1, len(old))]]
        except ValueError:
            raise KernelError(errno.EINVAL) from None
        low, high = _range_of(path)
        if any(not low <= number <= high for number in numbers):
            raise KernelError(errno.EINVAL)
        if path[:2] == ("net", "bridge"):
            numbers = [int(number != 0) for number in numbers]  # brnf_sysctl_call_tables()
        if path[-1] == "ip_local_port_range":
            first, last = (*numbers, int(old[-1]))[:2]  # ipv4_local_port_range()
            if not (1 <= first <= last <= 65535 and first >= self.get_int("net", "ipv4", "ip_unprivileged_port_start")):
                raise KernelError(errno.EINVAL)
        if path[-1] == "ip_unprivileged_port_start" and numbers[0] > self.get_int("net", "ipv4", "ip_local_port_range"):
            raise KernelError(errno.EINVAL)
        merged = [str(number) for number in numbers] + old[len(numbers) :]
        return "\t".join(merged)

    def _after_write(self, path: Path, value: str) -> None:
        """The kernel's own reactions, then the watchers'."""
        family, *rest = path[1:]
        if path == ("net", "ipv4", "ip_forward"):
            self._forward_change(value)
        elif family in ("ipv4", "ipv6") and rest[0] == "conf":
            device, key = rest[1], rest[2]
            if key == "forwarding" and device == "all":
                if family == "ipv4":
                    self._set(("net", "ipv4", "ip_forward"), value)
                    self._forward_change(value)
                else:
                    self._copy_everywhere("ipv6", key, value)
            elif key == "disable_ipv6" and device == "all":
                self._copy_everywhere("ipv6", key, value)
        elif family in ("ipv4", "ipv6") and rest[0] == "neigh" and rest[-1].startswith("unres_qlen"):
            # proc_unres_qlen(): one setting, in bytes and in packets of the size of a full frame.
            folder, size = path[:-1], int(value.split()[0])
            if rest[-1] == "unres_qlen":
                self._set((*folder, "unres_qlen_bytes"), str(size * FULL_FRAME))
            else:
                self._set((*folder, "unres_qlen"), str(size // FULL_FRAME))
        for callback in self._watchers.get(path, ()):
            callback(value)
        self.net.sysctl_changed(path, value)

    def _forward_change(self, value: str) -> None:
        """inet_forward_change(): ip_forward is conf/all, and sets every device and default."""
        self._copy_everywhere("ipv4", "forwarding", value)
        self._set(("net", "ipv4", "ip_forward"), value)

    def _copy_everywhere(self, family: str, key: str, value: str) -> None:
        for device in ("all", "default", *self.net.devices):
            self._set(("net", family, "conf", device, key), value)

    def _set(self, path: Path, value: str) -> None:
        self._store(path, value)
        for callback in self._watchers.get(path, ()):
            callback(value)


@lru_cache(1)
def _default_values() -> dict[Path, str]:
    return dict(_defaults())


@lru_cache(1)
def _ranges() -> dict[str, tuple[int, int]]:
    text = text_of("kubenet_course.kernel", "sysctl_ranges.json")
    return {path: (low, high) for path, (low, high) in json.loads(text).items()}


def _range_of(path: Path) -> tuple[int, int]:
    """The least and the largest number a file takes."""
    if len(path) == 5 and path[:3] in PER_DEVICE:
        path = (*path[:3], "*", path[4])
    return _ranges().get("/".join(path), INT)


@lru_cache(64)
def _files_below(root: Path) -> dict[str, str]:
    """File → default value in a directory; not to be changed."""
    return {path[-1]: value for path, value in _defaults() if path[:-1] == root}
