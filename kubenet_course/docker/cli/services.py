"""docker service: create, ls, ps, inspect, scale, update, rollback, rm, logs."""

from __future__ import annotations

import re
from typing import Any

from kubenet_course.docker import events
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.looking import show_objects
from kubenet_course.docker.cli.progress import follow
from kubenet_course.docker.cli.service_options import (
    CREATE,
    IGNORED,
    REFUSED,
    REFUSED_UPDATE,
    UPDATE,
    changed,
    from_options,
)
from kubenet_course.docker.cli.tables import Listing
from kubenet_course.docker.cli.tasks import list_tasks
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.inspect import human_duration
from kubenet_course.docker.process import log_paths
from kubenet_course.docker.store import Record, seconds_of
from kubenet_course.docker.swarm import services
from kubenet_course.docker.swarm.agent import knock
from kubenet_course.docker.swarm.specs import SECOND
from kubenet_course.docker.swarm.state import Swarm
from kubenet_course.errors import KernelError
from kubenet_course.userland.versions import version_key

LISTING = Listing(
    {"ID": "ID", "Name": "NAME", "Mode": "MODE", "Replicas": "REPLICAS", "Image": "IMAGE", "Ports": "PORTS"},
    "{{.ID}}\t{{.Name}}\t{{.Mode}}\t{{.Replicas}}\t{{.Image}}\t{{.Ports}}",
    go_type="*service.serviceContext",
)
FILTERS = ("id", "label", "mode", "name", "runtime")


async def create(session: Session, options: dict[str, Any], words: list[str]) -> int:
    asked = {**options, "name": options.get("name") or "any", "no-resolve-image": True}
    from_options(session, asked, words)  # what the command line itself finds comes first

    async def work() -> Record:
        swarm = Swarm(session.engine.store)
        swarm.require()
        return services.create(swarm, from_options(session, options, words))

    service = await session.locked(work)
    _note(session, service, "create")
    session.line(service["id"])
    return await follow(session, service["id"], service["id"], options)


async def ls(session: Session, options: dict[str, Any], words: list[str]) -> int:
    swarm = Swarm(session.engine.store)
    swarm.require()
    chosen = swarm.services
    for text in options.get("filter", []):
        key, _, value = text.partition("=")
        if key not in FILTERS:
            raise DaemonError(f"invalid filter '{key}'", 400)
        tests = {
            "id": lambda one, value=value: one["id"].startswith(value),
            "name": lambda one, value=value: one["spec"]["Name"].startswith(value),
            "mode": lambda one, value=value: _mode(one) == value,
            "label": lambda one, value=value: _labelled(one["spec"]["Labels"], value),
            "runtime": lambda one, value=value: value == "container",
        }  # fmt: skip
        chosen = [one for one in chosen if tests[key](one)]
    entries = []
    for one in sorted(chosen, key=lambda one: version_key(one["spec"]["Name"])):
        good, wanted = services.running(swarm, one)
        most = one["spec"]["TaskTemplate"]["Placement"].get("MaxReplicas")
        entries.append(
            {
                "ID": one["id"][:12],
                "Name": one["spec"]["Name"],
                "Mode": _mode(one),
                "Replicas": f"{good}/{wanted}" + (f" (max {most} per node)" if most else ""),
                "Image": one["spec"]["TaskTemplate"]["ContainerSpec"]["Image"].partition("@")[0],
                "Ports": _ports(one),
            }
        )
    session.out(LISTING.text(entries, options.get("format", ""), options.get("quiet", False)))
    return 0


def _mode(service: Record) -> str:
    return "global" if "Global" in service["spec"]["Mode"] else "replicated"


