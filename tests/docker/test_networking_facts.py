"""What moby's integration tests hold of networks and endpoints: options, addresses, ways out, names.

A row is a name, /etc/docker/daemon.json, and a session: what is typed, and what is printed (both streams), whole or,
after `~`, as a regular expression that is found in it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kubenet_course import Lab

BRIDGE = "com.docker.network.bridge"
ADVERTISE = "com.docker.network.advertise_addr"
ENDPOINT = "com.docker.network.endpoint"
OPTIONS = "docker network inspect -f '{{json .Options}} {{.EnableIPv4}} {{.EnableIPv6}}' "
PORTS = "docker inspect -f '{{json .NetworkSettings.Ports}}' "
PROXIES = r"ps -eo args | grep '^docker-proxy' | sed -E 's/-proto tcp -host-ip //; s/-host-port //; s/-container-ip //'"
GEN4, GEN6 = '"com.docker.network.enable_ipv4":"false"', '"com.docker.network.enable_ipv6":"true"'
DEFAULTS = {"com.docker.network.enable_ipv4": "false", "com.docker.network.enable_ipv6": "true"}
ERROR = "Error response from daemon: "
#: TestDefaultIPvOptOverride, TestDefaultNetworkOpts, Test64BitIPRange, TestPointToPoint, TestIsolated, TestDefaultBridgeIPv6, …
SESSIONS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "default options, overridden": ({"default-network-opts": {"bridge": DEFAULTS}}, [
        ("docker network create n0", "~^[0-9a-f]{64}$"),
        (f"{OPTIONS} n0", f"{{{GEN4},{GEN6}}} false true"),
        ("docker network create --ipv4 n4", "~^[0-9a-f]{64}$"),
        (f"{OPTIONS} n4", f"{{{GEN6}}} true true"),
        ("docker network create --ipv6 n6", "~^[0-9a-f]{64}$"),
        (f"{OPTIONS} n6", f"{{{GEN4}}} false true"),
        ("docker network create --ipv4 --ipv6 n46", "~^[0-9a-f]{64}$"),
        (f"{OPTIONS} n46", "{} true true"),
        ("docker network create -o com.docker.network.enable_ipv6=perhaps nx",
         f'{ERROR}driver-opt "com.docker.network.enable_ipv6" is not a valid bool'),
    ]),
    "default mtu": ({"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1234"}}}, [
        (f"docker network create -o {BRIDGE}.name=br-mtu n1", "~."),
        ("ip link show br-mtu", "~ mtu 1234 "),
        ("docker run --rm --network n1 busybox ip link show eth0", "~ mtu 1234 "),
    ]),
    "ranges at 64 bits": ({}, [
        ("docker network create --ipv6 --subnet fd2e:b68c:ce26::/56 --ip-range fd2e:b68c:ce26::/64 n1", "~^[0-9a-f]{64}$"),
        ("docker network create --ipv6 --subnet fda9:8d04:86e::/64 --ip-range fda9:8d04:86e::ffff:ffff:ffff:fffe/127 n2", "~."),
        ("docker run --rm --network n2 busybox ip -6 addr show eth0", "~fda9:8d04:86e:0:ffff:ffff:ffff:ffff/64"),
    ]),
    "two addresses are enough where no gateway is needed": ({}, [
        (f"docker network create --internal --subnet 192.168.135.0/31 -o {BRIDGE}.inhibit_ipv4=true n1", "~^[0-9a-f]{64}$"),
        ("docker run -d --name c1 --network n1 busybox sleep 900", "~."),
        ("docker run --rm --network n1 busybox ping -c1 -W3 c1", "~1 packets transmitted, 1 received"),
        (f"docker network create --internal --subnet 192.168.136.0/31 -o {BRIDGE}.gateway_mode_ipv4=isolated n2", "~."),
        ("docker run -d --name c2 --network n2 busybox sleep 900", "~."),
        ("docker run --rm --network n2 busybox ping -c1 -W3 c2", "~1 packets transmitted, 1 received"),
        ("docker network create --subnet 192.168.137.0/31 n3", "~^[0-9a-f]{64}$"),
        ("docker run -d --network n3 busybox sleep 900", "~^[0-9a-f]{64}$"),
        ("docker run --rm --network n3 busybox true", "~no available IPv4 addresses on this network's address pools: n3"),
    ]),
    "an isolated bridge has no address": ({}, [
        (f"docker network create --ipv6 --internal -o {BRIDGE}.gateway_mode_ipv4=isolated "
         f"-o {BRIDGE}.gateway_mode_ipv6=isolated -o {BRIDGE}.name=br-iso n1", "~."),
        ("docker run -d --name c1 --network n1 busybox sleep 900", "~."),
        ("docker run --rm --network n1 busybox ping -4 -c1 -W3 c1", "~1 packets transmitted, 1 received"),
        ("docker run --rm --network n1 busybox ping -6 -c1 -W3 c1", "~1 packets transmitted, 1 received"),
        ("ip -4 addr show br-iso; ip -6 addr show br-iso scope global", ""),
    ]),
    "an endpoint's interface": ({}, [
        (f"docker run --rm --network name=bridge,driver-opt={ENDPOINT}.ifname=foobar busybox ip -o link show foobar", "~: foobar@if"),
        (f"docker run --rm --network name=bridge,driver-opt={ENDPOINT}.sysctls=net.ipv4.conf.IFNAME.forwarding=0 busybox "
         "sysctl -n net.ipv4.conf.eth0.forwarding", "0"),
        (f"docker run --rm --network name=bridge,driver-opt={ENDPOINT}.sysctls=net.ipv4.conf.IFNAME.forwarding=1 busybox "
         "sysctl -n net.ipv4.conf.eth0.forwarding", "1"),
        (f"docker run --rm --network name=bridge,driver-opt={ENDPOINT}.sysctls=net.ipv4.conf.eth0.forwarding=1 busybox true",
         "~unrecognised network interface sysctl 'net.ipv4.conf.eth0.forwarding=1'; represent 'net.X.Y.ethN.Z=V' as "),
        ("docker network create n1", "~."),
        ("docker run -d --name c1 busybox sleep 900", "~."),
        (f"docker network connect --driver-opt {ENDPOINT}.ifname=second --link-local-ip 169.254.34.68 n1 c1", ""),
        ("docker exec c1 ip -o -4 addr show second", "~172.18.0.2/16 .*\n.* 169.254.34.68/16 "),
        ("docker inspect -f '{{json .NetworkSettings.Networks.n1.DriverOpts}} {{json .NetworkSettings.Networks.n1.IPAMConfig}}' c1",
         f'{{"{ENDPOINT}.ifname":"second"}} {{"LinkLocalIPs":["169.254.34.68"]}}'),
    ]),
    "IPv6 that a sysctl keeps away": ({}, [
        ("docker network create --ipv6 --subnet fd64:40cd:7fb4:8971::/64 m6", "~."),
        ("docker run -d --name with6 --network m6 busybox sleep 900", "~."),
        ("docker run -d --name no6 -h no6 --network m6 --sysctl net.ipv6.conf.all.disable_ipv6=1 busybox sleep 900", "~."),
        ("docker inspect -f '{{.NetworkSettings.Networks.m6.GlobalIPv6Address}}' with6", "fd64:40cd:7fb4:8971::2"),
        ("docker inspect -f '{{.NetworkSettings.Networks.m6.GlobalIPv6Address}}' no6", ""),
        ("docker exec no6 ip -6 addr", ""),
        ("docker exec no6 cat /etc/hosts", "127.0.0.1\tlocalhost\n172.18.0.3\tno6"),
        ("docker exec with6 ping -4 -c1 -W3 no6", "~1 packets transmitted, 1 received"),
        ("docker exec with6 ping -6 -c1 -W3 no6", "ping: no6: Address family for hostname not supported"),
    ]),
    "a network without one family": ({}, [
        ("docker network create --ipv4=false --ipv6 n6", "~."),
        ("docker run --rm --network n6 busybox sh -c 'ip -o addr show lo; ip -o addr show eth0'",
         r"~^1: lo    inet 127[^\n]*\n1: lo    inet6 ::1[^\n]*\n2: eth0    inet6 fd[^\n]*\n2: eth0    inet6 fe80"),
        ("docker network create n4", "~."),
        ("docker run --rm --network n4 busybox sh -c 'ip -6 addr show eth0; sysctl -n net.ipv6.conf.eth0.disable_ipv6'", "1"),
        ("docker network create --ipv4=false n0", f"{ERROR}IPv4 or IPv6 must be enabled"),
    ]),
    "both families by different networks": ({"userland-proxy": False}, [
        ("docker network create v4", "~."),
        ("docker network create --ipv4=false --ipv6 v6", "~."),
        ("docker run -d --name c1 -p 8000:80 --expose 81 --network v4 --network v6 nginx", "~."),
        (f"{PORTS} c1", '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8000"},{"HostIp":"::","HostPort":"8000"}],"81/tcp":null}'),
    ]),
    "the way out follows the networks": ({}, [
        ("docker network create net4", "~."),
        ("docker network create --ipv4=false --ipv6 --subnet fd00:6::/64 net6", "~."),
        ("docker network create --ipv6 --subnet fd00:46::/64 net46", "~."),
        ("docker run -d --name c1 --network net4 -p 8080:80 nginx", "~."),
        (PROXIES, "docker-proxy 0.0.0.0 8080 172.18.0.2 -container-port 80\ndocker-proxy :: 8080 172.18.0.2 -container-port 80"),
        ("docker network connect net6 c1", ""),
        (PROXIES, "docker-proxy 0.0.0.0 8080 172.18.0.2 -container-port 80\ndocker-proxy :: 8080 fd00:6::2 -container-port 80"),
        ("docker network disconnect net6 c1", ""),
        (PROXIES, "docker-proxy 0.0.0.0 8080 172.18.0.2 -container-port 80\ndocker-proxy :: 8080 172.18.0.2 -container-port 80"),
        ("docker network connect net46 c1", ""),
        (PROXIES, "docker-proxy 0.0.0.0 8080 172.19.0.2 -container-port 80\ndocker-proxy :: 8080 fd00:46::2 -container-port 80"),
        ("docker exec c1 sh -c 'ip route show default; ip -6 route show default'",
         "~default via 172.19.0.1 dev eth1 \ndefault via fd00:46::1 dev eth1 "),
        ("docker network disconnect net46 c1", ""),
        (PROXIES, "docker-proxy 0.0.0.0 8080 172.18.0.2 -container-port 80\ndocker-proxy :: 8080 172.18.0.2 -container-port 80"),
    ]),
    "ports of routed networks": ({}, [
        (f"docker network create --ipv6 -o {BRIDGE}.gateway_mode_ipv4=nat -o {BRIDGE}.gateway_mode_ipv6=routed n1", "~."),
        ("docker run -d --name c1 --network n1 -p 8080:80 nginx", "~."),
        (f"{PORTS} c1", '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":""}]}'),
        (f"docker network create --ipv6 -o {BRIDGE}.gateway_mode_ipv4=routed -o {BRIDGE}.gateway_mode_ipv6=nat n2", "~."),
        ("docker run -d --name c2 --network n2 -p 8081:80 nginx", "~."),
        (f"{PORTS} c2", '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":""},{"HostIp":"::","HostPort":"8081"}]}'),
    ]),
    "legacy links open the way and close it": ({"icc": False}, [
        ("docker run -d --name svr nginx", "~."),
        ("docker run -d --name client --link svr:thealias busybox sleep 900", "~."),
        ("docker inspect -f '{{json .HostConfig.Links}}' client", '["/svr:/client/thealias"]'),
        ("docker exec client wget -T3 -qO- http://thealias", "~Welcome to nginx"),
        ("docker exec client wget -T3 -qO- http://svr", "~Welcome to nginx"),
        ("docker rm --link client/thealias", "client/thealias"),
        ("docker exec client wget -T3 -qO- http://172.17.0.2", ""),
        ("docker exec client cat /etc/hosts | grep -c svr", "0"),
        ("docker ps -q | wc -l", "2"),
        ("docker rm --link client", f"{ERROR}Conflict, cannot remove the default link name of the container"),
        ("docker stop -t 0 svr", "svr"),
        ("docker run --rm --name late --link svr:alias busybox true", "~cannot link to a non running container: /svr AS /late/alias"),
    ]),
    "no default bridge": ({"bridge": "none"}, [
        ("docker run --rm busybox ip -o link", "~^1: lo: [^\n]*$"),
        ("docker run --rm --network bridge busybox ip -o link", "~^1: lo: [^\n]*$"),
        ("ip link show docker0", 'Device "docker0" does not exist.'),
    ]),
    "names that mean the host": ({"host-gateway-ips": ["192.0.2.9", "2001:db8::9"]}, [
        ("docker run --rm --add-host me:host-gateway busybox grep me /etc/hosts", "192.0.2.9\tme\n2001:db8::9\tme"),
        ("echo '10.9.8.7 own' >>/etc/hosts", ""),
        ("docker run --rm --network host busybox grep own /etc/hosts", "10.9.8.7 own"),
        ("docker run --rm --network host --add-host other:10.1.1.1 busybox grep -E 'own|other' /etc/hosts", "10.1.1.1\tother"),
    ]),
    "options that are refused": ({}, [
        (f"docker network create -o {ADVERTISE}_ms=99 n1", f"{ERROR}{ADVERTISE}_ms must be in the range 100 to 2000"),
        (f"docker network create -o {ADVERTISE}_ms=2001 n1", f"{ERROR}{ADVERTISE}_ms must be in the range 100 to 2000"),
        (f"docker network create -o {ADVERTISE}_ms=nonsense n1",
         f'{ERROR}value for option {ADVERTISE}_ms "nonsense" must be integer milliseconds'),
        (f"docker network create -o {ADVERTISE}_nmsgs=-1 n1", f"{ERROR}{ADVERTISE}_nmsgs must be in the range 0 to 3"),
        (f"docker network create -o {ADVERTISE}_nmsgs=4 n1", f"{ERROR}{ADVERTISE}_nmsgs must be in the range 0 to 3"),
        (f"docker network create -o {ADVERTISE}_nmsgs=nonsense n1",
         f'{ERROR}value for option {ADVERTISE}_nmsgs "nonsense" must be an integer'),
        ("docker network create -o com.docker.network.host_ipv4=x n1",
         f"{ERROR}failed to parse com.docker.network.host_ipv4 value: x (nil ip)"),
        ("docker network create -o com.docker.network.driver.mtu=-1 n1", f"{ERROR}invalid MTU number: -1"),
        ("docker network create --subnet 10.0.0.1/24 n1", f"{ERROR}invalid network config:\ninvalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"),
        ("docker network create --subnet 10.0.0.0/24 --ip-range 10.0.0.0/16 n1",
         f"{ERROR}invalid network config:\ninvalid ip-range 10.0.0.0/16: CIDR block is bigger than its parent subnet 10.0.0.0/24"),
        ("docker network create --subnet 10.0.0.0/24 --ip-range 10.0.0.1/25 n1",
         f"{ERROR}invalid network config:\ninvalid ip-range 10.0.0.1/25: it should be 10.0.0.0/25"),
        ("ip link add dum0 type dummy", ""),
        (f"docker network create -o {BRIDGE}.name=dum0 n1", f"{ERROR}existing interface dum0 is not a bridge"),
        ("docker network create none", f"{ERROR}operation is not permitted on predefined none network "),
        ("docker network ls -q | wc -l", "3"),
    ]),
    "an address of one's own in /etc/hosts and in inspect": ({"ipv6": True, "fixed-cidr-v6": "fdc8:ffe2:d8d7:1234::/64"}, [
        ("docker run --rm -h web busybox tail -2 /etc/hosts", "172.17.0.2\tweb\nfdc8:ffe2:d8d7:1234::2\tweb"),
        ("docker create --name c1 --mac-address 02:42:ac:11:00:42 busybox", "~."),
        ("docker inspect -f '{{.Config.MacAddress}}' c1", "02:42:ac:11:00:42"),
        ("docker create --name c2 busybox", "~."),
        ("docker inspect -f '{{json .Config}}' c2 | grep -c MacAddress", "0"),
        ("docker run --rm --add-host me:host-gateway busybox grep me /etc/hosts", "172.17.0.1\tme\nfdc8:ffe2:d8d7:1234::1\tme"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", SESSIONS)
def test_session(name: str) -> None:
    config, steps = SESSIONS[name]
    with Lab.load("single") as lab:
        lab.machine("host").write("/etc/docker/daemon.json", json.dumps(config))
        for command, expected in steps:
            done = lab.run("host", command)
            found = (done.stdout + done.stderr).removesuffix("\n")
            if expected.startswith("~"):
                assert re.search(expected[1:], found), f"{command}\n{found}"
            else:
                assert found == expected, command


@pytest.mark.parametrize("prefix", ["", "fd00:1234::/64", "fe80::/64", "fe80:1234::/64"])
def test_the_default_bridge_with_ipv6(prefix: str) -> None:
    with Lab.load("single") as lab:
        lab.machine("host").write("/etc/docker/daemon.json", json.dumps({"ipv6": True, "fixed-cidr-v6": prefix}))
        lab.run("host", "docker run -d --name c1 busybox sleep 900")
        address = lab.run("host", "docker inspect -f '{{.NetworkSettings.GlobalIPv6Address}}' c1").stdout.strip()
        assert address.startswith(prefix.partition("::")[0] or "fd") and address.endswith("::2")
        done = lab.run("host", f"docker run --rm busybox ping -c1 -W3 {address}")
        assert "1 packets transmitted, 1 received" in done.stdout


def test_a_bridge_that_is_not_there_keeps_dockerd_from_starting() -> None:
    with Lab.load("single") as lab:
        lab.machine("host").write("/etc/docker/daemon.json", '{"bridge": "nosuchbridge"}')
        assert lab.run("host", "docker ps").returncode == 1
        assert lab.run("host", "service docker start").stderr == (
            "failed to start daemon: Error initializing network controller: error creating default \"bridge\" network: "
            "bridge device with non default name nosuchbridge must be created manually\n"
        )
