"""cnitool: attach a network namespace to a network of /etc/cni/net.d, or detach it.

    CNI_PATH=/opt/cni/bin cnitool add NETWORK /var/run/netns/red

Its settings are environment variables: CNI_PATH (folders of plugins), NETCONFPATH (instead of
/etc/cni/net.d), CAP_ARGS (JSON: portMappings, bandwidth, ips, mac, ipRanges, dns, aliases), CNI_ARGS, CNI_IFNAME (eth0).

# containernetworking/cni cnitool
"""

from __future__ import annotations

import hashlib
import posixpath
from typing import Any

from kubenet_course.cni import gojson, invoke
from kubenet_course.cni.errors import CniError, RuntimeFailure
from kubenet_course.cni.result import to_text
from kubenet_course.cni.runtime.configs import NetworkConfigList, load
from kubenet_course.cni.runtime.libcni import Attachment, Runtime
from kubenet_course.userland.surroundings import Surroundings

DEFAULT_FOLDER = "/etc/cni/net.d"
COMMANDS = ("add", "check", "del", "gc", "status")
USAGE = """{0}: Add, check, remove, gc or status network interfaces from a network namespace
  {0} add    <net> <netns>
  {0} check  <net> <netns>
  {0} del    <net> <netns>
  {0} gc     <net> <netns>
  {0} status <net> <netns>
  {0} version <net>
"""


def container_id(netns: str) -> str:
    """The id that a namespace's path stands for."""
    return f"cnitool-{hashlib.sha512(netns.encode('utf-8', 'surrogateescape')).digest()[:10].hex()}"


def parse_args(text: str) -> list[tuple[str, str]]:
    """CNI_ARGS as pairs. Raises RuntimeFailure."""
    found = []
    for pair in text.split(";") if text else ():
        key, _, value = pair.partition("=")
        if not key or not value or "=" in value:
            raise RuntimeFailure(f"invalid CNI_ARGS pair {gojson.quoted(pair)}")
        found.append((key, value))
    return found


def _capabilities(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        data = gojson.loads(text)
    except gojson.GoJsonError as error:
        raise RuntimeFailure(str(error)) from None
    if not isinstance(data, dict):
        kind = gojson._value_name(data)
        raise RuntimeFailure(f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
    return data


async def _do(here: Surroundings, runtime: Runtime, argv: list[str], config: NetworkConfigList) -> None:
    command = argv[1]
    if command == "version":
        for plugin in config.plugins:
            try:
                found = await runtime.plugin_versions(plugin.type)
            except CniError as error:
                raise RuntimeFailure(str(error), error) from None
            here.out(f"{plugin.type}: {' '.join(found)}\n")
        return
    netns = posixpath.normpath(posixpath.join(here.cwd, argv[3]))
    attachment = Attachment(
        container_id(netns),
        netns,
        here.env.get("CNI_IFNAME", "eth0"),
        parse_args(here.env.get("CNI_ARGS", "")),
        _capabilities(here.env.get("CAP_ARGS", "")),
    )
    if command == "add":
        result = await runtime.add(config, attachment)
        here.out(to_text(result, config.version) + "\n")
    elif command == "check":
        await runtime.check(config, attachment)
    elif command == "del":
        await runtime.delete(config, attachment)
    elif command == "gc":
        await runtime.gc(config)
    else:
        await runtime.status(config)


async def main(here: Surroundings, argv: list[str]) -> int:
    """The program: 0, or 1 after an error on standard error."""
    name = argv[0].rpartition("/")[2]
    commands = (*COMMANDS, "version")
    if len(argv) < (3 if argv[1:2] == ["version"] else 4) or argv[1] not in commands:
        here.err(USAGE.format(name))
        return 1
    try:
        folder = here.env.get("NETCONFPATH") or DEFAULT_FOLDER
        config = load(here, folder, argv[2])
        runtime = Runtime(here, invoke.search_path(here.env.get("CNI_PATH", "")))
        await _do(here, runtime, argv, config)
    except (RuntimeFailure, CniError) as error:
        here.err(f"{error}\n")
        return 1
    return 0