def _labelled(labels: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _ports(service: Record) -> str:
    """*:8080->80/tcp; neighbours are put together: *:8000-8001->8000-8001/tcp."""
    ranges: list[tuple[int, int, int, int, str]] = []
    shown = [port for port in service["ports"] if port["PublishMode"] == "ingress"]
    for port in sorted(shown, key=lambda one: (one["Protocol"], one["PublishedPort"], one["TargetPort"])):
        out, target, protocol = port["PublishedPort"], port["TargetPort"], port["Protocol"]
        if ranges and ranges[-1][4] == protocol and ranges[-1][1] + 1 == out and ranges[-1][3] + 1 == target:
            ranges[-1] = (ranges[-1][0], out, ranges[-1][2], target, protocol)
        else:
            ranges.append((out, out, target, target, protocol))
    span = lambda first, last: str(first) if first == last else f"{first}-{last}"  # noqa: E731
    return ", ".join(f"*:{span(a, b)}->{span(c, d)}/{protocol}" for a, b, c, d, protocol in ranges)


async def ps(session: Session, options: dict[str, Any], words: list[str]) -> int:
    swarm = Swarm(session.engine.store)
    swarm.require()
    found, missing = [], []
    for word in words:
        try:
            found.append(swarm.service(word)["id"])
        except DaemonError:
            missing.append(word)
    if found:
        tasks = [task for task in swarm.tasks if task["service"] in found]
        session.out(list_tasks(session, swarm, tasks, options))
    if missing:
        session.err("\n".join(f"no such service: {word}" for word in missing) + "\n")
    return 1 if missing else 0


async def inspect(session: Session, options: dict[str, Any], words: list[str]) -> int:
    swarm = Swarm(session.engine.store)
    swarm.require()
    if options.get("pretty") and options.get("format"):
        raise UsageError("--format is incompatible with human friendly format", 1)
    found, missing = [], []
    for word in words:
        try:
            found.append(services.inspect(swarm, swarm.service(word)))
        except DaemonError as problem:
            if problem.status != 404:
                raise
            missing.append(word)
    if options.get("pretty"):
        names = {one["id"]: one["name"] for one in session.engine.store.networks()}
        session.out("".join(_pretty(one, names, session.here.time()) for one in found))
    else:
        show_objects(session, found, options.get("format", ""))
    for word in missing:
        session.err(f"Error: no such service: {word}\n")
    return 1 if missing else 0


def _span(nanoseconds: int) -> str:
    """time.Duration.String, for whole seconds."""
    seconds = nanoseconds / SECOND
    if seconds < 60:
        return f"{seconds:g}s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}h" if hours else "") + f"{minutes}m{rest:g}s"


def _pretty(service: dict[str, Any], names: dict[str, str], now: float) -> str:
    spec = service["Spec"]
    task = spec["TaskTemplate"]
    container, placement = task["ContainerSpec"], task["Placement"]
    replicated = spec["Mode"].get("Replicated")
    lines = ["", f"ID:\t\t{service['ID']}", f"Name:\t\t{spec['Name']}"]
    if spec["Labels"]:
        lines += ["Labels:", *(f" {key}={value}" for key, value in spec["Labels"].items())]
    lines.append(f"Service Mode:\t{'Replicated' if replicated else 'Global'}")
    if replicated:
        lines.append(f" Replicas:\t{replicated['Replicas']}")
    status = service.get("UpdateStatus")
    if status:
        ago = lambda key: f"{human_duration(now - seconds_of(status[key])).lower()} ago"  # noqa: E731
        lines += ["UpdateStatus:", f" State:\t\t{status['State']}", f" Started:\t{ago('StartedAt')}"]
        if status.get("CompletedAt"):
            lines.append(f" Completed:\t{ago('CompletedAt')}")
        lines.append(f" Message:\t{status['Message']}")
    lines.append("Placement:")
    if placement.get("Constraints"):
        lines.append(f" Constraints:\t[{' '.join(placement['Constraints'])}]")
    if placement.get("MaxReplicas"):
        lines.append(f" Max Replicas Per Node:\t{placement['MaxReplicas']}")
    for title, key in (("UpdateConfig", "Update"), ("RollbackConfig", "Rollback")):
        config = spec[title]
        lines += [f"{title}:", f" Parallelism:\t{config['Parallelism']}"]
        if config.get("Delay"):
            lines.append(f" Delay:\t\t{_span(config['Delay'])}")
        lines += [
            f" On failure:\t{config['FailureAction']}",
            f" Monitoring Period: {_span(config['Monitor'])}",
            f" Max failure ratio: {config['MaxFailureRatio']}",
            f" {key} order:".ljust(20) + config["Order"],
        ]
    lines += ["ContainerSpec:", f" Image:\t\t{container['Image']}"]
    for title, key in (("Command", "Command"), ("Args", "Args"), ("Env", "Env")):
        if container.get(key):
            words = " ".join(container[key])
            lines.append(f" {title}:\t\t{f'[{words}]' if key == 'Env' else words} ")
    if container.get("Dir"):
        lines.append(f" Dir:\t\t{container['Dir']}")
    lines.append(f" Init:\t\t{str(container['Init']).lower()}")
    if container.get("Mounts"):
        lines.append("Mounts:")
        lines += [
            f" Target:\t{one['Target']}\n  Source:\t{one['Source']}\n  ReadOnly:\t{str(one.get('ReadOnly', False)).lower()}\n"
            f"  Type:\t\t{one['Type']}"
            for one in container["Mounts"]
        ]
    lines.append("Resources:")
    if task.get("Networks"):
        lines.append(
            "Networks: " + "".join(f"{names.get(one['Target'], one['Target'])} " for one in task["Networks"])
        )
    lines.append(f"Endpoint Mode:\t{spec['EndpointSpec']['Mode']}")
    if service["Endpoint"].get("Ports"):
        lines.append("Ports:")
        lines += [
            f" PublishedPort = {port['PublishedPort']}\n  Protocol = {port['Protocol']}\n  TargetPort = {port['TargetPort']}\n"
            f"  PublishMode = {port['PublishMode']} "
            for port in service["Endpoint"]["Ports"]
        ]
    return "\n".join(lines) + "\n\n"


