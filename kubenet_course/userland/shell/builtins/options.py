"""set, shopt, alias, unalias, umask, ulimit, times, hash, enable, history."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.shell.parameters import quote_backslash

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell

LONG = {
    "allexport": "a", "braceexpand": "B", "emacs": "emacs", "errexit": "e", "errtrace": "E", "functrace": "T",
    "hashall": "h", "histexpand": "H", "history": "history", "ignoreeof": "ignoreeof",
    "interactive-comments": "interactive-comments", "keyword": "k", "monitor": "m", "noclobber": "C",
    "noexec": "n", "noglob": "f", "nolog": "nolog", "notify": "b", "nounset": "u", "onecmd": "t",
    "physical": "P", "pipefail": "pipefail", "posix": "posix", "privileged": "p", "verbose": "v", "vi": "vi",
    "xtrace": "x",
}  # fmt: skip
_ALWAYS = frozenset({"braceexpand", "hashall", "interactive-comments"})
LETTERS = frozenset(letter for letter in LONG.values() if len(letter) == 1)
SHOPTS = frozenset(
    """assoc_expand_once autocd cdable_vars cdspell checkhash checkjobs checkwinsize cmdhist compat31
    compat32 compat40 compat41 compat42 compat43 compat44 complete_fullquote direxpand dirspell
    dotglob execfail expand_aliases extdebug extglob extquote failglob force_fignore
    globasciiranges globskipdots globstar gnu_errfmt histappend histreedit histverify hostcomplete
    huponexit inherit_errexit interactive_comments lastpipe lithist localvar_inherit localvar_unset
    login_shell mailwarn no_empty_cmd_completion nocaseglob nocasematch noexpand_translation
    nullglob patsub_replacement progcomp progcomp_alias promptvars restricted_shell shift_verbose
    sourcepath varredir_close xpg_echo""".split()
)
USAGE = "set: usage: set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]"


async def set_(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    if not words:
        from kubenet_course.userland.shell.builtins.variables import show_value

        for name in sorted(shell.state.variables):
            variable = shell.state.variables[name]
            if variable.value is not None:
                shell.proc.print(f"{name}={show_value(variable)}")
        return 0
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            shell.state.positional = words[at + 1 :]
            return 0
        if word == "-":
            shell.state.options -= {"x", "v"}
            shell.state.positional = words[at + 1 :] or shell.state.positional
            return 0
        if len(word) < 2 or word[0] not in "-+":
            shell.state.positional = words[at:]
            return 0
        for letter in word[1:]:
            if letter == "o":
                at += 1
                status = _long(shell, words[at] if at < len(words) else None, word[0] == "-")
                if status:
                    return status
            elif letter in LETTERS:
                _change(shell, letter, word[0] == "-")
            else:
                shell.complain(f"set: {word[0]}{letter}: invalid option")
                shell.proc.error(USAGE)
                return 2
        at += 1
    return 0


def _change(shell: Shell, letter: str, on: bool) -> None:
    (shell.state.options.add if on else shell.state.options.discard)(letter)


def _long(shell: Shell, name: str | None, on: bool) -> int:
    if name is None:
        for known in sorted(LONG):
            active = LONG[known] in shell.state.options or known in _ALWAYS
            if on:
                shell.proc.print(f"{known:<15}\t{'on' if active else 'off'}")
            else:
                shell.proc.print(f"set {'-' if active else '+'}o {known}")
        return 0
    if name not in LONG:
        shell.complain(f"set: {name}: invalid option name")
        return 2
    _change(shell, LONG[name], on)
    return 0


#: Those that are on in a shell that reads a script, and the order in which all are listed.
_ON = frozenset(
    """checkwinsize cmdhist complete_fullquote extquote force_fignore globasciiranges globskipdots hostcomplete
    interactive_comments patsub_replacement progcomp promptvars sourcepath""".split()
)
_LISTED = ("autocd", "assoc_expand_once", *sorted(SHOPTS - {"autocd", "assoc_expand_once"}))


def _shopt_o(shell: Shell, mode: str, words: list[str]) -> int:
    """``shopt -o``: the options of `set -o`."""
    if words and ("s" in mode or "u" in mode):
        return max(_long(shell, name, "s" in mode) for name in words)
    status = 0
    for name in words or sorted(LONG):
        if name not in LONG:
            shell.complain(f"shopt: {name}: invalid option name")
            return 1
        on = LONG[name] in shell.state.options or name in _ALWAYS
        status |= not on
        if not words and ("s" in mode and not on or "u" in mode and on):
            continue
        if "p" in mode:
            shell.proc.print(f"set {'-' if on else '+'}o {name}")
        elif "q" not in mode:
            shell.proc.print(f"{name:<15}\t{'on' if on else 'off'}")
    return status if words else 0


async def shopt(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    mode = ""
    while words and words[0].startswith("-"):
        mode += words.pop(0)[1:]
    bad = next((letter for letter in mode if letter not in "pqsuo"), None)
    if bad is not None:
        shell.complain(f"shopt: -{bad}: invalid option")
        shell.proc.error("shopt: usage: shopt [-pqsu] [-o] [optname ...]")
        return 2
    if "o" in mode:
        return _shopt_o(shell, mode, words)
    if ("s" in mode or "u" in mode) and words:
        for name in words:
            if name not in SHOPTS:
                shell.complain(f"shopt: {name}: invalid shell option name")
                return 1
            (shell.state.shopts.add if "s" in mode else shell.state.shopts.discard)(name)
            (shell.state.shopts_off.discard if "s" in mode else shell.state.shopts_off.add)(name)
        return 0
    status = 0
    for name in words or _LISTED:
        if name not in SHOPTS:
            shell.complain(f"shopt: {name}: invalid shell option name")
            return 1
        on = name in shell.state.shopts or name in _ON and name not in shell.state.shopts_off
        status |= not on
        if not words and ("s" in mode and not on or "u" in mode and on):
            continue
        if "p" in mode:
            shell.proc.print(f"shopt -{'s' if on else 'u'} {name}")
        elif "q" not in mode:
            shell.proc.print(f"{name:<15}\t{'on' if on else 'off'}")
    return status if words else 0


async def alias(shell: Shell, argv: list[str]) -> int:
    status = 0
    words = [word for word in argv[1:] if word != "-p"]
    if not words:
        words = sorted(shell.state.aliases)
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            shell.state.aliases[name] = value
        elif name in shell.state.aliases:
            quoted = shell.state.aliases[name].replace("'", "'\\''")
            shell.proc.print(f"alias {name}='{quoted}'")
        else:
            shell.complain(f"alias: {name}: not found")
            status = 1
    return status


async def unalias(shell: Shell, argv: list[str]) -> int:
    if argv[1:2] == ["-a"]:
        shell.state.aliases.clear()
        return 0
    if len(argv) < 2:
        shell.proc.error("unalias: usage: unalias [-a] name [name ...]")
        return 2
    status = 0
    for name in argv[1:]:
        if shell.state.aliases.pop(name, None) is None:
            shell.complain(f"unalias: {name}: not found")
            status = 1
    return status


async def umask(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    symbolic = "-S" in words
    words = [word for word in words if word not in ("-S", "-p")]
    if not words:
        mask = shell.proc.umask
        if symbolic:
            shell.proc.print(_symbolic(mask))
        else:
            shell.proc.print(f"{'umask ' if '-p' in argv else ''}{mask:04o}")
        return 0
    if re.fullmatch(r"[0-7]{1,4}", words[0]):
        shell.proc.umask = int(words[0], 8) & 0o777
        return 0
    if words[0].isdecimal():
        shell.complain(f"umask: {words[0]}: octal number out of range")
        return 1
    from kubenet_course.userland.modes import ModeError, change_mode

    try:
        shell.proc.umask = 0o777 & ~change_mode(words[0], 0o777 & ~shell.proc.umask, False, 0)
    except ModeError:
        shell.complain(f"umask: `{words[0][0]}': invalid symbolic mode operator")
        return 1
    return 0


def _symbolic(mask: int) -> str:
    parts = []
    for who, shift in (("u", 6), ("g", 3), ("o", 0)):
        bits = ~mask >> shift & 7
        parts.append(f"{who}={'r' if bits & 4 else ''}{'w' if bits & 2 else ''}{'x' if bits & 1 else ''}")
    return ",".join(parts)


_LIMITS = (
    ("R", "real-time non-blocking time  (microseconds, -R)", "unlimited"),
    ("c", "core file size              (blocks, -c)", "0"),
    ("d", "data seg size               (kbytes, -d)", "unlimited"),
    ("e", "scheduling priority                 (-e)", "0"),
    ("f", "file size                   (blocks, -f)", "unlimited"),
    ("i", "pending signals                     (-i)", "15655"),
    ("l", "max locked memory           (kbytes, -l)", "8192"),
    ("m", "max memory size             (kbytes, -m)", "unlimited"),
    ("n", "open files                          (-n)", "1024"),
    ("p", "pipe size                (512 bytes, -p)", "8"),
    ("q", "POSIX message queues         (bytes, -q)", "819200"),
    ("r", "real-time priority                  (-r)", "0"),
    ("s", "stack size                  (kbytes, -s)", "8192"),
    ("t", "cpu time                   (seconds, -t)", "unlimited"),
    ("u", "max user processes                  (-u)", "15655"),
    ("v", "virtual memory              (kbytes, -v)", "unlimited"),
    ("x", "file locks                          (-x)", "unlimited"),
)


async def ulimit(shell: Shell, argv: list[str]) -> int:
    letters, values = "", []
    for word in argv[1:]:
        if word.startswith("-"):
            letters += word[1:]
        else:
            values.append(word)
    letters = letters.replace("S", "").replace("H", "")
    if "a" in letters:
        for _, text, value in _LIMITS:
            shell.proc.print(f"{text} {value}")
        return 0
    for letter in letters or "f":
        entry = next((entry for entry in _LIMITS if entry[0] == letter), None)
        if entry is None:
            shell.complain(f"ulimit: -{letter}: invalid option")
            shell.proc.error("ulimit: usage: ulimit [-SHabcdefiklmnpqrstuvxPRT] [limit]")
            return 2
        if values:
            if values[0] not in ("unlimited", "hard", "soft") and not values[0].isdecimal():
                shell.complain(f"ulimit: {values[0]}: invalid number")
                return 1
            continue
        shell.proc.print(entry[2])
    return 0


async def times(shell: Shell, argv: list[str]) -> int:
    shell.proc.print("0m0.000s 0m0.000s\n0m0.000s 0m0.000s")
    return 0


async def hash_(shell: Shell, argv: list[str]) -> int:
    if "-r" in argv:
        return 0
    status = 0
    for name in argv[1:]:
        if name.startswith("-"):
            continue
        from kubenet_course.userland.files.loader import which

        if which(name, shell.state.get("PATH") or "", shell.proc.cwd, shell.proc.files) is None:
            shell.complain(f"hash: {name}: not found")
            status = 1
    if len(argv) == 1:
        shell.proc.print("hash: hash table empty")
    return status


async def enable(shell: Shell, argv: list[str]) -> int:
    if len(argv) == 1:
        from kubenet_course.userland.shell.builtins import table

        for name in sorted(table()):
            shell.proc.print(f"enable {quote_backslash(name)}")
        return 0
    from kubenet_course.userland.shell.builtins import table

    words, off = argv[1:], shell.state.disabled
    flags = ""
    while words and re.fullmatch("-[anps]+", words[0]):
        flags += words.pop(0)[1:]
    if words and words[0].startswith("-"):
        shell.complain(f"enable: {words[0][:2]}: invalid option")
        shell.proc.error("enable: usage: enable [-a] [-dnps] [-f filename] [name ...]")
        return 2
    status = 0
    for name in words:
        if name not in table():
            shell.complain(f"enable: {name}: not a shell builtin")
            status = 1
        else:
            (off.add if "n" in flags else off.discard)(name)
    if not words:
        for name in sorted(table()):
            if (name in off) == ("n" in flags) or "a" in flags:
                shell.proc.print(f"enable {'-n ' if name in off else ''}{quote_backslash(name)}")
    return status


async def history(shell: Shell, argv: list[str]) -> int:
    if argv[1:2] == ["-c"]:
        shell.state.history.clear()
        return 0
    lines = list(enumerate(shell.state.history, 1))
    if argv[1:2] and argv[1].isdecimal():
        lines = lines[-int(argv[1]) :] if int(argv[1]) else []
    for number, line in lines:
        shell.proc.print(f"{number:>5}  {line}")
    return 0


BUILTINS = {
    "set": set_,
    "shopt": shopt,
    "alias": alias,
    "unalias": unalias,
    "umask": umask,
    "ulimit": ulimit,
    "times": times,
    "hash": hash_,
    "enable": enable,
    "history": history,
}
