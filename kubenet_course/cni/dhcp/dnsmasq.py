"""The command `dnsmasq`: its options as far as they are about DHCP, and going into the background."""

from __future__ import annotations

from ipaddress import IPv4Address

from kubenet_course.cni import link
from kubenet_course.cni.dhcp.server import DhcpRange, Reservation, Server, Settings
from kubenet_course.cni.netns import Netns
from kubenet_course.errors import KernelError, KubenetError
from kubenet_course.userland.surroundings import Surroundings
from kubenet_course.wire import dhcp

#: Short options and what they are called in full; with a colon where they take a value.
SHORT = {
    "i": "interface:", "F": "dhcp-range:", "G": "dhcp-host:", "O": "dhcp-option:", "l": "dhcp-leasefile:", "p": "port:",
    "z": "bind-interfaces", "d": "no-daemon", "k": "keep-in-foreground", "x": "pid-file:", "C": "conf-file:", "u": "user:",
    "g": "group:", "h": "no-hosts", "R": "no-resolv", "K": "dhcp-authoritative", "5": "no-ping", "8": "log-facility:", "r": "resolv-file:",
}  # fmt: skip
LONG = {name.rstrip(":"): name.endswith(":") for name in SHORT.values()} | {
    "bind-dynamic": False,
    "log-dhcp": False,
    "dhcp-sequential-ip": False,
    "no-poll": False,
    "except-interface": True,
}
#: All of dnsmasq's options, so that those which are not emulated say so.
KNOWN = frozenset(
    """
    add-cpe-id add-mac add-subnet addn-hosts address alias all-servers auth-peer auth-sec-servers auth-server
    auth-soa auth-ttl auth-zone bind-dynamic bind-interfaces bogus-nxdomain bogus-priv bootp-dynamic bridge-
    interface caa-record cache-rr cache-size clear-on-reload cname conf-dir conf-file conf-script connmark-
    allowlist connmark-allowlist-enable conntrack dhcp-alternate-port dhcp-authoritative dhcp-boot dhcp-broadcast
    dhcp-circuitid dhcp-client-update dhcp-duid dhcp-fqdn dhcp-generate-names dhcp-host dhcp-hostsdir dhcp-
    hostsfile dhcp-ignore dhcp-ignore-clid dhcp-ignore-names dhcp-lease-max dhcp-leasefile dhcp-luascript dhcp-mac
    dhcp-match dhcp-name-match dhcp-no-override dhcp-option dhcp-option-force dhcp-optsdir dhcp-optsfile dhcp-
    proxy dhcp-pxe-vendor dhcp-range dhcp-rapid-commit dhcp-relay dhcp-remoteid dhcp-reply-delay dhcp-script dhcp-
    scriptuser dhcp-sequential-ip dhcp-subscrid dhcp-ttl dhcp-userclass dhcp-vendorclass dns-forward-max dns-loop-
    detect dns-rr dnssec dnssec-check-unsigned dnssec-debug dnssec-limits dnssec-no-timecheck dnssec-timestamp
    domain domain-needed dumpfile dumpmask dynamic-host edns-packet-max enable-dbus enable-ra enable-tftp enable-
    ubus except-interface expand-hosts fast-dns-retry filter- filter-rr filterwin2k group help host-record
    hostsdir ignore-address interface interface-name ipset keep-in-foreground leasefile-ro listen-address local
    local-service local-ttl localise-queries localmx log-async log-debug log-dhcp log-facility log-queries max-
    cache-ttl max-port max-tcp-connections max-ttl min-cache-ttl min-port mx-host mx-target naptr-record neg-ttl
    nftset no-daemon no-dhcp-interface no-dhcpv4-interface no-dhcpv6-interface no-hosts no-ident no-negcache no-
    ping no-poll no-resolv no-round-robin pid-file port port-limit proxy-dnssec ptr-record pxe-prompt pxe-service
    query-port quiet-dhcp quiet-dhcp6 quiet-ra quiet-tftp ra-param read-ethers rebind-domain-ok rebind-localhost-
    ok resolv-file rev-server script-arp script-on-renewal selfmx server servers-file shared-network srv-host
    stop-dns-rebind strict-order strip-mac strip-subnet synth-domain tag-if test tftp-lowercase tftp-max tftp-mtu
    tftp-no-blocksize tftp-no-fail tftp-port-range tftp-root tftp-secure tftp-single-port tftp-unique-root trust-
    anchor txt-record umbrella use-stale-cache user version
    """.split()
)
KNOWN_SHORT = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
OPTIONS = {
    "netmask": 1, "router": 3, "dns-server": 6, "domain-name": 15, "mtu": 26, "broadcast": 28, "static-route": 33,
    "ntp-server": 42, "classless-static-route": 121, "domain-search": 119,
}  # fmt: skip
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class UsageError(KubenetError):
    """A command line that cannot be; `status` is dnsmasq's."""

    def __init__(self, text: str, status: int = 1):
        super().__init__(text)
        self.status = status


