"""tee: copy input to files and output."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import complain
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.streams import WriteError, Writer

LONG = {"append": "a", "ignore-interrupts": "i", "output-error=?": "p"}


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "aip", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    outputs: list[tuple[str, Writer]] = [("standard output", proc.stdout)]
    status = 0
    for name in names:
        try:
            append = "a" in letters(options)
            outputs.append((name, proc.files.open_writer(name, proc, append=append)))
        except KernelError as error:
            complain(proc, name, error)
            status = 1
    opened = [writer for _, writer in outputs[1:]]
    while chunk := await proc.stdin.read(65536):
        for name, writer in list(outputs):
            try:
                writer.write(chunk)
            except WriteError as error:
                complain(proc, name, error)
                outputs.remove((name, writer))
                status = 1
    for writer in opened:
        writer.close()
    return status
