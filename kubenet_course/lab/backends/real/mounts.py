"""A machine's own view of the computer's files.

Called once, by the agent, in a mount namespace of its own:

* the computer's whole tree becomes read-only for the machine;
* /run, /tmp, /var/tmp, /dev/shm, /root and /home are empty and the machine's own;
* /etc, /var/lib, /var/log, /opt, /usr/local/bin and the like (SHADOWED) are writable and show what
  the computer has there: a tmpfs of symbolic links into a read-only view (kept in /run/.computer), so that it
  costs microseconds and works for any user (an overlay could not copy up files of an owner whom a
  user namespace does not map); what people edit there (COPIED) is a copy, and the folders that they
  add files to (OPENED) are folders of links;
* proc and sysfs are mounted anew where that is allowed: own process list, own /sys/class/net;
* /proc/sys is read-only but for /proc/sys/net, which belongs to the network namespace.
"""

from __future__ import annotations

import os

from kubenet_course.lab.backends.real import linux, programs

EMPTY = {
    "/run": 0o755,
    "/tmp": 0o1777,
    "/var/tmp": 0o1777,
    "/dev/shm": 0o1777,
    "/root": 0o700,
    "/home": 0o755,
}
SHADOWED = (
    "/etc", "/var/lib", "/var/log", "/var/cache", "/var/spool", "/opt", "/srv",
    "/usr/local/bin", "/usr/local/sbin",
    "/usr/local/lib", "/usr/local/share", "/mnt",
)  # fmt: skip
#: Never shown from the computer: names of networks, of machines, of state that other programs keep.
PRIVATE = {
    "/etc": {
        "hosts",
        "resolv.conf",
        "hostname",
        "netns",
        "cni",
        "iproute2.d",
        "docker",
        "kubernetes",
        "openvswitch",
    },
    "/var/lib": {"cni", "misc", "dhcp", "docker", "kubelet", "openvswitch", "nginx"},
    "/var/log": None,
    "/var/cache": None,
    "/var/spool": None,
    "/opt": {"cni"},
    "/srv": None,
    "/mnt": None,
}  # None: nothing is shown
COPIED = (
    "/etc/sysctl.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/networks", "/etc/dnsmasq.conf",
    "/etc/services", "/etc/bash.bashrc", "/etc/profile", "/etc/iproute2/rt_tables", "/etc/nginx/nginx.conf",
    "/etc/haproxy/haproxy.cfg",
)  # fmt: skip
OPENED = (
    "/etc/sysctl.d", "/etc/network", "/etc/iproute2", "/etc/dnsmasq.d", "/etc/nginx", "/etc/nginx/conf.d",
    "/etc/nginx/sites-enabled", "/etc/nginx/sites-available", "/etc/haproxy", "/etc/default", "/etc/dhcp",
    "/etc/profile.d", "/etc/modules-load.d", "/etc/bind",
)  # fmt: skip
MADE = (
    "/run/netns", "/run/lock", "/run/cni", "/etc/netns", "/etc/cni/net.d", "/var/lib/cni", "/var/lib/misc",
    "/var/lib/dhcp", "/var/lib/nginx", "/var/log/nginx", "/opt/cni/bin",
    "/var/cache/bind", "/var/log/openvswitch", "/etc/openvswitch",
)  # fmt: skip
BELOW = "/run/.computer"


def enter(fresh_proc: bool = True) -> list[str]:
    """Build the view; returns what could not be had, one sentence each."""
    missing: list[str] = []
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    originals = {
        path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in SHADOWED if _plain_directory(path)
    }
    hidden = programs.hidden_folders(tuple(EMPTY))
    linux.set_readonly("/")
    for path, mode in EMPTY.items():
        if _plain_directory(path):
            linux.mount("tmpfs", path, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"mode={mode:o}")
    for path, descriptor in originals.items():
        _shadow(path, descriptor)
        os.close(descriptor)
    for path in OPENED:
        _open(path)
    for path in COPIED:
        _copy(path)
    for path in MADE:
        os.makedirs(path, exist_ok=True)
    _link_packaged_plugins()
    programs.install(hidden, BELOW)
    missing += _proc(fresh_proc)
    missing += _fresh_sys()
    os.chdir("/root" if os.access("/root", os.X_OK) else "/")
    return missing


def _plain_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _shadow(path: str, original: int) -> None:
    """Cover `path` by a tmpfs whose entries are links to the computer's, read-only ones."""
    below = BELOW + path
    os.makedirs(below)
    linux.mount(f"/proc/self/fd/{original}", below, flags=linux.MS_BIND | linux.MS_REC)
    linux.set_readonly(below)
    linux.mount("tmpfs", path, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755")
    hidden = PRIVATE.get(path, set())
    if hidden is None:
        return
    try:
        names = os.listdir(below)
    except PermissionError:
        return
    for name in names:
        if name not in hidden:
            _show(f"{below}/{name}", f"{path}/{name}")


def _show(original: str, path: str) -> None:
    """A link to the computer's file. Where that is itself a relative link that leads out of its folder
    (/etc/os-release), the same link: it is right in its own place alone."""
    target = os.readlink(original) if os.path.islink(original) else ""
    os.symlink(target if target.startswith("../") else original, path)


def _open(path: str) -> None:
    """A folder of the machine's own in place of the link to one: of links to what is in that."""
    if not os.path.islink(path) or not os.path.isdir(path):
        return
    below = os.readlink(path)
    os.unlink(path)
    os.mkdir(path, 0o755)
    for name in os.listdir(below):
        os.symlink(f"{below}/{name}", f"{path}/{name}")


def _copy(path: str) -> None:
    """A file of the machine's own in place of the link to one."""
    if not os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
        return
    with open(path, "rb") as handle:
        content = handle.read()
    os.unlink(path)
    with open(path, "wb") as handle:
        handle.write(content)


def _link_packaged_plugins() -> None:
    """Packaged CNI plugins appear where the specification's examples look for them."""
    for folder in ("/usr/lib/cni", BELOW + "/opt/cni/bin"):
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                target = f"/opt/cni/bin/{name}"
                if not os.path.lexists(target):
                    os.symlink(f"{folder}/{name}", target)


def _proc(fresh: bool) -> list[str]:
    """A /proc of the machine's own, or the one there is; either way only /proc/sys/net can be written."""
    missing = []
    keep = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    try:
        if fresh:
            linux.mount("proc", "/proc", "proc", keep)
        else:
            linux.set_readonly("/proc", False)
    except OSError as error:
        missing = [f"Machines cannot have a /proc of their own here ({error.strerror})."]
    try:
        linux.mount("/proc/sys", "/proc/sys", flags=linux.MS_BIND)
        linux.mount("/proc/sys/net", "/proc/sys/net", flags=linux.MS_BIND)
        if os.path.exists("/proc/sysrq-trigger"):
            linux.mount("/proc/sysrq-trigger", "/proc/sysrq-trigger", flags=linux.MS_BIND)
            linux.set_readonly("/proc/sysrq-trigger")
        linux.mount("none", "/proc/sys", flags=linux.MS_BIND | linux.MS_REMOUNT | linux.MS_RDONLY | keep)
    except OSError as error:
        missing.append(f"All of /proc/sys is as this computer has it ({error.strerror}).")
    return missing


def _fresh_sys() -> list[str]:
    try:
        linux.mount("sysfs", "/sys", "sysfs", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    except OSError as error:
        return [f"/sys shows the computer's devices: sysfs cannot be mounted here ({error.strerror})."]
    return []
