"""free, uptime, nproc: the machine's memory and time."""

from __future__ import annotations

import time

from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.files.procfs import CPUS, MEMORY, boot_seconds
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process

NAMES = ("free", "uptime", "nproc")
LONG = {"bytes": "b", "kibi": "k", "mebi": "m", "gibi": "g", "human": "h", "wide": "w", "total": "t",
    "si": "si",
        "lohi": "l", "seconds=": "s", "count=": "c"}  # fmt: skip


def memory() -> dict[str, int]:
    """kB, in free's words."""
    cache = MEMORY["Buffers"] + MEMORY["Cached"] + MEMORY["SReclaimable"]
    total, unused = MEMORY["MemTotal"], MEMORY["MemFree"]
    return {
        "total": total, "used": total - MEMORY["MemAvailable"], "free": unused, "shared": MEMORY["Shmem"],
        "cache": cache, "available": MEMORY["MemAvailable"],
    }  # fmt: skip


def _show(kilobytes: int, flags: set[str]) -> str:
    if "b" in flags:
        return str(kilobytes * 1024)
    if "m" in flags:
        return str(kilobytes // 1024)
    if "g" in flags:
        return str(kilobytes // 1024**2)
    if "h" not in flags:
        return str(kilobytes)
    size = float(kilobytes * 1024)
    for unit in ("B", "Ki", "Mi", "Gi", "Ti"):
        if len(f"{size:.0f}") <= 3 or unit == "Ti":
            text = f"{size:.1f}{unit}"
            return text if len(text) <= 5 and unit != "B" else f"{int(size)}{unit}"
        size /= 1024
    return str(kilobytes)


def _free(proc: Process, flags: set[str]) -> int:
    values = memory()
    proc.print(
        f"{'':<8}"
        + "".join(f"{name:>12}" for name in ("total", "used", "free", "shared", "buff/cache", "available"))
    )
    order = ("total", "used", "free", "shared", "cache", "available")
    proc.print("Mem:    " + "".join(f"{_show(values[name], flags):>12}" for name in order))
    proc.print("Swap:   " + "".join(f"{_show(0, flags):>12}" for _ in range(3)))
    if "t" in flags:
        proc.print("Total:  " + "".join(f"{_show(values[name], flags):>12}" for name in order[:3]))
    return 0


def uptime_line(proc: Process) -> str:
    """`` 23:55:16 up  1:28,  0 user,  load average: …``."""
    seconds = int(boot_seconds(proc.system.files))
    days, rest = divmod(seconds, 86400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    text = f"{days} day{'s' * (days != 1)}, " if days else ""
    text += f"{hours:>2}:{minutes:02d}" if hours else f"{minutes} min"
    clock = time.strftime("%H:%M:%S", time.gmtime(proc.system.files.now() // SECOND))
    return f" {clock} up {text},  0 user,  load average: 0.00, 0.00, 0.00"


def _uptime(proc: Process, flags: set[str]) -> int:
    seconds = int(boot_seconds(proc.system.files))
    if "s" in flags:
        began = proc.system.files.now() // SECOND - seconds
        proc.print(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(began)))
    elif "p" in flags:
        parts = []
        for name, size in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60)):
            count, seconds = divmod(seconds, size)
            if count:
                parts.append(f"{count} {name}{'s' * (count != 1)}")
        proc.print("up " + ", ".join(parts or ["0 minutes"]))
    else:
        proc.print(uptime_line(proc))
    return 0


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    short = {"free": "bkmghwtls:c:", "uptime": "ps", "nproc": ""}[program]
    long = {
        "free": LONG,
        "uptime": {"pretty": "p", "since": "s"},
        "nproc": {"all": "all", "ignore=": "ignore"},
    }[program]
    try:
        options, _ = parse(argv, short, long)
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    if flags & {"w", "s", "c", "l"} and program == "free":
        proc.error("kubenet: free: options -w, -l, -s and -c are not emulated")
        return 1
    if program == "free":
        return _free(proc, flags)
    if program == "uptime":
        return _uptime(proc, flags)
    proc.print(CPUS)
    return 0
