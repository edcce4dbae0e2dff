"""Signal names and numbers, as kill(1) and bash know them (x86-64)."""

from __future__ import annotations

SIGNALS = {
    name: number
    for number, name in enumerate(
        "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP "
        "TTIN "
        "TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(),
        1,
    )
}
SIGNALS.update({"RTMIN": 34, **{f"RTMIN+{n}": 34 + n for n in range(1, 16)}})
SIGNALS.update({**{f"RTMAX-{n}": 64 - n for n in range(14, 0, -1)}, "RTMAX": 64})


def signal_number(text: str) -> int | None:
    """The number of ``9``, ``KILL``, ``SIGKILL``, ``kill``; 0 is a signal here; None for others."""
    if text.isascii() and text.isdecimal():
        number = int(text)
        return number if number == 0 or number in SIGNALS.values() else None
    name = text.upper().removeprefix("SIG")
    if name in ("POLL",):
        return SIGNALS["IO"]
    return SIGNALS.get(name)


def listing() -> str:
    """What bash's ``kill -l`` prints."""
    cells = [f"{number:>2}) SIG{name}" for name, number in SIGNALS.items()]
    lines = []
    for at in range(0, len(cells), 5):
        row = cells[at : at + 5]
        lines.append("\t".join(row) + ("\t" if len(row) < 5 else "") + "\n")
    return "".join(lines)
