"""ipset 7.17: sets of addresses, networks and ports for -m set and -j SET."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.netfilter.ipset import SetError, sets
from kubenet_course.userland.commands.ipset.create import create
from kubenet_course.userland.commands.ipset.elements import change
from kubenet_course.userland.commands.ipset.errors import Failed, UsageError
from kubenet_course.userland.commands.ipset.show import save_text, show_text

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

VERSION = "ipset v7.17"
COMMANDS = {
    "create": ("create", "n", "-N", "--create"), "add": ("add", "-A", "--add"), "del": ("del", "-D", "--del"),
    "test": ("test", "-T", "--test"), "destroy": ("destroy", "x", "-X", "--destroy"), "list": ("list", "-L", "--list"),
    "save": ("save", "-S", "--save"), "restore": ("restore", "-R", "--restore"), "flush": ("flush", "-F", "--flush"),
    "rename": ("rename", "e", "-E", "--rename"), "swap": ("swap", "w", "-W", "--swap"), "help": ("help", "-H", "-h", "--help"),
    "version": ("version", "-v", "-V", "--version"),
}  # fmt: skip
FLAGS = {"-!": "exist", "-exist": "exist", "--exist": "exist", "-q": "quiet", "-quiet": "quiet", "--quiet": "quiet",
         "-s": "sorted", "-sorted": "sorted", "--sorted": "sorted", "-r": "resolve", "-resolve": "resolve", "-n": "name",
         "-name": "name", "--name": "name", "-t": "terse", "-terse": "terse", "--terse": "terse"}  # fmt: skip


class Request:
    """One command line, sorted into flags and words."""

    def __init__(self, words: list[str]):
        self.flags: set[str] = set()
        self.output = ""
        self.file = ""
        self.words: list[str] = []
        words = list(words)
        while words:
            word = words.pop(0)
            if word in FLAGS:
                self.flags.add(FLAGS[word])
            elif word in ("-o", "-output", "--output"):
                if not words:
                    raise UsageError(f"Missing mandatory argument of option `{word.lstrip('-')}'")
                self.output = words.pop(0)
                if self.output not in ("plain", "save", "xml"):
                    raise Failed(f"Syntax error: unknown output mode '{self.output}'")
            elif word in ("-f", "-file", "--file"):
                if not words:
                    raise UsageError("Missing mandatory argument of option `file'")
                self.file = words.pop(0)
            else:
                self.words.append(word)
        self.command = ""
        if self.words:
            first = self.words.pop(0)
            self.command = next((name for name, spelled in COMMANDS.items() if first in spelled), "")
            if not self.command:
                raise UsageError(f"No command specified: unknown argument {first}")


async def main(proc: Process, argv: list[str]) -> int:
    quiet = any(FLAGS.get(word) == "quiet" for word in argv[1:])
    try:
        request = Request(argv[1:])
        if not request.command:
            raise UsageError("No command specified.")
        if request.command == "restore":
            return await restore(proc, request)
        return run(proc, request)
    except (UsageError, Failed, SetError) as failure:
        return complain(proc, failure, quiet)


def complain(proc: Process, failure: Exception, quiet: bool, line: int = 0) -> int:
    usage = isinstance(failure, UsageError)
    if not quiet:
        where = f"Error in line {line}: " if line and not usage else ""
        proc.error(f"{VERSION}: {where}{failure}")
        if usage:
            proc.error("Try `ipset help' for more information.")
    return 2 if usage else 1


def need(request: Request, count: int) -> list[str]:
    """The mandatory words of a command."""
    for number, word in enumerate(("", "second "), 1):
        if count >= number and len(request.words) < number:
            raise UsageError(f"Missing {word}mandatory argument to command {request.command}")
    return request.words


def run(proc: Process, request: Request) -> int:
    """Do one command; an exception says what went wrong."""
    room = sets(proc.net)
    command = request.command
    if command == "version":
        proc.print(f"{VERSION}, protocol version: 7")
    elif command == "help":
        from kubenet_course.userland.commands.ipset._help import TEXT

        proc.print(TEXT, end="")
    elif command == "create":
        words = need(request, 2)
        create(room, words[0], words[1], words[2:], "exist" in request.flags)
    elif command in ("add", "del", "test"):
        words = need(request, 2)
        return change(proc, room, command, words, request.flags)
    elif command in ("list", "save"):
        return show(proc, request)
    elif command == "flush":
        for found in [room.need(request.words[0])] if request.words else list(room.sets.values()):
            found.flush()
    elif command == "destroy":
        if request.words:
            room.destroy(request.words[0])
        else:
            room.destroy_all()
    elif command == "rename":
        words = need(request, 2)
        room.rename(words[0], words[1])
    elif command == "swap":
        words = need(request, 2)
        room.swap(words[0], words[1])
    return 0


def show(proc: Process, request: Request) -> int:
    room = sets(proc.net)
    words = request.words
    if len(words) > 1:
        raise UsageError(f"Unknown argument {words[1]}")
    # ip_set_dump_do(): sets of sets come last.
    chosen = [room.need(words[0])] if words else sorted(room.sets.values(), key=lambda one: one.type.name == "list:set")
    mode = request.output or ("save" if request.command == "save" else "plain")
    if "name" in request.flags:
        text = "".join(f"{found.name}\n" for found in chosen)
    elif mode == "save":
        text = "".join(save_text(found, "sorted" in request.flags) for found in chosen)
    else:
        text = show_text(chosen, mode, request.flags)
    if request.file:
        try:
            proc.files.write(request.file, text.encode("utf-8", "surrogateescape"), proc=proc, cwd=proc.cwd)
        except KernelError as failure:
            raise Failed(f"cannot open file: {request.file} {failure.strerror}") from None
    else:
        proc.print(text, end="")
    return 0


async def restore(proc: Process, request: Request) -> int:
    """Commands from standard input or a file, one a line; the first failure ends it."""
    if request.file:
        try:
            data = proc.files.read(request.file, proc, proc.cwd)
        except KernelError as failure:
            raise Failed(f"cannot open file: {request.file} {failure.strerror}") from None
    else:
        data = await proc.stdin.read()
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        words = split(line)
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "COMMIT":
            continue
        try:
            inner = Request(words)
            inner.flags |= request.flags & {"exist", "quiet"}
            if inner.command in ("", "restore"):
                raise UsageError(f"No command specified: unknown argument {words[0]}")
            run(proc, inner)
        except (UsageError, Failed, SetError) as failure:
            return complain(proc, failure, "quiet" in request.flags, number)
    return 0


def split(line: str) -> list[str]:
    """Words at blanks; double quotes keep a comment together."""
    words, word, quoted, begun = [], "", False, False
    for char in line:
        if char == '"':
            quoted, begun = not quoted, True
        elif char.isspace() and not quoted:
            if word or begun:
                words.append(word)
            word, begun = "", False
        else:
            word += char
    if word or begun:
        words.append(word)
    return words
