"""One run of `ip` or `bridge`: its options, its network namespace, and how it speaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from kubenet_course.errors import KernelError
from kubenet_course.registry import text_of
from kubenet_course.userland.commands.ip.printer import Printer
from kubenet_course.userland.commands.ip.tables import NameTables
from kubenet_course.userland.commands.ip.words import Quit
from kubenet_course.userland.files import Directory, NetnsFile

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.userland.process import Process

NETNS_DIR = "/run/netns"


@dataclass
class Options:
    """The global options. `family`: 0 any, 4, 6, or "link" (-0), "bridge" (-B), "mpls" (-M)."""

    family: Any = 0
    stats: int = 0
    details: int = 0
    resolve: bool = False
    oneline: bool = False
    brief: bool = False
    json: bool = False
    pretty: bool = False
    human: bool = False
    iec: bool = False
    numeric: bool = False
    all: bool = False
    color: bool = False
    force: bool = False
    timestamp: int = 0
    compress: bool = False
    loops: int = 10
    batch: str | None = None


class Session:
    """Mutable only in `net`, which ``-n`` and a batch may change."""

    def __init__(self, proc: Process, options: Options, package: str = "ip"):
        self.proc = proc
        self.options = options
        self.package = package
        self.net: NetNamespace = proc.net
        #: ``link show`` came before in this batch: ``addr show`` then shows links, as in the original.
        self.links_only = False
        #: ``ip link set``: a kind's options change a device instead of making one.
        self.changing = False
        self.tables = NameTables(proc.files, options.numeric)

    # -- output -----------------------------------------------------------------------------
    @contextmanager
    def output(self) -> Iterator[Printer]:
        """A printer whose text reaches standard output at the end, also after a failure."""
        options = self.options
        out = Printer(json=options.json, pretty=options.pretty, oneline=options.oneline, color=options.color)
        try:
            yield out
        finally:
            self.proc.stdout.write(out.done().encode("utf-8", "surrogateescape"))

    def usage(self, what: str, status: int = 255) -> NoReturn:
        """Print a usage text to standard error and leave."""
        raise Quit(status, usage_text(self.package, what))

    def rtnl_error(self, failure: KernelError) -> str:
        """What iproute2 says when the kernel refuses."""
        if failure.extack:
            return f"Error: {failure.extack}{'' if failure.extack.endswith('.') else '.'}\n"
        return f"RTNETLINK answers: {failure.strerror}\n"

    # -- devices ----------------------------------------------------------------------------
    def find(self, name: str) -> NetDevice | None:
        """ll_name_to_index(): by name, alternative name or ``if7``."""
        return find_device(self.net, name)

    def device(self, name: str) -> NetDevice:
        """By name, or the complaint of nodev()."""
        dev = self.find(name)
        if dev is None:
            raise Quit(1, f'Cannot find device "{name}"\n')
        return dev

    def name_of(self, index: int) -> str:
        """ll_index_to_name()."""
        dev = self.net.by_index.get(index)
        return dev.name if dev is not None else f"if{index}"

    # -- network namespaces -----------------------------------------------------------------
    def netns_names(self) -> list[str]:
        """The newest first, as a tmpfs lists them."""
        files = self.proc.files
        if not files.isdir(NETNS_DIR):
            return []
        folder = files.node(NETNS_DIR)
        assert isinstance(folder, Directory)
        return [name for name in reversed(folder.entries) if not name.startswith(".")]

    def netns_named(self, name: str) -> NetNamespace | None:
        """The namespace that /run/netns/NAME stands for (or a path with a slash)."""
        path = name if "/" in name else f"{NETNS_DIR}/{name}"
        try:
            node = self.proc.files.node(path, self.proc.cwd, self.proc)
        except KernelError:
            return None
        return node.net if isinstance(node, NetnsFile) else None

    def netns_name_of(self, net: NetNamespace) -> str | None:
        for name in self.netns_names():
            if self.netns_named(name) is net:
                return name
        return None

    def switch(self, name: str) -> None:
        """netns_switch(): Quit(255) where it cannot be opened."""
        path = name if "/" in name else f"{NETNS_DIR}/{name}"
        try:
            node = self.proc.files.node(path, self.proc.cwd, self.proc)
        except KernelError as failure:
            raise Quit(255, f'Cannot open network namespace "{name}": {failure.strerror}\n') from None
        if not isinstance(node, NetnsFile):
            raise Quit(255, f'setting the network namespace "{name}" failed: Invalid argument\n')
        self.net = node.net


def find_device(net: NetNamespace, name: str) -> NetDevice | None:
    dev = net.devices.get(name)
    if dev is None:
        dev = next((other for other in net.devices.values() if name in other.altnames), None)
    if dev is None and name.startswith("if") and name[2:].isdigit():
        dev = net.by_index.get(int(name[2:]))
    return dev


@lru_cache(4)
def _usages(package: str) -> dict[str, str]:
    return json.loads(text_of(f"kubenet_course.userland.commands.{package}", "usage.json"))


def usage_text(package: str, what: str) -> str:
    return _usages(package)[what]
