"""One machine's userland: its files, its processes and the programs it can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errno import EAGAIN, ENOMEM
from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import Loop, TimeoutExpired
from kubenet_course.userland.files import FileTree, FileView
from kubenet_course.userland.pids import FIRST_INODE, PidNamespace
from kubenet_course.userland.process import Process, Program
from kubenet_course.userland.streams import BytesReader, Capture, Reader, Writer

if TYPE_CHECKING:
    from kubenet_course.kernel.host import Host
    from kubenet_course.kernel.netns import NetNamespace

MAX_PROCESSES = 4096
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
        self._last_pidns = FIRST_INODE + 1000
        self.pids = PidNamespace(first=host.first_pid)
        #: Every process by its number in the first PID namespace.
        self.processes: dict[int, Process] = self.pids.members
        self.defects: list[tuple[list[str], Exception]] = []
        self.limits: dict[str, int] = {}
        self._managed_netns: set[NetNamespace] = set()
        self.files.populate()
        self.init = Process(
            self,
            1,
            ["/sbin/init"],
            pidns=self.pids,
            parent=None,
            env=self.default_env(),
            cwd="/",
            net=host.init_net,
            files=self.files.view,
            stdin=Reader(),
            stdout=Writer(),
            stderr=Writer(),
        )
        self.processes[1] = self.pids.init = self.init
        self.init.numbers[self.pids] = 1

    # -- processes --------------------------------------------------------------------------
    def new_pidns(self, parent: PidNamespace) -> PidNamespace:
        """unshare(CLONE_NEWPID): a namespace below `parent`, as yet empty."""
        self._last_pidns += 1
        return PidNamespace(parent, inode=self._last_pidns)

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

        A stream that is given belongs to the new process, which closes its end of it when it
        ends; an inherited one is shared (`add_reader`, `add_writer`). Without `program`,
        `argv[0]` is looked up as execvp(3) does (PATH, a path, a ``#!``
        script); raises KernelError(ENOENT or EACCES) where there is none.
        """
        base = parent
        if len(self.processes) >= MAX_PROCESSES:
            raise KernelError(EAGAIN)
        pidns = base.pidns_for_children if base else self.pids
        if pidns.ended:
            raise KernelError(ENOMEM)
        env = dict(env if env is not None else (base.env if base else self.default_env()))
        files = files or (base.files if base else self.files.view)
        cwd = cwd or (base.cwd if base else "/root")
        given = argv
        if program is None:
            program, argv = self.files.load_program(argv, env, cwd, files)
        process = Process(
            self,
            self.pids.next,
            argv,
            pidns=pidns,
            parent=base,
            env=env,
            cwd=cwd,
            net=net or (base.net if base else self.host.init_net),
            files=files,
            stdin=stdin or (base.stdin.add_reader() if base else Reader()),
            stdout=stdout or (base.stdout.add_writer() if base else Writer()),
            stderr=stderr or (base.stderr.add_writer() if base else Writer()),
            user=user or (base.user if base else "root"),
        )
        process.script = argv is not given
        process.numbers = {space: space.take(process) for space in pidns.ancestry}
        process.start(program)
        return process

    def reap(self, process: Process) -> None:
        process.pidns.leave(process)
        if process.net is not self.host.init_net:
            self.release_netns(process.net)

    # -- network namespaces -----------------------------------------------------------------
    def new_netns(self) -> NetNamespace:
        """unshare(CLONE_NEWNET): a namespace that lives as long as a process or a mount uses it."""
        net = self.host.new_netns()
        self._managed_netns.add(net)
        return net

    def release_netns(self, net: NetNamespace) -> None:
        """Destroy `net` if `new_netns` made it and nothing uses it any more."""
        if net not in self._managed_netns or self.files.netns_mounted(net):
            return
        if any(process.net is net for process in self.processes.values()):
            return
        self._managed_netns.discard(net)
        net.destroy()

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
        process = self.spawn(argv, stdin=BytesReader(stdin), stdout=out, stderr=err, **changes)
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
