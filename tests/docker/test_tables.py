"""PORTS cells, `docker port`, `docker network ls`, `docker ps`: Docker's own expected texts."""

from __future__ import annotations

from typing import Any

import pytest

from kubenet_course import Lab
from kubenet_course.docker.cli.networks import list_text
from kubenet_course.docker.ports import displayable, port_lines
from tests.docker.facts import facts

FACTS = facts("docker_cli.json")


@pytest.mark.parametrize("case", FACTS["ports_column"], ids=lambda case: case["text"][:40])
def test_the_ports_cell(case: dict[str, Any]) -> None:
    assert displayable(case["ports"]) == case["text"]


@pytest.mark.parametrize("case", FACTS["container_port"], ids=lambda case: case["args"] or "all")
def test_docker_port(case: dict[str, Any]) -> None:
    numbers = {"80/tcp": "3456", "443/tcp": "4567", "443/udp": "5678"}
    ports = {
        key: [{"HostIp": ip, "HostPort": number} for ip in ("0.0.0.0", "::")]
        for key, number in numbers.items()
    }
    assert port_lines(ports, f"{case['args']}/tcp" if case["args"] else "") == case["lines"]


@pytest.mark.parametrize("case", FACTS["network_ls"]["examples"], ids=lambda case: case["networks"][0][0])
def test_docker_network_ls(case: dict[str, Any]) -> None:
    networks = [
        {"id": row[0], "name": row[1], "driver": row[2], "scope": row[3], "labels": {}}
        for row in case["networks"]
    ]
    # the examples are in the order of Docker's own test, which does not sort
    found = list_text(networks).splitlines()
    assert found[0] == case["text"].splitlines()[0]
    assert sorted(found[1:]) == sorted(case["text"].splitlines()[1:])


def test_networks_come_in_the_natural_order_of_their_names() -> None:
    order = FACTS["network_ls"]["sort"]
    networks = [{"id": "x", "name": name, "driver": "d", "labels": {}} for name in order["input"]]
    assert list_text(networks, "{{.Name}}").split() == order["output"]


def test_the_columns_of_docker_ps() -> None:
    with Lab.load("single") as lab:
        assert lab.run("host", "docker ps").stdout.split("  ")[0] == FACTS["ps"]["columns"][0]
        found = [cell.strip() for cell in lab.run("host", "docker ps").stdout.split("  ") if cell.strip()]
    assert found == FACTS["ps"]["columns"]
