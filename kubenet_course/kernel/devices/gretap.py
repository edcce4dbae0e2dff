"""Ethernet frames in GRE (net/ipv4/ip_gre.c): see `_ip_tunnel.py`."""

from __future__ import annotations

from kubenet_course.kernel.devices._ip_tunnel import IpTunnel


class Gretap(IpTunnel):
    kind = "gretap"
    tap = True
    min_mtu = 68
    default_qdisc = "pfifo_fast"
