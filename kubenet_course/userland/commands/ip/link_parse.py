"""The words of ``ip link add``, ``set`` and ``delete`` (ip/iplink.c: iplink_parse())."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from kubenet_course.kernel.rtnetlink import LinkRequest
from kubenet_course.userland.commands.ip.kinds._options import on_or_off
from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    bad_altname,
    bad_ifname,
    c_number,
    duparg,
    duparg2,
    invarg,
    matches,
    on_off,
    parse_ipv4,
    unsupported,
)

KINDS = "kubenet_course.userland.commands.ip.kinds"
ADDRGEN_MODES = ("eui64", "none", "stable_secret", "random")
UNSUPPORTED = ("parentdev", "protodown_reason")
XDP = ("xdp", "xdpgeneric", "xdpdrv", "xdpoffload")
OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")
#: Kinds with options that iproute2 knows and this kernel does not.
ABSENT_KINDS = frozenset(
    {
        "amt", "bareudp", "batadv", "bond", "can", "dsa", "geneve", "gtp", "hsr", "ip6erspan", "ip6gre", "ip6gretap",
        "ip6tnl", "ipoib", "lowpan", "macsec", "netdevsim", "rmnet", "team", "vti", "vti6", "wwan", "xfrm",
    }
)  # fmt: skip


def kind_module(kind: str) -> ModuleType | None:
    """iproute2's file for a kind, None where it takes no options."""
    if not kind.isidentifier() or kind.startswith("_") or find_spec(f"{KINDS}.{kind}") is None:
        return None
    return import_module(f"{KINDS}.{kind}")


def ll_addr(text: str) -> bytes:
    """ll_addr_a2n(): colon-separated hexadecimal bytes, or a dotted quad."""
    if "." in text:
        quad = parse_ipv4(text)
        if quad is None:
            raise Quit(1, f'"{text}" is invalid lladdr.\n')
        return quad.encode()
    found = bytearray()
    for part in text.split(":"):
        value = c_number(part, 16)
        if value is None or not 0 <= value <= 255:
            raise Quit(1, f'"{part}" is invalid lladdr.\n')
        found.append(value)
    return bytes(found)


