"""What the documentation shows is what happens: its topologies, transcripts and Python, run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kubenet_course.lab.lab import Lab

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]


def fences(path: Path, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(encoding="utf-8"), re.M | re.S)
    return [text for name, text in found if name == language]


PYTHON = [(path.name, number, text) for path in PAGES for number, text in enumerate(fences(path, "python"))]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_example_of_a_topology_file_gives_the_transcript_beside_it(backend: str, tmp_path: Path) -> None:
    page = ROOT / "docs" / "labs.md"
    (text,) = fences(page, "yaml")
    (tmp_path / "office.yaml").write_text(text)
    expected = next(fence for fence in fences(page, "") if fence.startswith("desk$"))
    script = "".join(line + "\n" for line in expected.splitlines() if re.match(r"\w+\$ ", line))
    (tmp_path / "script.sh").write_text(script)
    argv = [sys.executable, "-m", "kubenet_course", "run", "--backend", backend, "--lab", str(tmp_path / "office.yaml")]
    done = subprocess.run([*argv, str(tmp_path / "script.sh")], capture_output=True, text=True, check=False)
    assert done.stdout == expected
    assert done.returncode == 0


def test_every_key_of_a_topology_file_is_described() -> None:
    import dataclasses

    from kubenet_course.lab.topology import LINK_PARAMS, Node

    text = (ROOT / "docs" / "labs.md").read_text(encoding="utf-8")
    for key in (*LINK_PARAMS, *(field.name for field in dataclasses.fields(Node))):
        assert f"`{key}`" in text or key in ("name", "setup"), key


@pytest.mark.parametrize("name, number, text", PYTHON, ids=[f"{name}-{number}" for name, number, _ in PYTHON])
def test_python_in_the_documentation_runs(name: str, number: int, text: str) -> None:
    if "mininet" in text:
        from kubenet_course.lab.backends.real.builder import provide_mininet

        try:
            provide_mininet()
            import mininet.topo  # noqa: F401
        except ImportError:
            pytest.skip("Mininet is not installed")
    text = re.sub(r'# or Lab\.load\(.*', "", text)
    exec(compile(text, f"{name}, example {number}", "exec"), {"__name__": "example"})


def test_pictures_and_files_that_are_named_are_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^):#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} leads to {target}"


def test_every_scenario_that_the_documentation_names_exists() -> None:
    words = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in re.findall(r'(?:--lab |Lab\.load\(")([a-z][\w-]+)(?!\w*\.yaml)\b', words):
        assert name in Lab.scenarios(), name
