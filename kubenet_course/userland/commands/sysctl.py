"""sysctl: read and change kernel settings in /proc/sys (procps-ng 4.0.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Process

ROOT = "/proc/sys"
DEFAULT_FILE = "/etc/sysctl.conf"
#: Left out of listings unless asked for.
DEPRECATED = ("base_reachable_time", "retrans_time")
SYSTEM_FOLDERS = (
    "/run/sysctl.d",
    "/etc/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)
LONG = {
    "all": "a", "binary": "b", "ignore": "e", "names": "N", "values": "n", "load=?": "p", "pattern=": "r",
    "quiet": "q", "write": "w", "dry-run": "dry-run", "deprecated": "deprecated", "system": "system", "help": "h", "version": "V",
}  # fmt: skip
USAGE = """
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all            display all variables
  -A                   alias of -a
  -X                   alias of -a
      --deprecated     include deprecated parameters to listing
      --dry-run        Print the key and values but do not write
  -b, --binary         print value without new line
  -e, --ignore         ignore unknown variables errors
  -N, --names          print variable names without values
  -n, --values         print only values of the given variable(s)
  -p, --load[=<file>]  read values from file
  -f                   alias of -p
      --system         read values from all system directories
  -r, --pattern <expression>
                       select setting that match expression
  -q, --quiet          do not echo variable set
  -w, --write          enable writing a value to variable
  -o                   does nothing
  -x                   does nothing
  -d                   alias of -h

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see sysctl(8)."""


@dataclass
class Mode:
    """What the options ask for."""

    names: bool = False
    values: bool = False
    binary: bool = False
    ignore: bool = False
    quiet: bool = False
    write: bool = False
    dry_run: bool = False
    deprecated: bool = False
    pattern: re.Pattern[str] | None = None


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "bneNwfp::qoxaAXr:Vdh", LONG)
    except OptionError as error:
        proc.error(f"sysctl: {error.message}")
        proc.print(USAGE)
        return 0
    mode = Mode()
    everything = load = system = False
    files: list[str] = []
    for letter, value in options:
        if letter in "hd":
            proc.print(USAGE)
            return 0
        if letter == "V":
            proc.print("sysctl from procps-ng 4.0.2")
            return 0
        everything |= letter in "aAX"
        system |= letter == "system"
        if letter in "pf":
            load = True
            files += [value] if value else []
        elif letter == "r":
            try:
                mode.pattern = re.compile(value)
            except re.error:
                proc.error(f"sysctl: Invalid regular expression: {value}")
                return 1
        for flag, name in (
            ("N", "names"),
            ("n", "values"),
            ("b", "binary"),
            ("e", "ignore"),
            ("q", "quiet"),
            ("w", "write"),
            ("dry-run", "dry_run"),
            ("deprecated", "deprecated"),
        ):
            if letter == flag:
                setattr(mode, name, True)
    if system:
        return _load_system(proc, mode)
    if load:
        return _load(proc, [*files, *words] or [DEFAULT_FILE], mode)
    if everything:
        return _show_tree(proc, ROOT, mode)
    if not words:
        if not options:
            proc.error(USAGE)
        else:
            proc.error("sysctl: no variables specified\nTry `sysctl --help' for more information.")
        return 1
    status = 0
    for word in words:
        if "=" in word or mode.write:
            setting = _parse(proc, word)
            status |= 1 if setting is None else _write(proc, *setting, mode)
        else:
            status += _read(proc, word, mode)
    return status & 0xFF


def _path(name: str) -> str:
    """net.ipv4.conf.eth0/1.forwarding: the first separator says which one is meant."""
    first = re.search(r"[./]", name)
    if first is not None and first.group() == ".":
        name = name.translate(str.maketrans("./", "/."))
    return f"{ROOT}/{name.strip('/')}"


def _name(path: str) -> str:
    return path[len(ROOT) + 1 :].translate(str.maketrans("./", "/."))


def _read(proc: Process, word: str, mode: Mode) -> int:
    if not word:
        proc.error('sysctl: "" is an unknown key')
        return -1
    path = _path(word)
    if proc.files.isdir(path, proc):
        return _show_tree(proc, path, mode)
    return _show(proc, path, mode)


def _show(proc: Process, path: str, mode: Mode, *, walking: bool = False) -> int:
    name = _name(path)
    try:
        text = proc.files.read(path, proc).decode("utf-8", "replace")
    except KernelError as error:
        if error.errno == errno.ENOENT:
            if mode.ignore:
                return 0
            proc.error(f"sysctl: cannot stat {path}: {error.strerror}")
            return 1
        if error.errno == errno.EIO:
            return 1
        if error.errno == errno.EACCES and walking:
            return 0
        if error.errno == errno.EACCES:
            proc.error(f"sysctl: permission denied on key '{name}'")
        else:
            proc.error(f'sysctl: reading key "{name}": {error.strerror}')
        return 1
    lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
    for line in lines:
        if mode.names:
            proc.print(name)
            break
        if mode.binary:
            proc.print(line, end="")
        elif mode.values:
            proc.print(line)
        else:
            proc.print(f"{name} = {line}")
    return 0


def _show_tree(proc: Process, folder: str, mode: Mode) -> int:
    status = 0
    for entry in sorted(proc.files.listdir(folder, proc)):
        path = f"{folder}/{entry}"
        if proc.files.isdir(path, proc):
            status |= _show_tree(proc, path, mode)
        elif entry in DEPRECATED and not mode.deprecated:
            continue
        elif mode.pattern is None or mode.pattern.search(_name(path)):
            status |= _show(proc, path, mode, walking=True)
    return status


def _parse(proc: Process, line: str, where: str = "command line(0)") -> tuple[str, str] | None:
    """parse_setting_line(): (key, value); None where it is none, which is said unless the line is too short."""
    line = line.strip()
    if len(line) < 2 or line[0] in "#;":
        return None
    key, equals, value = line.partition("=")
    if not equals and not line.startswith("-"):
        proc.error(f"sysctl: {where}: invalid syntax, continuing...")
        return None
    return key.strip().removeprefix("-"), value.strip()


def _write(proc: Process, key: str, value: str, mode: Mode) -> int:
    path = _path(key)
    name = _name(path)
    if not key:
        proc.error(f"sysctl: Path is not under {ROOT}/: {ROOT}/")
        return 1
    if not proc.files.exists(path, proc):
        if mode.ignore:
            return 0
        proc.error(f"sysctl: cannot stat {path}: No such file or directory")
        return 1
    if not mode.dry_run:
        try:
            proc.files.write(path, f"{value}\n".encode("utf-8", "surrogateescape"), proc)
        except KernelError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                proc.error(f'sysctl: setting key "{name}": {errno.strerror(errno.EINVAL)}')
                return 0
            proc.error(f'sysctl: setting key "{name}": {error.strerror}')
            return 1
    if not mode.quiet:
        if mode.binary:
            proc.print(value, end="")
        elif mode.names or mode.values:
            proc.print(value)
        else:
            proc.print(f"{name} = {value}")
    return 0


def _load(proc: Process, files: list[str], mode: Mode) -> int:
    """The settings of some files (sysctl.d(5)): all are read, then all are set."""
    status = 0
    settings: list[tuple[str, str]] = []
    for file in files:
        try:
            text = proc.files.read_text(file, proc, proc.cwd)
        except KernelError as error:
            proc.error(f'sysctl: cannot open "{file}": {error.strerror}')
            status = 1
            continue
        for number, line in enumerate(text.splitlines(), 1):
            setting = _parse(proc, line, f"{file}({number})")
            if setting is not None:
                settings.append(setting)
    for setting in settings:
        status |= _write(proc, *setting, mode)
    return status


def _load_system(proc: Process, mode: Mode) -> int:
    """--system: every file of the sysctl.d folders by name, the first folder that has a name wins."""
    found: dict[str, str] = {}
    for folder in SYSTEM_FOLDERS:
        if proc.files.isdir(folder, proc):
            for name in proc.files.listdir(folder, proc):
                if name.endswith(".conf"):
                    found.setdefault(name, f"{folder}/{name}")
    paths = [found[name] for name in sorted(found)]
    if proc.files.exists(DEFAULT_FILE, proc):
        paths.append(DEFAULT_FILE)
    status = 0
    for path in paths:
        proc.print(f"* Applying {path} ...")
        status |= _load(proc, [path], mode)
    return status
