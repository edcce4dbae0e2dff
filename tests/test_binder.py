"""Binder builds the course: repo2docker itself reads `binder/` and says what it would do; no Docker needed."""

from __future__ import annotations

import logging
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BINDER = ROOT / "binder"


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `repo2docker --no-build --debug .` prints."""
    pytest.importorskip("repo2docker")
    from repo2docker.app import Repo2Docker

    folder = tmp_path_factory.mktemp("binder")
    for name in ("environment.yml", "pyproject.toml", "README.md"):  # with a root environment.yml beside binder/
        (folder / name).write_bytes((ROOT / name).read_bytes())
    (folder / "binder").mkdir()
    for path in BINDER.iterdir():
        (folder / "binder" / path.name).write_bytes(path.read_bytes())
    app = Repo2Docker()
    app.repo, app.dry_run, app.user_id, app.user_name = str(folder), True, 1000, "jovyan"
    app.log_level = logging.ERROR
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", lambda *words, **_: said.append(" ".join(map(str, words))))
        app.initialize()
        app.build()
    return "\n".join(said)


def packages(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def test_the_environment_of_the_folder_is_used_and_not_that_of_the_root(dockerfile: str) -> None:
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in dockerfile
    assert "src/environment.yml" not in dockerfile


def test_the_debian_packages_are_installed(dockerfile: str) -> None:
    found = re.search(r"apt-get install --yes --no-install-recommends ([^&]+) &&", dockerfile)
    assert found is not None
    assert found[1].split() == packages(BINDER / "apt.txt")


def test_post_build_and_start_are_run(dockerfile: str) -> None:
    assert "RUN ./binder/postBuild" in dockerfile
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile


def test_post_build_stops_at_the_first_error_and_installs_the_course() -> None:
    text = (BINDER / "postBuild").read_text()
    assert text.startswith("#!/usr/bin/env bash")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "set -euo pipefail"
    assert any(re.search(r'pip install .*"\.\[lab\]"', line) for line in lines)
    assert "-m kubenet_course.jupyter.install" in text


def test_start_hands_over_to_what_it_is_given() -> None:
    done = subprocess.run(["bash", BINDER / "start", "bash", "-c", 'echo "$KUBENET_BACKEND $0"; exit 3'], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("emulated bash\n", 3)


def test_conda_users_get_the_same_python_from_the_root() -> None:
    root, binder = (yaml.safe_load((folder / "environment.yml").read_text()) for folder in (ROOT, BINDER))
    python = [name for name in root["dependencies"] if str(name).startswith("python=")]
    assert python == [name for name in binder["dependencies"] if str(name).startswith("python=")]
    assert {"pip": ["-e .[lab]"]} in root["dependencies"]
    version = tuple(map(int, python[0].removeprefix("python=").split(".")))
    assert version >= (3, 11)


def test_what_the_environments_name_is_what_the_package_asks_for() -> None:
    import tomllib

    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["lab"]
    names = {re.split(r"[<>=]", str(name))[0].removesuffix("-base") for name in yaml.safe_load((BINDER / "environment.yml").read_text())["dependencies"]}
    assert {re.split(r"[<>=]", name)[0] for name in asked} <= names
