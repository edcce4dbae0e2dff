"""nginx: start the web server in the background, test its configuration, send it signals."""

from __future__ import annotations

import time
from collections.abc import Callable
from signal import Signals

from kubenet_course.errors import KernelError
from kubenet_course.userland.daemons.nginx.config import (
    ConfigError,
    Configuration,
    Loader,
    NotEmulated,
    load_certificates,
)
from kubenet_course.userland.daemons.nginx.server import BindError, Nginx
from kubenet_course.userland.daemons.web import wall_seconds
from kubenet_course.userland.process import Process, Program
from kubenet_course.userland.sockets import close_socket

VERSION = "nginx version: nginx/1.22.1"
HELP = f"""{VERSION}
Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: /usr/share/nginx/)
  -e filename   : set error log file (default: stderr)
  -c filename   : set configuration file (default: /etc/nginx/nginx.conf)
  -g directives : set global directives out of configuration file
"""


async def main(proc: Process, argv: list[str]) -> int:
    options = _options(proc, argv[1:])
    if options is None:
        return 1
    if "h" in options:
        proc.error(HELP)
        return 0
    if "v" in options:
        proc.error(VERSION)
        return 0
    if "p" in options or "T" in options:
        proc.error(f"kubenet: nginx: option -{'p' if 'p' in options else 'T'} is not emulated")
        return 1
    path = options.get("c", "/etc/nginx/nginx.conf")
    if not path.startswith("/"):
        path = "/usr/share/nginx/" + path
    try:
        config = load(proc, path, options.get("g", ""))
    except NotEmulated as problem:
        proc.error(f"kubenet: nginx: {problem}")
        return 1
    except ConfigError as problem:
        _log(proc, "emerg", str(problem))
        if "t" in options:
            proc.error(f"nginx: configuration file {path} test failed")
        return 1
    if "t" in options:
        if "q" not in options:
            proc.error(f"nginx: the configuration file {path} syntax is ok")
            proc.error(f"nginx: configuration file {path} test is successful")
        return 0
    if "s" in options:
        return _signal(proc, config, options["s"])
    return await _start(proc, config, path, options.get("g", ""))


def _options(proc: Process, words: list[str]) -> dict[str, str] | None:
    """nginx' own option reading; None after a complaint."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or len(word) < 2:
            proc.error(f'nginx: invalid option: "{word}"')
            return None
        at = 1
        while at < len(word):
            letter = word[at]
            at += 1
            if letter in "?h":
                found["h"] = ""
            elif letter in "vV":
                found["v"] = ""
            elif letter in "tTq":
                found[letter] = ""
            elif letter in "spceg":
                value = word[at:] or (rest.pop(0) if rest else "")
                at = len(word)
                if not value:
                    need = {
                        "c": "file name",
                        "g": "parameter",
                        "s": "parameter",
                        "p": "directory name",
                        "e": "file name",
                    }[letter]
                    proc.error(f'nginx: option "-{letter}" requires {need}')
                    return None
                if letter == "s" and value not in ("stop", "quit", "reopen", "reload"):
                    proc.error(f'nginx: invalid option: "-s {value}"')
                    return None
                found[letter] = value
            else:
                proc.error(f'nginx: invalid option: "{letter}"')
                return None
    return found


def load(proc: Process, path: str, extra: str = "") -> Configuration:
    """The configuration in a process's files; ConfigError."""
    loader = Loader(
        lambda name: (
            proc.files.read(name, proc).decode("utf-8", "surrogateescape")
            if name != "command line"
            else extra
        ),
        lambda pattern: proc.files.glob(pattern, proc.cwd),
    )
    directives = loader.file("command line") if extra else []
    configuration = Configuration([*directives, *loader.file(path)])
    load_certificates(configuration, lambda name: proc.files.read_text(name, proc))
    return configuration


def _log(proc: Process, level: str, text: str) -> None:
    for line in text.split("\n"):
        proc.error(f"nginx: [{level}] {line}")


def _signal(proc: Process, config: Configuration, name: str) -> int:
    """-s: the master's process number is in the pid file."""
    when = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(wall_seconds(proc)))
    prefix = f"{when} [notice] {proc.vpid}#{proc.vpid}: signal process started\n"
    try:
        text = proc.files.read_text(config.pid, proc).strip()
    except KernelError as failure:
        proc.stderr.write(
            f'nginx: [error] open() "{config.pid}" failed ({failure.errno}: {failure.strerror})\n'.encode("utf-8", "surrogateescape")
        )
        return 1
    target = proc.pidns.members.get(int(text)) if text.isdigit() else None
    if target is None:
        problem = f'invalid PID number "{text}" in "{config.pid}"'
        if text.isdigit():
            problem = f"kill({text}, 15) failed (3: No such process)"
        proc.error(f"{prefix}{when} [error] {proc.vpid}#{proc.vpid}: {problem}")
        return 1
    proc.stderr.write(prefix.encode())
    target.kill({"stop": 15, "quit": 3, "reopen": 10, "reload": 1}[name])
    return 0


