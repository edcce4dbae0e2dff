"""The words of a command line, read one after another as iproute2 does, and its complaints about them."""

from __future__ import annotations

from typing import NoReturn

from kubenet_course.userland.process import Process
from kubenet_course.wire.addresses import IpAddress, IPv4Address, IPv6Address, Network, prefix_mask

FAMILY_WORDS = {0: "any valid", 4: "inet", 6: "inet6"}


class Quit(Exception):
    """The command ends here with `status`; `message` has been or will be printed by whoever catches it."""

    def __init__(self, status: int, message: str = ""):
        super().__init__(status, message)
        self.status = status
        self.message = message


def matches(prefix: str, word: str) -> bool:
    """Whether `prefix` abbreviates `word`."""
    return prefix != "" and word.startswith(prefix)


class Words:
    """A cursor over the arguments. `take` gives the next word; `value` is NEXT_ARG(): it must be there."""

    def __init__(self, argv: list[str]):
        self.argv = argv
        self.position = 0

    @property
    def more(self) -> bool:
        return self.position < len(self.argv)

    @property
    def peek(self) -> str:
        """The next word, or "" at the end."""
        return self.argv[self.position] if self.more else ""

    def take(self) -> str:
        word = self.argv[self.position]
        self.position += 1
        return word

    def value(self) -> str:
        if not self.more:
            incomplete()
        return self.take()

    def back(self) -> None:
        self.position -= 1

    @property
    def left(self) -> int:
        return len(self.argv) - self.position

    def rest(self) -> list[str]:
        words = self.argv[self.position :]
        self.position = len(self.argv)
        return words


# -- complaints (lib/utils.c) --------------------------------------------------------------------
def incomplete() -> NoReturn:
    raise Quit(255, 'Command line is not complete. Try option "help"\n')


def missarg(key: str) -> NoReturn:
    raise Quit(255, f'Error: argument "{key}" is required\n')


def invarg(message: str, arg: str) -> NoReturn:
    raise Quit(255, f'Error: argument "{arg}" is wrong: {message}\n')


def duparg(key: str, arg: str) -> NoReturn:
    raise Quit(255, f'Error: duplicate "{key}": "{arg}" is the second value.\n')


def duparg2(key: str, arg: str) -> NoReturn:
    raise Quit(255, f'Error: either "{key}" is duplicate, or "{arg}" is a garbage.\n')


def unsupported(what: str) -> NoReturn:
    raise Quit(2, f"kubenet: {what} is not emulated\n")


def print_quit(proc: Process, quit_: Quit) -> int:
    if quit_.message:
        proc.error(quit_.message, end="")
    return quit_.status


# -- numbers -------------------------------------------------------------------------------------
def c_number(text: str, base: int = 0) -> int | None:
    """strtol(3) over the whole of `text`, None where it is no number."""
    body = text.strip()
    sign = -1 if body.startswith("-") else 1
    body = body.lstrip("+-") if body[:1] in ("+", "-") else body
    try:
        if base == 0:
            if body[:2].lower() == "0x":
                return sign * int(body[2:], 16)
            return sign * int(body, 8 if body.startswith("0") and len(body) > 1 else 10)
        if base == 16 and body[:2].lower() == "0x":
            body = body[2:]
        return sign * int(body, base)
    except ValueError:
        return None


def number(text: str, low: int, high: int, base: int = 0) -> int | None:
    """get_unsigned() and its kin: None where it is no number or out of range."""
    value = c_number(text, base)
    return value if value is not None and low <= value <= high and "_" not in text else None


def u32(text: str, base: int = 0) -> int | None:
    return number(text, 0, 0xFFFFFFFF, base)


def u16(text: str, base: int = 0) -> int | None:
    return number(text, 0, 0xFFFF, base)


def u8(text: str, base: int = 0) -> int | None:
    return number(text, 0, 0xFF, base)


