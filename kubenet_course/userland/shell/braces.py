"""Brace expansion: ``a{b,c}d`` and ``{1..5}``, on a word's text, before anything else."""

from __future__ import annotations

import re

_SEQUENCE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?|([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?\d+))?")
MAX_WORDS = 100_000


def expand_braces(raw: str) -> list[str]:
    """The words that `raw` stands for; ``[raw]`` where it has no valid braces."""
    start = 0
    while True:
        opened = _find_open(raw, start)
        if opened < 0:
            return [raw]
        found = _split_body(raw, opened)
        if found is None:
            start = opened + 1
            continue
        end, parts = found
        before, body = raw[:opened], raw[opened + 1 : end]
        if len(parts) > 1:
            middles = [word for part in parts for word in expand_braces(part)]
        else:
            sequence = _sequence(body)
            if sequence is None:
                start = opened + 1
                continue
            middles = sequence
        tails = expand_braces(raw[end + 1 :])
        if len(middles) * len(tails) > MAX_WORDS:
            return [raw]
        return [before + middle + tail for middle in middles for tail in tails]


def _skip(raw: str, i: int) -> int:
    """Index after the quoted or dollar construct at `i`, or `i` where there is none."""
    char = raw[i]
    if char == "\\":
        return i + 2
    if char == "'":
        end = raw.find("'", i + 1)
        return end + 1 if end > 0 else len(raw)
    if char in '"`':
        j = i + 1
        while j < len(raw) and raw[j] != char:
            j += 2 if raw[j] == "\\" else 1
        return j + 1
    if char == "$" and raw[i + 1 : i + 2] in ("{", "("):
        close = {"{": "}", "(": ")"}[raw[i + 1]]
        depth, j = 0, i + 1
        while j < len(raw):
            if raw[j] == raw[i + 1]:
                depth += 1
            elif raw[j] == close:
                depth -= 1
                if depth == 0:
                    return j + 1
            elif raw[j] in "\\'\"":
                j = _skip(raw, j)
                continue
            j += 1
        return len(raw)
    return i


def _find_open(raw: str, start: int) -> int:
    i = 0
    while i < len(raw):
        after = _skip(raw, i)
        if after != i:
            i = after
            continue
        if raw[i] == "{" and i >= start:
            return i
        i += 1
    return -1


def _split_body(raw: str, opened: int) -> tuple[int, list[str]] | None:
    """(index of the matching brace, parts between commas), or None where nothing closes it."""
    depth, last, i = 0, opened + 1, opened
    parts: list[str] = []
    while i < len(raw):
        after = _skip(raw, i)
        if after != i:
            i = after
            continue
        if raw[i] == "{":
            depth += 1
        elif raw[i] == "}":
            depth -= 1
            if depth == 0:
                parts.append(raw[last:i])
                return i, parts
        elif raw[i] == "," and depth == 1:
            parts.append(raw[last:i])
            last = i + 1
        i += 1
    return None


def _sequence(body: str) -> list[str] | None:
    match = _SEQUENCE.fullmatch(body)
    if match is None:
        return None
    if match[1] is not None:
        first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
        padded = any(re.match(r"-?0\d", text) for text in (match[1], match[2]))
        width = max(len(match[1]), len(match[2])) if padded else 0
    else:
        first, last, step, width = ord(match[4]), ord(match[5]), int(match[6] or 1), 0
    step = abs(step) or 1
    if abs(last - first) // step > MAX_WORDS:
        return None
    numbers = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    if match[1] is None:
        return [chr(number) for number in numbers]
    return [f"{number:0{width}d}" for number in numbers]
