"""-m hashlimit: a token bucket per source, destination or port (libxt_hashlimit, xt_hashlimit.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.matches.limit import parse_rate
from kubenet_course.kernel.netfilter.matches.multiport import ports_of
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, number, problem
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

SCALE = 1_000_000
SHOWN = (("day", 86400), ("hour", 3600), ("min", 60), ("sec", 1))
MODES = ("srcip", "srcport", "dstip", "dstport")
#: nft names them in another order.
NFT_MODES = ("dstip", "dstport", "srcip", "srcport")
GC_INTERVAL, EXPIRE = 1000, 10000
MAXIMUM = 0xFFFFFFFF
SECONDS = {"sec": 1, "min": 60, "hour": 3600, "day": 86400}
BAD_BURST = 'bad value for option "--hashlimit-burst", or out of range (1-1000000).'
#: What a table may have at most.
LARGEST = 1048576


def rate_text(average: int) -> str:
    index = 0
    for position in range(1, len(SHOWN)):
        scale = SHOWN[position][1] * SCALE
        if average > scale or scale // average < scale % average:
            break
        index = position
    return f"{SHOWN[index][1] * SCALE // average}/{SHOWN[index][0]}"


def bytes_cost(size: int) -> int:
    """bytes_to_cost(): what a byte rate is kept as."""
    return MAXIMUM // ((size >> 4) + 1)


def cost_bytes(cost: int) -> int:
    """cost_to_bytes(): the rate that is printed of it."""
    return (MAXIMUM // cost if cost else MAXIMUM) - 1 << 4


def parse_bytes(text: str) -> int:
    """``400kb``, ``1mb``, ``123b``: bytes; 0 where no number begins it."""
    found = re.match(r"\s*(\d+)([a-zA-Z]?)", text)
    return int(found[1]) * {"k": 1024, "m": 1048576}.get(found[2], 1) if found is not None else 0


def bytes_text(size: int) -> str:
    """print_bytes(): a rate in the largest unit that is kept the same."""
    for unit, word in ((1048576, "mb"), (1024, "kb")):
        if size >= unit and bytes_cost(size & ~(unit - 1) & MAXIMUM) == bytes_cost(size):
            return f"{size // unit}{word}"
    return f"{size}b"


def burst_text(size: int) -> str:
    """A burst in the largest unit that it fills."""
    unit, word = next(((unit, word) for unit, word in ((1048576, "mb"), (1024, "kb")) if size >= unit), (1, "b"))
    return f"{size // unit}{word}"


HASH = 250 << 39  # HZ * CREDITS_PER_JIFFY


def credits(amount: int) -> int:
    """user2credits(), in 64 bits."""
    return amount * (HASH // SCALE) % 2**64


class Hashlimit(Extension):
    name = "hashlimit"
    options = (
        Opt("hashlimit-upto", "string", invert=True, excl=("hashlimit-above",)),
        Opt("hashlimit-above", "string", invert=True, excl=("hashlimit-upto",)),
        Opt("hashlimit", "string", invert=True, excl=("hashlimit-above",), key="hashlimit-upto"),
        Opt("hashlimit-srcmask", "plenmask"),
        Opt("hashlimit-dstmask", "plenmask"),
        Opt("hashlimit-burst", "string"),
        Opt("hashlimit-htable-size", "uint32"),
        Opt("hashlimit-htable-max", "uint32"),
        Opt("hashlimit-htable-gcinterval", "uint32"),
        Opt("hashlimit-htable-expire", "uint32"),
        Opt("hashlimit-mode", "string"),
        Opt("hashlimit-name", "string", low=1, high=256, mand=True),
        Opt("hashlimit-rate-match"),
        Opt("hashlimit-rate-interval", "string"),
    )
    average = 0
    unit = 1
    bytes_rate: int | None = None
    burst = 5
    #: It has no unit.
    burst_plain = False
    #: A number of the table's was too large, and was cut.
    cut = False
    #: As a multiple of the byte rate.
    burst_bytes: int | None = None
    modes: frozenset[str] = frozenset()

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id in ("hashlimit-upto", "hashlimit-above"):
            try:
                if "b/s" in value:
                    size = parse_bytes(value)
                    if not size:
                        raise ValueError(value)
                    self.bytes_rate = cost_bytes(bytes_cost(size))
                else:
                    self.average, self.unit = parse_rate(value, SCALE)
            except ValueError:
                raise problem(f'hashlimit: Bad value for "--{opt.name}" option: "{value}"') from None
        elif opt.id == "hashlimit-burst":
            self.burst = parse_bytes(value)
            self.burst_plain = re.search(r"[a-zA-Z]$", value) is None or not self.burst
        elif opt.id == "hashlimit-rate-interval":
            seconds = number(value) or 0
            if not 0 < (seconds if seconds <= MAXIMUM else 0) <= 0x7FFFFFFF:
                raise problem(f'hashlimit: Bad value for "--hashlimit-rate-interval" option: "{value}"')
            self.values[opt.id] = seconds
        elif opt.id == "hashlimit-mode":
            words = [word for word in value.split(",") if word]
            if any(word not in MODES for word in words):
                raise problem(f'hashlimit: Bad value for "--hashlimit-mode" option: "{value}"')
            self.modes = frozenset(words)
        elif opt.id in ("hashlimit-srcmask", "hashlimit-dstmask"):
            bits = 32 if self.family == 4 else 128
            self.values[opt.id] = max(bits - (~value & ((1 << bits) - 1)).bit_length(), value.bit_count() if value >> bits else 0)
        elif opt.id == "hashlimit-name":
            self.values[opt.id] = value[:254]
        elif opt.id in ("hashlimit-htable-size", "hashlimit-htable-max"):
            self.values[opt.id] = min(value, LARGEST)
            self.cut |= value > LARGEST

    def check(self, names: Names) -> None:
        if "hashlimit-upto" not in self.values and "hashlimit-above" not in self.values:
            raise problem("You have to specify --hashlimit")
        if self.bytes_rate is not None:
            if "hashlimit-burst" in self.values:
                if self.burst_plain and not 0 < self.burst <= 1000000:
                    raise problem(BAD_BURST)
                if self.burst < self.bytes_rate or not self.burst:
                    raise problem(f"burst cannot be smaller than {self.bytes_rate}b")
                self.burst_bytes = -(-self.burst // self.bytes_rate) if self.bytes_rate else 0
        elif not 0 < self.burst <= 1000000:
            raise problem(BAD_BURST)
        if "hashlimit-rate-match" in self.values and self.average:
            self.average //= self.unit

    def refused(self, place: Place, rule: XtRule) -> int:
        name = self.values["hashlimit-name"]
        bits = 32 if self.family == 4 else 128
        if any(self.values.get(key, 0) > bits for key in ("hashlimit-srcmask", "hashlimit-dstmask")):
            return errno.EINVAL
        if "/" in name or name in (".", "..") or 0 in (
            self.values.get("hashlimit-htable-gcinterval", 1), self.values.get("hashlimit-htable-expire", 1)
        ):  # fmt: skip
            return errno.EINVAL
        if self.average and credits(self.average * self.burst) < credits(self.average):
            return errno.ERANGE
        return 0

    def hidden(self) -> Any:
        return self.cut, "hashlimit-rate-match" not in self.values and self.values.get("hashlimit-rate-interval")

    def _above(self) -> bool:
        return ("hashlimit-above" in self.values) != bool(self.inverted & {"hashlimit-upto", "hashlimit-above"})

    def _rate(self, interval: int = 1) -> str:
        if self.bytes_rate is not None:
            return bytes_text(self.bytes_rate) + "/s"
        return rate_text(self.average * interval)

    def _burst(self) -> str:
        if self.bytes_rate is not None:
            return burst_text(self.bytes_rate * self.burst_bytes) if self.burst_bytes else ""
        return str(self.burst)

    def _expire(self) -> int:
        if "hashlimit-htable-expire" in self.values:
            return self.values["hashlimit-htable-expire"]
        if self.bytes_rate is not None:
            return 60 * 1000 if self.burst_bytes else 15 * 1000
        return self.unit * 1000

    def _expire_shown(self, interval: int = 1) -> bool:
        """Only where it is not what the printed rate's unit brings by itself."""
        if self.bytes_rate is not None:
            return self._expire() != (60000 if self.burst_bytes else 15000)
        return self._expire() != SECONDS[rate_text(self.average * interval).split("/")[1]] * 1000

    def _masks(self) -> list[tuple[str, int]]:
        bits = 32 if self.family == 4 else 128
        return [(key, self.values[key]) for key in ("hashlimit-srcmask", "hashlimit-dstmask") if self.values.get(key, bits) != bits]

    def save(self) -> str:
        words = [f"--hashlimit-{'above' if self._above() else 'upto'} {self._rate()}"]
        words += [f"--hashlimit-burst {self._burst()}"] if self._burst() else []
        words += [f"--hashlimit-mode {','.join(mode for mode in MODES if mode in self.modes)}"] if self.modes else []
        words.append(f"--hashlimit-name {self.values['hashlimit-name']}")
        for key in ("htable-size", "htable-max"):
            if self.values.get(f"hashlimit-{key}"):
                words.append(f"--hashlimit-{key} {self.values[f'hashlimit-{key}']}")
        if self.values.get("hashlimit-htable-gcinterval", GC_INTERVAL) != GC_INTERVAL:
            words.append(f"--hashlimit-htable-gcinterval {self.values['hashlimit-htable-gcinterval']}")
        if self._expire_shown():
            words.append(f"--hashlimit-htable-expire {self._expire()}")
        words += [f"--{key} {value}" for key, value in self._masks()]
        words += ["--hashlimit-rate-match"] if "hashlimit-rate-match" in self.values else []
        if "hashlimit-rate-match" in self.values and self.values.get("hashlimit-rate-interval", 1) != 1:
            words.append(f"--hashlimit-rate-interval {self.values['hashlimit-rate-interval']}")
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        interval = self.values.get("hashlimit-rate-interval", 1)
        words = [f"limit: {'above' if self._above() else 'up to'} {self._rate(interval)}"]
        words += [f"burst {self._burst()}"] if self._burst() else []
        words += [f"mode {'-'.join(mode for mode in MODES if mode in self.modes)}"] if self.modes else []
        for key in ("htable-size", "htable-max"):
            if self.values.get(f"hashlimit-{key}"):
                words.append(f"{key} {self.values[f'hashlimit-{key}']}")
        if self.values.get("hashlimit-htable-gcinterval", GC_INTERVAL) != GC_INTERVAL:
            words.append(f"htable-gcinterval {self.values['hashlimit-htable-gcinterval']}")
        if self._expire_shown(interval):
            words.append(f"htable-expire {self._expire()}")
        words += [f"{key.removeprefix('hashlimit-')} {value}" for key, value in self._masks()]
        words += ["rate-match"] if "hashlimit-rate-match" in self.values else []
        words += [f"rate-interval {interval}"] if "hashlimit-rate-match" in self.values and interval != 1 else []
        return " ".join(words)

    def nft(self, rule: XtRule) -> str | None:
        if not self.modes:
            return None
        head = "ip" if self.family == 4 else "ip6"
        fields = {"srcip": f"{head} saddr", "dstip": f"{head} daddr", "srcport": "tcp sport", "dstport": "tcp dport"}
        bits = 32 if self.family == 4 else 128
        for key, mode in (("hashlimit-srcmask", "srcip"), ("hashlimit-dstmask", "dstip")):
            length = self.values.get(key, bits)
            if length != bits:
                mask = ((1 << length) - 1) << (bits - length)
                fields[mode] += f" and {_mask_text(mask, self.family)}"
        text = " . ".join(fields[mode] for mode in NFT_MODES if mode in self.modes)
        if "hashlimit-rate-match" in self.values:
            text += " . (null)"
        expire = self._expire() // 1000
        if "hashlimit-htable-expire" in self.values or expire != 1:
            text += f" timeout {expire}s"
        over = " over" if self._above() else ""
        if self.bytes_rate is not None:
            count, unit = re.fullmatch(r"(\d+)(\w+)", bytes_text(self.bytes_rate)).groups()  # type: ignore[union-attr]
            word = {"b": "bytes", "kb": "kbytes", "mb": "mbytes"}[unit]
            return f"meter {self.values['hashlimit-name']} {{ {text} limit rate{over} {count} {word}/second }}"
        count, unit = rate_text(self.average).split("/")
        unit = {"sec": "second", "min": "minute"}.get(unit, unit)
        burst = f" burst {self.burst} packets" if self.burst != 5 else ""
        return f"meter {self.values['hashlimit-name']} {{ {text} limit rate{over} {count}/{unit}{burst} }}"

    def attach(self, net: NetNamespace, rule: XtRule) -> None:
        super().attach(net, rule)
        users = net.rooms.setdefault("hashlimit_users", {})
        users[self._table()] = users.get(self._table(), 0) + 1

    def detach(self, net: NetNamespace) -> None:
        """htable_put(): the table ends with its last rule, which a rule of the same transaction may still be."""
        super().detach(net)
        net.rooms["hashlimit_users"][self._table()] -= 1
        net.loop.call_soon(self._forget, net)

    def _forget(self, net: NetNamespace) -> None:
        if not net.rooms["hashlimit_users"].get(self._table()):
            net.rooms.get("hashlimit", {}).pop(self._table(), None)

    def _table(self) -> tuple[int, str]:
        return self.family, self.values["hashlimit-name"]

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        tables = net.rooms.setdefault("hashlimit", {})
        buckets: dict[tuple, list[int]] = tables.setdefault(self._table(), {})
        loop, above, modes = net.loop, self._above(), self.modes
        bits = 32 if self.family == 4 else 128
        masks = [
            ((1 << self.values.get(key, bits)) - 1) << (bits - self.values.get(key, bits))
            for key in ("hashlimit-srcmask", "hashlimit-dstmask")
        ]
        by_bytes = self.bytes_rate is not None
        cost = SECOND if by_bytes else self.average * 1000
        full = (self.bytes_rate or 1) * (self.burst_bytes or 1) * SECOND if by_bytes else cost * self.burst
        rate = self.bytes_rate or 1
        expire = self._expire() * 1_000_000
        ports = "srcport" in modes or "dstport" in modes

        def test(skb: Any, state: Any) -> bool:
            ip = skb.network
            pair = (ports_of(skb) or (0, 0)) if ports else (0, 0)
            key = (
                ip[0] & masks[0] if "srcip" in modes else 0, ip[1] & masks[1] if "dstip" in modes else 0,
                pair[0] if "srcport" in modes else 0, pair[1] if "dstport" in modes else 0,
            )  # fmt: skip
            now = loop.now
            bucket = buckets.get(key)
            if bucket is None or now - bucket[1] > max(expire, 1):
                bucket = buckets[key] = [full, now]
            gained = (now - bucket[1]) * rate if by_bytes else now - bucket[1]
            credit, bucket[1] = min(full, bucket[0] + gained), now
            price = skb.len * SECOND if by_bytes else cost
            if credit >= price:
                bucket[0] = credit - price
                return not above
            bucket[0] = credit
            return above

        return test


def _mask_text(mask: int, family: int) -> str:
    if family == 4:
        return ".".join(str(mask >> shift & 255) for shift in (24, 16, 8, 0))
    digits = f"{mask:032x}"
    return ":".join(digits[at : at + 4] for at in range(0, 32, 4))


EXTENSION = Hashlimit