def parse(argv: list[str]) -> list[tuple[str, str]]:
    """Options and values. Raises UsageError."""
    found = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in KNOWN and name not in LONG:
                raise UsageError(f"kubenet: dnsmasq: option --{name} is not emulated")
            if name not in LONG:
                raise UsageError("dnsmasq: bad command line options: try --help", 1)
            if LONG[name] and not equals:
                if not words and name != "conf-file":
                    raise UsageError("dnsmasq: bad command line options: try --help", 1)
                value = words.pop(0) if words else ""
            found.append((name, value))
        elif word.startswith("-") and len(word) > 1:
            found += _short(word[1:], words)
        else:
            raise UsageError("dnsmasq: junk found in command line", 1)
    return found


def _short(letters: str, words: list[str]) -> list[tuple[str, str]]:
    found = []
    while letters:
        letter, letters = letters[0], letters[1:]
        name = SHORT.get(letter)
        if name is None and letter in KNOWN_SHORT:
            raise UsageError(f"kubenet: dnsmasq: option -{letter} is not emulated")
        if name is None or (name.endswith(":") and not letters and not words):
            raise UsageError("dnsmasq: bad command line options: try --help", 1)
        if name.endswith(":"):
            found.append((name[:-1], letters or words.pop(0)))
            break
        found.append((name, ""))
    return found


def parse_range(text: str) -> DhcpRange:
    """START,END[,NETMASK][,TIME]. Raises UsageError."""
    words = [word for word in text.split(",") if not word.startswith(("set:", "tag:", "interface:"))]
    try:
        start, end = IPv4Address(words[0]), IPv4Address(words[1])
    except (ValueError, IndexError):
        raise UsageError("dnsmasq: bad command line options: bad dhcp-range") from None
    duration = 3600
    for word in words[2:]:
        if word == "infinite":
            duration = 0
        elif word and word[-1] in _UNITS and word[:-1].isdigit():
            duration = max(120, int(word[:-1]) * _UNITS[word[-1]])
        elif word.isdigit():
            duration = max(120, int(word))
        elif word.count(".") != 3:
            raise UsageError("dnsmasq: bad command line options: bad dhcp-range")
    if end < start:
        start, end = end, start
    return DhcpRange(start, end, duration)


def parse_host(text: str) -> Reservation:
    found = Reservation("", None)
    for word in text.split(","):
        if word.count(":") == 5:
            found.mac = word.lower()
        elif word.count(".") == 3:
            try:
                found.address = IPv4Address(word)
            except ValueError:
                raise UsageError("dnsmasq: bad command line options: bad dhcp-host") from None
        elif word and word[-1:] not in _UNITS or word.isalpha():
            found.name = word
    if not found.mac:
        raise UsageError(f"kubenet: dnsmasq: --dhcp-host is emulated with a MAC address: {text}")
    return found


def parse_option(text: str) -> tuple[int, bytes]:
    """[option:]NAME-or-NUMBER,VALUE,…. Raises UsageError."""
    name, *values = [word for word in text.split(",") if not word.startswith(("tag:", "set:"))]
    name = name.removeprefix("option:")
    code = int(name) if name.isdigit() else OPTIONS.get(name, 0)
    if not 0 < code < 255:
        return 0, b""  # dnsmasq takes a name that it does not know, too, and sends nothing
    try:
        if code == OPTIONS["classless-static-route"]:
            return code, _classless(values)
        if code == OPTIONS["mtu"]:
            return code, int(values[0]).to_bytes(2, "big")
        return code, b"".join(IPv4Address(value).packed for value in values)
    except (ValueError, IndexError, OverflowError):
        return code, ",".join(values).encode()


