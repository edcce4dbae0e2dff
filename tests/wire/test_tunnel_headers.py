"""VXLAN and GRE headers: captured bytes, decoded and encoded again."""

from __future__ import annotations

import pytest

from kubenet_course.wire.checksum import internet_checksum
from kubenet_course.wire.gre import GreHeader
from kubenet_course.wire.vxlan import VxlanHeader


@pytest.mark.parametrize(
    ("data", "header", "text"),
    [
        ("0800000000002a00", VxlanHeader(42), "VXLAN, flags [I] (0x08), vni 42"),
        ("08000000ffffff00", VxlanHeader(0xFFFFFF), "VXLAN, flags [I] (0x08), vni 16777215"),
    ],
)
def test_a_vxlan_header_comes_back(data: str, header: VxlanHeader, text: str) -> None:
    assert VxlanHeader.decode(bytes.fromhex(data)) == header
    assert header.encode().hex() == data
    assert str(header) == text


@pytest.mark.parametrize(
    ("data", "header", "text"),
    [
        ("00000800", GreHeader(0x0800), "GREv0"),
        ("20000800000000ff", GreHeader(0x0800, 0xFF), "GREv0, key=0xff"),
        ("300065580000000100000007", GreHeader(0x6558, 1, 7), "GREv0, key=0x1, seq 7"),
    ],
)
def test_a_gre_header_comes_back(data: str, header: GreHeader, text: str) -> None:
    assert GreHeader.decode(bytes.fromhex(data)) == header
    assert header.encode().hex() == data
    assert header.header_length == len(data) // 2
    assert str(header) == text


def test_a_gre_checksum_covers_header_and_payload() -> None:
    payload = b"\x45\x00abcd"
    head = GreHeader(0x0800, key=5, checksum=True).encode(payload)
    assert internet_checksum(head + payload) == 0
    assert GreHeader.decode(head).checksum


@pytest.mark.parametrize("data", ["", "08", "0800", "20000800", "3000080000000001"])
def test_a_short_header_is_refused(data: str) -> None:
    with pytest.raises(ValueError):
        GreHeader.decode(bytes.fromhex(data))
    with pytest.raises(ValueError):
        VxlanHeader.decode(bytes.fromhex(data)[:7])
