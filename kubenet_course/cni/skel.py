"""The frame of a plugin: environment and standard input in, a result or an error object out.

A plugin is a `Plugin`: its functions take a `CmdArgs` and print by `args.print_result`. `program` makes of
it what an emulated machine runs; `python -m kubenet_course.cni NAME` runs it as a process of this computer.

# CNI SPEC 1.1, sections 2 and 4; containernetworking/cni pkg/skel
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kubenet_course.cni import errors, gojson, versions
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.result import Result, to_text
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import ProcessSurroundings, Surroundings

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

Function = Callable[["CmdArgs"], Awaitable[None]]

_ATTACHMENT = ("ADD", "CHECK", "DEL")
#: Which variable is needed for which command, in the order in which missing ones are named.
NEEDED = {
    "CNI_CONTAINERID": _ATTACHMENT,
    "CNI_NETNS": ("ADD", "CHECK"),
    "CNI_IFNAME": _ATTACHMENT,
    "CNI_PATH": (*_ATTACHMENT, "GC", "STATUS"),
}
#: From which version on a command is there.
SINCE = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}

_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*")
_NAME = gojson.Struct("", {"name": gojson.STRING}, go='struct { Name string "json:\\"name\\"" }')


@dataclass
class CmdArgs:
    """What a plugin is called with. `stdin` is the configuration as it came."""

    here: Surroundings
    container_id: str
    netns: str
    ifname: str
    args: str
    path: str
    stdin: bytes
    version: str = versions.OLDEST

    def print_result(self, result: Result) -> None:
        """Print in the configuration's version; raises CniError where that cannot hold it."""
        self.here.out(to_text(result, self.version))


async def nothing(args: CmdArgs) -> None:
    """For a command that has nothing to do."""


@dataclass(frozen=True)
class Plugin:
    """A plugin's name and its functions."""

    name: str
    add: Function
    delete: Function
    check: Function
    gc: Function = nothing
    status: Function = nothing
    supported: tuple[str, ...] = versions.SUPPORTED

    @property
    def about(self) -> str:
        return f"CNI {self.name} plugin version unknown"

    def function(self, command: str) -> Function:
        return {
            "ADD": self.add,
            "CHECK": self.check,
            "DEL": self.delete,
            "GC": self.gc,
            "STATUS": self.status,
        }[command]


# -- what is checked before a plugin is asked ------------------------------------------------------
def validate_container_id(text: str) -> None:
    """Raise CniError(4) for what cannot be a container's id."""
    if not text:
        raise CniError("missing containerID", errors.UNKNOWN_CONTAINER)
    if not _ID.fullmatch(text):
        raise CniError("invalid characters in containerID", errors.INVALID_ENVIRONMENT, text)


def validate_network_name(text: str) -> None:
    """Raise CniError(7) for what cannot be a network's name."""
    if not text:
        raise CniError("missing network name", errors.INVALID_CONFIG)
    if not _ID.fullmatch(text):
        raise CniError("invalid characters found in network name", errors.INVALID_CONFIG, text)


def validate_interface_name(text: str) -> None:
    """Raise CniError(4) for what cannot be an interface's name."""
    code = errors.INVALID_ENVIRONMENT
    if not text:
        raise CniError("interface name is empty", code)
    if len(text.encode("utf-8", "surrogateescape")) > 15:
        raise CniError("interface name is too long", code, "interface name should be less than 16 characters")
    if text in (".", ".."):
        raise CniError("interface name is . or ..", code)
    if any(char in "/:" or char.isspace() for char in text):
        raise CniError("interface name contains / or : or whitespace characters", code)


def _validate_config(stdin: bytes) -> None:
    try:
        name = gojson.decode(stdin, _NAME)["name"]
    except gojson.GoJsonError as error:
        raise CniError(f"error unmarshall network config: {error}", errors.DECODING_FAILURE) from None
    validate_network_name(name)


def environment(here: Surroundings, command: str) -> None:
    """Raise CniError(4) that names every variable that is missing."""
    missing = [] if command else ["CNI_COMMAND"]
    missing += [name for name, commands in NEEDED.items() if command in commands and not here.env.get(name)]
    if missing:
        raise CniError(f"required env variables [{','.join(missing)}] missing", errors.INVALID_ENVIRONMENT)


# -- one call -------------------------------------------------------------------------------------
async def call(plugin: Plugin, here: Surroundings) -> None:
    """Do what the environment asks for. Raises CniError."""
    command = here.env.get("CNI_COMMAND", "")
    environment(here, command)
    if command == "VERSION":
        data = {"cniVersion": versions.CURRENT, "supportedVersions": list(plugin.supported)}
        here.out(gojson.dumps(data, indent=None) + "\n")
        return
    env = here.env.get
    stdin = await here.stdin()
    args = CmdArgs(
        here,
        env("CNI_CONTAINERID", ""),
        env("CNI_NETNS", ""),
        env("CNI_IFNAME", ""),
        env("CNI_ARGS", ""),
        env("CNI_PATH", ""),
        stdin,
    )
    _validate_config(stdin)
    if command not in ("GC", "STATUS"):
        validate_container_id(args.container_id)
        validate_interface_name(args.ifname)
    if command not in (*_ATTACHMENT, "GC", "STATUS"):
        raise CniError(f"unknown CNI_COMMAND: {command}", errors.INVALID_ENVIRONMENT)
    version = versions.of_config(stdin)
    if command in SINCE:
        _allowed(command, version, plugin)
    versions.agree(version, plugin.supported)
    await plugin.function(command)(replace(args, version=version))


def _allowed(command: str, version: str, plugin: Plugin) -> None:
    """Commands came with versions: whether configuration and plugin are of one that has this."""
    try:
        if not versions.at_least(version, SINCE[command]):
            raise CniError(f"config version does not allow {command}", errors.INCOMPATIBLE_VERSION)
        for other in plugin.supported:
            if versions.at_least(other, version):
                return
    except versions.VersionError as error:
        raise CniError(str(error), errors.DECODING_FAILURE) from None
    raise CniError(f"plugin version does not allow {command}", errors.INCOMPATIBLE_VERSION)


async def run(plugin: Plugin, here: Surroundings) -> int:
    """The whole program: its exit status is 1 after an error, which is printed as an object."""
    if not here.env.get("CNI_COMMAND"):
        here.err(f"{plugin.about}\nCNI protocol versions supported: {', '.join(plugin.supported)}\n")
        return 0
    try:
        await call(plugin, here)
    except CniError as error:
        here.out(gojson.dumps(error.to_data()))
        return 1
    except KernelError as error:
        here.out(gojson.dumps(CniError(error.strerror.lower()).to_data()))
        return 1
    return 0


def program(plugin: Plugin) -> Callable[[Process, list[str]], Awaitable[int]]:
    """The `main` of a plugin's module."""

    async def main(proc: Process, argv: list[str]) -> int:
        return await run(plugin, ProcessSurroundings(proc))

    return main
