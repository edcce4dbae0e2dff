"""Programs of this package as commands of a real machine: `coredns` is `python -m kubenet_course.dns`, and so on.

Each becomes a script in the machine's /usr/local/bin, unless the computer has a program of that name.
Where Python or this package lies in a folder that machines do not see (/home, /root, /tmp), it is
mounted, read-only, below /run/.computer.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys

from kubenet_course.lab.backends.real import linux

#: Command → the module that is run.
PROGRAMS = {
    "coredns": "kubenet_course.dns",
    "resolverd": "kubenet_course.dns.resolverd",
    "cnitool": "kubenet_course.cni",
    "kubenet-nftrace": "kubenet_course.lab.backends.real.nftrace",
}
#: Those of the lab's container engine, one module with many names. A real Docker's have no daemon here.
ENGINE = (
    "docker",
    "dockerd",
    "containerd",
    "containerd-shim-runc-v2",
    "docker-proxy",
    "docker-resolver",
    "docker-app",
    "systemctl",
    "service",
)
FOLDER = "/usr/local/bin"
#: Found out before any folder is covered; a virtual environment's is a link. It is given sys.path whole.
PYTHON = os.path.realpath(sys.executable)


def hidden_folders(covered: tuple[str, ...]) -> dict[str, int]:
    """Python's folders below `covered`, each opened before it is covered."""
    package = os.path.dirname(
        os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    )
    wanted = [
        package,
        sys.base_prefix,
        sys.prefix,
        os.path.dirname(PYTHON),
        *sys.path,
    ]
    found: dict[str, int] = {}
    for path in wanted:
        path = os.path.abspath(path)
        under = any(path == top or path.startswith(f"{top}/") for top in covered)
        if under and os.path.isdir(path) and not any(path.startswith(f"{there}/") for there in found):
            found.setdefault(path, os.open(path, os.O_PATH | os.O_DIRECTORY))
    return found


def install(hidden: dict[str, int], below: str) -> None:
    """Write the scripts; `hidden` are then mounted in `below`."""
    moved: dict[str, str] = {}
    for number, (path, descriptor) in enumerate(hidden.items()):
        place = f"{below}/python{number}"
        os.makedirs(place)
        linux.mount(f"/proc/self/fd/{descriptor}", place, flags=linux.MS_BIND | linux.MS_REC)
        linux.set_readonly(place)
        os.close(descriptor)
        moved[path] = place

    def seen(path: str) -> str:
        for old, new in moved.items():
            if path == old or path.startswith(f"{old}/"):
                return new + path[len(old) :]
        return path

    python = seen(PYTHON)
    paths = os.pathsep.join(seen(os.path.abspath(path)) for path in sys.path if path and os.path.exists(seen(path)))
    for name, module in (*PROGRAMS.items(), *((n, "kubenet_course.lab.backends.real.engine") for n in ENGINE)):
        target = f"{FOLDER}/{name}"
        if name in ENGINE and os.path.islink(target):
            os.unlink(target)
        if os.path.lexists(target) or (name not in ENGINE and shutil.which(name)):
            continue
        with open(target, "w") as script:
            script.write(
                f'#!/bin/sh\nexport PYTHONPATH={shlex.quote(paths)} PYTHONDONTWRITEBYTECODE=1 KUBENET_ARGV0="${{0#{FOLDER}/}}"\n'
                f'exec {shlex.quote(python)} -m {module} "$@"\n'
            )
        os.chmod(target, 0o755)
