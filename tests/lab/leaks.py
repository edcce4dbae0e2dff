"""One way for a lab to end, and whether the computer is as before. Run by test_real_cleanup.py.

    unshare --mount --net --pid --uts --ipc --fork --mount-proc python -m tests.lab.leaks HOW [SECONDS]

Inside namespaces of its own, so that nothing else on the computer can be mistaken for a trace of ours
(and so that the computer is safe from this test). HOW: close, exception, forget, terminate, kill,
kill-helper, kill-guardian, kill-worker, or moment (SIGKILL to the parent after SECONDS).
The exit status is 0 if links, bridges, rules, namespaces, mounts, processes and files are as before.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

PATIENCE = 60.0
CHILD = """
import os, sys, time, signal
from kubenet_course.lab.lab import Lab
from kubenet_course.errors import KubenetError
how = sys.argv[1]
lab = Lab.load("bridge-nat", backend="mininet")
lab.run("host", "ip netns add red; ip link add v-net-0 type bridge; iptables -t nat -A POSTROUTING -j ACCEPT")
lab.run("host", "echo x > /tmp/trace; echo 1.2.3.4 db >> /etc/hosts; mkdir -p /etc/netns/red; sleep 1000 &")
lab.machine("internet").spawn(["sleep", "1000"])
assert "red" in lab.run("host", "ip netns").stdout
helper = lab.backend._process.pid
def only_child(pid):
    return int(open(f"/proc/{pid}/task/{pid}/children").read().split()[0])
if how == "close":
    lab.close(); lab.close()
elif how == "exception":
    with lab:
        raise RuntimeError("a learner's mistake")
elif how == "forget":
    pass
elif how == "terminate":
    os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)
elif how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
else:
    victim = {"kill-helper": lambda: helper, "kill-guardian": lambda: only_child(helper),
              "kill-worker": lambda: only_child(only_child(helper))}[how]()
    os.kill(victim, signal.SIGKILL)
    try:
        lab.run("host", "true")
    except KubenetError as error:
        print(error)
    else:
        sys.exit("the lab answers although its process was killed")
    lab.close()
"""


def world() -> dict[str, list[str]]:
    """Everything that a lab could leave behind, as this process sees it."""

    def lines(*argv: str) -> list[str]:
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
        return sorted(line for line in run.stdout.splitlines() if not line.startswith("#"))

    processes, namespaces = [], set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as handle:
                command = handle.read().replace(b"\0", b" ").decode(errors="replace")
            kinds = ("net", "mnt", "pid", "uts", "ipc", "user")
            namespaces |= {os.readlink(f"/proc/{pid}/ns/{kind}") for kind in kinds}
            processes.append(command)
        except OSError:
            continue
    with open("/proc/self/mountinfo") as handle:
        mounts = sorted(line.split(" ", 5)[4] for line in handle)
    with open("/proc/sys/net/ipv4/ip_forward") as handle:
        forward = handle.read()
    return {
        "links": lines("ip", "-o", "link"),
        "addresses": lines("ip", "-o", "addr"),
        "routes": lines("ip", "route", "show", "table", "all"),
        "rules": lines("iptables-save"),
        "netns": lines("ip", "netns"),
        "processes": sorted(processes),
        "namespaces": sorted(namespaces),
        "mounts": mounts,
        "hostname": [os.uname().nodename],
        "forward": [forward],
        "files": sorted(os.listdir("/tmp") + os.listdir("/run") + os.listdir("/etc")),
    }


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    found = []
    for kind, old in before.items():
        new = after[kind]
        found += [f"{kind}: came: {item}" for item in new if item not in old]
        found += [f"{kind}: went: {item}" for item in old if item not in new]
        if not found and len(old) != len(new):
            found.append(f"{kind}: {len(old)} → {len(new)}")
    return found


def main() -> int:
    how = sys.argv[1]
    subprocess.run(
        "ip link set lo up; mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /run", shell=True, check=True
    )
    subprocess.run(["iptables-save"], capture_output=True, check=False)  # makes /run/xtables.lock, once
    before = world()
    python = [*os.environ.get("LEAKS_PYTHON", sys.executable).split()]
    child = subprocess.Popen(
        [*python, "-c", CHILD, "close" if how == "moment" else how], stderr=subprocess.PIPE
    )
    if how == "moment":
        time.sleep(float(sys.argv[2]))
        child.send_signal(signal.SIGKILL)
    _, errors = child.communicate(timeout=200)
    expected = {"close": 0, "forget": 0, "exception": 1, "terminate": -15, "kill": -9}
    if how != "moment" and child.returncode != expected.get(how, 0):
        print(f"{how}: the child ended with {child.returncode}: {errors.decode()}")
        return 1
    end = time.monotonic() + PATIENCE
    while left := differences(before, world()):
        if time.monotonic() > end:
            print("\n".join(left))
            return 1
        time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main())
