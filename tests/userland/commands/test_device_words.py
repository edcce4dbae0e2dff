"""Nonsense on the command lines of devices, queues, virtual servers and switches never ends in a Python error."""

from __future__ import annotations

import random

import pytest

from tests.support.replay import Machine

WORDS = {
    "tc": (
        "qdisc class filter add del change replace show dev d0 nodev root parent handle 1: 1:1 ffff: ingress clsact egress "
        "netem tbf htb prio pfifo fq_codel sfq noqueue delay loss 10ms 5% 100% 1mbit rate burst latency limit 10kb 99999999999 "
        "-1 x u32 match ip dst 10.0.0.0/8 u32 0 flowid matchall action drop mirred redirect protocol all classid r2q default "
        "distribution normal reorder gap corrupt duplicate state gemodel bands priomap -s -j -d"
    ).split(),
    "ipvsadm": (
        "-A -E -D -C -a -e -d -L -l -n -Z -S -t -u -f -s -p -M -r -g -i -m -w -x -y -b -o -c --stats --rate --timeout --set "
        "10.0.0.1:80 10.0.0.2 [fd00::1]:80 x 7 0 -1 70000 rr wrr sh frob 255.255.255.0 --thresholds --exact --nosort 1 2 3"
    ).split(),
    "ovs-vsctl": (
        "-- --may-exist --if-exists add-br del-br list-br add-port del-port list-ports show set get clear remove br-exists "
        "bridge port interface br0 d0 p0 tag=3 tag=x trunks=1,2 trunks=[] vlan_mode=access type=internal type=patch "
        "options:peer=p1 options:remote_ip=10.0.0.1 fail_mode=secure tag trunks name ofport options error =x :"
    ).split(),
    "ovs-ofctl": (
        "add-flow del-flows dump-flows mod-flows show dump-ports br0 nobr --strict --no-stats actions=normal ip,actions=drop "
        "in_port=1,actions=output:2 priority=x,actions=drop nw_src=10.0.0.0/99,actions=drop nw_src=/,actions= dl_vlan=,actions=1 "
        "actions=mod_dl_src:x actions=resubmit( actions=resubmit(,) actions=set_field:1->x actions=mod_vlan_vid:x tcp icmp "
        "table=300,actions=drop nw_dst=10.0.0.1/x,actions=drop"
    ).split(),
    "ip": (
        "link add set del tunnel tuntap vrf show name v1 v2 d0 link dev type vxlan vlan macvlan ipvlan gre ipip sit gretap vrf "
        "dummy ifb id 5 0 99999999 -1 x mode bridge l2 l3s tap tun remote local 10.0.0.1 10.0.0.300 ttl 64 300 inherit key "
        "table 7 dstport 4789 group 239.1.1.1 protocol 802.1ad ingress-qos-map 1:2 1: egress-qos-map up down master mtu 1400"
    ).split(),
    "ethtool": "-i -S -k d0 nodev x --version".split(),
    "ovs-appctl": "fdb/show fdb/flush bridge/dump-flows br0 x version -t ofproto/trace".split(),
    "ovs-dpctl": "show dump-flows x".split(),
}


@pytest.mark.parametrize("command", sorted(WORDS))
def test_random_words_are_answered_without_a_python_error(command: str) -> None:
    chance = random.Random(command)
    machine = Machine()
    for line in ("ip link add d0 type dummy", "ip link set d0 up", "ovs-vsctl add-br br0"):
        assert machine.system.run(line.split())[2] == 0
    for _ in range(250):
        words = [chance.choice(WORDS[command]) for _ in range(chance.randrange(0, 9))]
        machine.system.run([command, *words], limit=10**9)
    assert not machine.system.defects, machine.system.defects[:3]
