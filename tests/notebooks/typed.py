"""What the cells of a notebook type on a machine, line by line, without magics and prompts."""

from __future__ import annotations

import re
from typing import Any


def typed(notebook: Any) -> list[str]:
    """Every command line of every code cell: of `%%host` cells, and what follows `%host NAME` and the like."""
    lines: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        source = cell.source.splitlines()
        if source and re.match(r"%%(host|machine)\b", source[0]):
            lines += [re.sub(r"^(@\S+|\w+\$) ", "", line.strip()) for line in source[1:] if not line.startswith("#")]
            continue
        for line in source:
            match = re.match(r"%(?:host|journey|explain) \S+ (.*)", line)
            if match:
                lines.append(match[1].strip())
    return lines


def has(command: str, line: str) -> bool:
    """Whether the words of `command` stand in `line` in their order; options such as `-c 1` may come between.

    ``<id>`` stands for any word.
    """
    words = iter(line.split())
    return all(any(word == other or word.startswith("<") for other in words) for word in command.split())
