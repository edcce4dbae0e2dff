"""tuning: settings of the container's namespace and of its interface, changed after another plugin.

    {"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}, "mac": "…", "mtu": 1400, "promisc": true,
     "allmulti": true, "txQLen": 1000, "dataDir": "/run/cni/tuning"}

What the interface had before is kept in dataDir for DEL. /etc/cni/tuning/allowlist.conf, where it is
there, holds patterns of the settings that are allowed.

# containernetworking/plugins plugins/meta/tuning
"""

from __future__ import annotations

import json
import re
from typing import Any

from kubenet_course.cni import conf, gojson, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import (
    BOOL,
    INT,
    OPTIONAL_BOOL,
    OPTIONAL_INT,
    OPTIONAL_STRING,
    STRING,
    MapOf,
    Struct,
    quoted,
)
from kubenet_course.cni.link import Link
from kubenet_course.cni.netns import Netns
from kubenet_course.cni.result import Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program
from kubenet_course.errors import KernelError

_SYSCTL = MapOf(STRING, go="map[string]string")
_ARGS = Struct(
    "IPAMArgs",
    {
        "sysctl": _SYSCTL,
        "mac": OPTIONAL_STRING,
        "promisc": OPTIONAL_BOOL,
        "mtu": OPTIONAL_INT,
        "allmulti": OPTIONAL_BOOL,
        "txQLen": OPTIONAL_INT,
    },
    go="main.IPAMArgs",
)
_SHAPE = conf.shape(
    "TuningConf",
    dataDir=STRING,
    sysctl=_SYSCTL,
    mac=STRING,
    promisc=BOOL,
    mtu=INT,
    allmulti=OPTIONAL_BOOL,
    txQLen=OPTIONAL_INT,
    runtimeConfig=Struct("", {"mac": STRING}, go=r'struct { Mac string "json:\"mac,omitempty\"" }'),
    args=Struct("", {"cni": _ARGS}, go=r'struct { A *main.IPAMArgs "json:\"cni\"" }'),
)
ALLOWLIST = "/etc/cni/tuning/allowlist.conf"
DATA_DIR = "/run/cni/tuning"


def load(args: CmdArgs) -> dict[str, Any]:
    """Read a configuration. Raises CniError."""
    fields = conf.load(args.stdin, _SHAPE)
    fields["dataDir"] = fields["dataDir"] or DATA_DIR
    fields["sysctl"] = dict(fields["sysctl"] or {})
    given = conf.args(args.args, {"MAC": None})
    fields["mac"] = fields["runtimeConfig"]["mac"] or given.get("MAC", "") or fields["mac"]
    own = fields["args"]["cni"]
    fields["sysctl"].update(own["sysctl"] or {})
    for key in ("mac", "promisc", "mtu", "allmulti", "txQLen"):
        if own[key] is not None:
            fields[key] = own[key]
    return fields


def _no_duplicates(text: bytes) -> None:
    """Raise CniError where the sysctl section names one setting twice."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(items)
        data["\0twice"] = len(data) < len(items)
        return data

    try:
        data = json.loads(text, object_pairs_hook=pairs)
    except ValueError:
        return  # said elsewhere, in other words
    section = data.get("sysctl") if isinstance(data, dict) else None
    if isinstance(section, dict) and section["\0twice"]:
        raise CniError("duplicated sysctl keys are not allowed")


def _check_allowed(args: CmdArgs, names: list[str]) -> None:
    if not args.here.exists(ALLOWLIST):
        return
    lines = args.here.read(ALLOWLIST).decode("utf-8", "replace").split("\n")
    patterns = [line.strip() for line in lines if line.strip()]
    for name in names:
        try:
            allowed = any(re.search(pattern, name) for pattern in patterns)
        except re.error as error:
            raise CniError(f"error parsing regexp: {error}") from None
        if not allowed:
            raise CniError(
                f"Sysctl {name} is not allowed. Only the following sysctls are allowed: [{' '.join(patterns)}]"
            )


# -- ADD ------------------------------------------------------------------------------------------
async def add(args: CmdArgs) -> None:
    _no_duplicates(args.stdin)
    fields = load(args)
    _check_allowed(args, list(fields["sysctl"]))
    before = _before(fields)
    space = await netns.open_netns(args.here, args.netns, " ")
    for name, value in fields["sysctl"].items():
        await _write(space, name, name.replace(".", "/").replace("IFNAME", args.ifname, 1), value)
    if fields["mac"] or fields["mtu"] or fields["promisc"] or _given(fields):
        await _tune(args, fields, space, before)
    args.print_result(before)


def _given(fields: dict[str, Any]) -> bool:
    """Whether something is to be set for which no value means "leave it"."""
    return fields["allmulti"] is not None or fields["txQLen"] is not None


def _before(fields: dict[str, Any]) -> Result:
    found = conf.prev_result(fields)
    if found is None:
        raise CniError("Required prevResult missing")
    return found


async def _write(space: Netns, name: str, setting: str, value: str) -> None:
    path = _clean(f"/proc/sys/{setting}")
    if not path.startswith("/proc/sys/net/"):
        raise CniError(f"invalid net sysctl key: {quoted(name)}")
    if (await space.run("test", "-e", path)).returncode:
        raise CniError(f"open {path}: no such file or directory")
    done = await space.run("sysctl", "-qw", f"{path[len('/proc/sys/') :]}={value}")
    if done.returncode:
        words = done.stderr.strip().rpartition(": ")[2].lower() or "invalid argument"
        raise CniError(f"write {path}: {words}")


def _clean(path: str) -> str:
    """filepath.Join's result."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


