"""What `errors` says where a template makes no record (plugin/template/template_test.go)."""

from __future__ import annotations

import pytest

from tests.support.coredns import World, ask


@pytest.mark.parametrize(
    ("section", "text", "problem"),
    [
        (
            "answer",
            r"{{ .Name }} 60 IN TXT \"{{ index .Match 2 }}\"",
            'template: answer:1:26: executing "answer" at <index .Match 2>: error calling index: index out of range: 2',
        ),
        ("answer", "{{ .Name }}", 'dns: not a TTL: "test.example." at line: 1:13'),
        ("additional", "{{ .Name }}", 'dns: not a TTL: "test.example." at line: 1:13'),
        ("authority", "{{ .Name }}", 'dns: not a TTL: "test.example." at line: 1:13'),
    ],
)
def test_error(section: str, text: str, problem: str) -> None:
    world = World()
    engine = world.engine(f'. {{\nerrors\ntemplate IN ANY example {{\n{section} "{text}"\n}}\n}}\n')
    ask(engine, "test.example.", "TXT")
    assert world.logged == [f"[ERROR] plugin/errors: 2 test.example. TXT: {problem}"]
