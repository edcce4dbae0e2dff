"""Capture filters (pcap-filter(7)): text to a test on frames.

    test = compile_filter("tcp port 80 and tcp[tcpflags] & tcp-syn != 0", lookups)
    test(View(frame_bytes, link_type, length))      -> bool

Reading a byte that the frame does not have makes the whole filter false, as BPF does. FilterError
holds libpcap's sentence.
"""

from __future__ import annotations

from kubenet_course.userland.commands.tcpdump.filter.compile import Lookups, compile_filter
from kubenet_course.userland.commands.tcpdump.filter.frame import View
from kubenet_course.userland.commands.tcpdump.filter.names import FilterError

__all__ = ["FilterError", "Lookups", "View", "compile_filter"]
