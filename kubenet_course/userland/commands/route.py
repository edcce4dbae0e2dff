"""route: the routing table as net-tools 2.10 shows and changes it (superseded by `ip route`)."""

from __future__ import annotations

import re

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import fib, fib_semantics
from kubenet_course.userland import resolver
from kubenet_course.userland.inet6_routes import change as change6
from kubenet_course.userland.inet6_routes import print_routes6
from kubenet_course.userland.inet_routes import print_routes
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Process
from kubenet_course.wire.addresses import IPv4Address, IPv6Address, Network, prefix_mask

LONG = {
    "extend": "e", "verbose": "v", "version": "V", "numeric": "n", "symbolic": "N", "protocol=": "A", "cache": "C", "fib": "F",
    "help": "h", "inet": "4", "inet6": "6",
}  # fmt: skip
USAGE = """Usage: route [-nNvee] [-FC] [<AF>]           List kernel routing tables
       route [-v] [-FC] {add|del|flush} ...  Modify routing table for AF.

       route {-h|--help} [<AF>]              Detailed usage syntax for specified AF.
       route {-V|--version}                  Display version/author and exit.

        -v, --verbose            be verbose
        -n, --numeric            don't resolve names
        -e, --extend             display other/more information
        -F, --fib                display Forwarding Information Base (default)
        -C, --cache              display routing cache instead of FIB

  <AF>=Use -4, -6, '-A <af>' or '--<af>'; default: inet
  List of possible address families (which support routing):"""
FAMILIES = """    inet (DARPA Internet) inet6 (IPv6) ax25 (AMPR AX.25) 
    netrom (AMPR NET/ROM) rose (AMPR ROSE) ipx (Novell IPX) 
    ddp (Appletalk DDP) x25 (CCITT X.25) """
SYNTAX = """Usage: inet_route [-vF] del {-host|-net} Target[/prefix] [gw Gw] [metric M] [[dev] If]
       inet_route [-vF] add {-host|-net} Target[/prefix] [gw Gw] [metric M]
                              [netmask N] [mss Mss] [window W] [irtt I]
                              [mod] [dyn] [reinstate] [[dev] If]
       inet_route [-vF] add {-host|-net} Target[/prefix] [metric M] reject
       inet_route [-FC] flush      NOT supported"""
SYNTAX6 = """Usage: inet6_route [-vF] del Target
       inet6_route [-vF] add Target [gw Gw] [metric M] [[dev] If]
       inet6_route [-FC] flush      NOT supported"""
VERSION = """net-tools 2.10
+NEW_ADDRT +RTF_IRTT +RTF_REJECT +I18N +SELINUX
AF: (inet) +UNIX +INET +INET6 +IPX +AX25 +NETROM +X25 +ATALK +ECONET +ROSE -BLUETOOTH
HW:  +ETHER +ARC +SLIP +PPP +TUNNEL -TR +AX25 +NETROM +X25 +FR +ROSE +ASH +SIT +FDDI +HIPPI +HDLC/LAPB +EUI64 """
E_USAGE, E_LOOKUP, E_SOCK = 3, 6, 7


class Refused(Exception):
    """Ends with `status` after `message`; `usage` prints the syntax as well."""

    def __init__(self, status: int, message: str = "", *, usage: bool = False):
        super().__init__(message)
        self.status = status
        self.usage = usage


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    front = []
    while words and words[0].startswith("-") and words[0] not in ("-net", "-host"):
        front.append(words.pop(0))
        if front[-1] in ("-A", "--protocol") and words:
            front.append(words.pop(0))
    try:
        options, _ = parse([argv[0], *front], "A:eCFhnN64Vv?", LONG)
    except OptionError as error:
        proc.error(f"route: {error.message}")
        proc.print(USAGE)
        proc.error(FAMILIES)
        return 0
    letters = [letter for letter, _ in options]
    family = dict(options).get("A", "inet6" if "6" in letters else "inet")
    if "V" in letters:
        proc.print(VERSION)
        return 0
    if "h" in letters or "?" in letters:
        proc.print(USAGE)
        proc.error(FAMILIES)
        return 0
    if family not in ("inet", "inet6"):
        proc.error(f"Unknown address family `{family}'.")
        return 1
    if family == "inet6" and not words:
        return await print_routes6(proc, numeric="n" in letters)
    if not words:
        if "C" in letters:
            proc.print("Kernel IP routing cache")
            proc.print("Source          Destination     Gateway         Flags Metric Ref    Use Iface")
            return 0
        status = await print_routes(proc, numeric="n" in letters, extended=min(letters.count("e"), 2))
        # Before a namespace's first address there are no tables, /proc/net/route has not even its heading,
        # and route ends with 1.
        return status if proc.net.ipv4.tables[fib.RT_TABLE_LOCAL] else 1
    return await _change(proc, words, family)