async def _start(proc: Process, config: Configuration, path: str, extra: str) -> int:
    """Bind here, so that a mistake is seen; then go on in the background (unless `daemon off`)."""
    server = Nginx(proc, config)
    try:
        server.bind()
    except BindError as problem:
        for _ in range(5):
            _log(proc, "emerg", str(problem))
            await proc.sleep(0.5)
        _log(proc, "emerg", "still could not bind()")
        return 1
    for sock, _, _ in server.listeners:
        close_socket(proc, sock)

    async def master(own: Process, _: list[str]) -> int:
        return await _master(own, path, extra)

    if not config.daemon:
        proc.argv = [f"nginx: master process {' '.join(proc.argv)}"]
        return await _master(proc, path, extra)
    from kubenet_course.userland.streams import Reader, Writer

    proc.system.spawn(
        ["nginx: master process nginx"], program=master, parent=proc.system.init, net=proc.net, files=proc.files, env=proc.env, cwd="/",
        stdin=Reader(), stdout=Writer(), stderr=Writer(),
    )  # fmt: skip
    await proc.sleep(0)
    return 0


def _worker(server: Nginx) -> Program:
    async def run(own: Process, _: list[str]) -> int:
        server.proc = own
        await server.serve()
        return 0

    return run


def _notice(proc: Process, config: Configuration, pid: int, *texts: str) -> None:
    """Words for error_log at the level `notice`."""
    if not config.notices:
        return
    when = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(wall_seconds(proc)))
    lines = "".join(f"{when} [notice] {pid}#{pid}: {text}\n" for text in texts)
    if config.error_log in ("stderr", "/dev/stderr"):
        proc.error(lines, end="")
        return
    try:
        proc.files.write(config.error_log, lines.encode(), proc, append=True)
    except KernelError:
        return  # as nginx does when its log is gone


async def _master(proc: Process, path: str, extra: str) -> int:
    """The daemon: serves until stopped; SIGHUP reads the configuration again."""
    config = load(proc, path, extra)
    proc.title = "nginx"
    again = proc.loop.future()

    def on(signum: int, word: str) -> Callable[[], None]:
        return lambda: None if again.done() else again.set_result((signum, word))

    proc.handlers.update({1: on(1, "reload"), 10: lambda: None, **{signum: on(signum, "stop") for signum in (2, 3, 15)}})
    proc.ignored -= {1, 2, 3, 10, 15}
    proc.files.write(config.pid, f"{proc.pid}\n".encode("utf-8", "surrogateescape"), proc)
    first = True
    while True:
        server = Nginx(proc, config)
        server.bind()
        worker = proc.spawn(["nginx: worker process"], program=_worker(server))
        worker.title = "nginx"
        if first:
            first = False
            _notice(
                proc, config, proc.vpid, 'using the "epoll" event method', "nginx/1.22.1", f"OS: Linux {proc.system.host.release}",
                "getrlimit(RLIMIT_NOFILE): 1024:524288", "start worker processes", f"start worker process {worker.vpid}",
            )  # fmt: skip
        for sock, _, _ in server.listeners:
            sock.owner, sock.sharers = worker, [(proc, sock.fd)]  # type: ignore[attr-defined]
        signum, word = await again
        worker.kill(15)
        if word == "stop":
            how = "shutting down" if signum == 3 else "exiting"
            _notice(proc, config, proc.vpid, f"signal {signum} ({Signals(signum).name}) received, {how}")
            _notice(proc, config, worker.vpid, *(["gracefully shutting down"] if signum == 3 else []), "exiting", "exit")
            _notice(
                proc, config, proc.vpid, f"signal 17 (SIGCHLD) received from {worker.vpid}",
                f"worker process {worker.vpid} exited with code 0", "exit",
            )  # fmt: skip
        for sock, _, _ in server.listeners:
            close_socket(proc, sock)
        if word == "stop":
            break
        again = proc.loop.future()
        try:
            config = load(proc, path, extra)
        except ConfigError:
            continue  # the old configuration stays, as nginx keeps it
    try:
        proc.files.remove(config.pid, proc)
    except KernelError:
        return 0
    return 0
