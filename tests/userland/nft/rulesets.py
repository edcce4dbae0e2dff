"""Random rulesets of nft: `ruleset(seed)` gives a file for `nft -f`, the same for the same seed.

Made of what nft(8) has; now and then a rule is one that nft refuses, and then nothing of the file may be there.
"""

from __future__ import annotations

import random

PORTS = ["22", "80", "443", "53", "8080", "1024", "65535", "ssh", "http"]
V4 = ["1.1.1.1", "10.0.0.1", "10.0.0.2", "192.168.1.10", "172.16.5.4", "8.8.8.8", "224.0.0.1", "255.255.255.255"]
V4_PREFIXES = ["10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "10.1.2.3/24", "0.0.0.0/1", "1.1.1.1/32"]
V6 = ["::1", "fe80::1", "2001:db8::5", "fd00:1:2::3"]
V6_PREFIXES = ["fe80::/10", "2001:db8::/32", "fd00::1/64"]
NAMES = ['"lo"', '"eth0"', '"eth1"', '"veth*"', "br0"]
STATES = ["new", "established", "related", "invalid", "untracked"]
FLAGS = ["fin", "syn", "rst", "psh", "ack", "urg"]
ICMP = ["echo-request", "echo-reply", "destination-unreachable", "time-exceeded", "8", "redirect"]
ICMP6 = ["echo-request", "nd-neighbor-solicit", "nd-router-advert", "packet-too-big", "136"]
PROTOCOLS = ["tcp", "udp", "icmp", "6", "17", "gre", "50"]


class Maker:
    """One ruleset's random choices."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.family = self.pick(["ip", "ip6", "inet", "inet", "ip"])
        self.chains: list[str] = []
        #: Of the rule that is made.
        self.protocol = "tcp"
        self.sets: dict[str, list[str]] = {"addr": [], "port": [], "pair": [], "verdict": []}

    def pick(self, options: list[str]) -> str:
        return self.random.choice(options)

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def some(self, options: list[str], most: int = 4) -> list[str]:
        return self.random.sample(options, self.random.randint(1, min(most, len(options))))

    # -- values -----------------------------------------------------------------------------
    @property
    def six(self) -> bool:
        return self.family == "ip6" or self.family == "inet" and self.chance(0.3)

    def address(self, six: bool) -> str:
        return self.pick(V6 if six else V4)

    def prefix(self, six: bool) -> str:
        return self.pick(V6_PREFIXES if six else V4_PREFIXES)

    def span(self, low: int, high: int) -> str:
        first = self.random.randint(low, high - 1)
        return f"{first}-{self.random.randint(first + 1, high)}"

    def mark(self) -> str:
        return self.pick(["0x1", "16", "0xff00", "0x4000", "255"])

    def values(self, one: list[str], ranges: list[str]) -> str:
        """One value, a range or prefix, another than it, or a set."""
        shape = self.random.randrange(8)
        if shape < 3:
            return self.pick(one)
        if shape == 3:
            return self.pick(ranges) if ranges else self.pick(one)
        if shape == 4:
            return "!= " + self.pick(one)
        members = self.some(one)
        if ranges and self.chance(0.4):
            members.append(self.pick(ranges))
            self.random.shuffle(members)
        return f"{'!= ' if self.chance(0.2) else ''}{{ {', '.join(members)} }}"

    # -- matches ----------------------------------------------------------------------------
    def match(self) -> str:
        return self.random.choice([
            self._address, self._address, self._port, self._port, self._interface, self._state, self._mark, self._protocol,
            self._icmp, self._flags, self._meta, self._ip_field, self._concat, self._set, self._number, self._fib, self._ct,
        ])()  # fmt: skip

    def _address(self) -> str:
        six = self.six
        addresses, prefixes = (V6, V6_PREFIXES) if six else (V4, [*V4_PREFIXES, "10.0.0.5-10.0.0.9"])
        return f"{'ip6' if six else 'ip'} {self.pick(['saddr', 'daddr'])} {self.values(addresses, prefixes)}"

    def _port(self) -> str:
        if self.protocol not in ("tcp", "udp"):
            return self._meta()
        return f"{self.protocol} {self.pick(['sport', 'dport'])} {self.values(PORTS, [self.span(1, 9000)])}"

    def _interface(self) -> str:
        return f"{self.pick(['iifname', 'oifname', 'meta iifname'])} {self.values(NAMES, [])}"

    def _state(self) -> str:
        words = self.some(STATES, 3)
        shape = self.random.randrange(5)
        if shape == 0:
            return f"ct state {{ {', '.join(words)} }}"
        if shape == 1:
            return f"ct state != {words[0]}"
        if shape == 2:
            return f"ct state & ({' | '.join(words)}) {self.pick(['==', '!='])} {self.pick([words[0], '0'])}"
        return f"ct state {','.join(words)}"

    def _mark(self) -> str:
        what = self.pick(["meta mark", "mark", "ct mark"])
        shape = self.random.randrange(4)
        if shape == 0:
            return f"{what} {self.pick(['and', '&'])} {self.mark()} {self.pick(['==', '!=', 'eq'])} {self.mark()}"
        if shape == 1:
            return f"{what} {self.pick(['>', '<', '>=', '!='])} {self.mark()}"
        return f"{what} {self.values(['0x1', '16', '0x4000', '0xff'], ['1-5', '0x10-0x20'])}"

    def _protocol(self) -> str:
        if self.chance(0.9):
            return f"meta l4proto {self.protocol}"
        left = "meta l4proto"
        if self.family == "ip" and self.chance(0.5):
            left = "ip protocol"
        elif self.family == "ip6" and self.chance(0.5):
            left = "ip6 nexthdr"
        return f"{left} {self.values(PROTOCOLS, [])}"

    def _icmp(self) -> str:
        if self.protocol != "icmp":
            return self._port()
        if self.six:
            return f"icmpv6 type {self.values(ICMP6, [])}"
        return self.pick([f"icmp type {self.values(ICMP, [])}", "icmp code 0", "icmp type echo-request icmp id 5", "icmp type 3 icmp code 1"])

    def _flags(self) -> str:
        if self.protocol != "tcp":
            return self._ip_field()
        flags, mask = self.some(FLAGS, 2), self.some(FLAGS, 4)
        return self.pick([
            f"tcp flags {','.join(flags)}", f"tcp flags & ({'|'.join(mask)}) == {flags[0]}", f"tcp flags {flags[0]} / {','.join(sorted({*mask, flags[0]}))}",
            f"tcp flags & {flags[0]} == 0", f"tcp flags != {flags[0]}",
        ])  # fmt: skip

    def _meta(self) -> str:
        return self.pick([
            "meta length 100-200", "meta length > 1000", "meta skuid 0", "meta skuid { 0, 1 }", "meta pkttype broadcast", "meta cpu 1",
            "meta pkttype { host, multicast }", "meta hour \"10:00\"-\"12:00\"", "meta day { \"Monday\", \"Friday\" }", "iif \"lo\"",
            "oif != \"lo\"", "meta priority 1:2", "meta rtclassid 5", "meta cgroup 5", "meta protocol ip", "meta iiftype ether", "iifgroup 5",
        ])  # fmt: skip

    def _ip_field(self) -> str:
        if self.family == "ip6":
            return self.pick(["ip6 hoplimit 5", "ip6 hoplimit > 10", "ip6 length 40-80", "ip6 dscp cs1", "ip6 flowlabel 5", "ip6 version 6"])
        return self.pick([
            "ip ttl 5", "ip ttl > 10", "ip ttl { 1, 2, 64 }", "ip length 40-80", "ip dscp ef", "ip dscp { cs1, cs2, af11 }", "ip version 4",
            "ip id 5", "ip frag-off & 0x1fff != 0", "ip saddr & 0.0.0.255 == 0.0.0.1", "ip daddr & 255.255.0.0 == 10.1.0.0", "ip ecn ce",
            "ip hdrlength 5", "@nh,64,8 0x5", "ip checksum 5",
        ])  # fmt: skip

    def _concat(self) -> str:
        six = self.six
        protocol = "ip6" if six else "ip"
        shape = self.random.randrange(4)
        if self.protocol not in ("tcp", "udp") or self.protocol != "tcp" and shape in (0, 3):
            shape = 2
        if shape == 0:
            members = [f"{self.address(six)} . {self.pick(PORTS)}" for _ in range(self.random.randint(1, 3))]
            return f"{protocol} saddr . tcp dport {{ {', '.join(members)} }}"
        if shape == 1:
            members = [f"{self.address(six)} . {self.pick(['tcp', 'udp'])} . {self.pick(PORTS)}" for _ in range(2)]
            return f"{protocol} daddr . meta l4proto . th dport {{ {', '.join(members)} }}"
        if shape == 2:
            return f'iifname . oifname {{ {self.pick(NAMES[:3])} . {self.pick(NAMES[:3])} }}'
        return f"{protocol} saddr . tcp dport {{ {self.prefix(six)} . {self.span(1, 500)} }}"

    def _set(self) -> str:
        six = self.family == "ip6"
        protocol = "ip6" if six else "ip"
        if self.protocol != "tcp" and not self.sets["addr"]:
            return self._address()
        if self.sets["pair"] and self.protocol == "tcp" and self.chance(0.4):
            return f"{protocol} saddr . tcp dport @{self.pick(self.sets['pair'])}"
        if self.sets["addr"] and self.chance(0.7):
            return f"{protocol} {self.pick(['saddr', 'daddr'])} {self.pick(['', '!= '])}@{self.pick(self.sets['addr'])}"
        if self.sets["port"] and self.protocol == "tcp":
            return f"tcp dport @{self.pick(self.sets['port'])}"
        return self._port()

    def _number(self) -> str:
        return self.pick([
            "numgen random mod 10 < 5", "numgen inc mod 3 1", "numgen inc mod 4 offset 10 11", "symhash mod 4 2",
            f"jhash {'ip6' if self.family == 'ip6' else 'ip'} saddr mod 8 seed 0x12 3", "numgen random mod 5 { 0, 3 }",
        ])  # fmt: skip

    def _fib(self) -> str:
        return self.pick(["fib daddr type local", "fib daddr type { local, broadcast }", "fib saddr . iif oif exists" if self.chance(0.1) else "fib saddr type local"])

    def _ct(self) -> str:
        return self.pick([
            "ct status dnat", "ct status snat,assured", "ct direction original", "ct expiration 5m", "ct zone 5", "ct bytes > 100",
            "ct original packets < 5", "ct count over 10", "ct helper \"ftp\"",
            f"ct original {'ip6' if self.family == 'ip6' else 'ip'} saddr {self.address(self.family == 'ip6')}",
        ])  # fmt: skip

    # -- what follows -----------------------------------------------------------------------
    def action(self) -> str:
        verdict = self.pick(["accept", "drop", "return", "continue", ""])
        if self.chains and self.chance(0.3):
            verdict = f"{self.pick(['jump', 'goto'])} {self.pick(self.chains)}"
        extra = self.pick([
            "", "", "counter", "counter", "limit rate 5/second", "limit rate over 10/minute burst 7 packets", "log prefix \"x: \"",
            "log level debug flags all", "log group 2", "quota 10 mbytes", "meta mark set 0x5", "ct mark set meta mark", "meta mark set mark or 0x10",
            "meta mark set ct mark and 0xff", "limit rate 10 kbytes/second", "counter packets 5 bytes 500", "meta priority set 1:5", "notrack",
            "meta mark set numgen inc mod 3", "ip ttl set 5" if self.family == "ip" else "counter", "meta nftrace set 1",
        ])  # fmt: skip
        if self.chance(0.06) and self.protocol == "tcp":
            verdict = self.pick(["reject", "reject with tcp reset", "reject with icmpx type no-route" if self.family == "inet" else "reject"])
        return f"{extra} {verdict}".strip()

    def vmap(self) -> str:
        verdicts = [f"{self.pick(['jump', 'goto'])} {chain}" for chain in self.chains] + ["accept", "drop"]
        shape = self.random.randrange(5)
        if shape == 0 and self.protocol == "tcp":
            members = [f"{port} : {self.pick(verdicts)}" for port in self.some(["22", "80", "443", "53"])]
            return f"tcp dport vmap {{ {', '.join(members)} }}"
        if shape == 1:
            members = [f"{state} : {self.pick(verdicts)}" for state in self.some(STATES, 3)]
            return f"ct state vmap {{ {', '.join(members)} }}"
        if shape == 2:
            return f"meta l4proto vmap {{ tcp : {self.pick(verdicts)}, udp : {self.pick(verdicts)} }}"
        if shape == 3 and self.sets["verdict"] and self.protocol in ("tcp", "udp"):
            return f"{'ip6' if self.family == 'ip6' else 'ip'} daddr . meta l4proto . th dport vmap @{self.pick(self.sets['verdict'])}"
        return f"numgen random mod 2 vmap {{ 0 : {self.pick(verdicts)}, 1 : {self.pick(verdicts)} }}"

    def rule(self) -> str:
        self.protocol = self.pick(["tcp", "tcp", "udp", "icmp"]) if self.chance(0.97) else self.pick(PROTOCOLS)
        parts = [self.match() for _ in range(self.random.choice([1, 1, 1, 2, 2, 3]))]
        parts.append(self.vmap() if self.chance(0.12) else self.action())
        if " tcp " not in f" {' '.join(parts[:-1])} " or "th dport" in " ".join(parts):
            parts[-1] = parts[-1].replace("reject with tcp reset", "reject")
        text = " ".join(part for part in parts if part)
        return text + (f' comment "{self.pick(["a", "two words", "x-y_z"])}"' if self.chance(0.1) else "")

    # -- blocks -----------------------------------------------------------------------------
    def set_blocks(self) -> list[str]:
        six = self.family == "ip6"
        kind = "ipv6_addr" if six else "ipv4_addr"
        lines = []
        if self.chance(0.6):
            self.sets["addr"].append("addrs")
            if self.chance(0.5):
                members = ", ".join({self.prefix(six).split("/")[0] for _ in range(2)} | set(self.some(V6 if six else V4, 5)))
                lines.append(f"set addrs {{ type {kind}; elements = {{ {members} }} }}")
            else:
                members = ", ".join(self.some(["10.0.0.0/8", "192.168.0.0/16", "1.1.1.1", "2.0.0.1-2.0.0.9"] if not six else V6_PREFIXES[:2], 4))
                lines.append(f"set addrs {{ type {kind}; flags interval; {self.pick(['', 'auto-merge; '])}elements = {{ {members} }} }}")
        if self.chance(0.4):
            self.sets["port"].append("ports")
            members = ", ".join(self.some(["22", "80", "443", "1000-2000", "53", "5000-5010"], 6))
            lines.append(f"set ports {{ type inet_service; flags interval; elements = {{ {members} }} }}")
        if self.chance(0.4):
            self.sets["pair"].append("pairs")
            members = ", ".join({f"{self.address(six)} . {self.pick(PORTS)}" for _ in range(3)})
            lines.append(f"set pairs {{ type {kind} . inet_service; {self.pick(['', 'size 100; ', 'flags timeout; ', 'counter; '])}elements = {{ {members} }} }}")
        if self.chance(0.4):
            self.sets["verdict"].append("services")
            verdicts = [f"goto {chain}" for chain in self.chains] + ["drop", "accept"]
            members = {f"{self.address(six)} . {self.pick(['tcp', 'udp'])} . {self.pick(PORTS)}": self.pick(verdicts) for _ in range(3)}
            listed = ", ".join(f"{key} : {verdict}" for key, verdict in members.items())
            lines.append(f"map services {{ type {kind} . inet_proto . inet_service : verdict; elements = {{ {listed} }} }}")
        return lines

    def table(self, name: str) -> str:
        self.sets = {"addr": [], "port": [], "pair": [], "verdict": []}
        self.chains = [f"c{number}" for number in range(self.random.randint(0, 2))]
        lines = [f"table {self.family} {name} {{"]
        lines += self.set_blocks()
        hooks = [("filter", "input", "filter"), ("filter", "forward", "0"), ("filter", "output", "mangle + 5"), ("nat", "postrouting", "srcnat")]
        known, self.chains = self.chains, []
        for chain in known:  # only to chains before it: no loops
            lines += [f"chain {chain} {{", *[self.rule() for _ in range(self.random.randint(0, 3))], "}"]
            self.chains.append(chain)
        for number, (kind, hook, priority) in enumerate(self.random.sample(hooks, 2)):
            policy = self.pick(["", " policy drop;", " policy accept;"])
            lines += [f"chain base{number} {{", f"type {kind} hook {hook} priority {priority};{policy}"]
            if kind == "nat":
                lines += self.nat_rules()
            else:
                lines += [self.rule() for _ in range(self.random.randint(1, 6))]
            lines.append("}")
        return "\n".join([*lines, "}"]) + "\n"

    def nat_rules(self) -> list[str]:
        six = self.family == "ip6"
        family = " ip" if self.family == "inet" else ""
        address = self.address(six)
        return self.some([
            "masquerade", "oifname \"eth0\" masquerade random", f"snat{family} to {address}", f"meta l4proto tcp snat{family} to {'[' + address + ']' if six else address}:1024-2000",
            "tcp dport 80 masquerade to :1024-65535 fully-random", f"snat{family} to {'ip6' if six else 'ip'} saddr map {{ {address} : {self.address(six)} }}",
            f"snat{family} to {address} persistent",
        ])  # fmt: skip


def ruleset(seed: int) -> str:
    """A file for nft -f."""
    maker = Maker(seed)
    return "".join(maker.table(f"t{number}") for number in range(maker.random.choice([1, 1, 2])))
