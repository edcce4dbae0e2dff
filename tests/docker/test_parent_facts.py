"""macvlan and ipvlan networks: the facts of moby's integration/network/macvlan and ipvlan, and their drivers' refusals."""

from __future__ import annotations

import re

import pytest

from kubenet_course import Lab

MACVLAN, IPVLAN = "docker network create -d macvlan ", "docker network create -d ipvlan "
ERROR = "Error response from daemon: "
DUMMY = "ip link add dm0 type dummy; ip link set dm0 up"
ID = "~^[0-9a-f]{64}$"
THERE, GONE = "~^[0-9]+: dm0.40@dm0", 'Device "dm0.40" does not exist.'
#: Commands, and what is printed: whole, or after `~` a regular expression that is found in it.
SESSIONS = {
    "what is refused": [
        (f"{MACVLAN} -o parent=dm0 -o macvlan_mode=zz n1",
         f"{ERROR}requested macvlan mode 'zz' is not valid, 'bridge' mode is the macvlan driver default"),
        (f"{IPVLAN} -o parent=dm0 -o ipvlan_mode=zz n1",
         f"{ERROR}requested ipvlan mode 'zz' is not valid, 'l2' mode is the ipvlan driver default"),
        (f"{IPVLAN} -o ipvlan_flag=zz n1", f"{ERROR}requested ipvlan flag 'zz' is not valid, 'bridge' is the ipvlan driver default"),
        (f"{MACVLAN} -o parent=lo n1", f"{ERROR}loopback interface is not a valid macvlan parent link"),
        (f"{IPVLAN} -o parent=lo n1", f"{ERROR}loopback interface is not a valid ipvlan parent link"),
        (f"{MACVLAN} -o parent=nosuch n1", f"{ERROR}invalid subinterface vlan name nosuch, example formatting is eth0.10"),
        (f"{MACVLAN} -o parent=nosuch.5 n1", f"{ERROR}-o parent interface was not found on the host: nosuch"),
        (f"{MACVLAN} -o parent=dm0.5.6 n1",
         f"{ERROR}required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received dm0.5.6"),
        (f"{MACVLAN} -o parent=dm0.x n1", f"{ERROR}unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)"),
        (f"{MACVLAN} -o parent=dm0.4095 n1", f"{ERROR}vlan id must be between 1-4094, received: 4095"),
        ("docker network ls -q | wc -l", "3"),
    ],
    "a parent that two share": [
        (f"{MACVLAN} -o parent=dm0.40 n1", ID), ("ip link show dm0.40", THERE),
        (f"{MACVLAN} -o parent=dm0.40 n2", ID),
        (f"{MACVLAN} -o parent=dm0.40 -o macvlan_mode=passthru n3",
         r"~^Error .*: cannot use mode passthru, macvlan network [0-9a-f]{64} is already using parent interface dm0\.40$"),
        ("docker network rm n1", "n1"), ("ip link show dm0.40", THERE),
        ("docker network rm n2", "n2"), ("ip link show dm0.40", GONE), ("ip link show dm0", "~dm0"),
        (f"{MACVLAN} -o parent=dm0.40 -o macvlan_mode=passthru n3", ID),
        (f"{MACVLAN} -o parent=dm0.40 n1",
         r"~^Error .*: macvlan network [0-9a-f]{64} is already using parent interface dm0\.40 in mode passthru$"),
        ("docker network rm n3", "n3"), ("ip link show dm0.40", GONE),
    ],
    "a parent that was there stays": [
        ("ip link add link dm0 name dm0.40 type vlan id 40", ""),
        (f"{MACVLAN} -o parent=dm0.40 n1", ID), (f"{MACVLAN} -o parent=dm0.40 n2", ID),
        ("docker network rm n1 n2", "n1\nn2"), ("ip link show dm0.40", THERE),
        (f"{IPVLAN} -o parent=dm0 n3", ID),
        (f"{IPVLAN} -o parent=dm0 n4", r"~^Error .*: network dm-[0-9a-f]{12} is already using parent interface dm0$"),
        ("docker network rm n3", "n3"), ("ip link show dm0", "~dm0"),
    ],
    "no parent, no way out": [
        (f"{MACVLAN} n1", ID),
        ("docker run -d --name c1 --network n1 busybox sleep 900", ID),
        ("docker run -d --name c2 --network n1 busybox sleep 900", ID),
        ("docker exec c2 ping -c1 -W3 c1", "~1 packets transmitted, 1 received"),
        ("docker exec c2 ping -c1 -W3 8.8.8.8", "ping: connect: Network is unreachable"),
        ("docker network inspect -f '{{json .IPAM.Config}}' n1", '[{"Subnet":"172.18.0.0/16"}]'),
    ],
    "subnets of both families": [
        (f"{MACVLAN} -o parent=dm0 --ipv6 --subnet 172.28.100.0/24 --subnet 172.28.102.0/24 --gateway 172.28.102.254 "
         "--subnet 2001:db8:abc2::/64 --subnet 2001:db8:abc4::/64 --gateway 2001:db8:abc4::254 n1", ID),
        ("docker run -d --name c1 --network n1 --ip 172.28.100.20 --ip6 2001:db8:abc2::20 busybox sleep 900", ID),
        ("docker run -d --name c3 --network n1 --ip 172.28.102.20 --ip6 2001:db8:abc4::20 busybox sleep 900", ID),
        ("docker run -d --name c4 --network n1 --ip 172.28.102.21 --ip6 2001:db8:abc4::21 busybox sleep 900", ID),
        ("docker inspect -f '{{.NetworkSettings.Networks.n1.Gateway}} {{.NetworkSettings.Networks.n1.IPv6Gateway}}' c3",
         "172.28.102.254 2001:db8:abc4::254"),
        ("docker exec c4 ping -c1 -W3 172.28.102.20", "~1 received"),
        ("docker exec c4 ping -6 -c1 -W3 2001:db8:abc4::20", "~1 received"),
        ("docker exec c3 ip -6 route show default", "~^default via 2001:db8:abc4::254 dev eth0 "),
    ],
    "l3 has a default route to a device": [
        (f"{IPVLAN} -o parent=dm0 -o ipvlan_mode=l3 --ipv6 --subnet 172.28.10.0/24 --subnet 2001:db8:abc9::/64 n1", ID),
        ("docker network inspect -f '{{json .IPAM.Config}}' n1", '[{"Subnet":"172.28.10.0/24"},{"Subnet":"2001:db8:abc9::/64"}]'),
        ("docker run --rm --network n1 busybox sh -c 'ip route show default; ip -6 route show default'",
         "~^default dev eth0 scope link \ndefault dev eth0 metric 1024 pref medium"),
        (f"{IPVLAN} -o ipvlan_mode=l2 -o ipvlan_flag=private n2", ID),
        ("docker run --rm --network n2 busybox ip -d link show eth0", "~ipvlan *mode l2 private"),
    ],
    "sysctls of a device": [
        ("docker run --rm --sysctl net.ipv4.conf.eth0.forwarding=1 busybox true",
         "~interface specific sysctl setting \"net.ipv4.conf.eth0.forwarding\" must be supplied using driver option "
         "'com.docker.network.endpoint.sysctls'"),
        ("docker run -d --name c1 busybox sleep 900", ID),
        ("docker network connect none c1",
         f"{ERROR}container cannot be connected to multiple networks with one of the networks in private (none) mode"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SESSIONS)
def test_session(name: str) -> None:
    with Lab.load("single") as lab:
        assert lab.run("host", DUMMY).returncode == 0
        for command, expected in SESSIONS[name]:
            done = lab.run("host", command)
            found = (done.stdout + done.stderr).removesuffix("\n")
            if expected.startswith("~"):
                assert re.search(expected[1:], found), f"{command}\n{found}"
            else:
                assert found == expected, command
