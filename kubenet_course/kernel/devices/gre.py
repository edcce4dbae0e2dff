"""Packets in GRE (net/ipv4/ip_gre.c, RFC 2784): see `_ip_tunnel.py`."""

from __future__ import annotations

from kubenet_course.kernel.devices._ip_tunnel import IpTunnel


class Gre(IpTunnel):
    kind = "gre"
    link_type = "gre"
