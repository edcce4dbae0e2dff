"""ssh: reaches the other side's sshd and reads its banner; without a terminal and known hosts that is how far a
real ssh comes, too: ``Host key verification failed.``
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.http import HttpError, Wire
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.resolver import ResolverError, getaddrinfo
from kubenet_course.userland.sockets import EmulatedStream, close_socket, open_socket

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

VERSION = "OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026"
BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"
USAGE = """usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface]
           [-b bind_address] [-c cipher_spec] [-D [bind_address:]port]
           [-E log_file] [-e escape_char] [-F configfile] [-I pkcs11]
           [-i identity_file] [-J [user@]host[:port]] [-L address]
           [-l login_name] [-m mac_spec] [-O ctl_cmd] [-o option] [-p port]
           [-Q query_option] [-R address] [-S ctl_path] [-W host:port]
           [-w local_tun[:remote_tun]] destination [command [argument ...]]"""


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(
            argv, "1246AaCfGgKkMNnqsTtVvXxYyB:b:c:D:E:e:F:I:i:J:L:l:m:O:o:p:Q:R:S:W:w:", permute=False
        )
        more: list[tuple[str, str]] = []
        if words:
            more, rest = parse(
                ["ssh", *words[1:]],
                "1246AaCfGgKkMNnqsTtVvXxYyB:b:c:D:E:e:F:I:i:J:L:l:m:O:o:p:Q:R:S:W:w:",
                permute=False,
            )
            words = [words[0], *rest]
    except OptionError as problem:
        letter = problem.message.rpartition("'")[0][-1:]
        known = "requires an argument" in problem.message
        proc.error(f"option requires an argument -- {letter}\r" if known else f"unknown option -- {letter}\r")
        proc.error(USAGE)
        return 255
    settings: dict[str, str] = {}
    for name, value in [*options, *more]:
        if name == "o":
            key, _, given = value.replace(" ", "=", 1).partition("=")
            settings[key.lower()] = given.strip()
        else:
            settings[name] = value
    if "V" in settings:
        proc.error(VERSION)
        return 0
    if not words:
        proc.error(USAGE)
        return 255
    for letter in "JLRDWw":
        if letter in settings:
            proc.error(f"kubenet: ssh: option -{letter} is not emulated")
            return 255
    return await _connect(proc, settings, words)


async def _connect(proc: Process, settings: dict[str, str], words: list[str]) -> int:
    user, _, host = words[0].removeprefix("ssh://").rpartition("@")
    user = settings.get("l") or user or proc.user
    port_text = settings.get("p", settings.get("port", "22"))
    if not port_text.isascii() or not port_text.isdigit() or not 0 < int(port_text) < 65536:
        proc.error(f"Bad port '{port_text}'")
        return 255
    port = int(port_text)
    if len(words) == 1 and "T" not in settings and "N" not in settings:
        proc.error("Pseudo-terminal will not be allocated because stdin is not a terminal.\r")
    family = 4 if "4" in settings else 6 if "6" in settings else 0
    try:
        found = await getaddrinfo(proc, host, family)
    except ResolverError as problem:
        proc.error(f"ssh: Could not resolve hostname {host}: {problem}\r")
        return 255
    timeout = settings.get("connecttimeout", "")
    limit = int(timeout) * SECOND if timeout.isdigit() and int(timeout) else None
    why = ""
    for info in found:
        sock = open_socket(proc, AF_INET if info.family == 4 else AF_INET6, SOCK_STREAM)
        try:
            await sock.connect(info.address, port, limit, scope=info.scope)
        except KernelError as failure:
            close_socket(proc, sock)
            why = (
                KernelError(errno.ETIMEDOUT).strerror
                if failure.errno == errno.EINPROGRESS
                else failure.strerror
            )
            continue
        return await _greet(proc, settings, EmulatedStream(proc, sock), host, str(info.address), port, user)
    proc.error(f"ssh: connect to host {host} port {port}: {why}\r")
    return 255


async def _greet(
    proc: Process,
    settings: dict[str, str],
    stream: EmulatedStream,
    host: str,
    address: str,
    port: int,
    user: str,
) -> int:
    """Both sides say who they are; then the host's key would be checked."""
    try:
        await stream.write(BANNER)
        line = b""
        wire = Wire(stream)
        for _ in range(50):
            line = await wire.line()
            if line.startswith(b"SSH-") or not line:
                break
    except KernelError:
        proc.error(
            f"kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by {address} port {port}"
        )
        return 255
    except HttpError:
        line = b""
    finally:
        stream.close()
    if not line.startswith(b"SSH-2.0-"):
        if not line:
            proc.error("kex_exchange_identification: Connection closed by remote host\r")
            proc.error(f"Connection closed by {address} port {port}\r")
        else:
            proc.error(f"Protocol major versions differ: 2 vs. {line[4:5].decode('latin-1')}")
        return 255
    policy = settings.get("stricthostkeychecking", "ask").lower()
    if policy in ("no", "off", "accept-new"):
        shown = host if port == 22 else f"[{host}]:{port}"
        proc.error(f"Warning: Permanently added '{shown}' (ED25519) to the list of known hosts.\r")
        proc.error(f"{user}@{host}: Permission denied (publickey,password).\r")
        return 255
    if policy == "yes":
        proc.error(f"No ED25519 host key is known for {host} and you have requested strict checking.\r")
    proc.error("Host key verification failed.\r")
    return 255
