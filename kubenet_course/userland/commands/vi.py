"""Programs that need a terminal, a package archive or an init system: one line says what to do instead."""

from __future__ import annotations

from kubenet_course.userland.process import Process

NAMES = (
    "vi", "vim", "nano", "emacs", "ed", "man", "info", "apt", "apt-get", "dpkg", "yum", "dnf", "apk", "pip",
    "systemctl", "service", "journalctl", "reboot", "shutdown", "poweroff", "halt", "python", "perl",
    "gcc", "make", "git", "screen", "tmux", "scp", "crontab", "hostnamectl", "timedatectl", "loginctl",
    "ebtables", "ebtables-nft", "ebtables-save", "ebtables-restore", "arptables", "arptables-nft", "arptables-save",
    "arptables-restore", "tshark", "wireshark", "ngrep", "tcpflow", "nmap", "mtr", "iperf", "iperf3", "nmcli",
    "networkctl", "netplan", "ifup", "ifdown", "ifquery", "resolvectl", "systemd-resolve",
)  # fmt: skip
EDITORS = frozenset({"vi", "vim", "nano", "emacs", "ed"})
PACKAGES = frozenset({"apt", "apt-get", "dpkg", "yum", "dnf", "apk", "pip"})
SERVICES = frozenset({"systemctl", "service", "journalctl", "crontab", "timedatectl", "loginctl"})
MANAGERS = frozenset({"nmcli", "networkctl", "netplan", "ifup", "ifdown", "ifquery"})
#: What does the same work here.
INSTEAD = {
    "ebtables": "rules for frames on a bridge are made with: nft add table bridge NAME",
    "arptables": "rules for ARP are made with: nft add table arp NAME",
    "tshark": "packets are shown, and read from a file, by: tcpdump -nr FILE",
    "wireshark": "packets are shown, and read from a file, by: tcpdump -nr FILE",
    "ngrep": "packets are shown with their text by: tcpdump -A",
    "tcpflow": "packets are shown with their text by: tcpdump -A",
    "nmap": "ports are tried with: nc -zv HOST 20-80",
    "mtr": "the way to a host is shown by: traceroute HOST",
    "iperf": "time is the lab's own here, so there is no throughput to measure",
    "iperf3": "time is the lab's own here, so there is no throughput to measure",
    "hostnamectl": "a machine's name is shown and set by: hostname",
    "resolvectl": "there is no systemd-resolved; servers stand in /etc/resolv.conf, and names are asked for with: dig",
    "systemd-resolve": "there is no systemd-resolved; servers stand in /etc/resolv.conf, and names are asked for with: dig",
}
POWER = frozenset({"reboot", "shutdown", "poweroff", "halt"})


def explanation(name: str, operands: list[str]) -> str:
    """What stands in for a program that cannot run on an emulated machine."""
    if name in EDITORS:
        path = operands[-1] if operands else "FILE"
        return f"there is no terminal for an editor; write the file with: cat > {path} <<'EOF'"
    if name in PACKAGES:
        return "packages cannot be installed; everything that the course uses is there already"
    if name in SERVICES:
        return "there is no service manager; start a program in the background with: PROGRAM &"
    if name in MANAGERS:
        return "there is no network manager; devices are set up with: ip address add ADDRESS dev DEVICE"
    if name.partition("-")[0] in INSTEAD or name in INSTEAD:
        return INSTEAD.get(name) or INSTEAD[name.partition("-")[0]]
    if name in POWER:
        return "a machine cannot be switched off; reset the lab instead"
    if name in ("man", "info"):
        return "there are no manual pages here; see https://manpages.debian.org/bookworm/"
    return "this program is not part of an emulated machine"


async def main(proc: Process, argv: list[str]) -> int:
    name = argv[0].rpartition("/")[2]
    operands = [word for word in argv[1:] if not word.startswith("-")]
    proc.error(f"kubenet: {name}: {explanation(name, operands)}")
    return 1
