"""`ethtool` 6.1, the questions a virtual device can answer: its driver, its link, its offloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.userland.process import Process

DRIVERS = {
    "veth": ("veth", "1.0"), "bridge": ("bridge", "2.3"), "vxlan": ("vxlan", "0.1"), "macvlan": ("macvlan",
    "0.1"),
    "ipvlan": ("ipvlan", "0.1"), "dummy": ("dummy", "RELEASE"), "tun": ("tun", "1.6"),
    "vlan": ("802.1Q VLAN Support", "1.8"),
    "openvswitch": ("openvswitch", "RELEASE"), "vrf": ("vrf", "1.0"), "ifb": ("ifb", "RELEASE"),
}  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    if words in (["--version"],):
        proc.print("ethtool version 6.1")
        return 0
    option = words.pop(0) if words and words[0].startswith("-") else ""
    if not words:
        proc.error("ethtool: bad command line argument(s)\nFor more information run ethtool -h")
        return 1
    option = LONG.get(option, option)
    if option in NETLINK or option in IOCTL or option in ("-l", "-P", "-T"):
        return _asked(proc, option, words[0])
    if option not in ("", "-i", "--driver", "-S", "--statistics"):
        proc.error(f"kubenet: ethtool {option} is not emulated")
        return 1
    dev = proc.net.devices.get(words[0])
    if dev is None:
        if option in ("-i", "--driver"):
            proc.error("Cannot get driver information: No such device")
            return 71
        if option:
            proc.error("Cannot get stats strings information: No such device")
            return 96
        proc.error(
            "netlink error: no device matches name (offset 24)\nnetlink error: No such device\n" * 5, end=""
        )
        proc.error("No data available")
        return 75
    if option in ("-i", "--driver"):
        return _driver(proc, dev)
    if option:
        return _statistics(proc, dev)
    return _link(proc, dev)


#: Options that are asked for over netlink, and that no virtual device has an answer to.
NETLINK = ("-a", "-c", "-g", "-m", "--show-eee", "--show-fec")
#: Those asked for by ioctl(2): what is said before the error, and the status.
IOCTL = {
    "-x": ("Cannot get RX ring count: {0}", 1), "-w": ("Can not get dump level: {0}", 1),
    "-p": ("Cannot identify NIC: {0}", 255), "-r": ("Cannot restart autonegotiation: {0}", 255),
    "-n": ("Cannot get RX rings: {0}\nrxclass: Cannot get RX class rule count: {0}\nRX classification rule retrieval failed", 1),
}  # fmt: skip
LONG = {
    "--show-pause": "-a", "--show-coalesce": "-c", "--show-ring": "-g", "--module-info": "-m", "--show-channels": "-l",
    "--show-permaddr": "-P", "--show-time-stamping": "-T", "--show-nfc": "-n", "--show-ntuple": "-n", "-u": "-n",
    "--show-rxfh": "-x", "--show-rxfh-indir": "-x", "--get-dump": "-w", "--identify": "-p", "--negotiate": "-r",
    "--dump-module-eeprom": "-m",
}  # fmt: skip


def _asked(proc: Process, option: str, name: str) -> int:
    dev = proc.net.devices.get(name)
    if option in IOCTL:
        text, status = IOCTL[option]
        proc.error(text.format("No such device" if dev is None else "Operation not supported"))
        return status
    if dev is None:
        if option != "-P":
            proc.error("netlink error: no device matches name (offset 24)")
        proc.error("netlink error: No such device")
        return 1
    if option == "-P":
        proc.print("Permanent address: not set")
    elif option == "-T":
        sends = "" if dev.kind in ("bridge", "vxlan") else "\tsoftware-transmit\n"
        proc.print(
            f"Time stamping parameters for {name}:\nCapabilities:\n{sends}\tsoftware-receive\n\tsoftware-system-clock\n"
            "PTP Hardware Clock: none\nHardware Transmit Timestamp Modes: none\nHardware Receive Filter Modes: none"
        )
    elif option == "-l" and dev.kind == "veth":
        most, now = (f"RX:\t\t{rx}\nTX:\t\t{tx}" for rx, tx in ((dev.num_rx_queues, dev.num_tx_queues), (1, 1)))
        rest = "Other:\t\tn/a\nCombined:\tn/a"
        proc.print(
            f"Channel parameters for {name}:\nPre-set maximums:\n{most}\n{rest}\nCurrent hardware settings:\n{now}\n{rest}"
        )
    else:
        proc.error("netlink error: Operation not supported")
        return 1
    return 0


def _driver(proc: Process, dev: NetDevice) -> int:
    name, version = DRIVERS.get(dev.kind or "", ("", ""))
    if not name:
        proc.error("Cannot get driver information: Operation not supported")
        return 71
    if version == "RELEASE":
        version = proc.system.host.release
    statistics = "yes" if dev.kind in ("veth", "ifb") else "no"
    bus = dev.kind if dev.kind in ("tun",) else ""
    firmware = {"bridge": "N/A", "vlan": "N/A"}.get(dev.kind or "", "")
    proc.print(
        f"driver: {name}\nversion: {version}\nfirmware-version: {firmware}\nexpansion-rom-version: \n"
        f"bus-info: {'N/A' if firmware else bus}\nsupports-statistics: {statistics}\nsupports-test: no\n"
        f"supports-eeprom-access: no\nsupports-register-dump: no\nsupports-priv-flags: no"
    )
    return 0


def _statistics(proc: Process, dev: NetDevice) -> int:
    if dev.kind != "veth":
        proc.error("no stats available")
        return 94
    peer = dev.iflink()
    proc.print(f"NIC statistics:\n     peer_ifindex: {peer[1] if peer else 0}")
    for queue in range(dev.num_rx_queues):
        for name in (
            "xdp_packets",
            "xdp_bytes",
            "drops",
            "xdp_redirect",
            "xdp_drops",
            "xdp_tx",
            "xdp_tx_errors",
        ):
            proc.print(f"     rx_queue_{queue}_{name}: 0")
    for queue in range(dev.num_tx_queues):
        for name in ("xdp_xmit", "xdp_xmit_errors"):
            proc.print(f"     tx_queue_{queue}_{name}: 0")
    return 0


UNREPORTED = (
    "\tSupported ports: [  ]\n"
    "\tSupported link modes:   Not reported\n"
    "\tSupported pause frame use: No\n"
    "\tSupports auto-negotiation: No\n"
    "\tSupported FEC modes: Not reported\n"
    "\tAdvertised link modes:  Not reported\n"
    "\tAdvertised pause frame use: No\n"
    "\tAdvertised auto-negotiation: No\n"
    "\tAdvertised FEC modes: Not reported\n"
)
#: Kinds without link settings of their own answer with the link alone.
BARE = (None, "dummy", "vrf", "ipip", "gre", "gretap", "sit", "erspan", "openvswitch", "ipvlan")


def _link(proc: Process, dev: NetDevice) -> int:
    if dev.kind == "ifb":
        proc.error("No data available")
        return 75
    text = f"Settings for {dev.name}:\n"
    if dev.kind in ("veth", "tun"):
        text += UNREPORTED + "\tSpeed: 10000Mb/s\n\tDuplex: Full\n\tAuto-negotiation: off\n"
        text += "\tPort: Twisted Pair\n\tPHYAD: 0\n\tTransceiver: internal\n\tMDI-X: Unknown\n"
        if dev.kind == "tun":
            text += "        Current message level: 0x00000000 (0)\n" + " " * 30 + "\n"
    elif dev.kind not in BARE:
        speed = "10000Mb/s" if dev.running else "Unknown!"
        text += UNREPORTED + f"\tSpeed: {speed}\n\tDuplex: Unknown! (255)\n\tAuto-negotiation: off\n"
        text += "\tPort: Other\n\tPHYAD: 0\n\tTransceiver: internal\n"
    proc.print(text + f"\tLink detected: {'yes' if dev.running else 'no'}")
    return 0