class LinkWords:
    """Reads the words into `request`; `dev` is the device named, `kind_words` what follows ``type KIND``.

    `peer`: these are the words after ``veth peer``; they end with the line.
    """

    def __init__(self, session: Session, peer: bool = False, create: bool = False):
        self.session = session
        self.peer = peer
        self.create = create
        self.request = LinkRequest()
        self.name: str | None = None
        self.dev: str | None = None
        self.link: str | None = None
        self.type: str | None = None
        self.numbers: dict[str, int] = {}

    # -- the loop ---------------------------------------------------------------------------
    def parse(self, words: Words) -> None:
        while words.more:
            word = words.take()
            if word in ("up", "down"):
                self.request.flags["UP"] = word == "up"
                continue
            handler = self._handler(word)
            if handler is not None:
                handler(self, words)
                if self.type is not None:
                    break
                continue
            if word in UNSUPPORTED:
                unsupported(f"ip link: {word}")
            if matches(word, "help"):
                self.session.usage("link")
            if word == "dev":
                word = words.value()
            if self.dev is not None:
                duparg2("dev", word)
            if bad_altname(word):
                invarg('"dev" not a valid ifname', word)
            self.dev = word
        self._finish()

    def _handler(self, word: str) -> Callable[[LinkWords, Words], None] | None:
        for full, abbreviated, handler in HANDLERS:
            if word == full or (abbreviated and matches(word, full)):
                return handler
        return None

    def _finish(self) -> None:
        if self.name is None:
            self.name = self.dev
        elif self.dev is None:
            self.dev = self.name
        request = self.request
        if self.peer:
            request.name = self.name
            if self.link is not None:
                request.link = self.session.device(self.link)
            return
        if self.dev is not None and request.mac is not None:
            dev = self.session.find(self.dev)
            if dev is not None and len(request.mac) != 6 and not self.create:
                raise Quit(1, f"Invalid address length {len(request.mac)} - must be 6 bytes\n")

    # -- single words -----------------------------------------------------------------------
    def _name(self, words: Words) -> None:
        word = words.value()
        if self.name is not None:
            duparg("name", word)
        if bad_ifname(word):
            invarg('"name" not a valid ifname', word)
        self.name = word

    def _index(self, words: Words) -> None:
        word = words.value()
        if self.request.index:
            duparg("index", word)
        self.request.index = c_number(word, 10) or 0
        if self.request.index <= 0:
            invarg('Invalid "index" value', word)

    def _link(self, words: Words) -> None:
        self.link = words.value()
        self.request.link_given = True

    def _address(self, words: Words) -> None:
        self.request.mac = ll_addr(words.value())

    def _broadcast(self, words: Words) -> None:
        self.request.broadcast = ll_addr(words.value())

    def _integer(self, words: Words, key: str, newline: str = "\n") -> int:
        word = words.value()
        if key in self.numbers:
            duparg(key, word)
        value = c_number(word)
        if value is None or not -0x80000000 <= value <= 0x7FFFFFFF:
            invarg(f'Invalid "{key}" value{newline}', word)
        self.numbers[key] = value
        return value

    def _qlen(self, words: Words) -> None:
        self.request.qlen = self._integer(words, "txqueuelen") & 0xFFFFFFFF

    def _mtu(self, words: Words) -> None:
        self.request.mtu = self._integer(words, "mtu") & 0xFFFFFFFF

    def _netns(self, words: Words) -> None:
        word = words.value()
        if self.request.net is not None:
            duparg("netns", word)
        net = self.session.netns_named(word)
        if net is None:
            pid = c_number(word)
            if pid is None:
                invarg('Invalid "netns" value\n', word)
            process = self.session.proc.pidns.members.get(pid)
            if process is None:
                raise Quit(2, "RTNETLINK answers: No such process\n")
            net = process.net
        self.request.net = net

    def _flag(self, words: Words, key: str, flag: str, invert: bool = False) -> None:
        self.request.flags[flag] = on_off(key, words.value()) != invert

    def _carrier(self, words: Words) -> None:
        self.request.carrier = on_or_off("carrier", words.value(), 22)

    def _protodown(self, words: Words) -> None:
        self.request.protodown = on_or_off("protodown", words.value(), 22)

    def _trailers(self, words: Words) -> None:
        self.request.flags["NOTRAILERS"] = not on_off("trailers", words.value())

    def _master(self, words: Words) -> None:
        word = words.value()
        self.request.master = self.session.find(word)
        if self.request.master is None:
            invarg("Device does not exist\n", word)

    def _vrf(self, words: Words) -> None:
        word = words.value()
        dev = self.session.find(word)
        if dev is None or dev.kind != "vrf":
            invarg("Not a valid VRF name\n", word)
        self.request.master = dev

    def _nomaster(self, words: Words) -> None:
        self.request.nomaster = True

    def _type(self, words: Words) -> None:
        self.type = words.value()

    def _alias(self, words: Words) -> None:
        word = words.value()
        if len(word) >= 256:
            invarg("alias too long\n", word)
        self.request.alias = word

    def _group(self, words: Words) -> None:
        word = words.value()
        if self.request.group is not None:
            duparg("group", word)
        self.request.group = self.session.tables.number("group", word)
        if self.request.group is None:
            invarg('Invalid "group" value\n', word)

    def _mode(self, words: Words) -> None:
        word = words.value()
        if word not in ("default", "dormant"):
            invarg("Invalid link mode\n", word)
        self.request.mode = word.upper()

    def _numtxqueues(self, words: Words) -> None:
        self.request.queues = (self._integer(words, "numtxqueues"), self.request.queues[1])

    def _numrxqueues(self, words: Words) -> None:
        self.request.queues = (self.request.queues[0], self._integer(words, "numrxqueues"))

    def _addrgenmode(self, words: Words) -> None:
        word = words.value()
        if word not in ADDRGEN_MODES:
            invarg("Invalid address generation mode\n", word)
        self.request.addrgenmode = word

    def _state(self, words: Words) -> None:
        word = words.value()
        if word not in OPERSTATES:
            invarg("Invalid operstate\n", word)
        self.request.operstate = word.upper()

    def _vf(self, words: Words) -> None:
        """Virtual functions of an adapter: no device here has any."""
        words.value()
        words.rest()
        self.request.vf = True

    def _xdp(self, words: Words) -> None:
        word = words.value()
        if word not in ("off", "none"):
            unsupported("ip link: a program for xdp")

    def _size(self, words: Words, key: str) -> None:
        word = words.value()
        value = c_number(word)
        if value is None or not 0 <= value <= 0xFFFFFFFF:
            invarg(f'Invalid "{key}" value\n', word)
        self.request.sizes[key] = value

    def _link_netns(self, words: Words) -> None:
        unsupported(f"ip link: link-netns {words.value()}")

    # -- the kind ---------------------------------------------------------------------------
    def parse_kind(self, words: Words) -> None:
        """What follows ``type KIND``."""
        kind = self.type
        assert kind is not None
        module = kind_module(kind)
        slave = kind.endswith("_slave")
        if slave:
            self.request.port_kind = kind
        else:
            self.request.kind = kind
        if not words.more:
            return
        if module is None:
            word = words.take()
            if matches(word, "help"):
                self.session.usage("link")
            if kind in ABSENT_KINDS:
                words.rest()
                return
            raise Quit(1, f'Garbage instead of arguments "{word} ...". Try "ip link help".\n')
        data = module.parse(words, self.session)
        if slave:
            self.request.port_data = data
        else:
            self.request.kind_data = data


