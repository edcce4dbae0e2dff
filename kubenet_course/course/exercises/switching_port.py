"""Find out from the switch's table behind which port a host is."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    answer = expect.run("s1", "cat /root/port").stdout.strip()
    ports = [link["ifname"] for link in expect.json("s1", "ip -j link show master s1")]
    expect.that(bool(answer), "s1 has your answer in /root/port", (
        "Write the name of the port there: echo PORT > /root/port"
    ), hint=3)
    links = expect.json("B", "ip -j link show dev eth0")
    if not expect.that(bool(links), "B has its eth0", "It is gone: `%lab reset` brings it back.", hint=1):
        return
    mac = links[0]["address"]
    expect.run("B", "ping -c 1 -W 1 192.168.1.10")
    learned = [
        entry["ifname"]
        for entry in expect.json("s1", "bridge -j fdb show br s1")
        if entry["mac"] == mac and "permanent" not in (entry.get("state") or "")
    ]
    if answer and answer not in ports:
        why, hint = f"s1 has no port of that name; its ports: {', '.join(ports)}.", 3
    elif not learned:
        why, hint = "The switch knows nothing of B now: is the port up? `bridge link` on s1.", 1
    else:
        why, hint = f"B's MAC address is {mac}; look for it in the table.", 2
    expect.that(bool(answer) and answer in learned, "that port leads to B", why if answer else "", hint)


EXERCISE = Exercise(
    title="Where is B?",
    lab="switching",
    setup=(("A", "ip addr add 192.168.1.10/24 dev eth0"), ("B", "ip addr add 192.168.1.11/24 dev eth0")),
    task=(
        "Find out from the switch's table behind which of its ports B is. Write the port's name into the file "
        "/root/port on s1."
    ),
    check=check,
    hints=(
        "A switch learns from the frames that it sees. Let B send something, then read the table: `bridge "
        "fdb show br s1`.",
        "On B, `ip link show eth0` tells its MAC address. The entry without `permanent` that has it names "
        "the port.",
        "`echo s1-eth9 > /root/port` writes a name into the file (here a wrong one).",
    ),
    solution=(
        ("B", "ping -c 1 192.168.1.10"),
        ("B", "ip link show eth0"),
        ("s1", "bridge fdb show br s1 | grep -v permanent"),
        ("s1", "echo s1-eth2 > /root/port"),
    ),
    others=(
        (("A", "ping -c 1 192.168.1.11"), ("s1", "printf s1-eth2 > /root/port")),
        (("s1", "echo ' s1-eth2 ' | tee ~/port"),),
    ),
    wrong=(
        Wrong((("s1", "echo s1-eth1 > /root/port"),), hint=2, why="A's port"),
        Wrong((("s1", "echo eth2 > /root/port"),), hint=3, why="there is no such port"),
        Wrong((("B", "echo s1-eth2 > /root/port"),), hint=3, why="written on another machine"),
        Wrong((("s1", "echo s1-eth2 > /root/port; ip link set s1-eth2 down"),), hint=1, why="the port is down now"),
    ),
    minutes=4,
)
