"""-x, -xx, -X, -XX and -A."""

from __future__ import annotations


def lines(data: bytes, ascii_too: bool) -> str:
    """hex_print() and hex_and_ascii_print(): sixteen bytes a line, each line begun by a tab."""
    out = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        words = [row[at : at + 2].hex() for at in range(0, len(row), 2)]
        text = f"\t0x{start:04x}:  " + " ".join(words)
        if ascii_too:
            shown = "".join(chr(byte) if 32 < byte < 127 else "." for byte in row)
            text = f"\t0x{start:04x}:  {' '.join(words):<39s}  {shown}"
        out.append(text)
    return "\n".join(out)


def ascii_only(data: bytes) -> str:
    """ascii_print(): text as it is, everything else a dot; CR is left out before LF."""
    out = []
    for at, byte in enumerate(data):
        if byte == 13 and data[at + 1 : at + 2] == b"\n":
            continue
        out.append(chr(byte) if 32 <= byte < 127 or byte in (9, 10) else ".")
    return "".join(out)
