"""readlink, realpath: where links and paths lead."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.options import OptionError, letters, missing_operand, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quotef

NAMES = ("readlink", "realpath")
LONG = {
    "canonicalize": "f", "canonicalize-existing": "e", "canonicalize-missing": "m", "no-newline": "n",
    "quiet": "q", "silent": "s", "verbose": "v", "zero": "z", "strip": "s", "no-symlinks": "s",
    "logical": "L", "physical": "P",
}  # fmt: skip


def canonical(proc: Process, path: str, mode: str) -> str:
    """``f``: all but the last must exist; ``e``: all; ``m``: none."""
    files = proc.files
    if mode == "m":
        done = "/" if path.startswith("/") else files.resolve(proc.cwd, "/", proc)
        for part in path.split("/"):
            if part == "..":
                done = done.rpartition("/")[0] or "/"
            elif part not in ("", "."):
                done = f"{done.rstrip('/')}/{part}"
                if files.exists(done, proc):
                    done = files.resolve(done, "/", proc)
        return done
    found = files.find(path, None, proc)
    if mode == "e" and found.node is None:
        raise KernelError(2)
    return found.path


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    try:
        options, names = parse(argv, "femnqsvz" if program == "readlink" else "emsqzLP", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    if not names:
        return missing_operand(proc, argv[0])
    modes = [name for name, _ in options if name in ("f", "e", "m")]
    mode = modes[-1] if modes else ("f" if program == "realpath" else "")
    end = "\0" if "z" in flags else "" if "n" in flags and len(names) == 1 and program == "readlink" else "\n"
    status = 0
    for name in names:
        try:
            if mode and not (program == "realpath" and "s" in flags):
                proc.print(canonical(proc, name, mode), end=end)
            elif program == "realpath":
                from kubenet_course.userland.shell.builtins.directories import normal_path

                proc.print(normal_path(name, proc.cwd), end=end)
            else:
                proc.print(proc.files.readlink(name, proc), end=end)
        except KernelError as error:
            if "v" in flags or (program == "realpath" and "q" not in flags):
                proc.error(f"{argv[0]}: {quotef(name)}: {error.strerror}")
            status = 1
    return status
