"""top: one snapshot (-b -n 1)."""

from __future__ import annotations

from kubenet_course.userland.commands.free import memory, uptime_line
from kubenet_course.userland.commands.ps import RSS, VSZ
from kubenet_course.userland.files.procfs import MEMORY
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, _ = parse(argv, "bn:d:p:cHu:w::")
    except OptionError as error:
        return error.report(
            proc,
            argv[0],
            1,
            "Usage:\n top -hv | -bcEeHiOSs1 -d secs -n max -u|U user -p pid(s) -o field -w [cols]",
        )
    if "b" not in letters(options):
        proc.error("kubenet: top: there is no terminal here; use `top -b -n 1`")
        return 1
    pids = value(options, "p")
    times = value(options, "n", "1") or "1"
    for number in range(int(times) if times.isdecimal() else 1):
        if number:
            await proc.sleep(3)
            proc.print("")
        _show(proc, set(pids.split(",")) if pids else None, "c" in letters(options))
    return 0


def _show(proc: Process, pids: set[str] | None, full: bool) -> None:
    shown = proc.files.pidns
    processes = [
        one for one in shown.sorted() if pids is None or str(shown.number(one)) in pids
    ]
    values = {name: size / 1024 for name, size in memory().items()}
    proc.print("top -" + uptime_line(proc))
    running = sum(one is proc for one in processes)
    proc.print(
        f"Tasks: {len(processes):>3} total, {running:>3} running, {len(processes) - running:>3} sleeping, "
        f"{0:>3} stopped, {0:>3} zombie"
    )
    proc.print("%Cpu(s):  0.0 us,  0.0 sy,  0.0 ni,100.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st ")
    proc.print(
        f"MiB Mem :{values['total']:>9.1f} total,{values['free']:>9.1f} free,{values['used']:>9.1f} used,"
        f"{values['cache']:>9.1f} buff/cache     "
    )
    proc.print(
        f"MiB Swap:{0:>9.1f} total,{0:>9.1f} free,{0:>9.1f} used.{values['available']:>9.1f} avail Mem "
    )
    proc.print("\n    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND")
    share = RSS * 100 / MEMORY["MemTotal"]
    for one in processes:
        name = " ".join(one.argv) if full else one.comm if len(one.comm) <= 8 else one.comm[:7] + "+"
        proc.print(
            f"{shown.number(one):>7} {one.user:<8}  20   0 {VSZ:>7} {RSS:>6} {3200:>6} "
            f"{'R' if one is proc else 'S'} {0:>5.1f} {share:>5.1f}"
            f"   0:00.00 {name}"
        )
