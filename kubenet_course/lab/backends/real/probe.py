"""How can this computer give us namespaces? Asked by trying, cheapest answer first.

    root → mapped ids → one id → namespaces without a new /proc → refused

Nothing is changed: every try is a `true` in namespaces that end with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

_NAMESPACES = ["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]


@dataclass(frozen=True)
class Mode:
    """A way to have a real lab: the command that a helper is started with, and a sentence for people."""

    name: str
    prefix: tuple[str, ...]
    fresh_proc: bool
    sentence: str


def modes() -> list[Mode]:
    """All ways there might be, best first, for whoever asks."""
    unshare = shutil.which("unshare") or "/usr/bin/unshare"
    user = [unshare, "--user"]
    found = []
    if os.geteuid() == 0:
        found.append(
            Mode(
                "root", (unshare, *_NAMESPACES, "--mount-proc"), True, "Labs run in real namespaces, as root."
            )
        )
        found.append(
            Mode(
                "root, no new /proc",
                (unshare, *_NAMESPACES),
                False,
                "Labs run in real namespaces, as root; machines share one process list.",
            )
        )
    found += [
        Mode(
            "mapped ids",
            (*user, "--map-root-user", "--map-auto", *_NAMESPACES, "--mount-proc"),
            True,
            "Labs run in real namespaces, without root, with subordinate ids.",
        ),
        Mode(
            "one id",
            (*user, "--map-root-user", *_NAMESPACES, "--mount-proc"),
            True,
            "Labs run in real namespaces, without root, with one id: programs that change their user "
            "(tcpdump, nginx's and dnsmasq's defaults) fail; install uidmap and an entry in /etc/subuid.",
        ),
        Mode(
            "one id, no new /proc",
            (*user, "--map-root-user", *_NAMESPACES),
            False,
            "Labs run in real namespaces in this container; machines share one process list.",
        ),
    ]
    return found


def probe() -> Mode | None:
    """The first mode that works here, or None."""
    for mode in modes():
        if works(mode):
            return mode
    return None


def works(mode: Mode) -> bool:
    """Try it: namespaces, a mount and a device in them."""
    test = "mount -n -t tmpfs tmpfs /tmp && ip link set lo up"
    try:
        run = subprocess.run(
            [*mode.prefix, "sh", "-c", test],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
            env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0
