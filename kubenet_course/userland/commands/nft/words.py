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
    "RT0": "rt0", "RT2": "rt2", "SRH": "srh", "HBH": "hbh", "FRAG": "frag", "MH": "mh", "FLOW": "flow",
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
}  # fmt: skip
OPERATOR_WORDS = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
#: Words that mean something only where the grammar takes this terminal.
CONTEXTUAL: dict[str, tuple[str, ...]] = {
    "SET_OP": ("add", "update", "delete"), "RULESET_WORD": ("ruleset",), "FORMAT": ("json", "xml", "vm"),
    "TABLES": ("tables",), "CHAINS": ("chains",), "HOOKS": ("hooks",),
    "PLURAL": ("sets", "maps", "counters", "quotas", "limits", "meters", "flowtables", "secmarks", "synproxys"),
    "RESET_PLURAL": ("counters", "quotas"), "CT_HELPER": ("helper",), "CT_HELPERS": ("helpers",), "CT_EXPECT": ("expectation",),
    "MONITOR_OBJECT": ("tables", "chains", "sets", "rules", "elements", "ruleset", "trace"),
    "TYPE_WORD": ("mark", "ecn", "dscp", "classid", "time", "hour", "day", "secmark"),
    "FAMILY": (), "OBJECT_TYPE": ("counter", "quota", "limit", "secmark", "synproxy"), "VERDICT_WORD": ("verdict",),
    "SET_POLICY": ("memory", "performance"), "TO": ("to",), "PACKETS": ("packets",), "BYTES": ("bytes",), "NAME": ("name",),
    "COUNT": ("count",), "OVER": ("over",), "UNTIL": ("until",), "RATE": ("rate",), "BURST": ("burst",), "USED": ("used",),
    "TIME_UNIT": ("second", "minute", "hour", "day", "week"), "PREFIX": ("prefix",), "GROUP": ("group",),
    "SNAPLEN": ("snaplen",), "QUEUE_THRESHOLD": ("queue-threshold",), "LEVEL": ("level",), "LOG_TCP": ("sequence", "options"),
    "OPTIONS": ("options",), "LOG_SKUID": ("skuid",), "WITH": ("with",), "ICMPX": ("icmpx",), "ADDR": ("addr",), "PORT": ("port",),
    "NAT_FLAG": ("random", "fully-random", "persistent"), "NUM_WORD": ("num",), "QUEUE_FLAG": ("bypass", "fanout"),
    "MSS_WORD": ("mss",), "WSCALE_WORD": ("wscale",), "SYN_TIMESTAMP": ("timestamp",), "SYN_SACK": ("sack-perm",),
    "RT_KEY": ("classid", "nexthop", "mtu", "ipsec"),
    "IP_OR_IP6": ("ip", "ip6"), "FIB_FLAG": ("saddr", "daddr", "mark", "iif", "oif"), "FIB_RESULT": ("type", "oif", "oifname"),
    "NUMGEN_MODE": ("random", "inc"), "MOD": ("mod",), "OFFSET": ("offset",), "SEED": ("seed",),
    "SOCKET_KEY": ("transparent", "wildcard", "mark"), "CGROUPV2": ("cgroupv2",), "OSF_KEY": ("version", "name"), "OSF_TTL": ("ttl",),
    "IPSEC_DIR": ("in", "out"), "IPSEC_KEY": ("spi", "reqid"), "SPNUM": ("spnum",),
    "ADDR_FIELD": ("saddr", "daddr"), "ETHER_OR_IP": ("ether", "ip"), "RAW_BASE": ("ll", "nh", "th"),
    "OPTION": ("option",), "PROTOCOL_WORD": ("protocol",), "L3PROTO_WORD": ("l3proto",), "DPORT_WORD": ("dport",),
    "TCP_OPTION": (
        "echo", "eol", "fastopen", "md5sig", "mptcp", "maxseg", "mss", "nop", "noop", "sack-permitted", "sack-perm", "timestamp",
        "window", "sack", "sack0", "sack1", "sack2", "sack3",
    ),
    "TCP_OPTION_FIELD": ("length", "size", "count", "left", "right", "tsval", "tsecr", "subtype"),
    "IP_OPTION": ("lsrr", "rr", "ssrr", "ra"), "IP_OPTION_FIELD": ("type", "length", "value", "ptr", "addr"),
    "CHUNK": ("chunk",), "CHUNK_FIELD": ("type", "flags", "length"), "SCTP_DATA": ("data",), "SCTP_INIT": ("init", "init-ack"),
    "SCTP_SACK": ("sack",), "SCTP_SHUTDOWN": ("shutdown",), "SCTP_LOWEST": ("ecne", "cwr"), "SCTP_ASCONF": ("asconf-ack", "asconf"),
    "SCTP_FORWARD": ("forward-tsn",),
    "SCTP_CHUNK": (
        "heartbeat", "heartbeat-ack", "abort", "shutdown-ack", "error", "cookie-echo", "cookie-ack", "shutdown-complete",
    ),
    "DATA_CHUNK_FIELD": ("tsn", "stream", "ssn", "ppid"), "CUM_TSN_ACK": ("cum-tsn-ack",), "LOWEST_TSN": ("lowest-tsn",),
    "INIT_CHUNK_FIELD": ("init-tag", "a-rwnd", "num-outbound-streams", "num-inbound-streams", "initial-tsn"),
    "SACK_CHUNK_FIELD": ("cum-tsn-ack", "a-rwnd", "num-gap-ack-blocks", "num-dup-tsns"), "SEQNO": ("seqno",),
    "NEW_CUM_TSN": ("new-cum-tsn",),
    "EXTHDR_HEADER": ("hbh", "rt", "frag", "dst", "mh"), "RT_HEADER_FIELD": ("nexthdr", "hdrlength", "type", "seg-left"),
    "SRH_FIELD": ("last-entry", "flags", "tag"), "SID": ("sid",), "HBH_FIELD": ("nexthdr", "hdrlength"),
    "FRAG_FIELD": ("nexthdr", "reserved", "frag-off", "reserved2", "more-fragments", "id"),
    "MH_FIELD": ("nexthdr", "hdrlength", "type", "reserved", "checksum"),
    "ORIGINAL": ("original",), "REPLY": ("reply",), "LABEL": ("label",),
    "META_KEY": tuple(META_TYPES),
    "CT_KEY": (
        "state", "direction", "status", "mark", "expiration", "helper", "l3proto", "protocol", "zone", "packets", "bytes",
        "avgpkt", "label", "event", "id", "secmark", "saddr", "daddr", "proto-src", "proto-dst",
    ),
    "CT_DIR": ("original", "reply"), "CT_DIR_OPT": ("zone", "packets", "bytes", "avgpkt"),
    "CT_DIR_KEY": ("saddr", "daddr", "l3proto", "protocol", "proto-src", "proto-dst"),
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
    "SBRACE": "'{'", "BBRACE": "'{'", "RBRACE": "'}'", "LPAR": "'('", "RPAR": "')'", "LBRACKET": "'['", "RBRACKET": "']'",
    "NUM": "number", "STRING": "string",
    "QUOTED_STRING": "quoted string", "ASTERISK_STRING": "string with a trailing asterisk", "AMPERSAND": "&", "PIPE": "'|'",
    "CARET": "^", "NOT": "!", "LSHIFT": "<<", "RSHIFT": ">>",
}  # fmt: skip
#: The order in which an error lists what could have been: that of nft's own tokens.
ORDER = tuple(
    """
    end of file|newline|colon|semicolon|comma|.|==|!=|<|>|<=|>=|<<|>>|&|^|!|/|*|-|@|vmap|'+'|include|define|redefine|undefine|fib|socket
    transparent|wildcard|cgroupv2|tproxy|osf|synproxy|mss|wscale|typeof|hook|hooks|device|devices|table|tables|chain|chains|rule|rules|sets
    set|element|map|maps|flowtable|handle|ruleset|trace|inet|netdev|add|update|replace|create|insert|delete|get|list|reset|flush|rename
    describe|import|export|monitor|all|accept|drop|continue|jump|goto|return|to|constant|interval|dynamic|auto-merge|timeout|gc-interval
    elements|expires|policy|memory|performance|size|flow|offload|meter|meters|flowtables|number|string|quoted string
    string with a trailing asterisk|ll|nh|th|bridge|ether|saddr|daddr|type|vlan|id|cfi|dei|pcp|arp|htype|ptype|hlen|plen|operation|ip
    version|hdrlength|dscp|ecn|length|frag-off|ttl|protocol|checksum|ptr|value|lsrr|rr|ssrr|ra|icmp|code|sequence|gateway|mtu|igmp|mrt
    options|ip6|priority|flowlabel|nexthdr|hoplimit|icmpv6|param-problem|max-delay|ah|reserved|spi|esp|comp|flags|cpi|port|udp|sport|dport
    udplite|csumcov|tcp|ackseq|doff|window|urgptr|option|echo|eol|mptcp|nop|sack|sack0|sack1|sack2|sack3|sack-permitted|fastopen|md5sig
    timestamp|sack-perm|count|left|right|tsval|tsecr|subtype|dccp|sctp|chunk|rt|rt0|rt2|srh|seg-left|addr|last-entry|tag|sid|hbh|frag
    reserved2|more-fragments|dst|mh|meta|mark|iif|iifname|iiftype|oif|oifname|oiftype|skuid|skgid|nftrace|rtclassid|ibriport|obriport
    ibrname|obrname|pkttype|cpu|iifgroup|oifgroup|cgroup|classid|nexthop|ct|l3proto|proto-src|proto-dst|zone|direction|event|expectation
    expiration|helper|label|state|status|original|reply|counter|name|packets|bytes|avgpkt|counters|quotas|limits|synproxys|helpers|log
    prefix|group|snaplen|queue-threshold|level|limit|rate|burst|over|until|quota|used|secmark|secmarks|second|minute|hour|day|week|reject
    with|icmpx|snat|dnat|masquerade|redirect|random|fully-random|persistent|queue|num|bypass|fanout|dup|fwd|numgen|inc|mod|offset|jhash
    symhash|seed|position|index|comment|xml|json|vm|notrack|exists|missing|exthdr|ipsec|reqid|spnum|in|out|xt|'='|'{'|'}'|'['|']'|'$'|'('|')'
    """.replace("\n", "|").replace("|    ", "|").strip(" |").split("|")
)
