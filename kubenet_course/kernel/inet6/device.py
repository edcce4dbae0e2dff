"""What IPv6 keeps for each device (struct inet6_dev): readiness, groups, router solicitations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.wire.addresses import ANY6

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.sim.loop import Timer
    from kubenet_course.wire.addresses import IPv6Address


class McGroup:
    """One joined multicast group; `reports` counts the MLD reports still to send about it."""

    __slots__ = ("address", "users", "reports")

    def __init__(self, address: IPv6Address):
        self.address = address
        self.users = 1
        self.reports = 0


class Inet6Device:
    """`ready` is IF_READY: up, with carrier, and configured. `groups` is oldest first."""

    def __init__(self, dev: NetDevice):
        self.dev = dev
        self.ready = False
        #: Copies of sysctls that every packet asks for.
        self.disabled = False
        #: Whether the device's filter holds the groups (MAF_LOADED); not after a ready device went down.
        self.filters = True
        self.forwarding = False
        self.forced = False
        self.groups: dict[int, McGroup] = {}
        self.left: dict[int, McGroup] = {}
        self.mld_rounds = 0
        self.mld_dad_rounds = 0
        self.mld_timer: Timer | None = None
        self.mld_dad_timer: Timer | None = None
        self.rs_timer: Timer | None = None
        self.rs_count = 0
        self.rs_interval = 0
        self.ra_received = False
        #: The interface identifier that autoconfigured addresses get (`ip token`), zero for none.
        self.token = ANY6
        self.ra_hop_limit = 0
        self.ra_mtu = 0
        #: Anycast addresses joined on the device, with the number of users.
        self.anycasts: dict[int, int] = {}

    def cancel_timers(self) -> None:
        for name in ("mld_timer", "mld_dad_timer", "rs_timer"):
            timer = getattr(self, name)
            if timer is not None:
                timer.cancel()
                setattr(self, name, None)
