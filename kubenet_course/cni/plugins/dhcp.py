"""dhcp: addresses from a DHCP server on the container's link.

A plugin ends at once, but a lease must be renewed: so a daemon (`dhcp daemon`) does the work, and keeps
leases alive until DEL.

    "ipam": {"type": "dhcp", "daemonSocketPath": "/run/cni/dhcp.sock",
             "provide": [{"option": "host-name", "fromArg": "K8S_POD_NAME"}], "request": [{"option": "routers"}]}

# containernetworking/plugins plugins/ipam/dhcp
"""

from __future__ import annotations

import json
import posixpath
from typing import Any

from kubenet_course.cni import gojson
from kubenet_course.cni.dhcp import client, daemon
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.result import Result, of_data
from kubenet_course.cni.skel import CmdArgs, Plugin, run
from kubenet_course.errors import KernelError
from kubenet_course.userland.process import Process
from kubenet_course.userland.surroundings import ProcessSurroundings, Surroundings


async def _call(args: CmdArgs, method: str) -> dict[str, Any]:
    """Ask the daemon. Raises CniError."""
    try:
        fields = gojson.decode(args.stdin, daemon.SHAPE)
    except gojson.GoJsonError as error:
        raise CniError(f"error obtaining socketPath: error parsing socket path conf: {error}") from None
    if fields["ipam"] is None:
        raise CniError("error obtaining socketPath: no 'ipam' in the configuration")
    path = fields["ipam"]["daemonSocketPath"] or daemon.SOCKET
    here = args.here
    request = {
        "method": method,
        "args": {
            "container_id": args.container_id,
            "netns": posixpath.normpath(posixpath.join(here.cwd, args.netns)) if args.netns else here.cwd,
            "ifname": args.ifname,
            "args": args.args,
            "stdin": args.stdin.decode("utf-8", "replace"),
        },
    }
    try:
        stream = await here.net.connect_unix(path)
        await stream.write(json.dumps(request).encode() + b"\n")
        data = b""
        while chunk := await stream.read():
            data += chunk
        stream.close()
    except KernelError as error:
        words = error.strerror.lower()
        raise CniError(f"error dialing DHCP daemon: dial unix {path}: connect: {words}") from None
    if not data:
        raise CniError(f"error calling DHCP.{method}: unexpected EOF")
    answer = json.loads(data)
    if "error" in answer:
        raise CniError(f"error calling DHCP.{method}: {answer['error']}")
    found: dict[str, Any] = answer["result"]
    return found


async def _allocate(args: CmdArgs) -> Result:
    return of_data(await _call(args, "Allocate"), "1.0.0")


async def add(args: CmdArgs) -> None:
    args.print_result(await _allocate(args))


async def check(args: CmdArgs) -> None:
    await _allocate(args)


async def delete(args: CmdArgs) -> None:
    await _call(args, "Release")


async def status(args: CmdArgs) -> None:
    """Without its daemon the plugin cannot serve."""
    path = daemon.SOCKET
    try:
        (await args.here.net.connect_unix(path)).close()
    except KernelError as error:
        raise CniError(f"DHCP daemon at {path}: {error.strerror.lower()}", 50) from None


PLUGIN = Plugin("dhcp", add, delete, check, status=status)


async def program(here: Surroundings, argv: list[str]) -> int:
    """The plugin, the daemon, or the client that the daemon runs in a container's namespace."""
    if argv[1:2] == ["daemon"]:
        return await daemon.main(here, argv)
    if argv[1:2] == ["client"] and len(argv) >= 5:
        return await client.main(here, argv)
    return await run(PLUGIN, here)


async def main(proc: Process, argv: list[str]) -> int:
    return await program(ProcessSurroundings(proc), argv)
