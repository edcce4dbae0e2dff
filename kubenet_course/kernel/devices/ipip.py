"""IPv4 packets in IPv4 packets (net/ipv4/ipip.c, RFC 2003): see `_ip_tunnel.py`."""

from __future__ import annotations

from kubenet_course.kernel.devices._ip_tunnel import IpTunnel


class Ipip(IpTunnel):
    kind = "ipip"
    link_type = "ipip"
