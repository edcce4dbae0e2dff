"""The words of nft: which are keywords everywhere, and which only where the grammar asks for them."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.nf_tables.expressions import META_TYPES
from kubenet_course.kernel.netfilter.nf_tables.protocols import PROTOCOLS

#: Terminal → its words, for words that are keywords everywhere (nft's scanner, start condition INITIAL).
GLOBAL: dict[str, str] = {
    "INCLUDE": "include", "DEFINE": "define", "REDEFINE": "redefine", "UNDEFINE": "undefine", "DESCRIBE": "describe",
    "HOOK": "hook", "DEVICE": "device", "DEVICES": "devices", "TABLE": "table", "CHAIN": "chain", "RULE": "rule", "SET": "set",
    "ELEMENT": "element", "MAP": "map", "FLOWTABLE": "flowtable", "HANDLE": "handle", "RULESET": "ruleset",
    "SOCKET": "socket", "TPROXY": "tproxy", "ACCEPT": "accept", "DROP": "drop", "CONTINUE": "continue", "JUMP": "jump",
    "GOTO": "goto", "RETURN": "return", "INET": "inet", "NETDEV": "netdev", "ADD": "add", "REPLACE": "replace",
    "UPDATE": "update", "CREATE": "create", "INSERT": "insert", "DELETE": "delete", "GET": "get", "LIST": "list",
    "RESET": "reset", "FLUSH": "flush", "RENAME": "rename", "IMPORT": "import", "EXPORT": "export", "MONITOR": "monitor",
    "ALL": "all", "POSITION": "position", "INDEX": "index", "COMMENT": "comment", "CONSTANT": "constant",
    "INTERVAL": "interval", "DYNAMIC": "dynamic", "AUTOMERGE": "auto-merge", "TIMEOUT": "timeout",
    "GC_INTERVAL": "gc-interval", "ELEMENTS": "elements", "EXPIRES": "expires", "POLICY": "policy", "SIZE": "size",
    "PRIORITY": "priority", "TYPE": "type", "TYPEOF": "typeof", "COUNTER": "counter", "QUOTA": "quota", "LIMIT": "limit",
    "LOG": "log", "QUEUE": "queue", "DUP": "dup", "FWD": "fwd", "REJECT": "reject",
    "SNAT": "snat", "DNAT": "dnat", "MASQUERADE": "masquerade", "REDIRECT": "redirect", "RANDOM": "random",
    "ETHER": "ether", "VLAN": "vlan", "ARP": "arp", "IP": "ip", "ECN": "ecn", "ICMP": "icmp",
    "IGMP": "igmp", "IP6": "ip6", "ICMPV6": "icmpv6", "AH": "ah", "ESP": "esp", "COMP": "comp", "FLAGS": "flags",
    "UDP": "udp", "UDPLITE": "udplite", "TH": "th", "TCP": "tcp", "DCCP": "dccp", "SCTP": "sctp", "RT": "rt", "DST": "dst",
    "META": "meta", "IPSEC": "ipsec", "SECMARK": "secmark", "BRIDGE": "bridge", "NOTRACK": "notrack", "NUMGEN": "numgen",
    "JHASH": "jhash", "SYMHASH": "symhash", "FIB": "fib", "SYNPROXY": "synproxy", "OSF": "osf", "EXTHDR": "exthdr",
    "XT": "xt", "METER": "meter", "VMAP": "vmap", "OFFLOAD": "offload", "CT": "ct", "AMPERSAND": "and", "PIPE": "or",
    "CARET": "xor", "NOT": "not", "LSHIFT": "lshift", "RSHIFT": "rshift",
}  # fmt: skip
#: Classes of words that are keywords everywhere.
GLOBAL_CLASSES: dict[str, tuple[str, ...]] = {
    "META_UNQUALIFIED": (
        "mark", "iif", "iifname", "iiftype", "oif", "oifname", "oiftype", "skuid", "skgid", "nftrace", "rtclassid",
        "ibriport", "ibrname", "obriport", "obrname", "pkttype", "cpu", "iifgroup", "oifgroup", "cgroup",
        "time", "hour", "day",
    ),
    "KEYWORD_VALUE": ("exists", "missing"),
    "REL_OP": ("eq", "ne", "lt", "gt", "le", "ge"),
    "EXTHDR_NAME": ("rt0", "rt2", "srh", "hbh", "frag", "mh"),
}  # fmt: skip
OPERATOR_WORDS = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
#: Words that mean something only where the grammar takes this terminal.
CONTEXTUAL: dict[str, tuple[str, ...]] = {
    "SET_OP": ("add", "update", "delete"), "RULESET_WORD": ("ruleset",), "FORMAT": ("json", "xml", "vm"),
    "TABLES": ("tables",), "CHAINS": ("chains",), "HOOKS": ("hooks",),
    "PLURAL": ("sets", "maps", "counters", "quotas", "limits", "meters", "flowtables", "secmarks", "synproxys"),
    "RESET_PLURAL": ("counters", "quotas"), "OBJECT_KIND": (),
    "MONITOR_OBJECT": ("tables", "chains", "sets", "rules", "elements", "ruleset", "trace"),
    "TYPE_WORD": ("mark", "ecn", "dscp", "classid", "time", "hour", "day", "secmark"),
    "FAMILY": (), "OBJECT_TYPE": ("counter", "quota", "limit", "secmark", "synproxy"), "VERDICT_WORD": ("verdict",),
    "SET_POLICY": ("memory", "performance"), "TO": ("to",), "PACKETS": ("packets",), "BYTES": ("bytes",), "NAME": ("name",),
    "COUNT": ("count",), "OVER": ("over",), "UNTIL": ("until",), "RATE": ("rate",), "BURST": ("burst",), "USED": ("used",),
    "TIME_UNIT": ("second", "minute", "hour", "day", "week"), "PREFIX": ("prefix",), "GROUP": ("group",),
    "SNAPLEN": ("snaplen",), "QUEUE_THRESHOLD": ("queue-threshold",), "LEVEL": ("level",), "LOG_TCP": ("sequence", "options"),
    "OPTIONS": ("options",), "LOG_SKUID": ("skuid",), "WITH": ("with",), "ICMPX": ("icmpx",), "ADDR": ("addr",), "PORT": ("port",),
    "NAT_FLAG": ("random", "fully-random", "persistent"), "NUM_WORD": ("num",), "QUEUE_FLAG": ("bypass", "fanout"),
    "SYN_WORD": ("mss", "wscale", "timestamp", "sack-perm"), "RT_KEY": ("classid", "nexthop", "mtu", "ipsec"),
    "IP_OR_IP6": ("ip", "ip6"), "FIB_FLAG": ("saddr", "daddr", "mark", "iif", "oif"), "FIB_RESULT": ("type", "oif", "oifname"),
    "NUMGEN_MODE": ("random", "inc"), "MOD": ("mod",), "OFFSET": ("offset",), "SEED": ("seed",),
    "SOCKET_KEY": ("transparent", "mark", "wildcard"), "IPSEC_DIR": ("in", "out"), "IPSEC_KEY": ("reqid", "spi"),
    "ADDR_FIELD": ("saddr", "daddr"), "ETHER_OR_IP": ("ether", "ip"), "RAW_BASE": ("ll", "nh", "th", "ih"),
    "OPTION": ("option",), "PROTOCOL_WORD": ("protocol",), "L3PROTO_WORD": ("l3proto",), "OTHER_WORD": ("protocol", "policy", "size"),
    "TCP_OPTION": (
        "eol", "nop", "noop", "maxseg", "window", "sack-permitted", "sack-perm", "sack", "timestamp", "fastopen", "md5sig", "mptcp",
    ),
    "TCP_OPTION_FIELD": ("kind", "length", "size", "count", "left", "right", "tsval", "tsecr", "ptr", "value", "type", "addr"),
    "IP_OPTION": ("lsrr", "rr", "ssrr", "ra"),
    "EXTHDR_FIELD": (
        "nexthdr", "hdrlength", "reserved", "frag-off", "reserved2", "more-fragments", "id", "type", "seg-left", "checksum",
        "last-entry", "flags", "tag",
    ),
    "META_KEY": tuple(META_TYPES),
    "CT_KEY": (
        "state", "direction", "status", "mark", "expiration", "helper", "l3proto", "protocol", "zone", "packets", "bytes",
        "avgpkt", "label", "event", "id", "secmark", "saddr", "daddr",
    ),
    "CT_OBJECT": ("helper", "timeout", "expectation"), "CT_DIR": ("original", "reply"),
    "CT_DIR_KEY": ("saddr", "daddr", "l3proto", "protocol", "proto-src", "proto-dst", "zone", "packets", "bytes", "avgpkt"),
    "ARP_FIELD": ("htype", "ptype", "hlen", "plen", "operation"),
    **{
        f"{protocol.upper()}_FIELD": tuple(PROTOCOLS[protocol].fields)
        for protocol in (
            "ether", "vlan", "ip", "ip6", "icmp", "icmpv6", "igmp", "tcp", "udp", "udplite", "sctp", "dccp", "esp", "ah",
            "comp", "th",
        )
    },
}  # fmt: skip
SYNONYMS = {"seq": "sequence", "param-problem": "parameter-problem"}
#: How a token is named in an error where it is not by its own word.
SHOWN = {
    "$END": "end of file", "JUNK": "junk", "NEWLINE": "newline", "COLON": "colon", "SEMICOLON": "semicolon", "COMMA": "comma",
    "DOT": ".", "SLASH": "/", "ASTERISK": "*", "DASH": "-", "AT": "@", "PLUS": "'+'", "DOLLAR": "'$'", "EQUALS": "'='",
    "SBRACE": "'{'", "BBRACE": "'{'", "RBRACE": "'}'", "LPAR": "'('", "RPAR": "')'", "NUM": "number", "STRING": "string",
    "QUOTED_STRING": "quoted string", "ASTERISK_STRING": "string with a trailing asterisk", "AMPERSAND": "&", "PIPE": "'|'",
    "CARET": "^", "NOT": "!", "LSHIFT": "<<", "RSHIFT": ">>",
}  # fmt: skip
#: The order in which an error lists what could have been.
ORDER = (
    "$END", "JUNK", "NEWLINE", "COLON", "SEMICOLON", "COMMA", "DOT", "EQ", "NEQ", "LT", "GT", "LTE", "GTE", "LSHIFT", "RSHIFT",
    "AMPERSAND", "CARET", "NOT", "SLASH", "ASTERISK", "DASH", "AT", "VMAP", "PLUS", "INCLUDE", "DEFINE", "REDEFINE",
    "UNDEFINE", "FIB", "SOCKET", "TABLE", "TABLES", "CHAIN", "CHAINS", "RULE", "SET", "ELEMENT", "MAP", "FLOWTABLE",
    "HANDLE", "RULESET", "INET", "NETDEV", "ADD", "UPDATE", "REPLACE", "CREATE", "INSERT", "DELETE", "GET", "LIST", "RESET",
    "FLUSH", "RENAME", "DESCRIBE", "IMPORT", "EXPORT", "MONITOR", "ALL", "ACCEPT", "DROP", "CONTINUE", "JUMP", "GOTO",
    "RETURN", "TO", "CONSTANT", "INTERVAL", "DYNAMIC", "AUTOMERGE", "TIMEOUT", "GC_INTERVAL", "ELEMENTS", "EXPIRES",
    "POLICY", "MEMORY", "PERFORMANCE", "SIZE", "FLOW", "OFFLOAD", "METER", "METERS", "FLOWTABLES", "NUM", "STRING",
    "QUOTED_STRING", "ASTERISK_STRING", "LL_HDR", "ETHER", "SADDR", "DADDR", "TYPE", "VLAN", "ARP", "IP", "IGMP", "ICMP",
    "IP6", "ICMPV6", "AH", "ESP", "COMP", "UDP", "UDPLITE", "TCP", "DCCP", "SCTP", "RT", "META", "MARK", "CT",
    "COUNTER", "RESET_PLURAL", "NAME", "PACKETS", "BYTES", "LOG", "PREFIX", "GROUP", "LIMIT", "RATE", "BURST", "OVER", "UNTIL", "QUOTA",
    "USED", "REJECT", "WITH", "ICMPX", "SNAT", "DNAT", "MASQUERADE", "REDIRECT", "POSITION", "INDEX", "COMMENT",
    "EQUALS", "SBRACE", "BBRACE", "RBRACE", "DOLLAR", "LPAR", "RPAR",
)  # fmt: skip