def on_off(key: str, text: str) -> bool:
    """parse_on_off()."""
    if text == "on":
        return True
    if text == "off":
        return False
    raise Quit(1, f'Error: argument of "{key}" must be "on" or "off", not "{text}"\n')


# -- addresses -----------------------------------------------------------------------------------
def parse_ipv4(text: str) -> IPv4Address | None:
    """get_addr_ipv4(): ``10.1`` is 10.1.0.0."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4 or not text:
        return None
    value = 0
    for part in parts:
        if not (part.isascii() and part.isdigit()) or int(part) > 255:
            return None
        value = value << 8 | int(part)
    return IPv4Address(value << 8 * (4 - len(parts)))


def parse_addr(text: str, family: int = 0) -> IpAddress | None:
    """get_addr_1(): an address of `family` (0: either), or None; default, any and all are zero."""
    if text in ("default", "any", "all"):
        if family == 6:
            return IPv6Address(0)
        return IPv4Address(0)
    if ":" in text:
        if family == 4:
            return None
        try:
            return IPv6Address.parse(text)
        except ValueError:
            return None
    if family == 6:
        return None
    return parse_ipv4(text)


def get_addr(text: str, family: int = 0) -> IpAddress:
    address = parse_addr(text, family)
    if address is None:
        raise Quit(1, f'Error: {FAMILY_WORDS[family]} address is expected rather than "{text}".\n')
    return address


class Prefix:
    """inet_prefix: `address` as written (host bits and all) and its length; `given`: a length was said.

    `unspec` is ``default``, ``any`` or ``all`` without a family of its own.
    """

    def __init__(self, address: IpAddress, length: int, given: bool, unspec: bool = False):
        self.address = address
        self.length = length
        self.given = given
        self.unspec = unspec

    @property
    def family(self) -> int:
        return self.address.family

    @property
    def network(self) -> Network:
        return Network.of(self.address, self.length)

    @property
    def has_host_bits(self) -> bool:
        return int(self.address) & ~prefix_mask(self.address.bits, self.length) != 0

    def covers(self, address: int) -> bool:
        """inet_addr_match(): whether the first `length` bits agree."""
        mask = prefix_mask(self.address.bits, self.length)
        return (int(self.address) ^ address) & mask == 0


def parse_prefix(text: str, family: int = 0) -> Prefix | None:
    """get_prefix_1(): ``10.0.0.0/8``, ``10.0.0.0/255.0.0.0``, ``10/8``, an address, default, any, all."""
    if text in ("default", "any", "all"):
        address: IpAddress = IPv6Address(0) if family == 6 else IPv4Address(0)
        return Prefix(address, 0, True, unspec=family == 0)
    body, slash, length_text = text.partition("/")
    parsed = parse_addr(body, family)
    if parsed is None or body in ("default", "any", "all") and slash:
        return None
    bits = parsed.bits
    if not slash:
        return Prefix(parsed, bits, False)
    length = number(length_text, 0, 0xFFFFFFFF)
    if length is None and bits == 32 and "." in length_text:
        mask = parse_ipv4(length_text)
        if mask is None or mask & ((~int(mask) & 0xFFFFFFFF) >> 1):
            return None
        length = int(mask).bit_count()
        if int(mask) != prefix_mask(32, length):
            return None
    if length is None or length > bits:
        return None
    return Prefix(parsed, length, True)


def get_prefix(text: str, family: int = 0) -> Prefix:
    prefix = parse_prefix(text, family)
    if prefix is None:
        raise Quit(1, f'Error: {FAMILY_WORDS[family]} prefix is expected rather than "{text}".\n')
    return prefix


def bad_ifname(name: str) -> bool:
    """check_ifname()."""
    return not 0 < len(name) < 16 or bad_altname(name)


def bad_altname(name: str) -> bool:
    """check_altifname(): no slash and no white space, at most 127 characters."""
    return not 0 < len(name) < 128 or "/" in name or any(char.isspace() for char in name)
