"""A routing table: `ip route`, and `ip rule` where it is more than the three usual lines."""

from __future__ import annotations

from typing import Any

from kubenet_course.lab.pictures import WrongOptions
from kubenet_course.view import tables
from kubenet_course.view.records import Route
from kubenet_course.view.target import resolve
from kubenet_course.widgets._table import Row, Table, TableData, table

_USUAL_RULES = [
    (0, "from all", "lookup local"),
    (32766, "from all", "lookup main"),
    (32767, "from all", "lookup default"),
]


def show(lab: Any, machine: str, *, table_name: str = "main", family: int = 4, **options: str) -> Table:
    """Routes of a machine or namespace; `table` is a table's name or number, or ``all``."""
    target = resolve(lab, machine)
    name = options.pop("table", table_name)
    if options:
        raise WrongOptions(f"routes has no option {next(iter(options))!r}")

    def read() -> TableData:
        found = tables.routes(lab, target, name, family)
        rows = [_row(route) for route in found]
        if name == "main":
            rows += _rule_rows(lab, target, family)
        where = "" if name == "main" else f" (table {name})"
        return TableData(
            f"Routes of {target}{where}",
            ("destination", "gateway", "device", "source", "metric", "made by"),
            tuple(rows),
            "no routes",
        )

    return table(lab, read)


def _row(route: Route) -> Row:
    gateway = (
        route.gateway or ("; ".join(hop.removeprefix("nexthop ") for hop in route.nexthops)) or "on the link"
    )
    if route.type in ("blackhole", "unreachable", "prohibit", "throw"):
        gateway = route.type
    device = route.dev + (f" ({', '.join(route.flags)})" if route.flags else "")
    cells = (
        route.destination,
        gateway,
        device,
        route.source,
        str(route.metric or ""),
        "a command" if route.protocol in ("", "boot") else route.protocol,
    )
    return Row(cells, (route.type, route.destination, str(route.metric), route.table))


def _rule_rows(lab: Any, target: Any, family: int) -> list[Row]:
    found = [(rule.priority, rule.selector, rule.action) for rule in tables.rules(lab, target, family)]
    if found == _USUAL_RULES or family == 6:
        return []
    rows = [Row(("rules, asked in this order",), section=True)]
    return rows + [
        Row((f"{priority}: {selector}", action, "", "", "", "ip rule"), ("rule", str(priority), selector))
        for priority, selector, action in found
    ]
