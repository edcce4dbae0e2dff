"""What passes an interface, written to a pcap file on the computer of the notebook.

    with lab.pcap("A:eth0", "ping.pcap"):
        lab.run("A", "ping -c1 192.168.1.11")

    lab.pcap("A:eth0", "ping.pcap", command="ping -c1 192.168.1.11")      # the same in one line

The capture is made by `tcpdump` on the machine, on either kernel; its command is not part of the
lab's history.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from kubenet_course.errors import LabError
from kubenet_course.view.target import Target, ask_json, resolve, spaces

_READY = 5.0  # seconds of the computer's clock in which tcpdump must have begun, on the real kernel


def show(lab: Any, interface: str, path: str, *, command: str = "", filter: str = "") -> PcapFile:
    """Begin a capture (`with` ends it); with `command`, run that on the interface's machine and end it."""
    target, device = find_interface(lab, interface)
    capture = PcapFile(lab, target, device, path, filter)
    if command:
        with capture:
            lab.run(target.machine, command)
    return capture


def find_interface(lab: Any, name: str) -> tuple[Target, str]:
    """``A:eth0``, ``host/red:veth-red``, or a name that only one machine's interface has."""
    where, colon, device = name.rpartition(":")
    if colon:
        target = resolve(lab, where)
        if device not in _devices(lab, target):
            raise LabError(
                f"{target} has no interface {device!r}; there are: {', '.join(_devices(lab, target))}"
            )
        return target, device
    found = [
        target
        for machine in lab.machines
        for target in spaces(lab, machine)
        if name in _devices(lab, target)
    ]
    if len(found) == 1:
        return found[0], name
    if found:
        raise LabError(f"several machines have {name}: say one of {', '.join(f'{t}:{name}' for t in found)}")
    raise LabError(f"there is no interface {name!r} in this lab")


def _devices(lab: Any, target: Target) -> list[str]:
    return [row["ifname"] for row in ask_json(lab, target, "ip", "-j", "link", "show")]


class PcapFile:
    """A capture: running between making it and `stop()`; then `path` is a pcap file of `size` bytes."""

    def __init__(self, lab: Any, target: Target, device: str, path: str, filter: str):
        self.path = Path(path)
        self.where = f"{target}:{device}"
        self.size = 0
        self._machine = lab.backend.machines[target.machine]
        self._remote = f"/tmp/kubenet-{device}.pcap"
        argv = ["tcpdump", "-U", "--immediate-mode", "-n", "-Z", "root", "-i", device, "-w", self._remote]
        try:
            self._running: Any = self._machine.spawn(target.command(*argv, *filter.split()))
        except OSError as error:
            raise LabError(f"{self.where}: tcpdump: {error.strerror}") from None
        end = time.monotonic() + (_READY if lab.backend.name != "emulated" else 0)
        while time.monotonic() < end and "listening" not in self._running.output()[1]:
            time.sleep(0.02)
        if self._running.poll() is not None:
            lines = "".join(self._running.output()).strip().splitlines()
            raise LabError(f"{self.where}: {lines[-1] if lines else 'tcpdump ended at once'}")

    def stop(self) -> PcapFile:
        """End the capture and write the file; may be called again."""
        if self._running is None:
            return self
        running, self._running = self._running, None
        running.terminate()
        end = time.monotonic() + 2
        while running.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        data = self._machine.read_bytes(self._remote)
        self._machine.run(["rm", "-f", self._remote])
        try:
            self.path.write_bytes(data)
        except OSError as error:
            raise LabError(f"{self.path}: {error.strerror}") from None
        self.size = len(data)
        return self

    def __enter__(self) -> PcapFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        if self._running is not None:
            return f"capturing {self.where} for {self.path}"
        return f"{self.path}: {self.size} bytes captured at {self.where}"
