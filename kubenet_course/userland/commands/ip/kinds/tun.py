"""``type tun`` (ip/tuntap: iplink_tun.c): shown here, made with ``ip tuntap``."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.kinds._no_options import ignore as parse

__all__ = ["parse", "show"]


def show(info: dict[str, Any]) -> str:
    def on(key: str) -> str:
        return "on" if info[key] else "off"

    text = f"type {info['type']} pi {on('pi')} vnet_hdr {on('vnet_hdr')} "
    if info["multi_queue"]:
        text += f"multi_queue numqueues {info['numqueues']} numdisabled {info['numdisabled']} "
    text += "persist on " if info["persist"] else ""
    for key in ("user", "group"):
        if key in info:
            text += f"{key} {info[key]} "
    return text
