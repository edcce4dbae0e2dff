"""The `erspan` fallback device that comes with the GRE module; mirroring itself is not emulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._ip_tunnel import IpTunnel

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.wire.addresses import MacAddress


class Erspan(IpTunnel):
    """erspan0, which no packet passes."""

    kind = "erspan"
    tap = True
    min_mtu = 68
    default_qdisc = "pfifo_fast"

    @classmethod
    def newlink(
        cls,
        net: NetNamespace,
        name: str,
        attrs: dict[str, Any],
        link: NetDevice | None,
        mac: MacAddress | None,
    ) -> Erspan:
        raise KernelError(errno.EOPNOTSUPP)

    @property
    def protocol(self) -> int:
        return 47
