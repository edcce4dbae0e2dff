"""which: where programs are (debianutils)."""

from __future__ import annotations

from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    everything = False
    names = []
    words = argv[1:]
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        for letter in word[1:]:
            if letter != "a":
                proc.error(f"Illegal option -{letter}")
                proc.print("Usage: /usr/bin/which [-a] args")
                return 2
            everything = True
    names = words
    status = 0 if names else 1
    for name in names:
        found = False
        paths = (
            [name]
            if "/" in name
            else [f"{place or '.'}/{name}" for place in proc.env.get("PATH", "").split(":")]
        )
        for path in paths:
            if name and proc.files.isfile(path, proc) and proc.files.access_x(path, proc):
                found = True
                proc.print(path)
                if not everything:
                    break
        status |= not found
    return status
