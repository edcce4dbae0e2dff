"""A plugin that leaves things behind."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect

HEAD = """#!/bin/bash
conf=$(cat) ns=$(basename "$CNI_NETNS") port=veth-${CNI_CONTAINERID: -8} PATH=$PATH:$CNI_PATH
case $CNI_COMMAND in
ADD) result=$(host-local <<< "$conf") || { echo "$result"; exit 1; }
  ip link add cni2 type bridge 2> /dev/null; ip link set cni2 up
  ip link add $port type veth peer name $CNI_IFNAME netns $ns && ip link set $port master cni2 up
  ip -n $ns addr add $(jq -r '.ips[0].address' <<< "$result") dev $CNI_IFNAME
  ip -n $ns link set $CNI_IFNAME up; echo "$result" ;;
"""
TAIL = """VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]}' ;;
esac
"""
FORGETS = "DEL) exit 0 ;;\n"
WHOLE = 'DEL) host-local <<< "$conf"; ip link del $port 2> /dev/null; exit 0 ;;\n'
#: A container comes, goes, and goes again; what is left of it, and how the calls ended.
PROBE = """export CNI_PATH=/opt/cni/bin
ip netns add kn-probe
ls /var/lib/cni/networks/script-net 2> /dev/null | grep -c '^10' > /tmp/kn-before
cnitool add script-net /var/run/netns/kn-probe > /tmp/kn-result && echo added
cnitool del script-net /var/run/netns/kn-probe > /dev/null && echo deleted
cnitool del script-net /var/run/netns/kn-probe > /dev/null && echo again
ip -n kn-probe -o link show dev eth0 > /dev/null 2>&1 && echo link
ip -n kn-probe link del eth0 2> /dev/null
ls /var/lib/cni/networks/script-net 2> /dev/null | grep -c '^10' | cmp -s - /tmp/kn-before || echo address
address=$(jq -r '.ips[0].address' /tmp/kn-result 2> /dev/null | cut -d/ -f1)
[ -n "$address" ] && rm -f /var/lib/cni/networks/script-net/$address
ip netns del kn-probe; rm -f /tmp/kn-before /tmp/kn-result
"""


def check(expect: Expect) -> None:
    said = expect.run("host", PROBE).stdout.split()
    expect.that("added" in said, "ADD works for a new container", "The runtime gets an error.", hint=1)
    expect.that("deleted" in said, "DEL ends with 0", "The runtime gets an error.", hint=4)
    expect.that("address" not in said, "after DEL the address is free again", "host-local still keeps it.", hint=2)
    expect.that("link" not in said, "after DEL the interface is gone", "The container still has its eth0.", hint=3)
    expect.that("again" in said, "a second DEL ends with 0, too", "DEL must not complain that nothing is left.", hint=4)


def _written(text: str) -> tuple[str, str]:
    return ("host", f"cat > /opt/cni/bin/net-script <<'END'\n{text}END\nchmod +x /opt/cni/bin/net-script")


EXERCISE = Exercise(
    title="Clean up",
    lab="cni",
    setup=(_written(HEAD + FORGETS + TAIL),),
    task=(
        "The plugin /opt/cni/bin/net-script of the network script-net does nothing at DEL. Mend it: afterwards the "
        "interface is gone and the address free. A second DEL must be no error."
    ),
    check=check,
    hints=(
        "Leave ADD as it is. `cnitool add script-net /var/run/netns/NAME` tries it.",
        "The address is host-local's. With CNI_COMMAND=DEL it frees it: give it the same configuration on its input.",
        "`ip link del` for one end of the cable; the other goes with it.",
        "The last command's return code is the plugin's. If there is nothing to delete, end with `exit 0`.",
    ),
    solution=(_written(HEAD + WHOLE + TAIL),),
    others=(
        (_written(HEAD + 'DEL) echo "$conf" | host-local; ip -n $ns link del $CNI_IFNAME 2> /dev/null; true ;;\n' + TAIL),),
        (
            _written(
                HEAD + 'DEL) host-local <<< "$conf" || true\n'
                "  if ip link show $port > /dev/null 2>&1; then ip link del $port; fi ;;\n" + TAIL
            ),
        ),
    ),
    wrong=(
        Wrong(
            (_written(HEAD + "DEL) ip link del $port 2> /dev/null; exit 0 ;;\n" + TAIL),), hint=2, why="the address stays"
        ),
        Wrong((_written(HEAD + 'DEL) host-local <<< "$conf"; exit 0 ;;\n' + TAIL),), hint=3, why="the interface stays"),
        Wrong(
            (_written(HEAD + 'DEL) host-local <<< "$conf"; ip link del $port ;;\n' + TAIL),),
            hint=4,
            why="the second DEL fails",
        ),
    ),
    minutes=10,
)