async def scale(session: Session, options: dict[str, Any], words: list[str]) -> int:
    status, scaled = 0, []
    for word in words:
        name, equals, count = word.partition("=")
        if not equals:
            raise UsageError(
                f"invalid scale specifier '{word}'.\nSee 'docker service scale --help'.\n\n"
                "Usage:  docker service scale SERVICE=REPLICAS [SERVICE=REPLICAS...]\n\nScale one or multiple replicated services",
                1,
            )
        if not re.fullmatch(r"\d+", count):
            session.err(
                f'{name}: invalid replicas value {count}: strconv.ParseUint: parsing "{count}": invalid syntax\n'
            )
            status = 1
            continue
        try:
            service = await _change(session, name, {"replicas": int(count)})
        except UsageError:
            session.err(f"{name}: scale can only be used with replicated or replicated-job mode\n")
            status = 1
        except DaemonError as problem:
            session.err(f"{name}: Error response from daemon: {problem.message}\n")
            status = 1
        else:
            session.line(f"{name} scaled to {count}")
            scaled.append((name, service["id"]))
    for name, service_id in scaled:
        status = await follow(session, service_id, name, options) or status
    return status


async def _change(session: Session, word: str, options: dict[str, Any]) -> Record:
    async def work() -> Record:
        swarm = Swarm(session.engine.store)
        service = swarm.service(word) if swarm.here else {}
        if options.get("rollback"):
            services.back(swarm, service)
        else:
            services.change(swarm, service, changed(session, service, options), options.get("force", False))
        return service

    found: Record = await session.locked(work)
    _note(session, found, "update")
    return found


def _note(session: Session, service: Record, action: str) -> None:
    events.note(session.engine.store, "service", action, service["id"], "swarm", name=service["name"])


async def update(session: Session, options: dict[str, Any], words: list[str]) -> int:
    service = await _change(session, words[0], options)
    session.line(words[0])
    return await follow(session, service["id"], words[0], options)


async def rollback(session: Session, options: dict[str, Any], words: list[str]) -> int:
    service = await _change(session, words[0], {"rollback": True})
    session.line(words[0])
    return await follow(session, service["id"], words[0], options)