def kind_help(kind: str) -> str | None:
    """The text of ``ip link help KIND``, None for an unknown kind."""
    try:
        return usage_text("ip", f"link {kind}")
    except KeyError:
        return None


def _flags(key: str, flag: str, invert: bool = False) -> Callable[[LinkWords, Words], None]:
    return lambda self, words: self._flag(words, key, flag, invert)


def _sizes(key: str) -> Callable[[LinkWords, Words], None]:
    return lambda self, words: self._size(words, key)


#: (word, may be abbreviated, method), asked in iproute2's order.
HANDLERS: tuple[tuple[str, bool, Callable[[LinkWords, Words], None]], ...] = (
    ("name", False, LinkWords._name),
    ("index", False, LinkWords._index),
    ("link", True, LinkWords._link),
    ("address", True, LinkWords._address),
    ("broadcast", True, LinkWords._broadcast),
    ("brd", False, LinkWords._broadcast),
    ("txqueuelen", True, LinkWords._qlen),
    ("qlen", False, LinkWords._qlen),
    ("txqlen", True, LinkWords._qlen),
    ("mtu", False, LinkWords._mtu),
    ("netns", False, LinkWords._netns),
    ("multicast", False, _flags("multicast", "MULTICAST")),
    ("allmulticast", False, _flags("allmulticast", "ALLMULTI")),
    ("promisc", False, _flags("promisc", "PROMISC")),
    ("trailers", False, LinkWords._trailers),
    ("arp", False, _flags("arp", "NOARP", True)),
    ("carrier", False, LinkWords._carrier),
    ("master", True, LinkWords._master),
    ("vrf", False, LinkWords._vrf),
    ("nomaster", True, LinkWords._nomaster),
    ("dynamic", True, _flags("dynamic", "DYNAMIC")),
    ("type", True, LinkWords._type),
    ("alias", True, LinkWords._alias),
    ("group", False, LinkWords._group),
    ("mode", False, LinkWords._mode),
    ("numtxqueues", True, LinkWords._numtxqueues),
    ("numrxqueues", True, LinkWords._numrxqueues),
    ("state", True, LinkWords._state),
    ("vf", False, LinkWords._vf),
    *((word, False, LinkWords._xdp) for word in XDP),
    ("addrgenmode", True, LinkWords._addrgenmode),
    ("link-netnsid", True, LinkWords._link_netns),
    ("link-netns", True, LinkWords._link_netns),
    ("protodown", True, LinkWords._protodown),
    ("gso_max_size", False, _sizes("gso_max_size")),
    ("gso_max_segs", False, _sizes("gso_max_segs")),
    ("gro_max_size", False, _sizes("gro_max_size")),
)
