"""A link-local address given by hand does not keep a device from getting its own, as a real kernel shows."""

from __future__ import annotations

from kubenet_course import Lab

ADDRESSES = "ip -o -6 addr show dev v0 | awk '{print $4}'"


def test_a_device_gets_its_own_address_beside_one_that_is_there() -> None:
    with Lab.load("single") as lab:

        def say(command: str) -> str:
            return lab.run("host", command).stdout

        say("ip link add v0 address 02:00:00:00:00:01 type veth peer name v1; ip link set v1 up")
        say("ip addr add fe80::1/64 dev v0 nodad; ip link set v0 up")
        assert say(ADDRESSES) == "fe80::ff:fe00:1/64\nfe80::1/64\n"
        assert say("ip -6 route show dev v0") == "fe80::/64 proto kernel metric 256 pref medium\n"
        say("ip link set v0 down; ip link set v0 up")
        assert say(ADDRESSES) == "fe80::ff:fe00:1/64\n"
        say("ip link set v0 down; ip addr add fe80::ff:fe00:1/64 dev v0 nodad; ip link set v0 up")
        assert say(ADDRESSES) == "fe80::ff:fe00:1/64\n"
