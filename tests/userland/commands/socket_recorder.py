"""Command lines of socket programs run on three hosts of the real kernel, with what came out.

    python -m tests.userland.commands.socket_recorder [NAME …]     # as root; rewrites socket_cases/NAME.jsonl

Offloads are off and the receive buffer is Linux' usual one on the real side, so that captures show what is on the
wire.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from pathlib import Path

from tests.support.host_cases import HostCases
from tests.support.three_hosts import Real

CASES = HostCases(Path(__file__).with_name("socket_cases"))


def usual(lab: Real) -> None:
    """The settings of an ordinary computer."""
    for host, devices in (("a", ["eth0"]), ("r", ["eth0", "eth1"]), ("b", ["eth0"])):
        lab.run(host, "sysctl -qw net.ipv4.tcp_rmem='4096 131072 6291456'")
        for device in devices:
            lab.run(host, f"ethtool -K {device} tso off gso off gro off tx off")


def end_processes(lab: Real) -> None:
    """Whatever the commands left running in the three namespaces (and nothing else)."""
    ours = {os.stat(f"/proc/{holder.pid}/ns/net").st_ino for holder in lab.holders.values()}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(entry / "ns/net").st_ino in ours:
                    os.kill(int(entry.name), signal.SIGKILL)


def normal(text: str) -> str:
    """Without what differs from run to run: clocks, ports, process ids, sequence numbers, speeds."""
    text = re.sub(r"\r[^\r\n]*(?=\r)", "", text)  # a progress line written over
    meter = r" +[\d.]+[kMG]? +[\d.]+[kMG]?( +(?:--:--:--|\d+:\d\d:\d\d)){3} +[\d.]+[kMG]?"
    text = re.sub(meter, " SPEEDS", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "DATE", text)
    text = re.sub(r"\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\[\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d\]", "[TIME]", text)
    text = re.sub(r"^\d\d:\d\d:\d\d\.\d{6}", "CLOCK", text, flags=re.M)
    text = re.sub(r"TS val \d+ ecr \d+", "TS", text)
    text = re.sub(r"(Flags \[S\.?\].*?seq) \d+", r"\1 ISN", text)
    text = re.sub(r"ack \d{6,}", "ack N", text)
    text = re.sub(r"(id|ident) \d+,", r"\1 N,", text)
    text = re.sub(r"\d+ packets? received by filter", "N packets received by filter", text)
    text = re.sub(r"\b(3[2-9]|4\d|5\d|60)\d{3}\b", "PORT", text)
    text = re.sub(r"pid=\d+", "pid=N", text)
    text = re.sub(r"socat\[\d+\]", "socat[N]", text)
    text = re.sub(r"(after|out after) \d+ m", r"\1 N m", text)
    text = re.sub(r"TYPE +DEVICE", "TYPE DEVICE", text)
    text = re.sub(r" +\d+u  (IPv[46]) +\d+", r" Nu \1 INODE", text)
    text = re.sub(r"(\w+) +\d+ root", r"\1 PID root", text)
    text = re.sub(r"skmem:\([^)]*\)", "skmem:()", text)
    text = re.sub(r" +100% +", " 100% ", text)
    text = re.sub(r"0x55[0-9a-f]+", "0xADDRESS", text)
    text = re.sub(r"[\d.]+ ?[KMG]?B?(/s)?(?==\S+$)|\([\d.]+ [KMG]?B/s\)|=[\d.]+s$", "SPEED", text, flags=re.M)
    text = re.sub(r"\d+% +[\d.]+[BKMG]( [\d.]+m?s)?", "PERCENT", text)
    text = re.sub(r"timer:\(\w+,[^)]*\)", "TIMER", text)
    return re.sub(r"\(\d+\.\d\d/\d+/\d+\)", "(TIMER)", text)


if __name__ == "__main__":
    CASES.record(sys.argv[1:] or CASES.names(), before=usual, after=end_processes)
