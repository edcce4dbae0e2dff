"""Rates, sizes, times and percentages as `tc` reads and writes them (iproute2: lib/utils_math.c,
tc/tc_util.c, tc_core.c).

The kernel counts time in ticks of 64 ns, and `tc` rounds on the way in and out; so 20us comes back as 19us.
"""

from __future__ import annotations

import re

TICKS_PER_US = 15.625
RATE_UNITS = {
    "bit": 1, "kibit": 1024, "kbit": 1e3, "mibit": 1024**2, "mbit": 1e6, "gibit": 1024**3, "gbit": 1e9,
    "tibit": 1024**4,
    "tbit": 1e12, "bps": 8, "kibps": 8192, "kbps": 8e3, "mibps": 8 * 1024**2, "mbps": 8e6,
    "gibps": 8 * 1024**3,
    "gbps": 8e9, "tibps": 8 * 1024**4, "tbps": 8e12,
}  # fmt: skip
SIZE_UNITS = {
    "": 1, "b": 1, "k": 1024, "kb": 1024, "m": 1024**2, "mb": 1024**2, "g": 1024**3, "gb": 1024**3,
    "kbit": 128,
    "mbit": 131072, "gbit": 134217728,
}  # fmt: skip
TIME_UNITS = {
    "": 1, "s": 1e6, "sec": 1e6, "secs": 1e6, "ms": 1e3, "msec": 1e3, "msecs": 1e3, "us": 1, "usec": 1,
    "usecs": 1,
    "ns": 1e-3, "nsec": 1e-3, "nsecs": 1e-3,
}  # fmt: skip
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(.*)", re.DOTALL)


def _split(text: str) -> tuple[float, str] | None:
    found = _NUMBER.fullmatch(text)
    return (float(found.group(1)), found.group(2)) if found else None


def get_rate(text: str) -> int | None:
    """Bytes a second; None for nonsense."""
    parts = _split(text)
    if parts is None or parts[0] < 0:
        return None
    unit = parts[1].lower()
    if unit == "":
        return int(parts[0] / 8)
    return int(parts[0] * RATE_UNITS[unit] / 8) if unit in RATE_UNITS else None


def get_size(text: str) -> int | None:
    """Bytes."""
    parts = _split(text)
    if parts is None or parts[0] < 0 or parts[1].lower() not in SIZE_UNITS:
        return None
    return int(parts[0] * SIZE_UNITS[parts[1].lower()])


def get_time(text: str) -> int | None:
    """ns, rounded to the kernel's ticks."""
    parts = _split(text)
    if parts is None or parts[0] < 0 or parts[1].lower() not in TIME_UNITS:
        return None
    return int(parts[0] * TIME_UNITS[parts[1].lower()] * TICKS_PER_US) * 64


def get_percent(text: str) -> int | None:
    """A share of one as a number of 32 bits."""
    parts = _split(text)
    if parts is None or parts[1] not in ("", "%") or not 0 <= parts[0] <= 100:
        return None
    return round(parts[0] / 100 * 0xFFFFFFFF)


def get_handle(text: str) -> int | None:
    """get_qdisc_handle(): ``1:`` or ``1``, hexadecimal."""
    if text == "none":
        return 0
    major, colon, rest = text.partition(":")
    if rest or not re.fullmatch(r"[0-9a-fA-F]{1,4}", major):
        return None
    return int(major, 16) << 16


def get_classid(text: str) -> int | None:
    """get_tc_classid(): ``1:10``, ``:10``, ``1:``, ``root``, ``none``."""
    if text == "root":
        return 0xFFFFFFFF
    if text == "none":
        return 0
    major, colon, minor = text.partition(":")
    if not all(re.fullmatch(r"[0-9a-fA-F]{0,4}", part) for part in (major, minor)) or not text.strip(":"):
        return None
    if not colon:
        return int(major, 16)
    return int(major or "0", 16) << 16 | int(minor or "0", 16)


def print_classid(classid: int) -> str:
    """print_tc_classid()."""
    if classid == 0xFFFFFFFF:
        return "root"
    if not classid:
        return "none"
    major, minor = classid >> 16, classid & 0xFFFF
    if not major:
        return f":{minor:x}"
    return f"{major:x}:{minor:x}" if minor else f"{major:x}:"


def print_rate(rate: int) -> str:
    """tc_print_rate(): ``1Mbit``."""
    bits = rate * 8
    units = ("bit", "Kbit", "Mbit", "Gbit", "Tbit")
    step = 0
    while step < 4:
        if bits < 1000 or (bits % 1000 and bits < 1000 * 1000):
            break
        bits //= 1000
        step += 1
    return f"{bits}{units[step]}"


def print_size(size: int) -> str:
    """sprint_size(): ``4Kb``, ``1599b``."""
    if size >= 1 << 20 and abs((1 << 20) * round(size / (1 << 20)) - size) < 1024:
        return f"{round(size / (1 << 20))}Mb"
    if size >= 1024 and abs(1024 * round(size / 1024) - size) < 16:
        return f"{round(size / 1024)}Kb"
    return f"{size}b"


def print_time(ns: float) -> str:
    """sprint_time(): whole microseconds."""
    us = int(ns / 1000)
    if us >= 1_000_000:
        return f"{us / 1e6:.3g}s"
    if us >= 1000:
        return f"{us / 1000:.3g}ms"
    return f"{us}us"


def print_percent(share: int) -> str:
    """print_percent(): ``1.5%``."""
    return f"{share / 0xFFFFFFFF * 100:g}%"


def transmit_time(rate: int, size: int) -> int:
    """tc_calc_xmittime() in ns: how long `size` bytes take at `rate`, in whole ticks."""
    return int(int(1e6 * size / rate) * TICKS_PER_US) * 64 if rate else 0


def transmit_size(rate: int, ns: int) -> int:
    """tc_calc_xmitsize(): the bytes sent at `rate` in that time."""
    return int(rate * (ns / 64 / TICKS_PER_US) / 1e6)
