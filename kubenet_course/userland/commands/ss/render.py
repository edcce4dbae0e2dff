"""The columns of ss (misc/ss.c: field_set(), render()): as wide as their longest cell, to a pipe.

Addresses are right-aligned up to their colon, ports left-aligned after it. Nothing stands between the
peer's port and the Process column; its cells bring their own space
(or, with -i and -m, a line break).
"""

from __future__ import annotations

NETID, STATE, RECEIVE, SEND, LOCAL, LOCAL_PORT, PEER, PEER_PORT, PROCESS = range(9)

#: (header, delimiter on its left, right-aligned)
COLUMNS = (
    ("Netid", "", False),
    ("State", " ", False),
    ("Recv-Q", " ", False),
    ("Send-Q", " ", False),
    ("Local Address:", " ", True),
    ("Port", "", False),
    ("Peer Address:", " ", True),
    ("Port", "", False),
    ("Process", "", False),
)


def render(rows: list[list[str]], hidden: set[int], header: bool) -> str:
    """Lines for `rows` of nine cells; `hidden` columns are left out."""
    table = [[column[0] for column in COLUMNS], *rows] if header else rows
    shown = [index for index in range(len(COLUMNS)) if index not in hidden]
    widths = {index: max((len(row[index]) for row in table), default=0) for index in shown}
    if shown and shown[-1] == PROCESS:  # render(): the last token of all was not flushed, so it is not measured
        widths[PROCESS] = max((len(row[PROCESS]) for row in table[:-1]), default=0)
    lines = []
    for row in table:
        line = ""
        for place, index in enumerate(shown):
            cell = row[index]
            delimiter = COLUMNS[index][1] if place and widths[index] else ""
            padded = cell.rjust(widths[index]) if COLUMNS[index][2] else cell.ljust(widths[index])
            line += delimiter + padded
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)
