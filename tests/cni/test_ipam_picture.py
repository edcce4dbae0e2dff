"""The picture of the address pools: its facts as text, on either kernel, and live."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from kubenet_course import Lab
from kubenet_course.view import ipam
from kubenet_course.view.target import Target

ADD = "CNI_PATH=/opt/cni/bin cnitool add bridge-net /var/run/netns/{0}"
BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]
TEXT = """Addresses of bridge-net on host (/etc/cni/net.d/10-bridge.conf)
  range      10.22.0.1 to 10.22.0.254 of 10.22.0.0/24, gateway 10.22.0.1
  given      2 of 253
    10.22.0.2  red eth0  cnitool-2ba50707955d35b5a8f3
    10.22.0.4  green eth0  cnitool-857b9352e350d2e93e81
  free       251: 10.22.0.3, 10.22.0.5 to 10.22.0.254
  last given 10.22.0.4
  next       10.22.0.5"""


@pytest.fixture(params=BACKENDS)
def lab(request):  # type: ignore[no-untyped-def]
    with Lab.load("cni", backend=request.param) as lab:
        yield lab


def test_what_is_given_free_last_and_next(lab) -> None:  # type: ignore[no-untyped-def]
    picture = lab.ipam("host", "bridge-net")
    assert "given      0 of 253" in repr(picture) and "last given none yet" in repr(picture)
    for name in ("red", "blue", "green"):
        assert lab.run("host", f"ip netns add {name} && {ADD.format(name)}").returncode == 0
    assert lab.run("host", ADD.format("blue").replace(" add ", " del ")).returncode == 0
    picture.refresh()
    assert repr(picture) == TEXT
    drawing = ElementTree.fromstring(picture.pools[0]["svg"])
    titles = [title.text for title in drawing.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 256
    assert titles[1] == "10.22.0.1: the gateway, never given"
    assert titles[4] == "10.22.0.4: green eth0, given last"
    assert titles[5] == "10.22.0.5: free, comes next"


def test_several_ranges_and_large_ones() -> None:
    with Lab.load("cni") as lab:
        text = """{"cniVersion": "1.0.0", "name": "small", "type": "bridge", "ipam": {"type": "host-local", "dataDir": "/tmp/p",
        "ranges": [[{"subnet": "10.30.0.0/30"}, {"subnet": "10.31.0.0/30"}], [{"subnet": "fd00:30::/64"}]]}}"""
        lab.machine("host").write("/etc/cni/net.d/50-small.conf", text)
        for number, name in enumerate(("red", "blue", "green")):
            lab.run(
                "host", f"ip netns add {name}; CNI_PATH=/opt/cni/bin cnitool add small /var/run/netns/{name}"
            )
            first, second = ipam.pools(lab, Target("host"), "small")
            assert (first.size, first.free) == (2, max(0, 1 - number))
            assert second.last == f"fd00:30::{number + 2}" if number < 2 else "fd00:30::3"
        assert first.next == "" and first.runs() == []
        assert second.free == 2**64 - 2 - 2
        shown = repr(lab.ipam("host", "small"))
        assert "free       none: the next ADD fails" in shown
        assert "given      2 of about 2^64" in shown


def test_nothing_to_show_says_so() -> None:
    with Lab.load("single") as lab:
        assert (
            repr(lab.ipam("host"))
            == "Address pools of host\n  (no network with host-local in /etc/cni/net.d)"
        )
