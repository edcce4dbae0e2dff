"""The labels of IPv6 addresses: which source address goes with which destination (net/ipv6/addrlabel.c, RFC 6724)."""

from __future__ import annotations

from typing import NamedTuple

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.wire.addresses import IPv6Address

#: IPV6_ADDR_LABEL_DEFAULT: of an address that no entry matches.
NO_LABEL = 0xFFFFFFFF


class AddressLabel(NamedTuple):
    """`ifindex` 0: on any device."""

    prefix: IPv6Address
    prefixlen: int
    label: int
    ifindex: int = 0

    def matches(self, address: int, ifindex: int) -> bool:
        if self.ifindex and self.ifindex != ifindex:
            return False
        shift = 128 - self.prefixlen
        return int(address) >> shift == int(self.prefix) >> shift


#: ip6addrlbl_init_table[], in the order in which it is looked through.
DEFAULT = tuple(
    AddressLabel(IPv6Address.parse(prefix), length, label)
    for prefix, length, label in (
        ("::1", 128, 0), ("::", 96, 3), ("::ffff:0:0", 96, 4), ("2001::", 32, 6), ("2001:10::", 28, 7), ("3ffe::", 16, 12),
        ("2002::", 16, 2), ("fec0::", 10, 11), ("fc00::", 7, 5), ("::", 0, 1),
    )
)  # fmt: skip


class AddressLabels(list[AddressLabel]):
    """One namespace's, the longest prefix first."""

    def __init__(self) -> None:
        super().__init__(DEFAULT)

    def add(self, prefix: IPv6Address, prefixlen: int, label: int, ifindex: int = 0) -> None:
        """__ip6addrlbl_add(): KernelError(EEXIST) if there is a label for this prefix on this device."""
        shift = 128 - prefixlen
        new = AddressLabel(IPv6Address(int(prefix) >> shift << shift), prefixlen, label, ifindex)
        for position, old in enumerate(self):
            if (old.prefix, old.prefixlen, old.ifindex) == (new.prefix, new.prefixlen, new.ifindex):
                raise KernelError(errno.EEXIST)
            if old.prefixlen < prefixlen or old.prefixlen == prefixlen and not old.ifindex:
                self.insert(position, new)
                return
        self.append(new)

    def delete(self, prefix: IPv6Address, prefixlen: int, ifindex: int = 0) -> None:
        """__ip6addrlbl_del(): whatever its label; KernelError(ESRCH)."""
        shift = 128 - prefixlen
        key = (IPv6Address(int(prefix) >> shift << shift), prefixlen, ifindex)
        for old in self:
            if (old.prefix, old.prefixlen, old.ifindex) == key:
                self.remove(old)
                return
        raise KernelError(errno.ESRCH)

    def of(self, address: int, ifindex: int = 0) -> int:
        """ipv6_addr_label()."""
        return next((entry.label for entry in self if entry.matches(address, ifindex)), NO_LABEL)


__all__ = ["AddressLabel", "AddressLabels"]
