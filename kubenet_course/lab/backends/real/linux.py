"""The few system calls that Python's library does not give: unshare, mount, prctl, hostname.

Thin: arguments as in the manual pages, an OSError with errno and the path on failure.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct

# <linux/sched.h>
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# <sys/mount.h>
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

# <linux/prctl.h>
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24

# <linux/capability.h>
CAP_SYS_RAWIO = 17
CAP_SYS_TIME = 25

_SYS_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_SIOCETHTOOL = 0x8946
_ETHTOOL_GLINK = 0x0A
_IFF_UP = 1

# <linux/netlink.h>, <linux/rtnetlink.h>
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST_DUMP = 0x301
_RTM_GETLINK = 18

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Leave the namespaces named by CLONE_NEW… flags for new ones: unshare(2)."""
    _check(_libc.unshare(ctypes.c_int(flags)), f"unshare({flags:#x})")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    _check(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() or None,
            ctypes.c_ulong(flags),
            data.encode() or None,
        ),
        target,
    )


def set_readonly(path: str, on: bool = True) -> None:
    """Make a mount and all mounts below it read-only, or not any more: mount_setattr(2), Linux 5.12."""
    attributes = struct.pack("QQQQ", *((_MOUNT_ATTR_RDONLY, 0) if on else (0, _MOUNT_ATTR_RDONLY)), 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        path.encode(),
        ctypes.c_uint(_AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    _check(result, path)


def set_hostname(name: str) -> None:
    """sethostname(2), in this uts namespace."""
    data = name.encode()
    _check(_libc.sethostname(data, ctypes.c_size_t(len(data))), name)


def drop_from_bounding_set(capability: int) -> None:
    """No program started from here can have the capability: prctl(PR_CAPBSET_DROP)."""
    _check(_libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0), f"capability {capability}")


def set_process_title(title: str) -> None:
    """Show `title` in ps: the name and, in place, the argument area (as setproctitle does)."""
    name = title.split(" ", 1)[0].rsplit("/", 1)[-1]
    _check(_libc.prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0), title)
    with open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b") ")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start, arg_end: proc_pid_stat(5), 48 and 49
    if start and end - start > len(title) + 1:
        text = title.encode().ljust(end - start - 1, b"\0") + b"\1"  # fs/proc/base.c: get_mm_cmdline()
        ctypes.memmove(start, text, len(text))


def link_up(name: str) -> None:
    """Set a device up in this network namespace (what `ip link set NAME up` does)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sH14x", name.encode(), 0)
        reply = fcntl.ioctl(handle, _SIOCGIFFLAGS, request)
        flags = struct.unpack_from("H", reply, 16)[0]
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags | _IFF_UP))


def has_carrier(name: str) -> bool:
    """Whether a device has its carrier: ETHTOOL_GLINK.

    Asking also makes the kernel act on a change of carrier at once, which it else may put off for a
    second (net/ethtool/ioctl.c: ethtool_op_get_link() calls linkwatch_sync_dev()).
    """
    value = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_GLINK, 0), 8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCETHTOOL, struct.pack("16sP", name.encode(), ctypes.addressof(value)))
    return bool(struct.unpack("II", value.raw)[1])


def number_namespaces() -> None:
    """Give every network namespace at the other end of a device its number here (link-netnsid).

    The kernel does so when a device is first shown (net/core/rtnetlink.c: rtnl_fill_link_netnsid()), so
    this asks for all of them: RTM_GETLINK, dumped and thrown away.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as handle:
        handle.sendall(
            struct.pack("=IHHIIBxHiII", 32, _RTM_GETLINK, _NLM_F_REQUEST_DUMP, 1, 0, 0, 0, 0, 0, 0)
        )
        done = False
        while not done:
            data = handle.recv(1 << 17)
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                done = done or kind in (_NLMSG_ERROR, _NLMSG_DONE)
                data = data[(length + 3) & ~3 :]


def enter_network_namespace(descriptor: int) -> None:
    """setns(2)."""
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(CLONE_NEWNET)), "setns")


def sync_carriers() -> None:
    """Have every change of carrier acted on now, here and in the namespaces of /run/netns.

    See `has_carrier`. A device or namespace that goes away meanwhile is none of our business.
    """
    _sync_here()
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    if not names:
        return
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        for name in names:
            try:
                there = os.open(f"/run/netns/{name}", os.O_RDONLY)
            except OSError:
                continue
            try:
                enter_network_namespace(there)
                _sync_here()
            except OSError:
                continue  # a plain file, or gone
            finally:
                os.close(there)
    finally:
        enter_network_namespace(home)
        os.close(home)


def _sync_here() -> None:
    for _, name in socket.if_nameindex():
        with contextlib.suppress(OSError):
            has_carrier(name)
