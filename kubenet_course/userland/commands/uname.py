"""uname, arch: what kernel this is."""

from __future__ import annotations

from kubenet_course.userland.files.procfs import kernel_version
from kubenet_course.userland.options import OptionError, extra_operand, letters, parse
from kubenet_course.userland.process import Process

NAMES = ("uname", "arch")
LONG = {
    "all": "a", "kernel-name": "s", "nodename": "n", "kernel-release": "r", "kernel-version": "v",
    "machine": "m",
    "processor": "p", "hardware-platform": "i", "operating-system": "o", "release": "r", "sysname": "s",
}  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    arch = argv[0].rpartition("/")[2] == "arch"
    try:
        options, words = parse(argv, "" if arch else "asnrvmpio", {} if arch else LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    if words:
        return extra_operand(proc, argv[0], words[0])
    host = proc.system.host
    values = {
        "s": "Linux", "n": proc.uts.hostname, "r": host.release, "v": kernel_version(proc.system.files),
        "m": "x86_64", "p": "unknown", "i": "unknown", "o": "GNU/Linux",
    }  # fmt: skip
    chosen = letters(options)
    if arch:
        chosen = {"m"}
    elif "a" in chosen:
        chosen = set("snrvmo")
    proc.print(" ".join(values[letter] for letter in "snrvmpio" if letter in (chosen or {"s"})))
    return 0
