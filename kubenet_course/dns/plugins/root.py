"""root: the folder that the file names of other plugins are in (plugin/root)."""

from __future__ import annotations

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import ServerConfig


def setup(c: Dispenser, config: ServerConfig) -> None:
    while c.next():
        if not c.next_arg():
            raise c.arg_error()
        config.root = c.text
        if c.next_arg():
            raise c.arg_error()
    if config.environment.problem(config.root) == "no such file or directory":
        config.environment.log(f"[WARNING] plugin/root: Root path does not exist: {config.root}")