def _classless(values: list[str]) -> bytes:
    data = b""
    for network, gateway in zip(values[::2], values[1::2]):
        address, _, length = network.partition("/")
        size = (int(length) + 7) // 8
        data += bytes([int(length)]) + IPv4Address(address).packed[:size] + IPv4Address(gateway).packed
    return data


def settings_of(options: list[tuple[str, str]]) -> Settings:
    """Raises UsageError."""
    found = Settings()
    given = dict(options)
    if given.get("port") != "0":
        raise UsageError(
            "kubenet: dnsmasq: DNS is not emulated; start it with --port=0 (coredns and resolverd answer names)"
        )
    if given.get("conf-file", "/dev/null") not in ("", "/dev/null"):
        raise UsageError(
            "kubenet: dnsmasq: option --conf-file is not emulated; give the options on the command line"
        )
    for name, value in options:
        if name == "dhcp-range":
            found.ranges.append(parse_range(value))
        elif name == "dhcp-host":
            found.hosts.append(parse_host(value))
        elif name == "dhcp-option":
            code, data = parse_option(value)
            found.options[code] = data
        elif name == "interface":
            found.interfaces += value.split(",")
        elif name == "dhcp-leasefile":
            found.leasefile = value
        elif name == "dhcp-authoritative":
            found.authoritative = True
        elif name == "dhcp-sequential-ip":
            found.sequential = True
    return found


def _duration(seconds: int) -> str:
    """As dnsmasq shows a lease time."""
    if not seconds:
        return "infinite"
    parts = ""
    for unit in "dhms":
        count, seconds = divmod(seconds, _UNITS[unit])
        parts += f"{count}{unit}" if count else ""
    return parts


async def _open(here: Surroundings, server: Server) -> dict[str, object]:
    """A socket for each interface. Raises UsageError."""
    host = Netns(here)
    names = server.settings.interfaces or [
        item.name for item in await link.all_links(host) if item.name != "lo"
    ]
    sockets: dict[str, object] = {}
    for name in names:
        if await link.find(host, name) is None:
            raise UsageError(f"dnsmasq: unknown interface {name}", 2)
        try:
            sockets[name] = await here.net.udp("0.0.0.0", dhcp.SERVER_PORT, device=name)
        except KernelError as failure:
            raise UsageError(f"dnsmasq: failed to bind DHCP server socket: {failure.strerror}", 2) from None
    return sockets


async def main(here: Surroundings, argv: list[str]) -> int:
    """The program: in the background unless told otherwise."""
    try:
        options = parse(argv[1:])
        settings = settings_of(options)
        names = {name for name, _ in options}
        server = Server(here, settings)
        sockets = await _open(here, server) if settings.ranges else {}
        try:
            server.load()
        except KernelError as failure:
            path = settings.leasefile
            raise UsageError(
                f"dnsmasq: cannot open or create lease file {path}: {failure.strerror}", 3
            ) from None
    except UsageError as error:
        text = str(error)
        here.err(f"\n{text}\n" if text.startswith("dnsmasq: ") else f"{text}\n")
        return error.status
    if not names & {"no-daemon", "keep-in-foreground"}:
        for sock in sockets.values():
            sock.close()  # type: ignore[attr-defined]
        here.spawn([argv[0], "--keep-in-foreground", *argv[1:]])
        return 0
    pid_file = dict(options).get("pid-file", "/run/dnsmasq.pid")
    if pid_file and "no-daemon" not in names:
        here.write(pid_file, f"{here.pid}\n")
    if "no-daemon" in names:
        here.err("dnsmasq: started, version 2.90 DNS disabled\n")
    for item in settings.ranges:
        server.log(f"DHCP, IP range {item.start} -- {item.end}, lease time {_duration(item.duration)}")
    if names & {"bind-interfaces", "bind-dynamic"}:
        for name in sockets:
            server.log(f"DHCP, sockets bound exclusively to interface {name}")
    for name, sock in sockets.items():
        here.net.spawn(server.serve(name, sock))  # type: ignore[arg-type]
    await here.signalled(2, 15)
    if "no-daemon" in names:
        here.err("dnsmasq: exiting on receipt of SIGTERM\n")
    if pid_file and here.exists(pid_file):
        here.remove(pid_file)
    return 0
