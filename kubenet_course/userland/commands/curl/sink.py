"""Where a body goes: standard output, or a file named by -o and -O (src/tool_cb_wrt.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.curl.failure import CurlError

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.options import Configuration, Output
    from kubenet_course.userland.commands.curl.url import Url
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.streams import Writer


class Sink:
    """Where the body goes; a file is made when the first byte (or the end) comes."""

    def __init__(self, proc: Process, config: Configuration, output: Output | None):
        self.proc, self.config, self.output = proc, config, output
        self.to_file = output is not None and output.path != "-"
        self.name = output.path or "" if output is not None and not output.remote else ""
        self.writer: Writer | None = None
        self.failed = False

    def choose_name(self, url: Url) -> None:
        if self.output is not None and self.output.remote:
            self.name = url.target.partition("?")[0].rpartition("/")[2]
            if not self.name:
                if not self.config.silent:
                    self.proc.error("curl: Remote file name has no length!")
                raise CurlError(23, "Failed writing received data to disk/application", quiet_meter=True)

    def write(self, data: bytes) -> None:
        if not self.to_file:
            self.proc.stdout.write(data)
            return
        if self.writer is None and not self.failed:
            try:
                if self.config.create_dirs and "/" in self.name:
                    self._make_directories(self.name.rpartition("/")[0])
                self.writer = self.proc.files.open_writer(self.name, self.proc, cwd=self.proc.cwd)
            except KernelError as failure:
                self.failed = True
                if not self.config.silent:
                    self.proc.error(f"Warning: Failed to open the file {self.name}: {failure.strerror}")
        if self.writer is None:
            raise CurlError(23, "Failure writing output to destination")
        self.writer.write(data)

    def _make_directories(self, path: str) -> None:
        whole = "/" if path.startswith("/") else ""
        for part in [part for part in path.split("/") if part]:
            whole += part
            if not self.proc.files.isdir(whole, self.proc, self.proc.cwd):
                self.proc.files.mkdir(whole, proc=self.proc, cwd=self.proc.cwd)
            whole += "/"

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None