async def _change(proc: Process, words: list[str], family: str) -> int:
    action, *rest = words
    if action not in ("add", "del", "flush"):
        proc.error(USAGE + "\n" + FAMILIES)
        return E_USAGE
    if action == "flush":
        proc.error("Flushing `inet' routing table not supported\n" + SYNTAX)
        return E_USAGE
    syntax = SYNTAX if family == "inet" else SYNTAX6
    if not rest:
        proc.print(syntax)
        return 0
    try:
        await (_set if family == "inet" else _set6)(proc, action, rest)
    except Refused as refused:
        if str(refused):
            proc.error(str(refused))
        if refused.usage:
            proc.error(syntax)
        return refused.status
    return 0


async def _set(proc: Process, action: str, words: list[str]) -> None:
    """INET_setroute(): read the words, then SIOCADDRT or SIOCDELRT."""
    kind = ""
    if words[0] in ("-net", "-host"):
        kind = words.pop(0)[1:]
    if not words:
        raise Refused(E_USAGE, usage=True)
    target = words.pop(0)
    text, slash, length = target.partition("/")
    address, is_network = (IPv4Address(0), True) if target == "default" else await _resolve(proc, text, kind != "host")
    prefixlen = 32
    if slash:
        if not length.isdigit() or int(length) > 32:
            raise Refused(E_USAGE, "route: netmask doesn't match route address", usage=True)
        prefixlen = int(length)
    elif target == "default":
        prefixlen = 0
    network = kind == "net" or (kind == "" and (is_network or bool(slash)))
    asked = await _options(proc, words)
    if "netmask" in asked:
        if slash:
            raise Refused(E_USAGE, "route: bogus netmask " + str(asked["netmask"]), usage=True)
        prefixlen = _length(asked["netmask"])
    elif network and not slash and target != "default":
        prefixlen = _class_length(int(address))
    if kind == "host":
        prefixlen = 32
    if int(address) & ~prefix_mask(32, prefixlen) & 0xFFFFFFFF:
        if slash or "netmask" in asked:
            raise Refused(E_USAGE, "route: netmask doesn't match route address", usage=True)
        raise Refused(E_SOCK, f"SIOC{action.upper()}RT: Invalid argument")
    _apply(proc, action, Network(address, prefixlen), asked)


async def _options(proc: Process, words: list[str]) -> dict[str, object]:
    """What follows the target: gw, metric, netmask, dev, … and a bare device name."""
    asked: dict[str, object] = {}
    while words:
        word = words.pop(0)
        if word in ("mod", "dyn", "reinstate"):
            continue
        if word == "reject":
            asked["reject"] = True
            continue
        if word in ("gw", "gateway", "metric", "netmask", "mss", "window", "irtt", "dev", "device"):
            if not words:
                raise Refused(E_USAGE, usage=True)
            value = words.pop(0)
            if word in ("gw", "gateway"):
                asked["gw"] = (await _resolve(proc, value, False))[0]
            elif word == "netmask":
                asked["netmask"] = (await _resolve(proc, value, False))[0]
            elif word in ("dev", "device"):
                asked["dev"] = value
            elif not (value.isascii() and value.isdigit()) or len(value) > 9:
                raise Refused(E_USAGE, usage=True)
            else:
                asked[word] = _in_range(word, int(value))
        elif "dev" not in asked:
            asked["dev"] = word
            if words:
                raise Refused(E_USAGE, usage=True)
        else:
            raise Refused(E_USAGE, usage=True)
    return asked


def _in_range(word: str, value: int) -> int:
    """INET_setroute() refuses windows and segment sizes that no TCP could use."""
    if word == "window" and not 120 <= value <= 16384:
        raise Refused(E_USAGE, "route: Invalid window.", usage=True)
    if word == "mss" and not 64 <= value <= 65536:
        raise Refused(E_USAGE, "route: Invalid MSS/MTU.", usage=True)
    if word == "irtt" and not 10 <= value <= 120_000:
        raise Refused(E_USAGE, "route: Invalid initial rtt.", usage=True)
    return value


