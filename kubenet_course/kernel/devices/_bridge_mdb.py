"""Multicast groups behind a bridge's ports (net/bridge/br_mdb.c), as far as they are added by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.wire.addresses import IpAddress, MacAddress


@dataclass(slots=True)
class MdbEntry:
    """A group behind a port (struct net_bridge_port_group); without a querier, groups are flooded all the same."""

    dev: NetDevice
    group: IpAddress | MacAddress
    permanent: bool
    expires: int = 0
    source: IpAddress | None = None
