"""ifconfig on an interface that is not there: each word asks the kernel all the same, and is told so."""

from __future__ import annotations

import re
from typing import NoReturn

from kubenet_course.userland.commands.ifconfig.arguments import FLAGS, HINT, Failed, argument, resolve
from kubenet_course.userland.process import Process


async def without_device(proc: Process, name: str, words: list[str]) -> NoReturn:
    """Each word tries its system calls and says what they answer; the later ones decide about the status."""
    said: list[str] = []
    status = 0
    length_given = False

    def call(name_of_call: str) -> None:
        nonlocal status
        said.append(f"{name_of_call}: No such device")
        status = 1

    def flags(verb: str = "getting") -> None:
        nonlocal status
        said.append(f"{name}: ERROR while {verb} interface flags: No such device")
        status = 255

    try:
        while words:
            word = words.pop(0)
            if word.lstrip("-") in FLAGS:
                flags()
                if word == "-promisc":
                    flags("testing")
            elif word in MISSING_CALLS:
                if word != "hw":
                    argument(words)
                else:
                    argument(words), argument(words)
                call(MISSING_CALLS[word])
            elif word == "netmask":
                before = status
                await resolve(proc, argument(words))
                call("SIOCSIFNETMASK")
                status = before or 1
            elif word in SECOND_ADDRESS:
                if words and not word.startswith("-") and re.match(r"\d", words[0]):
                    await resolve(proc, words.pop(0))
                    call(SECOND_ADDRESS[word])
                flags()
            elif word in ("add", "del"):
                argument(words)
                call("SIOGIFINDEX" if word == "add" or not said else "SIOCDIFADDR")
                break
            else:
                plain, slash, _ = word.partition("/")
                await resolve(proc, plain, f"\n{HINT}")
                length_given = length_given or bool(slash)
                call("SIOCSIFADDR")
                flags()
        if length_given:
            before = status
            call("SIOCSIFNETMASK")
            status = before
    except Failed as failed:
        raise Failed("\n".join([*said, str(failed)]), failed.status) from None
    raise Failed("\n".join(said), status)


MISSING_CALLS = {"mtu": "SIOCSIFMTU", "hw": "SIOCSIFHWADDR", "txqueuelen": "SIOCSIFTXQLEN", "name": "SIOCSIFNAME"}
SECOND_ADDRESS = {
    "broadcast": "SIOCSIFBRDADDR", "-broadcast": "", "pointopoint": "SIOCSIFDSTADDR", "-pointopoint": "", "dstaddr": "SIOCSIFDSTADDR",
}  # fmt: skip
