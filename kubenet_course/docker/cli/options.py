"""Options of `docker run` that mean more than a word: networks, volumes, extra hosts, restart policies."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from kubenet_course.docker import events
from kubenet_course.docker.cli import Session, values
from kubenet_course.docker.cli.flags import UsageError
from kubenet_course.docker.engine import blank_endpoint
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import VOLUMES, Record
from kubenet_course.errors import KernelError

MORE = "\n\nRun 'docker run --help' for more information\n"


def extra_host(entry: str) -> str:
    """NAME:ADDRESS, as the engine takes it (`values.extra_host` has looked at it)."""
    name, _, address = entry.partition("=" if "=" in entry and ":" not in entry.partition("=")[0] else ":")
    return f"{name}:{address.strip('[]')}"


def restart(text: str) -> dict[str, Any]:
    name, colon, count = text.partition(":")
    if name not in ("no", "always", "unless-stopped", "on-failure", ""):
        raise DaemonError(
            f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
            400,
        )
    if colon and not count.isdecimal():
        raise UsageError(
            f"docker: invalid restart policy format: maximum retry count must be an integer{MORE}"
        )
    if colon and name != "on-failure":
        raise DaemonError(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'", 400
        )
    return {"Name": name or "no", "MaximumRetryCount": int(count or 0)}


def networks(session: Session, options: dict[str, Any]) -> tuple[dict[str, Record], str]:
    given = [*options.get("network", []), *options.get("net", [])] or ["default"]
    parsed = [network_option(text) for text in given]
    first = parsed[0]
    for key, option, what in (("ip", "ip", "IPv4"), ("ip6", "ip6", "IPv6"), ("mac", "mac-address", "MAC")):
        if options.get(option):
            if first[key]:
                raise conflict(f"--{option} and per-network {what} address")
            first[key] = options[option]
    if first["aliases"] and (options.get("network-alias") or options.get("net-alias")):
        raise conflict("--network-alias and per-network alias")
    if options.get("link-local-ip"):
        if first["local"]:
            raise conflict("--link-local-ip and per-network link-local IP addresses")
        first["local"] = list(options["link-local-ip"])
    first["aliases"] += [*options.get("network-alias", []), *options.get("net-alias", [])]
    first["links"] += options.get("link", [])
    names = [one["name"] for one in parsed]
    _check_names(names, first)
    if len(names) > 1 and any(
        name in ("host", "none", "bridge", "default") or name.startswith("container:") for name in names
    ):
        if any(name in ("host", "none") or name.startswith("container:") for name in names):
            raise UsageError(
                f"docker: conflicting options: cannot attach both user-defined and non-user-defined network-modes{MORE}"
            )
    mode = "bridge" if first["name"] == "default" else first["name"]
    if mode.startswith("container:"):
        if first["links"]:
            raise DaemonError(
                "conflicting options: container type network can't be used with links. This would result in undefined behavior",
                400,
            )
        return {}, mode
    if mode == "host" and first["links"]:
        raise DaemonError(
            "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
            400,
        )
    endpoints = {}
    for one in parsed:
        name = "bridge" if one["name"] == "default" else one["name"]
        endpoints[name] = endpoint(session, name, one)
    return endpoints, mode


def conflict(what: str) -> UsageError:
    return UsageError(f"docker: conflicting options: cannot specify both {what}{MORE}")


def _check_names(names: list[str], first: dict[str, Any]) -> None:
    seen: list[str] = []
    for name in names:
        if not name:
            raise UsageError(f"docker: no name set for network{MORE}")
        if name in seen:
            raise UsageError(f'docker: network "{name}" is specified multiple times{MORE}')
        seen.append(name)
    if first["aliases"] and (
        names[0] in ("default", "bridge", "host", "none") or names[0].startswith("container:")
    ):
        raise UsageError(f"docker: network-scoped aliases are only supported for user-defined networks{MORE}")


def network_option(text: str) -> dict[str, Any]:
    """NAME, or name=NAME,alias=…,ip=…,mac-address=…,driver-opt=…,gw-priority=…"""
    found: dict[str, Any] = {
        "name": text,
        "aliases": [],
        "links": [],
        "local": [],
        "driver_opts": {},
        "ip": "",
        "ip6": "",
        "mac": "",
        "priority": 0,
    }
    if not values.LONG_NETWORK.search(text):
        return found
    for part in text.split(","):
        key, _, value = (word.strip() for word in part.lower().partition("="))
        if key == "name":
            found["name"] = value
        elif key == "alias":
            found["aliases"].append(value)
        elif key in ("ip", "ip6"):
            found[key] = value
        elif key == "mac-address":
            found["mac"] = value
        elif key == "gw-priority":
            found["priority"] = int(value)
        elif key == "link-local-ip":
            found["local"].append(value)
        elif key == "driver-opt":
            name, _, text = value.partition("=")
            found["driver_opts"][name.strip()] = text.strip()
    return found


def endpoint(session: Session, name: str, one: dict[str, Any]) -> Record:
    ipam: dict[str, Any] = {}
    for key, field, family in (("ip", "IPv4Address", 4), ("ip6", "IPv6Address", 6)):
        if one[key]:
            try:
                if ipaddress.ip_address(one[key]).version != family:
                    raise ValueError
            except ValueError:
                raise UsageError(
                    f'invalid argument "{one[key]}" for "--{key}" flag: invalid IP address: {one[key]}{MORE}'
                ) from None
            ipam[field] = one[key]
    if one["local"]:
        ipam["LinkLocalIPs"] = one["local"]
    mac = one["mac"].lower().replace("-", ":")
    if mac and not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", mac):
        raise UsageError(f"docker: {one['mac']} is not a valid mac address{MORE}")
    links = []
    for text in one["links"]:
        target, _, alias = text.partition(":")
        try:
            other = session.engine.store.container(target)
        except DaemonError:
            raise DaemonError(
                f"could not get container for {target}: No such container: {target}", 404
            ) from None
        links.append((other["name"], alias or target))
    return blank_endpoint(
        name,
        aliases=one["aliases"],
        links=links,
        ipam_config=ipam or None,
        driver_opts=one["driver_opts"] or None,
        wanted_mac=mac,
        gw_priority=one["priority"],
    )


def mounts(session: Session, options: dict[str, Any]) -> list[Record]:
    found = []
    here = session.here
    for spec in options.get("volume", []):
        if not spec:
            raise UsageError(f"docker: invalid empty volume spec{MORE}")
        parts = spec.split(":")
        mode = parts.pop() if len(parts) == 3 else ""
        source, target = (parts[0], parts[1]) if len(parts) == 2 else ("", parts[0])
        if not target.startswith("/"):
            raise DaemonError(
                f"invalid volume specification: '{spec}': invalid mount config for type \"volume\": "
                f"invalid mount path: '{target}' mount path must be absolute",
                400,
            )
        name, kind = "", "bind"
        if not source.startswith(("/", ".", "~")):
            name, kind = source or here.random(32).hex(), "volume"
            if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name):
                raise DaemonError(
                    f'create {name}: "{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" '
                    "are allowed. If you intended to pass a host directory, use absolute path",
                    400,
                )
        path = f"{VOLUMES}/{name}/_data" if name else absolute(here.cwd, source)
        if not here.exists(path):
            here.mkdir(path)
            if name:
                events.note(session.engine.store, "volume", "create", name, driver="local")
        if not here.exists(target):
            try:
                here.mkdir(target)
            except KernelError as failure:
                raise DaemonError(f"failed to create a mount point at {target}: {failure.strerror}") from None
        mount = {
            "Type": kind,
            **({"Name": name} if name else {}),
            "Source": path,
            "Destination": target,
            **({"Driver": "local"} if name else {}),
            "Mode": mode,
            "RW": "ro" not in mode.split(","),
            "Propagation": "" if name else "rprivate",
        }
        if name and not source:
            mount["anonymous"] = True
        found.append(mount)
    return found


def absolute(cwd: str, path: str) -> str:
    if path.startswith("/"):
        return path.rstrip("/") or "/"
    parts: list[str] = []
    for part in f"{cwd}/{path}".split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
