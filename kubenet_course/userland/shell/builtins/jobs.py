"""wait, jobs, fg, bg, disown, kill."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from kubenet_course.userland.process import Process
from kubenet_course.userland.shell.state import Job
from kubenet_course.userland.signals import SIGNALS, listing, signal_number

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell


def find_job(shell: Shell, text: str) -> Job | None:
    """The job of ``%1``, ``%%``, ``%+``, ``%-``, ``%name``."""
    jobs = shell.state.jobs
    body = text[1:]
    if body in ("", "%", "+"):
        return jobs[-1] if jobs else None
    if body == "-":
        return jobs[-2] if len(jobs) > 1 else (jobs[-1] if jobs else None)
    if body.isdecimal():
        return next((job for job in jobs if job.number == int(body)), None)
    if body.startswith("?"):
        return next((job for job in jobs if body[1:] in job.command), None)
    return next((job for job in jobs if job.command.startswith(body)), None)


async def _wait_one(shell: Shell, process: Process) -> int:
    """Wait for a child; a trapped signal ends the wait with 128+N."""
    from kubenet_course.userland.shell.interpreter import _Wake
    from kubenet_course.userland.shell.status import exit_status

    shell.interruptible = True
    try:
        code = await process.exited
    except _Wake:
        name = shell.pending_traps[0] if shell.pending_traps else "INT"
        return 128 + SIGNALS.get(name, 2)
    finally:
        shell.interruptible = False
    job = next((job for job in shell.state.jobs if job.process is process), None)
    if job is not None and not job.told:
        job.told = True
        shell.report_death(process, code, job.command, foreground=False)
    return exit_status(code)


async def wait(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    any_one = False
    while words and words[0] in ("-n", "-f", "--"):
        any_one = words.pop(0) == "-n" or any_one
    if words and words[0].startswith("-") and not words[0][1:].isdecimal():
        shell.complain(f"wait: {words[0][:2]}: invalid option")
        shell.proc.error("wait: usage: wait [-fn] [-p var] [id ...]")
        return 2
    if any_one:
        return await _wait_any(shell)
    if not words:
        for job in list(shell.state.jobs):
            status = await _wait_one(shell, job.process)
            if shell.pending_traps:
                return status
        shell.state.jobs.clear()
        return 0
    status = 0
    for word in words:
        if word.startswith("%"):
            found = find_job(shell, word)
            if found is None:
                shell.complain(f"wait: {word}: no such job")
                status = 127
                continue
            process: Process | None = found.process
        elif word.isdecimal():
            process = shell.state.known_pids.get(int(word))
            if process is None:
                shell.complain(f"wait: pid {word} is not a child of this shell")
                status = 127
                continue
        else:
            shell.complain(f"wait: `{word}': not a pid or valid job spec")
            status = 1
            continue
        assert process is not None
        status = await _wait_one(shell, process)
        if not shell.pending_traps:
            shell.state.jobs[:] = [job for job in shell.state.jobs if job.process is not process]
    return status


async def _wait_any(shell: Shell) -> int:
    jobs = shell.state.jobs
    if not jobs:
        return 127
    gate = shell.proc.loop.future()
    for job in jobs:
        job.process.exited.add_done_callback(lambda _: gate.set_result(None))
    await gate
    job = next(job for job in jobs if job.process.returncode is not None)
    jobs.remove(job)
    return await _wait_one(shell, job.process)


def _state(job: Job) -> str:
    code = job.process.returncode
    if code is None:
        return "Running"
    if code < 0:
        from kubenet_course.userland.shell.status import DEATHS

        return DEATHS.get(-code, f"Signal {-code}")
    return "Done" if code == 0 else f"Exit {code}"


async def jobs(shell: Shell, argv: list[str]) -> int:
    options = "".join(word[1:] for word in argv[1:] if word.startswith("-"))
    table = shell.state.jobs or [job for job in shell.state.outer_jobs if job.process.returncode is None]
    last = table[-1] if table else None
    before = table[-2] if len(table) > 1 else None
    chosen = table
    words = [word for word in argv[1:] if not word.startswith("-")]
    if words:
        chosen = []
        for word in words:
            job = find_job(shell, word if word.startswith("%") else f"%{word}")
            if job is None:
                shell.complain(f"jobs: {word}: no such job")
                return 1
            chosen.append(job)
    for job in list(chosen):
        mark = "+" if job is last else "-" if job is before else " "
        running = job.process.returncode is None
        if ("r" in options and not running) or "s" in options:
            continue
        if "p" in options:
            shell.proc.print(job.process.vpid)
            continue
        pid = f"{job.process.vpid} " if "l" in options else ""
        tail = " &" if running else ""
        shell.proc.print(f"[{job.number}]{mark}  {pid}{_state(job):<23} {job.command}{tail}")
    shell.state.jobs[:] = [job for job in shell.state.jobs if job.process.returncode is None]
    return 0


async def fg(shell: Shell, argv: list[str]) -> int:
    if "m" not in shell.state.options:
        shell.complain(f"{argv[0]}: no job control")
        return 1
    text = argv[1] if len(argv) > 1 else "%%"
    job = find_job(shell, text if text.startswith("%") else f"%{text}")
    if job is None:
        shell.complain(f"{argv[0]}: {argv[1] if len(argv) > 1 else 'current'}: no such job")
        return 1
    if argv[0] == "bg":
        shell.complain(f"bg: job {job.number} already in background")
        return 0
    shell.proc.print(job.command)
    shell.state.jobs.remove(job)
    return await shell.wait_for(job.process, job.command)


async def disown(shell: Shell, argv: list[str]) -> int:
    words = [word for word in argv[1:] if not word.startswith("-")]
    if not words:
        if "-a" in argv or not shell.state.jobs:
            shell.state.jobs.clear()
        else:
            shell.state.jobs.pop()
        return 0
    for word in words:
        job = find_job(shell, word) if word.startswith("%") else None
        if job is None:
            shell.complain(f"disown: {word}: no such job")
            return 1
        shell.state.jobs.remove(job)
    return 0


_USAGE = "kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]"


async def kill(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    number: int | None = int(signal.SIGTERM)
    if words and words[0] in ("-l", "-L"):
        return _list(shell, words[1:])
    if words and words[0] in ("-s", "-n"):
        if len(words) < 2:
            shell.complain(f"kill: {words[0]}: option requires an argument")
            return 1
        text, words = words[1], words[2:]
        number = signal_number(text)
        if number is None:
            shell.complain(f"kill: {text}: invalid signal specification")
            return 1
    elif words and re.match(r"-.", words[0]) and words[0] != "--":
        text, words = words[0][1:], words[1:]
        number = signal_number(text)
        if number is None:
            shell.complain(f"kill: {text}: invalid signal specification")
            return 1
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        shell.proc.error(_USAGE)
        return 2
    assert number is not None
    good = 0
    for word in words:
        good += _send(shell, word, number)
    await shell.proc.loop.sleep(0)
    return int(good == 0)


def _send(shell: Shell, word: str, number: int) -> bool:
    if word.startswith("%"):
        job = find_job(shell, word)
        if job is None:
            shell.complain(f"kill: {word}: no such job")
            return False
        target: Process | None = job.process
        if job.process.returncode is not None:
            shell.complain(f"kill: ({job.process.vpid}) - No such process")
            return False
        for victim in shell.proc.system.foreground(job.process):
            victim.kill(number)
        return True
    if not re.fullmatch(r"-?\d+", word):
        shell.complain(f"kill: {word}: arguments must be process or job IDs")
        return False
    target = shell.proc.pidns.members.get(abs(int(word)))
    if word == "0":
        target = shell.proc
    if target is None:
        shell.complain(f"kill: ({word}) - No such process")
        return False
    if target.pid != 1:
        target.kill(number, shell.proc)
    return True


def _list(shell: Shell, words: list[str]) -> int:
    if not words:
        shell.proc.print(listing(), end="")
        return 0
    status = 0
    for word in words:
        if word.isdecimal():
            number = int(word)
            number = number - 128 if number > 128 else number
            name = next((name for name, value in SIGNALS.items() if value == number), None)
            if name is None:
                shell.complain(f"kill: {word}: invalid signal specification")
                status = 1
            else:
                shell.proc.print(name)
        else:
            found = signal_number(word)
            if found is None:
                shell.complain(f"kill: {word}: invalid signal specification")
                status = 1
            else:
                shell.proc.print(found)
    return status


BUILTINS = {"wait": wait, "jobs": jobs, "fg": fg, "bg": fg, "disown": disown, "kill": kill}
