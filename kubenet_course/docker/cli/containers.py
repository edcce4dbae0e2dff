"""A container's life: start, stop, restart, kill, pause, unpause, rm, rename, wait, prune."""

from __future__ import annotations

from functools import partial
from typing import Any

from kubenet_course.docker import events
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.looking import KEYS
from kubenet_course.docker.cli.output import Follower
from kubenet_course.docker.engine import signal_number
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.process import processes
from kubenet_course.docker.store import Record

# -- ps -----------------------------------------------------------------------------------------


# -- start, stop, … -----------------------------------------------------------------------------
async def start(session: Session, options: dict[str, Any], words: list[str]) -> int:
    attach = options.get("attach") or options.get("interactive")
    if attach and len(words) > 1:
        raise UsageError("you cannot start and attach multiple containers at once", 1)
    status = 0
    for word in words:
        try:
            record = session.engine.store.container(word)
            stdin = await session.here.stdin() if options.get("interactive") else b""
            follower = Follower(session.here, record["id"])
            if attach:
                follower.attach(record)
            record = await session.locked(partial(_start, session, record, stdin))
        except DaemonError as problem:
            session.complain(problem)
            session.err(f"Error: failed to start containers: {word}\n" if not attach else "")
            status = 1
            continue
        if attach:
            status = await follower.attached(session, record)
            await follower.let_go(session, record)
        else:
            session.line(word)
    return status


async def _start(session: Session, record: Record, stdin: bytes = b"") -> Record:
    fresh = session.engine.store.container(record["id"])
    fresh["stopped"] = False
    if fresh["state"]["Paused"]:
        raise DaemonError("cannot start a paused container, try unpause instead", 409)
    await session.engine.start(fresh, stdin)
    return fresh


async def _stop(session: Session, record: Record, seconds: float | None, signal: str = "") -> None:
    await session.engine.stop_process(record, seconds, signal)


async def stop(session: Session, options: dict[str, Any], words: list[str]) -> int:
    seconds = options.get("timeout", options.get("time"))

    async def one(word: str) -> None:
        await _stop(session, session.engine.store.container(word), seconds, options.get("signal", ""))

    return await session.each(words, one)


async def restart(session: Session, options: dict[str, Any], words: list[str]) -> int:
    seconds = options.get("timeout", options.get("time"))

    async def one(word: str) -> None:
        record = session.engine.store.container(word)
        auto, record["host_config"]["AutoRemove"] = record["host_config"]["AutoRemove"], False
        session.engine.store.save(record)
        await _stop(session, record, seconds, options.get("signal", ""))
        record = session.engine.store.container(word)
        record["host_config"]["AutoRemove"] = auto
        await session.locked(lambda: session.engine.start(record))
        events.of_container(session.engine.store, record, "restart")

    return await session.each(words, one)


async def kill(session: Session, options: dict[str, Any], words: list[str]) -> int:
    async def one(word: str) -> None:
        record = session.engine.store.container(word)
        number = signal_number(options.get("signal", "SIGKILL"))
        if not record["state"]["Running"]:
            raise DaemonError(f"cannot kill container: {word}: container {record['id']} is not running", 409)
        if number in (9, 15):
            record["stopped"] = True
            session.engine.store.save(record)
        await session.engine.signal(record, number)
        if number == 9:
            await session.engine.wait_for_end(record, 10.0)
            await session.engine.settled()

    return await session.each(words, one)


async def pause(session: Session, options: dict[str, Any], words: list[str]) -> int:
    return await session.each(words, lambda word: session.locked(lambda: _pause(session, word, True)))


async def unpause(session: Session, options: dict[str, Any], words: list[str]) -> int:
    return await session.each(words, lambda word: session.locked(lambda: _pause(session, word, False)))


async def _pause(session: Session, word: str, paused: bool) -> None:
    record = session.engine.store.container(word)
    state = record["state"]
    if not state["Running"]:
        raise DaemonError(
            f"container {record['id']} is not running"
            if paused
            else f"Container {record['id']} is not paused",
            409,
        )
    if state["Paused"] == paused:
        raise DaemonError(
            f"container {record['id']} is already paused"
            if paused
            else f"Container {record['id']} is not paused",
            409,
        )
    await session.here.run(["kill", "-STOP" if paused else "-CONT", *processes(session.here, record["id"])])
    state["Paused"], state["Status"] = paused, "paused" if paused else "running"
    session.engine.store.save(record)
    events.of_container(session.engine.store, record, "pause" if paused else "unpause")


async def remove(session: Session, options: dict[str, Any], words: list[str]) -> int:
    async def one(word: str) -> None:
        try:
            record = session.engine.store.container(word)
        except DaemonError:
            if options.get("force"):
                raise _Quiet(word) from None
            raise
        if record["state"]["Running"]:
            if not options.get("force"):
                state = "paused" if record["state"]["Paused"] else "running"
                advice = (
                    "unpause and then stop the container before removal or force remove"
                    if state == "paused"
                    else "stop the container before removing or force remove"
                )
                raise DaemonError(f'cannot remove container "{word}": container is {state}: {advice}', 409)
            record["host_config"]["AutoRemove"], record["stopped"] = False, True
            session.engine.store.save(record)
            await session.engine.signal(record, 9)
            await session.engine.wait_for_end(record, 10.0)
        await session.locked(lambda: _remove(session, record))

    if options.get("link"):
        one = partial(_unlink, session)
    status = 0
    for word in words:
        try:
            await one(word)
        except _Quiet:
            session.err(f"Error response from daemon: No such container: {word}\n")
            status = 1
        except DaemonError as problem:
            session.complain(problem)
            status = 1
        else:
            session.line(word)
    return status


