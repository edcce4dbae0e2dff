"""IPv6 extension headers, TCP options, IP options and SCTP chunks: their fields, and the bits of each (exthdr.c, tcpopt.c,
ipopt.c, sctp_chunk.c)."""

from __future__ import annotations

from typing import NamedTuple

from kubenet_course.kernel.netfilter.nf_tables.datatypes import INTEGER, TYPES, DataType


class OptionField(NamedTuple):
    """`offset` and `bits` in bits from where the header or option begins."""

    offset: int
    bits: int
    type: DataType = INTEGER


_NEXT, _LENGTH = OptionField(0, 8, TYPES["inet_proto"]), OptionField(8, 8)
#: Header → its protocol number and fields; `addr` and `sid` are the first of a list.
EXTENSION_HEADERS: dict[str, tuple[int, dict[str, OptionField]]] = {
    "hbh": (0, {"nexthdr": _NEXT, "hdrlength": _LENGTH}),
    "dst": (60, {"nexthdr": _NEXT, "hdrlength": _LENGTH}),
    "rt": (43, {"nexthdr": _NEXT, "hdrlength": _LENGTH, "type": OptionField(16, 8), "seg-left": OptionField(24, 8)}),
    "rt0": (43, {"addr": OptionField(64, 128, TYPES["ipv6_addr"])}),
    "rt2": (43, {"addr": OptionField(64, 128, TYPES["ipv6_addr"])}),
    "srh": (43, {
        "last-entry": OptionField(32, 8), "flags": OptionField(40, 8), "tag": OptionField(48, 16),
        "sid": OptionField(64, 128, TYPES["ipv6_addr"]),
    }),
    "frag": (44, {
        "nexthdr": _NEXT, "reserved": OptionField(8, 8), "frag-off": OptionField(16, 13), "reserved2": OptionField(29, 2),
        "more-fragments": OptionField(31, 1), "id": OptionField(32, 32),
    }),
    "mh": (135, {
        "nexthdr": _NEXT, "hdrlength": _LENGTH, "type": OptionField(16, 8, TYPES["mh_type"]), "reserved": OptionField(24, 8),
        "checksum": OptionField(32, 16),
    }),
}  # fmt: skip


def extension_field(header: str, part: str) -> OptionField:
    """The field of a header; ``addr[2]`` is the third address."""
    name, bracket, index = part.partition("[")
    found = EXTENSION_HEADERS[header][1][name]
    return found._replace(offset=found.offset + int(index[:-1]) * found.bits) if bracket else found


#: TCP option → its kind.
TCP_KINDS = {
    "eol": 0, "nop": 1, "maxseg": 2, "window": 3, "sack-perm": 4, "sack": 5, "timestamp": 8, "md5sig": 19, "mptcp": 30,
    "fastopen": 34,
}  # fmt: skip
TCP_NAMES = {number: name for name, number in TCP_KINDS.items()}
#: Other spellings, and the sack blocks that are one option.
TCP_SYNONYMS = {"noop": "nop", "sack-permitted": "sack-perm", "mss": "maxseg", "sack0": "sack", "echo": "timestamp"}
_OF_LENGTH = OptionField(8, 8)
TCP_FIELDS: dict[str, dict[str, OptionField]] = {
    "maxseg": {"length": _OF_LENGTH, "size": OptionField(16, 16)},
    "window": {"length": _OF_LENGTH, "count": OptionField(16, 8)},
    "sack-perm": {"length": _OF_LENGTH},
    "sack": {"length": _OF_LENGTH, "left": OptionField(16, 32), "right": OptionField(48, 32)},
    "sack1": {"length": _OF_LENGTH, "left": OptionField(80, 32), "right": OptionField(112, 32)},
    "sack2": {"length": _OF_LENGTH, "left": OptionField(144, 32), "right": OptionField(176, 32)},
    "sack3": {"length": _OF_LENGTH, "left": OptionField(208, 32), "right": OptionField(240, 32)},
    "timestamp": {"length": _OF_LENGTH, "tsval": OptionField(16, 32), "tsecr": OptionField(48, 32)},
    "mptcp": {"length": _OF_LENGTH, "subtype": OptionField(16, 4)},
    "fastopen": {"length": _OF_LENGTH}, "md5sig": {"length": _OF_LENGTH},
    "eol": {}, "nop": {},
}  # fmt: skip
#: IP option → its type, and its fields.
_ROUTE = {
    "type": OptionField(0, 8), "length": OptionField(8, 8), "ptr": OptionField(16, 8), "addr": OptionField(24, 32),
}  # fmt: skip
IP_OPTIONS: dict[str, tuple[int, dict[str, OptionField]]] = {
    "lsrr": (131, _ROUTE), "rr": (7, _ROUTE), "ssrr": (137, _ROUTE),
    "ra": (148, {"type": OptionField(0, 8), "length": OptionField(8, 8), "value": OptionField(16, 16)}),
}  # fmt: skip
_CHUNK = {"type": OptionField(0, 8), "flags": OptionField(8, 8), "length": OptionField(16, 16)}
_FIRST = OptionField(32, 32)
_INIT = {
    "init-tag": _FIRST, "a-rwnd": OptionField(64, 32), "num-outbound-streams": OptionField(96, 16),
    "num-inbound-streams": OptionField(112, 16), "initial-tsn": OptionField(128, 32),
}  # fmt: skip
_OWN_FIELDS: dict[str, dict[str, OptionField]] = {
    "data": {"tsn": _FIRST, "stream": OptionField(64, 16), "ssn": OptionField(80, 16), "ppid": OptionField(96, 32)},
    "init": _INIT, "init-ack": _INIT,
    "sack": {
        "cum-tsn-ack": _FIRST, "a-rwnd": OptionField(64, 32), "num-gap-ack-blocks": OptionField(96, 16),
        "num-dup-tsns": OptionField(112, 16),
    },
    "heartbeat": {}, "heartbeat-ack": {}, "abort": {}, "shutdown": {"cum-tsn-ack": _FIRST}, "shutdown-ack": {}, "error": {},
    "cookie-echo": {}, "cookie-ack": {}, "ecne": {"lowest-tsn": _FIRST}, "cwr": {"lowest-tsn": _FIRST}, "shutdown-complete": {},
    "asconf-ack": {"seqno": _FIRST}, "forward-tsn": {"new-cum-tsn": _FIRST}, "asconf": {"seqno": _FIRST},
}  # fmt: skip
#: Chunk of SCTP → its fields.
SCTP_CHUNKS = {name: {**_CHUNK, **fields} for name, fields in _OWN_FIELDS.items()}
