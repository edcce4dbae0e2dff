"""What `docker inspect` and `docker ps` tell of a container, made from its record."""

from __future__ import annotations

from typing import Any

from kubenet_course.docker.process import log_paths
from kubenet_course.docker.store import CONTAINERS, LAYERS, NEVER, Record, seconds_of


def container(record: Record) -> dict[str, Any]:
    """The object of `docker inspect`, in Docker's order of keys."""
    folder = f"{CONTAINERS}/{record['id']}"
    started = record["state"]["StartedAt"] != NEVER
    return {
        "Id": record["id"],
        "Created": record["created"],
        "Path": record["path"],
        "Args": record["args"],
        "State": record["state"],
        "Image": record["image_id"],
        "ResolvConfPath": f"{folder}/resolv.conf" if started else "",
        "HostnamePath": f"{folder}/hostname" if started else "",
        "HostsPath": f"{folder}/hosts" if started else "",
        "LogPath": log_paths(record["id"])[0] if started else "",
        "Name": f"/{record['name']}",
        "RestartCount": record["restarts"],
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": None,
        "HostConfig": {**record["host_config"], "Links": links(record)},
        "GraphDriver": {
            "Data": {"ID": record["id"], "UpperDir": f"{LAYERS}/{record['id']}/diff"},
            "Name": "overlay2",
        },
        "Mounts": [
            {key: value for key, value in mount.items() if key != "anonymous"} for mount in record["mounts"]
        ],
        "Config": record["config"],
        "NetworkSettings": network_settings(record),
    }


def network_settings(record: Record) -> dict[str, Any]:
    sandbox = record["sandbox"]
    bridge = record["endpoints"].get("bridge", {})
    return {
        "Bridge": "",
        "SandboxID": sandbox["id"] or sandbox.get("shown", ""),
        "SandboxKey": sandbox["key"],
        "Ports": ports(record),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": bridge.get("endpoint_id", ""),
        "Gateway": bridge.get("gateway", ""),
        "GlobalIPv6Address": bridge.get("ip6", ""),
        "GlobalIPv6PrefixLen": bridge.get("prefix6", 0),
        "IPAddress": bridge.get("ip", ""),
        "IPPrefixLen": bridge.get("prefix", 0),
        "IPv6Gateway": bridge.get("gateway6", ""),
        "MacAddress": bridge.get("mac", ""),
        "Networks": {name: endpoint(record["endpoints"][name]) for name in sorted(record["endpoints"])},
    }


def links(record: Record) -> list[str] | None:
    """Legacy links (of the default bridge) with the names that they have; others as they were asked for."""
    if record["host_config"]["NetworkMode"] not in ("bridge", "default"):
        found: list[str] | None = record["host_config"]["Links"]
        return found
    pairs = record["endpoints"].get("bridge", {}).get("links", [])
    return [f"/{target}:/{record['name']}/{alias}" for target, alias in pairs] or None


def endpoint(end: Record) -> dict[str, Any]:
    return {
        "IPAMConfig": end["ipam_config"],
        "Links": [f"{target}:{alias}" for target, alias in end["links"] if end["network"] != "bridge"] or None,
        "Aliases": end["aliases"] or None,
        "MacAddress": end["mac"],
        "DriverOpts": end["driver_opts"],
        "GwPriority": end["gw_priority"],
        "NetworkID": end["network_id"],
        "EndpointID": end["endpoint_id"],
        "Gateway": end["gateway"],
        "IPAddress": end["ip"],
        "IPPrefixLen": end["prefix"],
        "IPv6Gateway": end["gateway6"],
        "GlobalIPv6Address": end["ip6"],
        "GlobalIPv6PrefixLen": end["prefix6"],
        "DNSNames": end["dns_names"] or None,
    }


def ports(record: Record) -> dict[str, Any]:
    """{"80/tcp": [{HostIp, HostPort}] or null}: what is published, and what is only exposed."""
    if not record["state"]["Running"]:
        return {}
    found: dict[str, Any] = {}
    if any(end["ip"] or end["ip6"] for end in record["endpoints"].values()):
        found = dict.fromkeys(record["config"].get("ExposedPorts") or {})
    for one in record["bindings"]:
        key = f"{one['container_port']}/{one['protocol']}"
        if found.get(key) is None:
            found[key] = []
        if one["host_port"] or one["routed"]:
            found[key].append(
                {
                    "HostIp": one["host_ip"],
                    "HostPort": str(one["host_port"]) if one["host_port"] else "",
                }
            )
    return dict(sorted(found.items(), key=lambda item: (int(item[0].partition("/")[0]), item[0])))


def shown_ports(record: Record) -> list[dict[str, Any]]:
    """For `ports.displayable`: one entry a binding, and one for each port that is only exposed."""
    found = []
    for key, entries in ports(record).items():
        number, _, protocol = key.partition("/")
        base = {"container_port": int(number), "protocol": protocol}
        found += [
            {**base, "host_ip": one["HostIp"], "host_port": int(one["HostPort"])}
            for one in entries or []
            if one["HostPort"]
        ] or [base]
    return found


def status(record: Record, now: float) -> str:
    """The STATUS cell: "Up 3 minutes", "Exited (0) 5 seconds ago"."""
    state = record["state"]
    if state["Status"] == "created":
        return "Created"
    if state["Running"]:
        text = f"Up {human_duration(now - seconds_of(state['StartedAt']))}"
        return f"{text} (Paused)" if state["Paused"] else text
    if state["FinishedAt"] == NEVER:
        return "Created"
    return f"Exited ({state['ExitCode']}) {human_duration(now - seconds_of(state['FinishedAt']))} ago"


def human_duration(seconds: float) -> str:
    """units.HumanDuration."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    minutes = int(seconds / 60)
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{int(seconds / 3600) // 24 // 365} years"


def human_size(size: float, digits: int = 3) -> str:
    """units.HumanSizeWithPrecision: decimal units."""
    units = ["B", "kB", "MB", "GB", "TB"]
    number = 0
    while size >= 1000 and number < len(units) - 1:
        size /= 1000
        number += 1
    return f"{size:.{digits}g}{units[number]}"
