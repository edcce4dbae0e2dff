"""What runs as process 1 of every real machine: it executes what the lab asks for.

One thread, one selector: commands run side by side, each as a session leader of its own, so that
an interrupt reaches all of a command and nothing else. It reaps every orphan, as init does, and
ends (and with it the machine's processes) when its connection does. Requests and answers are
messages of `channel.py`: {"id", "op", …} → {"id", …} or {"id", "error"}.

    run      argv, stdin, env, cwd, timeout, session  → stdout, stderr, rc
    interrupt  request (the id of a run)              → {}
    spawn    argv, stdin, env, cwd                    → pid
    poll     pid                                      → stdout, stderr (since last time), rc or null
    kill     pid, signal                              → {}
    read     path → data        write  path, data, mode, append → {}        stat  path → kind
    settled  → waiting: devices that are not up yet

A `session` is a bash that lives on: variables, functions, directory and background jobs of one
statement are there for the next. Statement and status go over two extra descriptors.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

from kubenet_course.lab.backends.real import linux
from kubenet_course.lab.backends.real.channel import Channel, Message, to_bytes, to_text

#: What a session's bash is told on its standard input. `$?` of the last statement is kept for the next.
SESSION = (
    "__last() { return $1; }; __status=0; "
    'while IFS= read -r -d "" -u 200 __; do __last $__status; eval "$__" </dev/null 200<&- 201>&-; '
    '__status=$?; printf "%d " $__status >&201; done; exit 0\n'
)
_EVAL = re.compile(rb"^bash: eval: line ", re.M)
OWN_FOLDERS = ("/etc", "/root", "/home", "/tmp", "/opt", "/srv", "/var/lib", "/var/tmp")
ENGINE_FOLDERS = ("/var/lib/docker",)  # as limits.py has them
KILL_AFTER = 1.0  # seconds between an interrupt and the kill that follows


class Job:
    """A started program, its collected output, and whom to tell when it is over."""

    def __init__(self, pid: int):
        self.pid = pid
        self.outputs: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.descriptors: dict[int, str] = {}
        self.status: int | None = None
        self.on_exit: Callable[[], None] | None = None
        self.deadline: float | None = None
        self.rounds = 0
        self.request: int | None = None  # the id of the run that it serves

    def take(self) -> dict[str, str]:
        """The output since last time, as message fields."""
        taken = {name: to_text(bytes(data)) for name, data in self.outputs.items()}
        for data in self.outputs.values():
            data.clear()
        return taken


class ShellSession:
    """A bash that runs one statement after the other."""

    def __init__(self, job: Job, statements: int, statuses: int):
        self.job = job
        self.statements = statements
        self.statuses = statuses
        self.request: Message | None = None

    def close(self) -> None:
        os.close(self.statements)
        os.close(self.statuses)


class Agent:
    """The loop of one machine."""

    def __init__(self, channel: Channel, default_env: dict[str, str]):
        self.channel = channel
        self.default_env = default_env
        self.jobs: dict[int, Job] = {}
        self.sessions: dict[str, ShellSession] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(channel.reading, selectors.EVENT_READ, self._requests)
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Handlers, unlike SIG_IGN, end at exec: programs can be interrupted however the lab was started.
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.selector.register(wake_read, selectors.EVENT_READ, self._reap)

    def serve(self) -> None:
        """Answer until the lab goes away."""
        while not self.channel.closed:
            for key, _ in self.selector.select(self._patience()):
                if self.selector.get_map().get(key.fd) is key:  # not closed by an event before it
                    key.data(key.fd)
            self._enforce_deadlines()

    # -- requests ---------------------------------------------------------------------------
    def _requests(self, _: int) -> None:
        for message in self.channel.feed():
            try:
                answer = getattr(self, "op_" + message["op"])(message)
            except (OSError, ValueError, KeyError) as error:
                text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                answer = {"error": text, "errno": getattr(error, "errno", None), "kind": type(error).__name__}
            if answer is not None:
                self._answer(message, answer)

    def _answer(self, request: Message, fields: Message) -> None:
        self.channel.send({"id": request["id"], **fields})

    def op_run(self, request: Message) -> Message | None:
        if request.get("session"):
            return self._run_in_session(request)
        job = self._start(request)
        self._limit(job, request)

        def finished() -> None:
            del self.jobs[job.pid]
            linux.sync_carriers()
            self._answer(request, {**job.take(), "rc": job.status})

        job.on_exit = finished
        return None

    def op_interrupt(self, request: Message) -> Message:
        """As if the time of that run had run out."""
        for job in self.jobs.values():
            if job.request == request["request"]:
                job.deadline, job.rounds = time.monotonic(), 0
        return {}

    def op_spawn(self, request: Message) -> Message:
        return {"pid": self._start(request).pid}

    def op_poll(self, request: Message) -> Message:
        job = self.jobs[request["pid"]]
        self._drain(job)
        return {**job.take(), "rc": job.status}

    def op_kill(self, request: Message) -> Message:
        job = self.jobs[request["pid"]]
        if job.status is None:
            os.killpg(job.pid, request["signal"])
        return {}

    def op_read(self, request: Message) -> Message:
        with open(request["path"], "rb") as handle:
            return {"data": to_text(handle.read())}

    def op_write(self, request: Message) -> Message:
        path, data = request["path"], to_bytes(request["data"])
        os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
        if os.path.islink(path) and not request.get("append") and not path.startswith("/proc"):
            os.unlink(path)  # a link into the computer's read-only files: see mounts.py
        with open(path, "ab" if request.get("append") else "wb") as handle:
            handle.write(data)
        if request.get("mode") is not None:
            os.chmod(path, request["mode"])
        return {}

    def op_stat(self, request: Message) -> Message:
        path = request["path"]
        if not os.path.lexists(path):
            return {"kind": None}
        return {"kind": "dir" if os.path.isdir(path) else "file"}

    def op_files(self, request: Message) -> Message:
        """Regular files in the machine's own folders, with a digest of their content."""
        found = {}
        for root in OWN_FOLDERS:
            for folder, below, names in os.walk(root):
                below[:] = [name for name in below if f"{folder}/{name}" not in ENGINE_FOLDERS]
                for name in names:
                    path = f"{folder}/{name}"
                    if os.path.isfile(path) and not os.path.islink(path):
                        with open(path, "rb") as handle:
                            found[path] = hashlib.sha256(handle.read()).hexdigest()[:16]
        return {"files": found}

    def op_number_namespaces(self, request: Message) -> Message:
        linux.number_namespaces()
        return {}

    def op_settled(self, request: Message) -> Message:
        """Devices of `names` (of all, if None) whose operational state is not (yet) up."""
        waiting = []
        linux.sync_carriers()
        for name in request["names"] or [name for _, name in socket.if_nameindex()]:
            with open(f"/sys/class/net/{name}/operstate") as handle:
                if handle.read().strip() not in ("up", "unknown"):
                    waiting.append(name)
        return {"waiting": waiting}

    # -- programs ---------------------------------------------------------------------------
    def _start(self, request: Message, extra: tuple[int, ...] = (), executable: str | None = None) -> Job:
        env = request.get("env")
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        stdin = self._stdin(request.get("stdin") or "")
        try:
            process: Any = subprocess.Popen(
                request["argv"],
                executable=executable,
                stdin=stdin,
                stdout=out_write,
                stderr=err_write,
                env={**self.default_env, **(env or {})},
                cwd=request.get("cwd") or self.default_env["HOME"],
                start_new_session=True,
                pass_fds=extra,
            )
        except BaseException:
            os.close(out_read)
            os.close(err_read)
            raise
        finally:
            for descriptor in (stdin, out_write, err_write):
                os.close(descriptor)
        process.returncode = 0  # reaped here, in _reap, never by the subprocess module
        job = Job(process.pid)
        self.jobs[job.pid] = job
        for descriptor, name in ((out_read, "stdout"), (err_read, "stderr")):
            os.set_blocking(descriptor, False)
            job.descriptors[descriptor] = name
            self.selector.register(
                descriptor, selectors.EVENT_READ, lambda fd, job=job: self._output(job, fd)
            )
        return job

    @staticmethod
    def _stdin(text: str) -> int:
        """A descriptor to read `text` from: a file in memory, so that any size fits."""
        if not text:
            return os.open("/dev/null", os.O_RDONLY)
        descriptor = os.memfd_create("stdin")
        os.write(descriptor, to_bytes(text))
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def _output(self, job: Job, descriptor: int) -> bool:
        """Read once; False when there is nothing more for now."""
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return False
        if data:
            # Output that comes after a `run` was answered belongs to nobody: read, so that the
            # background program does not stop, and dropped.
            if self.jobs.get(job.pid) is job:
                job.outputs[job.descriptors[descriptor]] += data
            return True
        self.selector.unregister(descriptor)
        os.close(descriptor)
        del job.descriptors[descriptor]
        return False

    def _drain(self, job: Job) -> None:
        for descriptor in list(job.descriptors):
            while self._output(job, descriptor):
                pass

    def _reap(self, wake: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            job = self.jobs.get(pid)
            if job is not None:
                code = os.waitstatus_to_exitcode(status)
                self._drain(job)
                job.status = code if code >= 0 else 128 - code
                if job.on_exit is not None:
                    job.on_exit()

    # -- time limits ------------------------------------------------------------------------
    def _limit(self, job: Job, request: Message) -> None:
        timeout = request.get("timeout")
        job.deadline = None if timeout is None else time.monotonic() + timeout
        job.rounds = 0
        job.request = request["id"]

    def _patience(self) -> float | None:
        deadlines = [job.deadline for job in self.jobs.values() if job.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _enforce_deadlines(self) -> None:
        """Interrupt, a second later kill; a session's own bash is spared until a third round."""
        now = time.monotonic()
        sessions = {session.job.pid for session in self.sessions.values()}
        for job in list(self.jobs.values()):
            if job.deadline is None or job.deadline > now or job.status is not None:
                continue
            spared = job.pid in sessions and job.rounds < 2
            for pid in self._descendants(job.pid) + ([] if spared else [job.pid]):
                try:
                    os.kill(pid, signal.SIGKILL if job.rounds else signal.SIGINT)
                except ProcessLookupError:
                    continue
            job.rounds += 1
            job.deadline = now + KILL_AFTER

    @staticmethod
    def _descendants(root: int) -> list[int]:
        """Processes below `root`, deepest first."""
        children: dict[int, list[int]] = {}
        for pid, parent in _processes():
            children.setdefault(parent, []).append(pid)
        found = [root]
        for pid in found:
            found += children.get(pid, ())
        return found[:0:-1]

    # -- sessions ---------------------------------------------------------------------------
    def _run_in_session(self, request: Message) -> Message | None:
        name = request["session"]
        session = self.sessions.get(name) or self._open_session(name, request)
        if session.request is not None:
            return {"error": f"session {name} is busy", "kind": "BlockingIOError"}
        session.request = request
        self._limit(session.job, request)
        data = memoryview(to_bytes(request["script"]) + b"\0")
        while data:
            data = data[os.write(session.statements, data) :]
        return None

    def _open_session(self, name: str, request: Message) -> ShellSession:
        read_statements, statements = os.pipe()
        statuses, write_statuses = os.pipe()
        os.dup2(read_statements, 200)
        os.dup2(write_statuses, 201)
        start = {"argv": ["bash"], "stdin": SESSION, "env": request.get("env"), "cwd": request.get("cwd")}
        job = self._start(start, extra=(200, 201))
        for descriptor in (200, 201, read_statements, write_statuses):
            os.close(descriptor)
        session = ShellSession(job, statements, statuses)
        self.sessions[name] = session
        self.selector.register(statuses, selectors.EVENT_READ, lambda _: self._statement_done(session))
        job.on_exit = lambda: self._session_ended(name, session)
        return session

    def _statement_done(self, session: ShellSession) -> None:
        status = os.read(session.statuses, 64).split()
        if not status:
            self.selector.unregister(session.statuses)
            return
        self._drain(session.job)
        self._finish_statement(session, int(status[-1]))

    def _finish_statement(self, session: ShellSession, status: int) -> None:
        request, session.request = session.request, None
        session.job.deadline = None
        if request is not None:
            linux.sync_carriers()
            # bash names the place of a syntax error after the command it read it by; in this
            # machine's sessions that is `eval`, for `bash -c` (and the reader) it is `-c`.
            errors = session.job.outputs["stderr"]
            errors[:] = _EVAL.sub(b"bash: -c: line ", bytes(errors))
            self._answer(request, {**session.job.take(), "rc": status})

    def _session_ended(self, name: str, session: ShellSession) -> None:
        """`exit`, or killed: the next statement of this name opens a new one."""
        if self.sessions.get(name) is session:
            del self.sessions[name]
        if session.statuses in self.selector.get_map():
            self.selector.unregister(session.statuses)
        session.close()
        self._finish_statement(session, session.job.status or 0)
        del self.jobs[session.job.pid]


def _processes() -> Iterator[tuple[int, int]]:
    """(process, its parent) of this process namespace, in its own numbers.

    Where /proc is not ours but the computer's (a container that allows no new one), a process is ours
    if it is in our process namespace, and NSpid ends with the number it has here.
    """
    own = os.readlink("/proc/self/ns/pid")
    inner: dict[int, int] = {}
    parents: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/ns/pid") != own:
                continue
            with open(f"/proc/{name}/status") as handle:
                fields = dict(line.rstrip("\n").split(":\t", 1) for line in handle if ":\t" in line)
        except OSError:
            continue  # it has just ended
        inner[int(name)] = int(fields["NSpid"].split()[-1])
        parents[int(name)] = int(fields["PPid"])
    for outer, pid in inner.items():
        yield pid, inner.get(parents[outer], 0)
