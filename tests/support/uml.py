"""A second real Linux kernel as a judge: user-mode Linux, booted as an ordinary process.

It has what many kernels lack: IPVS, the Open vSwitch datapath, netem, dummy, vlan, ipvlan, vrf,
gre. The host's files are its root, read-only, with its own /run, /tmp, /etc and /var; it has no
network to the outside. It boots in two to three seconds.

    python -m tests.support.uml SCRIPT.jsonl > TRANSCRIPT.jsonl

Each line in is ``{"cmd": …, "ns": …}`` (`ns` "root" or a named namespace) or ``{"setup": …}`` (a
command whose output is of no interest: servers in the background); a ``{"scenario": …}`` line begins
anew on a fresh kernel; ``{"serve": {"ns", "port", "text", "proto"}}`` starts a server that answers
every request with `text` (over HTTP/1.0 for tcp) and closes. Out comes the same with stdout, stderr and rc. `available()` says whether
this machine can.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

KERNEL = "/usr/bin/linux.uml"
MODULES = "/usr/lib/uml/modules"

INIT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 LC_ALL=C.UTF-8
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /dev/shm 2>/dev/null
mount -t hostfs -o {work} none /mnt
for d in run tmp; do mount -t tmpfs none /$d; done
mkdir /tmp/.etc
for f in iproute2 protocols services ethertypes passwd group nsswitch.conf hosts host.conf ld.so.cache ld.so.conf ld.so.conf.d; do
  cp -r /etc/$f /tmp/.etc/ 2>/dev/null
done
cp -rP /etc/alternatives /tmp/.etc/alternatives
for d in etc var/lib var/log; do mount -t tmpfs none /$d; done
cp -r /tmp/.etc/. /etc/
mkdir -p /run/netns /run/lock /run/openvswitch /var/lib/openvswitch /var/log/openvswitch /etc/openvswitch
printf '#!/bin/sh\\nexec /sbin/modprobe -d /mnt/kmod "$@"\\n' > /run/modprobe
chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
ip link set lo up
hostname uml
modprobe -d /mnt/kmod ipv6 2>/dev/null
{python} /mnt/guest.py < /mnt/script.jsonl > /mnt/result.jsonl 2> /mnt/guest.err
sync
{python} -c "import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)"
"""

# ovs-vswitchd counts the processors anew every 10 s of its clock and takes 0 for an answer before
# the first time, so it must not start in the kernel's first 10 seconds.
START_OVS = """#!/bin/sh
while [ "$(cut -d. -f1 /proc/uptime)" -lt 12 ]; do sleep 0.5; done
modprobe -d /mnt/kmod openvswitch
ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile --log-file --detach
ovs-vsctl --no-wait init
ovs-vswitchd --pidfile --log-file --detach
"""

GUEST = r'''
import json, subprocess, sys
SERVER = """
import json, socket, sys
spec = json.loads(sys.argv[1])
kind = socket.SOCK_DGRAM if spec.get("proto") == "udp" else socket.SOCK_STREAM
server = socket.socket(socket.AF_INET, kind)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("0.0.0.0", spec["port"]))
if kind == socket.SOCK_DGRAM:
    while True:
        data, peer = server.recvfrom(2048)
        server.sendto(spec["text"].encode() + bytes([10]), peer)
server.listen(64)
while True:
    client, _ = server.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + spec["text"].encode() + bytes([10]))
    client.close()
"""
for line in sys.stdin:
    item = json.loads(line)
    if "serve" in item:
        argv = [sys.executable, "-c", SERVER, json.dumps(item["serve"])]
        if item["serve"].get("ns", "root") != "root":
            argv = ["ip", "netns", "exec", item["serve"]["ns"], *argv]
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sys.stderr)
        continue
    if "setup" in item:
        subprocess.run(["bash", "-c", item["setup"]], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=sys.stderr)
        continue
    argv = ["bash", "-c", item["cmd"]]
    if item.get("ns", "root") != "root":
        argv = ["ip", "netns", "exec", item["ns"], *argv]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=item.get("timeout", 60))
        out, err, rc = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        out, err, rc = late.stdout or b"", b"timed out\n", 124
    item.update(stdout=out.decode("utf-8", "replace"), stderr=err.decode("utf-8", "replace"), rc=rc)
    print(json.dumps(item), flush=True)
'''


def available() -> str:
    """Empty where a user-mode kernel can be booted here, else the reason why not."""
    if not os.access(KERNEL, os.X_OK):
        return "no user-mode-linux on this machine"
    if not Path(MODULES).is_dir():
        return "user-mode-linux has no modules here"
    return ""


def run(items: list[dict[str, Any]], *, memory: str = "320M", timeout: float = 600) -> list[dict[str, Any]]:
    """Boot, run the commands in order, halt; the items with what they printed.

    RuntimeError where the kernel did not boot or the guest failed.
    """
    with tempfile.TemporaryDirectory(prefix="uml-") as folder:
        work = Path(folder)
        (work / "script.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
        (work / "result.jsonl").write_text("")
        (work / "guest.err").write_text("")
        (work / "guest.py").write_text(GUEST)
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "/usr/bin/python3"
        init = work / "init"
        init.write_text(INIT.format(work=work, python=python))
        init.chmod(0o755)
        ovs = work / "start-ovs"
        ovs.write_text(START_OVS)
        ovs.chmod(0o755)
        (work / "kmod/lib").mkdir(parents=True)
        (work / "kmod/lib/modules").symlink_to(MODULES)
        argv = [
            KERNEL,
            f"mem={memory}",
            "rootfstype=hostfs",
            "ro",
            f"init={init}",
            "con=null",
            "con0=null,fd:1",
            "quiet",
        ]
        console = work / "console"
        with console.open("wb") as log:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, timeout=timeout,
                env={**os.environ, "HOME": folder, "TMPDIR": folder}, cwd=folder, start_new_session=True,
            )  # fmt: skip
        results = [json.loads(line) for line in (work / "result.jsonl").read_text().splitlines()]
        expected = sum("cmd" in item for item in items)
        if len(results) != expected:
            tail = console.read_text(errors="replace")[-2000:] + (work / "guest.err").read_text()[-2000:]
            raise RuntimeError(
                f"user-mode Linux gave {len(results)} of {expected} results (status {done.returncode}):\n{tail}"
            )
        return results


def record(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run a script of several scenarios, each on a kernel of its own."""
    groups: list[tuple[str, list[dict[str, Any]]]] = []
    for item in lines:
        if set(item) == {"scenario"}:
            groups.append((item["scenario"], []))
        else:
            groups[-1][1].append(item)
    out: list[dict[str, Any]] = []
    for name, items in groups:
        out.append({"scenario": name})
        results = iter(run(items))
        out += [next(results) if "cmd" in item else item for item in items]
    return out


if __name__ == "__main__":
    script = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines() if line.strip()]
    for result in record(script):
        print(json.dumps(result))
