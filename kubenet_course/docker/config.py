"""/etc/docker/daemon.json: the keys that networking lessons touch, checked as dockerd checks them."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import Any

from kubenet_course.docker import daemon_flags, ipam, rules
from kubenet_course.docker.errors import DaemonError
from kubenet_course.errno import ENOENT
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

PATH = "/etc/docker/daemon.json"
#: A guest of WSL2 with mirrored networking has both: the device, and the program that tells the mode.
WSL2_MARKS = ("/sys/class/net/loopback0", "/usr/bin/wslinfo")
DEFAULTS: dict[str, Any] = {
    "userland-proxy": True,
    "iptables": True,
    "ip6tables": True,
    "ip-forward": True,
    "ip-forward-no-drop": False,
    "ip-masq": True,
    "icc": True,
    "bip": "",
    "bip6": "",
    "fixed-cidr": "",
    "fixed-cidr-v6": "",
    "default-gateway": "",
    "ipv6": False,
    "ip": "",
    "mtu": 1500,
    "bridge": "",
    "default-address-pools": [],
    "allow-direct-routing": False,
    "dns": [],
    "dns-search": [],
    "dns-opts": [],
    "debug": False,
    "default-network-opts": {},
    "firewall-backend": "",
    "host-gateway-ip": "",
    "host-gateway-ips": [],
}
#: Known to dockerd, without effect on networks here.
ACCEPTED = frozenset(
    "data-root exec-opts experimental features group hosts insecure-registries labels live-restore log-driver "
    "log-level log-opts max-concurrent-downloads metrics-addr registry-mirrors runtimes selinux-enabled "
    "shutdown-timeout storage-driver storage-opts tls tlscacert tlscert tlskey tlsverify userns-remap init "
    "default-runtime containerd pidfile no-new-privileges "
    "default-ulimits default-shm-size default-cgroupns-mode cgroup-parent builder bridge-accept-fwmark".split()
)


@dataclass(frozen=True)
class Config:
    """`values` has every key of DEFAULTS; `wsl2_mirrored` is what the machine itself shows (WSL2_MARKS)."""

    values: dict[str, Any]
    wsl2_mirrored: bool = False

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    @property
    def rules(self) -> rules.Daemon:
        return rules.Daemon(
            userland_proxy=self["userland-proxy"],
            wsl2_mirrored=self.wsl2_mirrored,
            allow_direct_routing=self["allow-direct-routing"],
            nftables=self["firewall-backend"] == "nftables",
        )

    @property
    def pools(self) -> tuple[ipam.Pool, ...]:
        own = self["default-address-pools"]
        if not own:
            return ipam.DEFAULT_POOLS
        return tuple(ipam.Pool.of(pool["base"], pool["size"]) for pool in own)


def load(here: Surroundings) -> Config:
    """DaemonError with what dockerd prints before it gives up."""
    try:
        text = here.read(PATH).decode("utf-8", "replace")
    except KernelError as failure:
        if failure.errno != ENOENT:
            raise
        text = "{}"
    try:
        given = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as problem:
        raise _unable(_json_problem(text, problem)) from None
    if not isinstance(given, dict):
        raise _unable("json: cannot unmarshal array into Go value of type map[string]interface {}")
    unknown = [key for key in given if key not in DEFAULTS and key not in ACCEPTED]
    if unknown:
        raise _unable(f"the following directives don't match any configuration option: {', '.join(unknown)}")
    for key, value in given.items():
        if key in DEFAULTS:
            _check(key, value)
    flags = _flags(here)
    both = daemon_flags.conflicts(flags, given)
    if both:
        raise _unable(both)
    for key, value in flags.items():
        _check(key, value)
    given = {**given, **flags}
    mirrored = all(here.exists(path) for path in WSL2_MARKS) and not here.isdir(WSL2_MARKS[1])
    return Config({**DEFAULTS, **{key: value for key, value in given.items() if key in DEFAULTS}}, mirrored)


def _flags(here: Surroundings) -> dict[str, Any]:
    """What the dockerd that runs was told on its command line."""
    try:
        found: dict[str, Any] = json.loads(here.read(daemon_flags.PATH))
    except KernelError as failure:
        if failure.errno != ENOENT:
            raise
        return {}
    return found


def _unable(problem: str) -> DaemonError:
    return DaemonError(f"unable to configure the Docker daemon with file {PATH}: {problem}")


def _json_problem(text: str, problem: json.JSONDecodeError) -> str:
    """As Go's encoding/json says it."""
    if problem.pos >= len(text.rstrip()):
        return "unexpected EOF" if text.strip() else "EOF"
    char = text[problem.pos]
    shown = "'\\''" if char == "'" else f"'{char}'"
    if problem.msg.startswith("Expecting property name"):
        where = "looking for beginning of object key string"
    elif problem.msg.startswith("Expecting ',' delimiter"):
        where = "after object key:value pair"
    elif problem.msg.startswith("Expecting ':'"):
        where = "after object key"
    else:
        where = "looking for beginning of value"
    return f"invalid character {shown} {where}"


def _check(key: str, value: Any) -> None:
    kind = type(DEFAULTS[key])
    if type(value) is not kind:
        names = {bool: "bool", str: "string", int: "int", list: "[]string", dict: "map"}
        raise _unable(
            f"json: cannot unmarshal {_go_kind(value)} into Go struct field Config.{key} of type {names[kind]}"
        )
    if key in ("bip", "bip6", "fixed-cidr", "fixed-cidr-v6") and value:
        try:
            ipaddress.ip_interface(value)
            if "/" not in value:
                raise ValueError
        except ValueError:
            raise DaemonError(
                "failed to start daemon: Error initializing network controller: "
                f'error creating default "bridge" network: invalid CIDR address: {value}'
            ) from None
    if key == "firewall-backend" and value not in ("", "iptables", "nftables"):
        raise _unable(f'invalid firewall-backend "{value}"')
    if key == "default-address-pools":
        for pool in value:
            try:
                ipam.Pool.of(pool["base"], int(pool["size"]))
            except (ValueError, KeyError, TypeError):
                raise _unable(f"invalid CIDR address: {pool.get('base', '')}") from None


def _go_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    kinds = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "null")
