"""Files that every machine has, the same on both kernels."""

from __future__ import annotations

HOSTS = """127.0.0.1\tlocalhost
127.0.1.1\t{name}

# The following lines are desirable for IPv6 capable hosts
::1     localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
"""
RESOLV = ""


def files_of(name: str) -> dict[str, str]:
    """Path → content for the machine called `name`, as a fresh Debian has them."""
    return {"/etc/hosts": HOSTS.format(name=name), "/etc/hostname": f"{name}\n", "/etc/resolv.conf": RESOLV}
