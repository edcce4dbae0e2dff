"""One machine's userland: its files, its processes and the programs it can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.sim.loop import Loop, TimeoutExpired
from kubenet_course.userland.files import FileTree, FileView
from kubenet_course.userland.process import Process, Program
from kubenet_course.userland.streams import BytesReader, Capture, Reader, Writer

if TYPE_CHECKING:
    from kubenet_course.kernel.host import Host
    from kubenet_course.kernel.netns import NetNamespace

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class System:
    """Files, processes and programs on top of one `kernel.host.Host`.

    `programs` maps a command's name to its `main`; a name becomes a file in /usr/bin or
    /usr/sbin of the tree (so `which` and globs see it) whose content the loader understands.
    `defects` holds (argv, exception) of every program that failed in Python; tests assert that
    it is empty.
    """

    def __init__(self, host: Host, programs: dict[str, Program]):
        self.host = host
        self.loop: Loop = host.loop
        self.programs = programs
        self.files = FileTree(self)
        self.processes: dict[int, Process] = {}
        self.defects: list[tuple[list[str], Exception]] = []
        self.limits: dict[str, int] = {}
        self._next_pid = host.first_pid
        self.files.populate()

    # -- processes --------------------------------------------------------------------------
    def new_pid(self) -> int:
        pid = self._next_pid
        self._next_pid += 1
        return pid

    def spawn(
        self,
        argv: list[str],
        *,
        program: Program | None = None,
        parent: Process | None = None,
        stdin: Reader | None = None,
        stdout: Writer | None = None,
        stderr: Writer | None = None,
        env: dict[str, str] | None = None,
        cwd: str | None = None,
        net: NetNamespace | None = None,
        files: FileView | None = None,
        user: str | None = None,
    ) -> Process:
        """Start a program; what is not given is inherited from `parent`.

        Without `program`, `argv[0]` is looked up as execvp(3) does (PATH, a path, a ``#!``
        script); raises KernelError(ENOENT or EACCES) where there is none.
        """
        base = parent
        env = dict(env if env is not None else (base.env if base else self.default_env()))
        files = files or (base.files if base else FileView(self.files))
        cwd = cwd or (base.cwd if base else "/root")
        if program is None:
            program, argv = self.files.load_program(argv, env, cwd, files)
        process = Process(
            self,
            self.new_pid(),
            argv,
            parent=base,
            env=env,
            cwd=cwd,
            net=net or (base.net if base else self.host.init_net),
            files=files,
            stdin=stdin or (base.stdin if base else Reader()),
            stdout=stdout or (base.stdout if base else Writer()),
            stderr=stderr or (base.stderr if base else Writer()),
            user=user or (base.user if base else "root"),
        )
        self.processes[process.pid] = process
        process.start(program)
        return process

    def reap(self, process: Process) -> None:
        self.processes.pop(process.pid, None)

    def default_env(self) -> dict[str, str]:
        return {
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "LOGNAME": "root",
            "PATH": DEFAULT_PATH,
            "PWD": "/root",
            "SHELL": "/bin/bash",
            "TERM": "dumb",
            "USER": "root",
        }

    # -- what the lab calls -----------------------------------------------------------------
    def run(
        self,
        argv: list[str],
        *,
        stdin: bytes = b"",
        limit: int | None = None,
        **changes: Any,
    ) -> tuple[bytes, bytes, int]:
        """Run a program to its end; (stdout, stderr, status), status 128+N after signal N.

        `limit` ns of virtual time are allowed; then it gets SIGINT, and a second later SIGKILL.
        Processes it left in the background go on whenever the clock does.
        """
        out, err = Capture(), Capture()
        process = self.spawn(
            argv, stdin=BytesReader(stdin), stdout=out, stderr=err, **changes
        )
        for signum, grace in ((None, limit), (2, 1_000_000_000), (9, None)):
            if signum is not None:
                for victim in self.foreground(process):
                    victim.kill(signum)
            try:
                status = self.loop.run_until(process.exited, grace)
                break
            except TimeoutExpired:
                continue
        self.loop.run_soon()
        return bytes(out.data), bytes(err.data), status if status >= 0 else 128 - status

    def foreground(self, process: Process) -> list[Process]:
        """The process and its descendants, deepest first: whom Ctrl-C reaches."""
        found = [process]
        for candidate in list(self.processes.values()):
            if candidate.parent in found and candidate not in found:
                found.append(candidate)
        return found[::-1]