async def _unlink(session: Session, word: str) -> None:
    """`docker rm --link CONTAINER/ALIAS`: the name goes, and where there is no icc the way."""
    parent, _, alias = word.removeprefix("/").rpartition("/")
    if not parent:
        raise DaemonError("Conflict, cannot remove the default link name of the container", 409)

    async def work() -> None:
        engine = session.engine
        record = next((one for one in engine.store.containers() if one["name"] == parent), None)
        endpoint = (record or {"endpoints": {}})["endpoints"].get("bridge")
        if record is None or not any(name == alias for _, name in (endpoint or {"links": []})["links"]):
            raise DaemonError(f"Cannot get parent /{parent} for link name /{parent}/{alias}")
        network = engine.networks.find("bridge")
        before = engine.sandbox.link_rules(record, network, endpoint)
        endpoint["links"] = [pair for pair in endpoint["links"] if pair[1] != alias]
        after = engine.sandbox.link_rules(record, network, endpoint)
        await engine.firewall.change(remove=[rule for rule in before if rule not in after])
        engine.store.save(record)
        if record["state"]["Running"]:
            engine.sandbox.write_files(record)

    await session.locked(work)


class _Quiet(Exception):
    """rm --force of what is not there."""


async def _remove(session: Session, record: Record) -> None:
    if session.engine.store.reload(record) is not None:
        session.engine.remove(record)


async def rename(session: Session, options: dict[str, Any], words: list[str]) -> int:
    async def change() -> None:
        store = session.engine.store
        record = store.container(words[0])
        if record["name"] == words[1].removeprefix("/"):
            raise DaemonError("Renaming a container with the same name as its current name", 400)
        name = session.engine.free_name(words[1], store.containers())
        for endpoint in record["endpoints"].values():
            endpoint["dns_names"] = [name if one == record["name"] else one for one in endpoint["dns_names"]]
        old, record["name"] = record["name"], name
        store.save(record)
        events.of_container(store, record, "rename", oldName=f"/{old}")

    await session.locked(change)
    return 0


async def wait(session: Session, options: dict[str, Any], words: list[str]) -> int:
    status = 0
    for word in words:
        try:
            record = session.engine.store.container(word)
        except DaemonError as problem:
            session.complain(problem)
            status = 1
            continue
        done = await session.engine.wait_for_end(record)
        session.line(str((done or record)["state"]["ExitCode"]))
    return status


# -- looking ------------------------------------------------------------------------------------


_TIME = """
  -s, --signal string   Signal to send to the container
  -t, --timeout int     Seconds to wait before killing the container
"""
_NAMES = "CONTAINER [CONTAINER...]"


def _own(name: str) -> tuple[str, ...]:
    return (f"docker container {name}",)


COMMANDS = [
    (Command("docker start", f"[OPTIONS] {_NAMES}", "Start one or more stopped containers", """
  -a, --attach        Attach STDOUT/STDERR and forward signals
  -i, --interactive   Attach container's STDIN
""", 1, aliases=_own("start"), hidden=KEYS), start),
    (Command("docker stop", f"[OPTIONS] {_NAMES}",
        "Stop one or more running containers", _TIME, 1, aliases=_own("stop"), hidden="      --time int     Seconds to wait"), stop),
    (Command("docker restart", f"[OPTIONS] {_NAMES}",
        "Restart one or more containers", _TIME, 1, aliases=_own("restart"), hidden="      --time int     Seconds to wait"), restart),
    (Command("docker kill", f"[OPTIONS] {_NAMES}", "Kill one or more running containers", """
  -s, --signal string   Signal to send to the container
""", 1, aliases=_own("kill")), kill),
    (Command("docker pause", _NAMES, "Pause all processes within one or more containers", "", 1, aliases=_own("pause")), pause),
    (Command("docker unpause", _NAMES, "Unpause all processes within one or more containers", "", 1, aliases=_own("unpause")), unpause),
    (Command("docker rm", f"[OPTIONS] {_NAMES}", "Remove one or more containers", """
  -f, --force     Force the removal of a running container (uses SIGKILL)
  -l, --link      Remove the specified link
  -v, --volumes   Remove anonymous volumes associated with the container
""", 1, aliases=("docker container rm", "docker container remove")), remove),
    (Command("docker rename", "CONTAINER NEW_NAME", "Rename a container", "", 2, 2, aliases=_own("rename")), rename),
    (Command("docker wait", _NAMES,
        "Block until one or more containers stop, then print their exit codes", "", 1, aliases=_own("wait")), wait),
]  # fmt: skip