async def _resolve(proc: Process, text: str, network: bool) -> tuple[IPv4Address, bool]:
    """(address, whether it is a network): numbers, else a host's name."""
    parts = text.split(".")
    if re.fullmatch(r"\d+(\.\d+){0,3}", text) and all(int(part) < 256 for part in parts):
        full = IPv4Address.parse(".".join([*parts, *["0"] * (4 - len(parts))]))
        return full, network and int(full) & 0xFF == 0
    try:
        found = await resolver.getaddrinfo(proc, text, 4)
    except resolver.ResolverError as error:
        # INET_resolve() asks for networks first: then it is that look-up's error which is told.
        why = resolver.host_error_text(error) if network and not text[:1].isdigit() else "Unknown host"
        raise Refused(E_LOOKUP, f"{text}: {why}") from None
    return found[0].address, False  # type: ignore[return-value]


def _length(mask: object) -> int:
    """A netmask's prefix length; Refused where its bits have gaps."""
    value = int(mask)  # type: ignore[call-overload]
    length = value.bit_count()
    if prefix_mask(32, length) != value:
        raise Refused(E_USAGE, f"route: bogus netmask {mask}", usage=True)
    return length


def _class_length(address: int) -> int:
    """The classes of old: the shortest of /8, /16, /24 that fits a network given without a mask."""
    for bits, length in ((0x80000000, 8), (0x40000000, 16), (0x20000000, 24)):
        if not address & bits:
            return length
    return 32


def _apply(proc: Process, action: str, prefix: Network, asked: dict[str, object]) -> None:
    """rtentry_to_fib_config(), then the kernel's word."""
    call = "SIOCADDRT" if action == "add" else "SIOCDELRT"
    net = proc.net
    gateway = asked.get("gw")
    hop = fib.NextHop(gateway=gateway)  # type: ignore[arg-type]
    metric = max(int(asked.get("metric", 0)) , 0)  # type: ignore[call-overload]
    route = fib.FibRoute(prefix, protocol=fib.RTPROT_BOOT, metric=metric)
    fields = {"metric"} if metric else set()
    try:
        if "dev" in asked:
            hop.dev = net.device(str(asked["dev"]))
        if asked.get("reject"):
            route.type, route.scope = fib.UNREACHABLE, fib.RT_SCOPE_HOST
        else:
            if action == "add" and gateway is None and hop.dev is None:
                raise KernelError(errno.ENODEV)
            route.nexthops = [hop]
            route.scope = fib.RT_SCOPE_UNIVERSE if gateway is not None else fib.RT_SCOPE_LINK
            if hop.dev is not None or gateway is not None:
                fields.add("nexthops")
        for word, name, scale in (("mss", "advmss", 1), ("window", "window", 1), ("irtt", "rtt", 8)):
            if word in asked:
                route.metrics[name] = int(asked[word]) * scale - (40 if word == "mss" else 0)  # type: ignore[call-overload]
        if action == "add":
            fib_semantics.route_add(net, route, excl=False)
        else:
            fib_semantics.route_delete(net, route, fields)
    except KernelError as error:
        raise Refused(E_SOCK, f"{call}: {error.strerror}") from None


async def _set6(proc: Process, action: str, words: list[str]) -> None:
    """INET6_setroute(): a target, then gw, metric, dev."""
    target, *rest = words
    text, slash, length = target.partition("/")
    if slash and not (length.isascii() and length.isdigit() and int(length[:4]) <= 128):
        raise Refused(E_USAGE, usage=True)
    address = IPv6Address(0) if target == "default" else await _resolve6(proc, text)
    prefixlen = int(length) if slash else 0 if target == "default" else 128
    gateway: IPv6Address | None = None
    metric, device = 0, ""
    while rest:
        word = rest.pop(0)
        if word in ("metric", "gw", "gateway", "dev", "device"):
            if not rest:
                raise Refused(E_USAGE, usage=True)
            value = rest.pop(0)
            if word == "metric":
                if not (value.isascii() and value.isdigit()) or len(value) > 9:
                    raise Refused(E_USAGE, usage=True)
                metric = int(value)
            elif word in ("gw", "gateway"):
                gateway = await _resolve6(proc, value)
            else:
                device = value
        elif word not in ("mod", "dyn") and not device:
            device = word
        elif word not in ("mod", "dyn"):
            raise Refused(E_USAGE, usage=True)
    try:
        change6(proc, action, Network.of(address, prefixlen), gateway, metric, device)
    except KernelError as error:
        raise Refused(E_SOCK, f"SIOC{action.upper()}RT: {error.strerror}") from None


async def _resolve6(proc: Process, text: str) -> IPv6Address:
    try:
        found = await resolver.getaddrinfo(proc, text, 6)
    except resolver.ResolverError as error:
        raise Refused(1, f"getaddrinfo: {text}: {error.code}") from None
    return found[0].address  # type: ignore[return-value]
