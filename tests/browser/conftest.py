"""A JupyterLab of our own on a free port, with folders of its own, and a headless Chromium.

Nothing of the user's is read or written: HOME, JUPYTER_* and IPYTHONDIR are in a temporary folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
#: Milliseconds that anything may take on a busy computer; only what fails waits so long.
LIMIT = 180_000


@dataclass
class JupyterLab:
    """`folder` is what it serves; `url(path)` opens a file in it."""

    port: int
    folder: Path
    home: Path

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/lab/tree/{path}?reset"


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    pytest.importorskip("jupyterlab")
    home = tmp_path_factory.mktemp("jupyter-home")
    folder = tmp_path_factory.mktemp("notebooks")
    env = {
        **os.environ, "HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "JUPYTERLAB_SETTINGS_DIR":
        str(home / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    install = [sys.executable, "-m", "kubenet_course.jupyter.install", "--user"]
    subprocess.run(install, env=env, check=True, capture_output=True)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", "--ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=", "--ServerApp.password=", "--allow-root",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=",
    ]  # fmt: skip
    news = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}\n', encoding="utf-8")
    log = open(home / "server.log", "wb")  # noqa: SIM115 - closed below
    server = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        port = _wait(server, home / "runtime", home / "server.log")
        yield JupyterLab(port, folder, home)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        log.close()


def _wait(server: subprocess.Popen[bytes], runtime: Path, log: Path) -> int:
    """The port that the server chose, as soon as it answers there."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            port = int(json.loads(next(runtime.glob("jpserver-*.json")).read_text())["port"])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=30):
                return port
        except (StopIteration, json.JSONDecodeError, urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A page; what the browser asks of anybody but our server is noted in `page.strangers`."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with playwright.sync_playwright() as running:
        context = running.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=chromium,
            args=ARGS,
            viewport={"width": 1280, "height": 1100},
        )
        page = context.pages[0] if context.pages else context.new_page()
        page.set_default_timeout(LIMIT)
        page.strangers = []
        page.failures = []
        page.on("request", lambda r: page.strangers.append(r.url) if _strange(r.url) else None)
        page.on("pageerror", lambda error: page.failures.append(str(error)))
        yield page
        context.close()


def _strange(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:", "chrome"))
