"""`kubenet-course doctor`: what this computer can do, and what to install, in plain words.

Each finding is looked up or tried here and now; trying happens in namespaces that end with the try.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from importlib import metadata

#: Program → Debian's package, for what lessons on the real kernel type.
TOOLS = {
    "ip": "iproute2",
    "bash": "bash",
    "unshare": "util-linux",
    "ping": "iputils-ping",
    "ifconfig": "net-tools",
    "brctl": "bridge-utils",
    "iptables": "iptables",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ipset": "ipset",
    "ipvsadm": "ipvsadm",
    "tcpdump": "tcpdump",
    "traceroute": "traceroute",
    "dig": "bind9-dnsutils",
    "curl": "curl",
    "wget": "wget",
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "dnsmasq": "dnsmasq-base",
    "ovs-vsctl": "openvswitch-switch",
    "newuidmap": "uidmap",
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: What a kernel may lack → (a command that shows it, what a learner misses then).
FEATURES = {
    "virtual cables (veth)": ("ip link add a0 type veth peer name a1", "no lab can be built"),
    "bridges": ("ip link add b0 type bridge", "no switch can be built"),
    "NAT and connection tracking": (
        "iptables -t nat -A POSTROUTING -j MASQUERADE",
        "notebook 07 and everything after it need the emulated kernel",
    ),
    "vxlan": (
        "ip link add x0 type vxlan id 1 dstport 4789",
        "overlays (notebook 13) need the emulated kernel",
    ),
    "macvlan": (
        "ip link add p0 type bridge && ip link add m0 link p0 type macvlan",
        "macvlan cannot be shown",
    ),
    "ipvlan": ("ip link add p1 type bridge && ip link add i0 link p1 type ipvlan", "ipvlan cannot be shown"),
    "vlan": (
        "ip link add p2 type bridge && ip link add v0 link p2 type vlan id 5",
        "tagged VLANs cannot be shown",
    ),
    "delay and loss on links (netem)": (
        "tc qdisc add dev lo root netem delay 1ms",
        "links have no delay and lose nothing",
    ),
    "bandwidth limits (htb, tbf)": (
        "tc qdisc add dev lo root htb default 1",
        "links are as fast as they can",
    ),
    "IPVS": ("ipvsadm -A -t 10.0.0.1:80 -s rr", "kube-proxy's ipvs mode needs the emulated kernel"),
}


def doctor() -> str:
    """The whole report."""
    parts = [_python(), _emulated(), _real(), _jupyter()]
    return "\n\n".join(parts)


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    return _section(
        "Python", [f"{version}, kubenet-course {_version('kubenet-course') or 'from its source'}."]
    )


def _emulated() -> str:
    return _section(
        "The emulated kernel (the default)",
        ["Works here. It needs no privileges and touches nothing of this computer."],
    )


def _real() -> str:
    from kubenet_course.lab.backends.mininet import REFUSED
    from kubenet_course.lab.backends.real.probe import probe

    title = "Real namespaces (backend='mininet', --backend mininet)"
    if not sys.platform.startswith("linux"):
        return _section(title, ["Need Linux. This computer has the emulated kernel."])
    mode = probe()
    if mode is None:
        return _section(title, [REFUSED, *_userns_hint()])
    lines = [mode.sentence, _mininet()]
    missing = {tool: package for tool, package in TOOLS.items() if shutil.which(tool, path=PATH) is None}
    if os.geteuid() == 0:
        missing.pop("newuidmap", None)
    if missing:
        packages = " ".join(dict.fromkeys(missing.values()))
        lines.append(f"Not installed: {', '.join(missing)}. On Debian: apt-get install {packages}")
    else:
        lines.append("Every program that the lessons type is installed.")
    lines += _features(mode.prefix)
    return _section(title, lines)


def _userns_hint() -> list[str]:
    """The one setting that most often forbids an ordinary user's namespaces."""
    for name in ("kernel/unprivileged_userns_clone", "kernel/apparmor_restrict_unprivileged_userns"):
        path = f"/proc/sys/{name}"
        if os.path.exists(path):
            with open(path) as handle:
                value = handle.read().strip()
            wanted = "1" if "clone" in name else "0"
            if value != wanted:
                return [f"This may help, as root: sysctl -w {name.replace('/', '.')}={wanted}"]
    return ["As root, or in a container with --privileged, it would work."]


def _mininet() -> str:
    from kubenet_course.lab.backends.real.builder import DEBIAN_MININET

    if importlib.util.find_spec("mininet") is not None:
        return f"Mininet {_version('mininet') or ''} is installed.".replace("  ", " ")
    if any(os.path.isdir(folder) for folder in DEBIAN_MININET):
        return "Mininet is Debian's."
    return "Mininet is missing: pip install 'kubenet-course[mininet]', or on Debian: apt-get install mininet"


def _features(prefix: tuple[str, ...]) -> list[str]:
    """Try each feature in namespaces of its own; a sentence for each that is missing."""
    lines = []
    for feature, (command, consequence) in FEATURES.items():
        if shutil.which(command.split()[0], path=PATH) is None:
            continue
        run = subprocess.run(
            [*prefix, "sh", "-c", f"mount -n -t tmpfs tmpfs /run && {{ {command}; }}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={**os.environ, "PATH": PATH},
            timeout=30,
        )
        if run.returncode:
            lines.append(f"This kernel has no {feature}: {consequence}.")
    return lines or ["This kernel has everything the lessons use."]


def _jupyter() -> str:
    version = _version("jupyterlab")
    if version is None:
        return _section("JupyterLab", ["Is missing: pip install 'kubenet-course[lab]'"])
    return _section("JupyterLab", [f"{version} is installed: `kubenet-course lab` opens the course."])
