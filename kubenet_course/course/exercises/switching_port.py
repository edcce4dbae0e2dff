"""Find out from the switch's table behind which port a host is."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    answer = expect.run("s1", "cat /root/port").stdout.strip()
    expect.that(bool(answer), "s1 has your answer in /root/port", (
        "Write the name of the port there: echo PORT > /root/port"
    ), hint=3)
    mac = expect.json("B", "ip -j link show dev eth0")[0]["address"]
    expect.run("B", "ping -c 1 -W 1 192.168.1.10")
    learned = [e["ifname"] for e in expect.json("s1", "bridge -j fdb show br s1") if e["mac"] == mac and "permanent" not in (e.get("state") or "")]  # noqa: E501
    right = bool(answer) and answer in learned
    expect.that(right, "that port leads to B", "" if not answer else (
        f"B's MAC address is {mac}; look for it in the table."
    ), hint=2)


EXERCISE = Exercise(
    title="Where is B?",
    lab="switching",
    setup=(("A", "ip addr add 192.168.1.10/24 dev eth0"), ("B", "ip addr add 192.168.1.11/24 dev eth0")),
    task=(
        "Find out from the switch alone behind which of its ports B is. Write the port's name into the file "
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
        ("A", "ping -c 1 192.168.1.11"),
        (
            "s1",
            "bridge fdb show br s1 | grep -i \"$(bridge fdb show br s1 | grep -v permanent | grep s1-eth2 | "
            "cut -d ' ' -f 1)\" | grep -v permanent",
        ),
        ("s1", "echo s1-eth2 > /root/port"),
    ),
    wrong=(Wrong((("s1", "echo s1-eth1 > /root/port"),), hint=2, why="A's port"),),
    minutes=4,
)
