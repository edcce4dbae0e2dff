"""Go's text/template, judged by templates that a real docker 28.2.2 (Go 1.24) was given: real.jsonl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kubenet_course.docker.templates import FUNCTIONS
from kubenet_course.gotemplate import Template, TemplateError

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "real.jsonl").read_text(encoding="utf-8").splitlines()
]


class Listing(dict[str, Any]):
    """A struct of Go."""

    go_type = "context.contextWithTLSListing"


class Open(dict[str, Any]):
    open = True


#: What `docker context inspect --format` applies them to.
CONTEXT = Listing(
    Name="default",
    Endpoints=Open(docker=Open(Host="unix:///var/run/docker.sock", SkipTLSVerify=False)),
)


def applied(template: str) -> dict[str, str]:
    try:
        return {"text": Template(template, FUNCTIONS).render(CONTEXT)}
    except TemplateError as problem:
        return {"error": str(problem)}


@pytest.mark.parametrize("row", ROWS, ids=[str(number) for number in range(len(ROWS))])
def test_says_what_gos_own_says(row: dict[str, str]) -> None:
    assert applied(row["template"]) == {kind: row[kind] for kind in ("text", "error") if kind in row}, row[
        "template"
    ]


@pytest.mark.parametrize("text", ["{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", "{{if 1}}" * 3000 + "{{end}}" * 3000])
def test_what_is_too_deep_is_an_error(text: str) -> None:
    with pytest.raises(TemplateError, match="depth"):
        Template(text).render({})