async def _tune(args: CmdArgs, fields: dict[str, Any], space: Netns, before: Result) -> None:
    name = args.ifname
    found = await link.get(space, name, f"failed to get {quoted(name)}: ")
    await _keep(args, fields, found)
    if fields["mac"]:
        await _set_mac(space, name, fields["mac"])
        for item in before.interfaces:
            if item.name == name:
                item.mac = fields["mac"]
    if fields["promisc"]:
        await _set(space, name, "promisc on")
    if fields["mtu"]:
        await _set(space, name, f"mtu {fields['mtu']}")
    if fields["allmulti"] is not None:
        await _set(space, name, f"allmulticast {'on' if fields['allmulti'] else 'off'}")
    if fields["txQLen"] is not None:
        await _set(space, name, f"txqueuelen {fields['txQLen']}")


async def _set(space: Netns, name: str, words: str) -> None:
    problem = await space.batch([f"link set dev {name} {words}"])
    if problem:
        raise CniError(problem[1])


async def _set_mac(space: Netns, name: str, text: str) -> None:
    try:
        mac = link.parse_mac(text)
    except CniError as error:
        raise CniError(f"invalid args {text} for MAC addr: {error.msg}") from None
    await _set(space, name, f"address {mac}")


# -- what the interface had ------------------------------------------------------------------------
def _file(args: CmdArgs, fields: dict[str, Any]) -> str:
    return f"{fields['dataDir']}/{args.container_id}_{args.ifname}.json"


async def _keep(args: CmdArgs, fields: dict[str, Any], found: Link) -> None:
    data: dict[str, Any] = {}
    if fields["mac"]:
        data["mac"] = found.mac
    if fields["promisc"]:
        data["promisc"] = found.promiscuity != 0
    if fields["mtu"]:
        data["mtu"] = found.mtu
    if fields["allmulti"] is not None:
        data["allmulti"] = "ALLMULTI" in found.flags
    if fields["txQLen"] is not None:
        data["txQLen"] = found.queue
    try:
        args.here.mkdir(fields["dataDir"])
    except KernelError as error:
        words = f"mkdir {fields['dataDir']}: {error.strerror.lower()}"
        raise CniError(f"failed to create backup directory: {words}") from None
    args.here.write(_file(args, fields), gojson.dumps(data, indent=1), mode=0o600)


async def delete(args: CmdArgs) -> None:
    """Give the interface back what it had; whatever goes wrong, DEL succeeds."""
    fields = load(args)
    path = _file(args, fields)
    if not args.netns or not args.here.exists(path):
        return
    try:
        space = await netns.open_netns(args.here, args.netns, " ")
        data = gojson.loads(args.here.read(path))
        if await link.find(space, args.ifname) is None or not isinstance(data, dict):
            return
        if data.get("mtu"):
            await _set(space, args.ifname, f"mtu {data['mtu']}")
        if data.get("mac"):
            await _set_mac(space, args.ifname, data["mac"])
        for key, word in (("promisc", "promisc"), ("allmulti", "allmulticast")):
            if data.get(key) is not None:
                await _set(space, args.ifname, f"{word} {'on' if data[key] else 'off'}")
        if data.get("txQLen") is not None:
            await _set(space, args.ifname, f"txqueuelen {data['txQLen']}")
    except (CniError, gojson.GoJsonError):
        return
    args.here.remove(path)


# -- CHECK ----------------------------------------------------------------------------------------
async def check(args: CmdArgs) -> None:
    _no_duplicates(args.stdin)
    fields = load(args)
    _before(fields)
    space = await netns.open_netns(args.here, args.netns, " ")
    for name, wanted in fields["sysctl"].items():
        path = _clean(f"/proc/sys/{name.replace('.', '/')}")
        done = await space.run("cat", path)
        if done.returncode:
            raise CniError(f"open {path}: no such file or directory")
        value = done.stdout.removesuffix("\n")
        if value != wanted:
            raise CniError(f"Error: Tuning configured value of {path} is {wanted}, current value is {value}")
    name = args.ifname
    found = await link.find(space, name)
    if found is None:
        raise CniError(f"Cannot find container link {name}")
    if fields["mac"] and fields["mac"] != found.mac:
        raise CniError(
            f"Error: Tuning configured Ethernet of {name} is {fields['mac']}, current value is {found.mac}"
        )
    if fields["promisc"] != (found.promiscuity != 0):
        shown = "true" if fields["promisc"] else "false"
        raise CniError(
            f"Error: Tuning link {name} configured promisc is {shown}, current value is {found.promiscuity}"
        )
    if fields["mtu"] and fields["mtu"] != found.mtu:
        raise CniError(
            f"Error: Tuning configured MTU of {name} is {fields['mtu']}, current value is {found.mtu}"
        )
    wanted_all = fields["allmulti"]
    if wanted_all is not None and wanted_all != ("ALLMULTI" in found.flags):
        shown = str("ALLMULTI" in found.flags).lower()
        raise CniError(
            f"Error: Tuning configured all-multicast mode of {name} is {str(wanted_all).lower()}, "
            f"current value is {shown}"
        )
    if fields["txQLen"] is not None and fields["txQLen"] != found.queue:
        raise CniError(
            f"Error: Tuning configured Transmit Queue Length of {name} is {fields['txQLen']}, "
            f"current value is {found.queue}"
        )


PLUGIN = Plugin("tuning", add, delete, check)
main = program(PLUGIN)
