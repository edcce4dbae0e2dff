"""What CoreDNS' plugins answer: the facts of `facts/answers.txt` (its head tells how they are written)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.flags
import dns.rcode
import pytest

from kubenet_course.dns.cluster import Endpoint, Objects, Pod, Port, Service, Slice
from tests.support.coredns import World, ask, rows

FACTS = Path(__file__).parent / "facts" / "answers.txt"
FLAGS = {"aa": dns.flags.AA, "tc": dns.flags.TC, "ra": dns.flags.RA, "ad": dns.flags.AD}


HTTP = (Port("http", "TCP", 80),)


def serve() -> Objects:
    """The Services of plugin/kubernetes/handler_test.go."""
    store = Objects(3)
    for namespace in ("testns", "kube-system", "podns", "svcns", "unexposedns"):
        store.put_namespace(namespace)
    for name, addresses in (("svc1", "10.0.0.1"), ("svcempty", "10.0.0.1"), ("svc6", "1234:abcd::1"), ("svc-dual-stack", "10.0.0.3 10::3")):
        store.put_service(Service(name, "testns", "ClusterIP", tuple(addresses.split()), HTTP))
    for name in ("hdls1", "hdlsprtls"):
        store.put_service(Service(name, "testns", "ClusterIP", ("None",)))
    store.put_service(Service("svc1", "unexposedns", "ClusterIP", ("10.0.0.2",), HTTP))
    for name, target in (("external", "ext.interwebs.test"), ("external-to-service", "svc1.testns.svc.cluster.local.")):
        store.put_service(Service(name, "testns", "ExternalName", (), HTTP, target))
    store.put_slice(Slice("svc1-slice1", "testns", "svc1", (Endpoint("172.0.0.1", "ep1a"),), HTTP))
    store.put_slice(Slice("svcempty-slice1", "testns", "svcempty", (), HTTP))
    heads = [("172.0.0.2", ""), ("172.0.0.3", ""), ("172.0.0.4", "dup-name"), ("172.0.0.5", "dup-name"), ("5678:abcd::1", ""), ("5678:abcd::2", "")]
    store.put_slice(Slice("hdls1-slice1", "testns", "hdls1", tuple(Endpoint(*one) for one in heads), HTTP))
    store.put_slice(Slice("hdlsprtls-slice1", "testns", "hdlsprtls", (Endpoint("172.0.0.20"),)))
    store.put_pod(Pod("foo", "podns", "10.240.0.1"))
    return store


def external() -> Objects:
    """The Services of plugin/k8s_external/external_test.go."""
    store = Objects(3)
    store.put_namespace("testns")
    for name, kind, address in (
        ("svc1", "ClusterIP", "1.2.3.4"), ("svc6", "ClusterIP", "1:2::5"), ("svc11", "LoadBalancer", "2.3.4.5"),
        ("svc12", "LoadBalancer", "dummy.hostname"),
    ):  # fmt: skip
        store.put_service(Service(name, "testns", kind, ("10.0.0.1",), HTTP, external_ips=(address,)))
    store.put_service(Service("svc-headless", "testns", "ClusterIP", ("None",), HTTP))
    ends = tuple(Endpoint(f"1.2.3.{4 + number}", f"endpoint-svc-{number}") for number in (0, 1))
    store.put_slice(Slice("svc-headless-1", "testns", "svc-headless", ends, HTTP))
    return store


CLUSTERS = {"serve": serve, "external": external}


@dataclass
class Block:
    """Files and a Corefile's lines."""

    files: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    key: str = "."
    objects: str = ""

    def engine(self) -> Any:
        body = re.sub(r" \}(?!\})", "\n}", re.sub(r"(?<!\{)\{ ", "{\n", "\n".join(self.lines)))
        world = World(self.files, KUBERNETES_SERVICE_HOST="10.96.0.1")
        world.environment.cluster = CLUSTERS[self.objects]() if self.objects else None
        engine = world.engine(f"{self.key} {{\n{body}\n}}\n")
        if self.objects == "external":
            engine.configs[0].handlers["kubernetes"].local_ips = ["10.0.0.1"]  # type: ignore[attr-defined]
        return engine


@dataclass
class Question:
    words: list[str]
    rcode: str = "NOERROR"
    flags: set[str] | None = None
    records: dict[str, list[str]] = field(default_factory=lambda: {"a": [], "n": [], "x": []})


def facts() -> Iterator[Any]:
    block, path, question = Block(), "", Question([])
    for number, line in enumerate(FACTS.read_text().splitlines(), 1):
        if line.startswith("#") or (not line and not path):
            continue
        if line.startswith("== "):
            block, path = Block(), ""
        elif line.startswith("-- "):
            path = line[3:]
            block.files[path] = ""
        elif line.startswith("> "):
            path = ""
            if line.startswith("> objects: "):
                block.objects = line[11:]
            elif line.startswith("> key: "):
                block.key = line[7:]
            else:
                block.lines.append(line[2:])
        elif line.startswith("? "):
            path, question = "", Question(line[2:].split())
            yield pytest.param(block, question, id=f"{number}-{line[2:]}")
        elif path:
            block.files[path] += line + "\n"
        elif line.startswith("= "):
            question.rcode, *flags = line[2:].split()
            question.flags = set(flags)
        else:
            question.records[line[0]].append(line[2:])


def matches(expected: str, found: tuple[Any, ...]) -> bool:
    text = " ".join(map(str, found))
    return text.startswith(expected[:-1]) if expected.endswith("…") else text == expected


@pytest.mark.parametrize(("block", "question"), list(facts()))
def test_answer(block: Block, question: Question) -> None:
    name, kind, *options = question.words
    more: dict[str, Any] = {}
    if "from" in options:
        more["client"] = options[options.index("from") + 1]
    if "class" in options:
        more["rdclass"] = options[options.index("class") + 1]
    if "tcp" in options:
        more["protocol"] = "tcp"
    if "do" in options:
        more.update(edns=True, want_dnssec=True)
    answer = ask(block.engine(), name, kind, **more)
    assert dns.rcode.to_text(answer.rcode()) == question.rcode
    if question.flags is not None:
        assert {word for word, bit in FLAGS.items() if answer.flags & bit} == question.flags
    for letter, section in (("a", answer.answer), ("n", answer.authority), ("x", answer.additional)):
        found = sorted(rows(section))
        expected = sorted(question.records[letter])
        left = list(found)
        for line in expected:
            fitting = next((row for row in left if matches(line, row)), None)
            assert fitting is not None, (letter, line, found)
            left.remove(fitting)
        assert not left, (letter, left)