async def remove(session: Session, options: dict[str, Any], words: list[str]) -> int:
    async def one(word: str) -> None:
        async def work() -> Record:
            swarm = Swarm(session.engine.store)
            service = swarm.service(word)
            services.remove(swarm, word)
            return service

        _note(session, await session.locked(work), "remove")

    status = await session.each(words, one)
    await knock(session.here)
    return status


async def logs(session: Session, options: dict[str, Any], words: list[str]) -> int:
    for name in ("timestamps", "since", "details", "follow"):
        if options.get(name):
            raise UsageError(f"kubenet: docker service logs: option --{name} is not emulated", 1)
    swarm = Swarm(session.engine.store)
    swarm.require()
    try:
        tasks = swarm.tasks_of(swarm.service(words[0]))
    except DaemonError:
        tasks = [task for task in swarm.tasks if task["id"].startswith(words[0])]
        if not tasks:
            raise UsageError(f"no such task or service: {words[0]}", 1) from None
    full = options.get("no-trunc", False)
    names = [
        f"{task['name']}.{task['slot']}.{task['id'] if full else task['id'][:12]}@{swarm.node['hostname']}"
        for task in tasks
    ]
    width = max(map(len, names), default=0)
    tail = options.get("tail", "all")
    for task, name in zip(tasks, names, strict=True):
        if not task["container"]:
            continue
        for path, write in zip(
            log_paths(task["container"]), (session.here.out, session.here.err), strict=True
        ):
            try:
                lines = session.here.read(path).decode("utf-8", "replace").splitlines()
            except KernelError:
                continue
            lines = lines[len(lines) - int(tail) :] if tail.isdecimal() and int(tail) < len(lines) else lines
            for line in lines:
                write(f"{line}\n" if options.get("raw") else f"{name.ljust(width)}    | {line}\n")
    return 0


_DETACH = """
  -d, --detach   Exit immediately instead of waiting for the service to converge
"""
COMMANDS = [
    (Command("docker service create", "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a new service",
        CREATE, 1, stop_at_first=True, hidden=REFUSED + IGNORED), create),
    (Command("docker service update", "[OPTIONS] SERVICE", "Update a service", UPDATE, 1, 1, hidden=REFUSED_UPDATE + IGNORED), update),
    (Command("docker service ls", "[OPTIONS]", "List services", """
  -f, --filter filter   Filter output based on conditions provided
      --format string   Format output using a custom template
  -q, --quiet           Only display IDs
""", 0, 0, aliases=("docker service list",)), ls),
    (Command("docker service ps", "[OPTIONS] SERVICE [SERVICE...]", "List the tasks of one or more services", """
  -f, --filter filter   Filter output based on conditions provided
      --format string   Pretty-print tasks using a Go template
      --no-resolve      Do not map IDs to Names
      --no-trunc        Do not truncate output
  -q, --quiet           Only display task IDs
""", 1), ps),
    (Command("docker service inspect", "[OPTIONS] SERVICE [SERVICE...]", "Display detailed information on one or more services", """
  -f, --format string   Format output using a custom template
      --pretty          Print the information in a human friendly format
""", 1), inspect),
    (Command("docker service scale", "SERVICE=REPLICAS [SERVICE=REPLICAS...]",
        "Scale one or multiple replicated services", _DETACH, 1), scale),
    (Command("docker service rm", "SERVICE [SERVICE...]",
        "Remove one or more services", "", 1, aliases=("docker service remove",)), remove),
    (Command("docker service rollback", "[OPTIONS] SERVICE", "Revert changes to a service's configuration", """
  -d, --detach   Exit immediately instead of waiting for the service to converge
  -q, --quiet    Suppress progress output
""", 1, 1), rollback),
    (Command("docker service logs", "[OPTIONS] SERVICE|TASK", "Fetch the logs of a service or task", """
      --details        Show extra details provided to logs
  -f, --follow         Follow log output
      --no-resolve     Do not map IDs to Names in output
      --no-task-ids    Do not include task IDs in output
      --no-trunc       Do not truncate output
      --raw            Do not neatly format logs
      --since string   Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
  -n, --tail string    Number of lines to show from the end of the logs (default "all")
  -t, --timestamps     Show timestamps
""", 1, 1), logs),
]  # fmt: skip
