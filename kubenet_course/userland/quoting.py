"""How coreutils quotes names in messages (gnulib's quotearg)."""

from __future__ import annotations

_NEEDS = frozenset(" \t\n!\"#$&'()*;<=>?[\\]^`{|}~")
_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def _odd(char: str) -> bool:
    return ord(char) < 32 or ord(char) == 127 or 0xDC80 <= ord(char) <= 0xDCFF


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    number = ord(char) - 0xDC00 if ord(char) > 0xDC00 else ord(char)
    return f"\\{number:03o}"


def quoteaf(text: str) -> str:
    """Always quoted, for the shell: ``'name'``."""
    if any(_odd(char) for char in text):
        return _with_escapes(text)
    if "'" in text:
        if not any(char in text for char in '"$`\\!'):
            return f'"{text}"'
        return "'" + text.replace("'", "'\\''") + "'"
    return f"'{text}'"


def quotef(text: str) -> str:
    """Quoted only where the shell would need it."""
    if text and not any(char in _NEEDS or _odd(char) for char in text):
        return text
    if text and all(char not in " \t\n!\"$&'()*;<>?[\\^`{|~=#]}" and not _odd(char) for char in text):
        return text
    if not any(char in " \t\n!\"$&'()*;<>?[\\^`|=" or _odd(char) for char in text) and text[:1] not in (
        "~",
        "#",
        "",
    ):
        return text
    return quoteaf(text)


def _with_escapes(text: str) -> str:
    out = "'"
    inside = False
    for char in text:
        if _odd(char):
            if not inside:
                out += "'$'"
                inside = True
            out += _escaped(char)
        else:
            if inside:
                out += "''"
                inside = False
            out += "'\\''" if char == "'" else char
    out += "'"
    return out.removeprefix("''") if out.startswith("''$") else out


def quote(text: str) -> str:
    """In typographic quotes: ``‘name’``."""
    shown = "".join(_escaped(char) if _odd(char) else "\\\\" if char == "\\" else char for char in text)
    return f"‘{shown}’"
