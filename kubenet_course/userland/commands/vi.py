"""Programs that need a terminal, a package archive or an init system: one line says what to do instead."""

from __future__ import annotations

from kubenet_course.userland.process import Process

NAMES = (
    "vi", "vim", "nano", "emacs", "ed", "man", "info", "apt", "apt-get", "dpkg", "yum", "dnf", "apk", "pip",
    "systemctl", "service", "journalctl", "reboot", "shutdown", "poweroff", "halt", "python", "perl",
    "gcc", "make", "git", "screen", "tmux", "scp", "crontab",
)  # fmt: skip
EDITORS = frozenset({"vi", "vim", "nano", "emacs", "ed"})
PACKAGES = frozenset({"apt", "apt-get", "dpkg", "yum", "dnf", "apk", "pip"})
SERVICES = frozenset({"systemctl", "service", "journalctl", "crontab"})
POWER = frozenset({"reboot", "shutdown", "poweroff", "halt"})


def explanation(name: str, operands: list[str]) -> str:
    """What stands in for a program that cannot run on an emulated machine."""
    if name in EDITORS:
        path = operands[-1] if operands else "FILE"
        return f"there is no terminal for an editor; write the file with: cat > {path} <<'EOF'"
    if name in PACKAGES:
        return "packages cannot be installed; everything that the course uses is there already"
    if name in SERVICES:
        return "there is no service manager; start a program in the background with: PROGRAM &"
    if name in POWER:
        return "a machine cannot be switched off; reset the lab instead"
    if name in ("man", "info"):
        return "there are no manual pages here; see https://manpages.debian.org/bookworm/"
    return "this program is not part of an emulated machine"


async def main(proc: Process, argv: list[str]) -> int:
    name = argv[0].rpartition("/")[2]
    operands = [word for word in argv[1:] if not word.startswith("-")]
    proc.error(f"kubenet: {name}: {explanation(name, operands)}")
    return 1
