"""What may follow what on a command line: the words that completion offers.

`GRAMMAR` maps the beginning of a line to a `Choice`; ``ip * dev`` stands for the word `dev` anywhere
after `ip`, ``* dev`` for it after ip, bridge and tc.
"""

from __future__ import annotations

from typing import NamedTuple


class Choice(NamedTuple):
    """Words, and kinds of things that are looked up on the machine."""

    words: tuple[str, ...]
    kinds: tuple[str, ...] = ()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _choice(text: str, *kinds: str) -> Choice:
    return Choice(tuple(text.split()), kinds)


_IP_OBJECTS = "addr address link maddress neigh neighbor netns route rule tunnel help"
_KINDS = "bridge dummy ipip ipvlan gre macvlan veth vlan vxlan vrf"
_CHAINS = "PREROUTING INPUT FORWARD OUTPUT POSTROUTING"
_MATCHES = (
    "addrtype comment connmark conntrack icmp limit mac mark multiport physdev set state statistic tcp udp"
)
_TARGETS = "ACCEPT DROP REJECT RETURN LOG MARK CONNMARK MASQUERADE SNAT DNAT REDIRECT NETMAP TCPMSS TRACE"

_PLAIN: dict[str, Choice] = {
    "ip": _choice(_IP_OBJECTS),
    "ip addr": _choice("add change del flush replace show"),
    "ip address": _choice("add change del flush replace show"),
    "ip addr show": _choice("dev scope up", "device"),
    "ip addr add": _choice("dev broadcast label scope"),
    "ip addr del": _choice("dev"),
    "ip addr flush": _choice("dev scope"),
    "ip link": _choice("add del set show"),
    "ip link show": _choice("dev master type up", "device"),
    "ip link set": _choice("dev up down master nomaster mtu name netns address promisc", "device"),
    "ip link add": _choice("link name type"),
    "ip link del": _choice("dev", "device"),
    "ip neigh": _choice("add change del flush replace show"),
    "ip neigh add": _choice("dev lladdr nud"),
    "ip neigh del": _choice("dev"),
    "ip neigh show": _choice("dev nud"),
    "ip neigh flush": _choice("all dev"),
    "ip netns": _choice("add attach delete exec identify list pids"),
    "ip netns exec": _choice("", "namespace"),
    "ip netns delete": _choice("", "namespace"),
    "ip netns del": _choice("", "namespace"),
    "ip netns pids": _choice("", "namespace"),
    "ip route": _choice("add append change del flush get list replace show"),
    "ip route add": _choice(
        "blackhole default dev metric mtu nexthop onlink prohibit scope src table unreachable via"
    ),
    "ip route replace": _choice("blackhole default dev metric nexthop src table unreachable via"),
    "ip route del": _choice("default dev table via"),
    "ip route get": _choice("from iif mark oif", "address"),
    "ip route show": _choice("dev root table type via"),
    "ip route flush": _choice("cache dev table"),
    "ip rule": _choice("add del flush list show"),
    "ip rule add": _choice("from fwmark iif lookup not oif prio to"),
    "ip rule del": _choice("from fwmark iif lookup oif prio to"),
    "ip * via": _choice("", "address"),
    "ip * src": _choice("", "address"),
    "ip * netns": _choice("", "namespace"),
    "ip * -n": _choice("", "namespace"),
    "ip * type": _choice(_KINDS),
    "ip * peer": _choice("name netns"),
    "ip * veth": _choice("peer"),
    "ip * table": _choice("all default local main"),
    "ip * lookup": _choice("default local main"),
    "ip * scope": _choice("global host link"),
    "* dev": _choice("", "device"),
    "* master": _choice("", "device"),
    "* iif": _choice("", "device"),
    "* oif": _choice("", "device"),
    "* link": Choice(("add", "del", "set", "show"), ()),
    "bridge": _choice("fdb link vlan"),
    "bridge fdb": _choice("add append del get replace show"),
    "bridge fdb show": _choice("br brport dev"),
    "bridge link": _choice("set show"),
    "bridge vlan": _choice("add del show"),
    "bridge * br": _choice("", "device"),
    "brctl": _choice("addbr addif delbr delif show showmacs stp"),
    "brctl addif": _choice("", "device"),
    "brctl delif": _choice("", "device"),
    "brctl showmacs": _choice("", "device"),
    "ifconfig": _choice("", "device"),
    "route": _choice("add del"),
    "arp": _choice("", "address"),
    "ping": _choice("", "address"),
    "traceroute": _choice("", "address"),
    "tracepath": _choice("", "address"),
    "ssh": _choice("", "address"),
    "nc": _choice("", "address"),
    "curl": _choice("", "address"),
    "wget": _choice("", "address"),
    "dig": _choice("", "address"),
    "nslookup": _choice("", "address"),
    "ping * -I": _choice("", "device"),
    "tcpdump * -i": _choice("any", "device"),
    "tc": _choice("class filter qdisc"),
    "tc qdisc": _choice("add change del replace show"),
    "sysctl": _choice(
        "net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all.rp_filter"
        " net.ipv4.conf.all.proxy_arp"
        " net.ipv4.icmp_echo_ignore_all net.bridge.bridge-nf-call-iptables"
    ),
    "conntrack": _choice(""),
    "docker": _choice(
        "attach container cp create diff events exec image images info inspect kill logs network pause port ps pull rename"
        " restart rm rmi run start stats stop system top unpause version volume wait"
    ),
    "docker network": _choice("connect create disconnect inspect ls prune rm"),
    "docker network inspect": _choice("", "network"),
    "docker network rm": _choice("", "network"),
    "docker network connect": _choice("", "network", "container"),
    "docker network disconnect": _choice("", "network", "container"),
    "docker * --network": _choice("", "network"),
    **{
        f"docker {word}": _choice("", "container")
        for word in "attach cp diff exec inspect kill logs pause port rename restart rm start stop top unpause wait".split()
    },
    "cnitool": _choice("add check del gc status version"),
    "ovs-vsctl": _choice("add-br add-port del-br del-port get list-br list-ports set show"),
    "ovs-appctl": _choice("fdb/show fdb/flush"),
    "man": _choice("", "command"),
    "which": _choice("", "command"),
    "type": _choice("", "command"),
}
OPTIONS: dict[str, tuple[str, ...]] = {
    "ip": _words(
        "-4 -6 -br -brief -c -color -d -details -h -j -json -n -netns -o -oneline -p -pretty -s -stats"
    ),
    "bridge": _words("-c -d -details -j -json -n -netns -o -p -s -stats"),
    "ping": _words("-4 -6 -c -f -I -i -M -n -q -s -t -W -w"),
    "traceroute": _words("-4 -6 -I -T -U -f -m -n -p -q -w"),
    "iptables": _words(
        "-A -C -D -E -F -I -L -N -P -R -S -X -Z -d -i -j -m -n -o -p -s -t -v --comment --ctstate"
        " --dport --line-numbers"
        " --match-set --reject-with --sport --state --to-destination --to-ports --to-source"
    ),
    "ss": _words("-4 -6 -a -H -l -n -p -s -t -u -tlnp -tunap"),
    "tcpdump": _words("-A -c -D -e -i -n -nn -q -r -s -t -v -w -x -X"),
    "conntrack": _words("-D -E -F -L -d -p -s --dport --sport"),
    "curl": _words("-H -I -L -X -d -i -k -m -o -s -v --connect-timeout --resolve"),
    "nc": _words("-4 -6 -k -l -n -p -u -v -w -z"),
    "dig": _words("+short +trace +noall +answer -4 -6 -p -t -x"),
    "sysctl": _words("-a -n -p -w"),
    "docker": _words(
        "-a -d -e -f -i -p -q -t --add-host --detach --dns --entrypoint --expose --filter --format --gateway --help --hostname"
        " --internal --ip --ip-range --link --name --network --network-alias --publish --rm --subnet --tty"
    ),
    "ps": _words("-a -e -f -u aux -ef"),
    "ls": _words("-1 -a -d -l -la -R"),
    "grep": _words("-A -B -c -E -i -n -o -r -v -w"),
}
OPTIONS["ip6tables"] = OPTIONS["iptables"]


def _with_iptables(plain: dict[str, Choice]) -> dict[str, Choice]:
    """The grammar with iptables' options added, for ip6tables as well."""
    flags = {f"* -{letter}": _choice(_CHAINS) for letter in "AIDLSFZPNXR"}
    flags |= {"* -j": _choice(_TARGETS), "* --jump": _choice(_TARGETS), "* -p": _choice("tcp udp icmp all")}
    flags |= {"* -i": _choice("", "device"), "* -o": _choice("", "device"), "* -m": _choice(_MATCHES)}
    flags |= {"": Choice(()), "* -t": _choice("filter mangle nat raw security")}
    both = {
        f"{name} {key}".strip(): value for name in ("iptables", "ip6tables") for key, value in flags.items()
    }
    writing = {"sysctl * -w": Choice(tuple(f"{word}=" for word in plain["sysctl"].words))}
    return {**plain, **both, **writing}


GRAMMAR = _with_iptables(_PLAIN)
