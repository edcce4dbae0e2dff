"""A pytest plugin: the kernels of notebooks under test talk over files, not over TCP ports.

    pytest -p tests.support.ipc_kernels --nbval notebooks

Jupyter looks for free ports before the kernel starts; of several notebooks that begin in the same moment, two may
find the same port, and one of the kernels never answers. A file's name is a kernel's own.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from typing import Any

import pytest
from jupyter_client.manager import AsyncKernelManager, KernelManager


def _over_files(options: dict[str, Any]) -> dict[str, Any]:
    """The "address" of a kernel that talks over files is how their names begin (`ip`-1, `ip`-2, …)."""
    begin = os.path.join(tempfile.gettempdir(), f"kubenet-kernel-{uuid.uuid4().hex[:12]}")
    return {"transport": "ipc", "ip": begin, **options}


class IpcKernelManager(KernelManager):
    def __init__(self, **options: Any):
        super().__init__(**_over_files(options))


class AsyncIpcKernelManager(AsyncKernelManager):
    def __init__(self, **options: Any):
        super().__init__(**_over_files(options))


def pytest_configure(config: pytest.Config) -> None:
    from nbval import kernel

    kernel.KernelManager = IpcKernelManager
