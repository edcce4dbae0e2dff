"""Directives that CoreDNS takes or refuses, and what its plugins make of them: the facts of `facts/directives.txt`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubenet_course.dns.corefile import CorefileError
from kubenet_course.dns.plugins.log import COMBINED, COMMON
from tests.support.coredns import World

FACTS = Path(__file__).parent / "facts" / "directives.txt"
FILES = {
    "/z": "@ 60 IN SOA ns h 1 2 3 4 5\n",
    "/tmp/x": "",
    "/search.conf": "nameserver 1.2.3.4\ndomain foo.com\nsearch bar.com baz.com\noptions ndots:5\n",
    "/etc/two.conf": "nameserver 10.10.255.252\nnameserver 10.10.255.253",
    "/dev/null": "",
    "/kubeconfig": "apiVersion: v1\nkind: Config\n",
    "wfile": "",
    **{f"test_{name}.pem": "" for name in ("cert", "key", "ca")},
}


def facts() -> Iterator[Any]:
    """(plugin, taken?, directive, expected)."""
    plugin = ""
    for number, line in enumerate(FACTS.read_text().splitlines(), 1):
        if line.startswith("== "):
            plugin = line[3:]
        elif line[:2] in ("+ ", "- "):
            directive, _, expected = line[2:].partition(" => ")
            yield pytest.param(plugin, line[0] == "+", directive.replace("\\n", "\n"), expected, id=f"{number}-{plugin}")


def _kubernetes(name: str) -> Any:
    return lambda handler: getattr(handler.options, name)


#: What is not simply an attribute of the handler.
READ: dict[tuple[str, str], Any] = {
    ("auto", "expression"): lambda handler: handler.expression.pattern,
    ("forward", "to"): lambda handler: [f"{up.address}:{up.port}" for up in handler.upstreams],
    ("errors", "patterns"): lambda handler: len(handler.patterns),
    ("errors", "level"): lambda handler: handler.patterns[0].level,
    ("errors", "first"): lambda handler: handler.patterns[0].show_first,
    ("log", "zones"): lambda handler: [rule.zone for rule in handler.rules],
    ("log", "classes"): lambda handler: [sorted(rule.classes) for rule in handler.rules],
    ("log", "formats"): lambda handler: [{COMMON: "common", COMBINED: "combined"}.get(r.template, r.template) for r in handler.rules],
    ("template", "variables"): lambda handler: len(handler.templates[0].variables),
    ("template", "conditions"): lambda handler: len(handler.templates[0].conditions),
    ("transfer", "transfers"): lambda handler: [(rule.zones, rule.to) for rule in handler.rules],
    ("dns64", "prefix"): lambda handler: str(handler.prefix),
}


def value_of(plugin: str, name: str, config: Any) -> str:
    """What the plugin has made of it, as text."""
    if plugin == "bind":
        return str(config.listen)
    if plugin == "root":
        return str(config.root)
    if plugin == "ready":
        return str(config.options["ready"])
    handler = config.handlers[plugin]
    if (plugin, name) in READ:
        return str(READ[plugin, name](handler))
    holder = handler.options if plugin in ("cache", "kubernetes") else handler
    value = getattr(holder, name)
    return str(getattr(value, "zones", value))


@pytest.mark.parametrize(("plugin", "taken", "directive", "expected"), list(facts()))
def test_directive(plugin: str, taken: bool, directive: str, expected: str) -> None:
    world = World(FILES, KUBERNETES_SERVICE_HOST="10.96.0.1")
    extra = "\nkubernetes cluster.local\n" if plugin == "autopath" else ""
    try:
        engine = world.engine(f"example.org {{\n{directive}{extra}\n}}\n")
    except CorefileError as problem:
        assert not taken, problem
        assert expected in str(problem)
        return
    finally:
        world.close()
    assert taken, directive
    for name, text in re.findall(r"(\w+)=(.*?)(?= \w+=|$)", expected):
        assert value_of(plugin, name, engine.configs[0]) == text, name
