"""Addresses parse, print and mask as the C library's functions do."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubenet_course.wire.addresses import IPv4Address, IPv6Address, MacAddress, Network


@given(st.integers(0, 2**32 - 1))
def test_ipv4_text_is_inet_ntop(value: int) -> None:
    address = IPv4Address(value)
    assert str(address) == socket.inet_ntop(socket.AF_INET, address.encode())
    assert IPv4Address.parse(str(address)) == value


@given(st.one_of(st.integers(0, 2**128 - 1), st.integers(0, 2**40).map(lambda n: n << 80), st.integers(0, 2**34)))
def test_ipv6_text_is_inet_ntop(value: int) -> None:
    address = IPv6Address(value)
    expected = socket.inet_ntop(socket.AF_INET6, address.encode())
    if "." not in expected:
        assert str(address) == expected
    assert IPv6Address.parse(expected) == value


@given(st.text(max_size=24))
def test_what_is_no_address_is_refused(text: str) -> None:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        if not text.replace(".", "").isdigit():
            with pytest.raises(ValueError):
                IPv4Address.parse(text)


@given(st.integers(0, 2**48 - 1))
def test_a_mac_address_survives_its_text(value: int) -> None:
    assert MacAddress.parse(str(MacAddress(value))) == value


@pytest.mark.parametrize(
    ("mac", "expected"),
    [("02:00:00:00:00:01", "fe80::ff:fe00:1"), ("a2:85:51:03:20:2e", "fe80::a085:51ff:fe03:202e")],
)
def test_the_link_local_address_of_a_mac(mac: str, expected: str) -> None:
    assert str(MacAddress.parse(mac).link_local()) == expected


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_a_network_contains_what_ipaddress_says(value: int, length: int, other: int) -> None:
    network = Network.of(IPv4Address(value), length)
    reference = ipaddress.ip_network((value, length), strict=False)
    assert str(network) == str(reference)
    assert (IPv4Address(other) in network) == (ipaddress.IPv4Address(other) in reference)
    assert str(network.broadcast) == str(reference.broadcast_address)
