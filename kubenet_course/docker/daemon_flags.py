"""dockerd's own options: those of daemon.json that networks notice, on the command line.

    dockerd --bip 10.9.0.1/24 --icc=false --default-address-pool base=10.0.0.0/8,size=24

What was given is kept in /run/docker/flags.json while that dockerd runs, for everybody who works for it.

Source: moby cmd/dockerd config.go, config_unix.go; daemon/config: findConfigurationConflicts().
"""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import RUN

PATH = f"{RUN}/flags.json"
SHORT = {"-b": "bridge", "-H": "host", "-l": "log-level", "-D": "debug"}
#: Options that may come more than once, and the key of daemon.json that has their values.
MANY = {
    "dns": "dns",
    "dns-search": "dns-search",
    "dns-opt": "dns-opts",
    "host-gateway-ip": "host-gateway-ips",
    "default-address-pool": "default-address-pools",
    "default-network-opt": "default-network-opts",
}
#: Taken without effect.
PASSED_OVER = ("host", "containerd", "log-level")


def parse(words: list[str], defaults: dict[str, Any]) -> dict[str, Any]:
    """Of a command line, keys as in daemon.json. DaemonError where dockerd would not start."""
    found: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        key = SHORT.get(name, name.removeprefix("--"))
        kind = type(defaults.get(key))
        if key in PASSED_OVER or key in MANY or kind in (str, int):
            if not equals:
                if not rest:
                    raise DaemonError(f"flag needs an argument: {name}")
                value = rest.pop(0)
        elif kind is not bool or not name.startswith("-"):
            raise DaemonError(f"kubenet: dockerd: option {name} is not emulated")
        if key in MANY:
            _collect(found, name, MANY[key], value)
        elif key not in PASSED_OVER:
            found[key] = _value(name, value if equals or kind is not bool else "true", kind)
    return found


def _value(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() not in ("1", "t", "true", "0", "f", "false"):
            raise DaemonError(
                f'invalid argument "{text}" for "{name}" flag: strconv.ParseBool: parsing "{text}": invalid syntax'
            )
        return text.lower() in ("1", "t", "true")
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise DaemonError(
                f'invalid argument "{text}" for "{name}" flag: strconv.ParseInt: parsing "{text}": invalid syntax'
            ) from None
    return text


def _collect(found: dict[str, Any], name: str, key: str, text: str) -> None:
    if key == "default-network-opts":
        driver, _, setting = text.partition("=")
        option, equals, value = setting.partition("=")
        if not equals:
            raise DaemonError(f'invalid argument "{text}" for "{name}" flag: invalid default network option: {text}')
        found.setdefault(key, {}).setdefault(driver, {})[option] = value
    elif key == "default-address-pools":
        words = dict(word.partition("=")[::2] for word in text.split(","))
        if set(words) != {"base", "size"} or not words["size"].isdecimal():
            raise DaemonError(f'invalid argument "{text}" for "{name}" flag: base and size are needed')
        found.setdefault(key, []).append({"base": words["base"], "size": int(words["size"])})
    else:
        found.setdefault(key, []).append(text)


def conflicts(flags: dict[str, Any], file: dict[str, Any]) -> str:
    """What stands in both places, as dockerd lists it; "" if nothing does."""
    both = [
        f"{key}: (from flag: {_shown(flags[key])}, from file: {_shown(file[key])})" for key in sorted(flags) if key in file
    ]
    if not both:
        return ""
    return f"the following directives are specified both as a flag and in the configuration file: {', '.join(both)}"


def _shown(value: Any) -> str:
    """fmt.Sprintf("%v")."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{' '.join(map(_shown, value))}]"
    return json.dumps(value) if isinstance(value, dict) else str(value)
