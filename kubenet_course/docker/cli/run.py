"""docker run, docker create: options to a container's record; and what a foreground run shows."""

from __future__ import annotations

from typing import Any

from kubenet_course.docker import events, images
from kubenet_course.docker.cli import Session, unsupported, values
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.looking import KEYS
from kubenet_course.docker.cli.options import MORE, absolute, extra_host, mounts, networks, restart
from kubenet_course.docker.cli.output import Follower
from kubenet_course.docker.endpoints import SYSCTLS
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.ports import PortError, parse_expose, parse_publish
from kubenet_course.docker.store import Record, attached_path
from kubenet_course.errors import KernelError

OPTIONS = """
      --add-host list                  Add a custom host-to-IP mapping (host:ip)
      --cap-add list                   Add Linux capabilities
      --cap-drop list                  Drop Linux capabilities
      --dns list                       Set custom DNS servers
      --dns-option list                Set DNS options
      --dns-search list                Set custom DNS search domains
      --domainname string              Container NIS domain name
      --entrypoint string              Overwrite the default ENTRYPOINT of the image
  -e, --env list                       Set environment variables
      --env-file list                  Read in a file of environment variables
      --expose list                    Expose a port or a range of ports
  -h, --hostname string                Container host name
  -i, --interactive                    Keep STDIN open even if not attached
      --ip string                      IPv4 address (e.g., 172.30.100.104)
      --ip6 string                     IPv6 address (e.g., 2001:db8::33)
  -l, --label list                     Set meta data on a container
      --link list                      Add link to another container
      --link-local-ip list             Container IPv4/IPv6 link-local addresses
      --mac-address string             Container MAC address (e.g., 92:d0:c6:0a:29:33)
      --name string                    Assign a name to the container
      --network network                Connect a container to a network
      --network-alias list             Add network-scoped alias for the container
      --privileged                     Give extended privileges to this container
  -p, --publish list                   Publish a container's port(s) to the host
  -P, --publish-all                    Publish all exposed ports to random ports
      --pull string                    Pull image before running ("always", "missing", "never") (default "missing")
      --restart string                 Restart policy to apply when a container exits (default "no")
      --rm                             Automatically remove the container and its associated anonymous volumes when it exits
      --stop-signal string             Signal to stop the container
      --stop-timeout int               Timeout (in seconds) to stop a container
  -t, --tty                            Allocate a pseudo-TTY
  -v, --volume list                    Bind mount a volume
  -w, --workdir string                 Working directory inside the container
"""
RUN_ONLY = """
  -a, --attach list                    Attach to STDIN, STDOUT or STDERR
  -d, --detach                         Run container in background and print container ID
      --init                           Run an init inside the container that forwards signals and reaps processes
  -q, --quiet                          Suppress the pull output
      --sig-proxy                      Proxy received signals to the process (default true)
"""
HIDDEN = (
    """
      --net network                    Connect a container to a network
      --net-alias list                 Add network-scoped alias for the container
      --sysctl list                    Sysctl options
      --cidfile string                 Write the container ID to the file
"""
    + unsupported.IGNORED
    + unsupported.REFUSED
)
RUN = Command(
    "docker run",
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create and run a new container from an image",
    OPTIONS + RUN_ONLY.lstrip("\n"),
    least=1,
    stop_at_first=True,
    aliases=("docker container run",),
    hidden=HIDDEN + KEYS,
    checks=values.CONTAINER,
)
CREATE = Command(
    "docker create",
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create a new container",
    OPTIONS,
    least=1,
    stop_at_first=True,
    aliases=("docker container create",),
    hidden=HIDDEN
    + "".join(
        line + "\n" for line in RUN_ONLY.splitlines() if "detach" not in line and "sig-proxy" not in line
    ),
    checks=values.CONTAINER,
)


async def run(session: Session, options: dict[str, Any], words: list[str]) -> int:
    detached = options.get("detach", False)
    if detached and options.get("attach"):
        raise UsageError("conflicting options: cannot specify both --attach and --detach", 1)
    try:
        record, warnings = await session.locked(lambda: _create(session, options, words))
    except DaemonError as problem:
        session.err(f"docker: Error response from daemon: {problem.message}{MORE}")
        return 125
    session.err("".join(f"WARNING: {text}\n" for text in warnings))
    stdin = await session.here.stdin() if options.get("interactive") and not detached else b""
    follower = Follower(session.here, record["id"])
    if not detached:
        follower.attach(record)
        events.of_container(session.engine.store, record, "attach")
    try:
        await session.locked(lambda: session.engine.start(record, stdin))
    except DaemonError as problem:
        if detached:
            session.line(record["id"])
        else:
            session.engine.store.remove_tree(attached_path(record["id"]))
        if record["host_config"]["AutoRemove"]:
            await session.locked(lambda: _forget(session, record))
        session.err(f"docker: Error response from daemon: {problem.message}{MORE}")
        return problem.exit_status
    if detached:
        session.line(record["id"])
        return 0
    status = await follower.attached(session, record)
    await follower.let_go(session, record)
    return status


async def _forget(session: Session, record: Record) -> None:
    session.engine.remove(record)


async def create(session: Session, options: dict[str, Any], words: list[str]) -> int:
    try:
        record, warnings = await session.locked(lambda: _create(session, options, words))
    except UsageError as problem:
        raise UsageError(
            problem.message.replace("docker run --help", f"{session.path} --help"), problem.status
        ) from None
    except DaemonError as problem:
        session.err(f"Error response from daemon: {problem.message}\n")
        return 1
    session.err("".join(f"WARNING: {text}\n" for text in warnings))
    session.line(record["id"])
    return 0


async def _create(session: Session, options: dict[str, Any], words: list[str]) -> tuple[Record, list[str]]:
    for name in unsupported.REFUSED_NAMES:
        if name in options:
            raise UsageError(f"kubenet: {session.path}: option --{name} is not emulated", 125)
    cidfile = options.get("cidfile")
    if cidfile and session.here.exists(cidfile):
        said = f"container ID file found, make sure the other container isn't running or delete {cidfile}"
        raise _said(session, said)
    session.engine.images  # noqa: B018 - daemon.json is read before the image is looked for
    wanted, warnings = _wanted(session, options, words)
    if options.get("pull", "always") not in ("always", "missing", "never", ""):
        said = f"""invalid pull option: '{options["pull"]}': must be one of "always", "missing" or "never\""""
        raise UsageError(f"docker: {said}{MORE}")
    record, image = _image(session, options, words[0])
    wanted.update(image=record, spec=image)
    _fill(wanted, options, words, image)
    if cidfile:
        try:
            session.here.write(cidfile, b"", exclusive=True)
        except KernelError as failure:
            said = f"open {cidfile}: {failure.strerror[:1].lower()}{failure.strerror[1:]}"
            raise _said(session, f"failed to create the container ID file: {said}") from None
    try:
        created = session.engine.create(wanted)
    except DaemonError:
        if cidfile:
            session.engine.store.remove_tree(cidfile)
        raise
    if cidfile:
        session.here.write(cidfile, created["id"])
    return created, warnings


def _said(session: Session, text: str) -> UsageError:
    """What the command line itself finds once the options are read."""
    if session.path.endswith("run"):
        return UsageError(f"docker: {text}{MORE}", 125)
    return UsageError(text, 1)


def wanted_container(
    session: Session, options: dict[str, Any], words: list[str], record: Record, image: images.Image
) -> Record:
    """What `Engine.create` takes, from options, IMAGE [COMMAND…] and an image that is there."""
    wanted, _ = _wanted(session, options, words)
    wanted.update(image=record, spec=image)
    _fill(wanted, options, words, image)
    return wanted


def _image(session: Session, options: dict[str, Any], reference: str) -> tuple[Record, images.Image]:
    store = session.engine.images
    pull = options.get("pull", "missing")
    try:
        found = store.find(reference)
    except DaemonError as problem:
        raise UsageError(f"docker: {problem.message}{MORE}") from None
    if found is not None and pull != "always":
        return found
    repository, tag = images.split(reference)
    if pull == "never":
        raise DaemonError(f"No such image: {repository}:{tag}", 404)
    quiet = options.get("quiet", False)
    if not quiet:
        session.err(f"Unable to find image '{repository}:{tag}' locally\n")
    record, image, fresh = store.pull(reference)
    events.note(session.engine.store, "image", "pull", f"{repository}:{tag}", name=repository)
    if not quiet:
        full = repository if "/" in repository else f"library/{repository}"
        session.err(f"{tag}: Pulling from {full}\nDigest: {record['digest']}\n")
        session.err(
            f"Status: {'Downloaded newer image' if fresh else 'Image is up to date'} for {repository}:{tag}\n"
        )
    return record, image


def _wanted(session: Session, options: dict[str, Any], words: list[str]) -> tuple[Record, list[str]]:
    """Everything that does not depend on the image. UsageError as the command line itself finds it."""
    try:
        published = [one for spec in options.get("publish", []) for one in parse_publish(spec)]
        exposed = [port for spec in options.get("expose", []) for port in parse_expose(spec)]
    except PortError as problem:
        raise UsageError(f"docker: {problem}{MORE}") from None
    bindings: dict[str, list[dict[str, str]]] = {}
    for one in published:
        text = "" if not one.host_port else str(one.host_port)
        if one.host_end != one.host_port:
            text += f"-{one.host_end}"
        bindings.setdefault(one.key, []).append({"HostIp": one.host_ip, "HostPort": text})
    endpoints, mode = networks(session, options)
    warnings = []
    if mode == "host" and any(one.startswith("net.") for one in options.get("sysctl", [])):
        name = next(one for one in options["sysctl"] if one.startswith("net."))
        raise DaemonError(f'sysctl "{name.partition("=")[0]}" not allowed in host network namespace', 400)
    for one in options.get("sysctl", []):
        words = one.partition("=")[0].split(".")
        if len(words) == 5 and words[0] == "net" and words[3].startswith("eth"):
            raise DaemonError(
                f'interface specific sysctl setting "{".".join(words)}" must be supplied using driver option '
                f"'{SYSCTLS}'",
                400,
            )
    if mode == "host" and bindings:
        warnings.append("Published ports are discarded when using host network mode")
    if mode.startswith("container:"):
        for name, said in (
            ("hostname", "hostname and the network mode"),
            ("dns", "dns and the network mode"),
            ("add-host", "custom host-to-IP mapping and the network mode"),
            ("mac-address", "mac-address and the network mode"),
        ):
            if options.get(name):
                raise DaemonError(f"conflicting options: {said}", 400)
        if bindings or options.get("publish-all"):
            raise DaemonError("conflicting options: port publishing and the container type network mode", 400)
        if exposed:
            raise DaemonError("conflicting options: port exposing and the container type network mode", 400)
    host = {
        "NetworkMode": mode,
        "PortBindings": dict(bindings),
        "RestartPolicy": restart(options.get("restart", "no")),
        "AutoRemove": options.get("rm", False),
        "PublishAllPorts": options.get("publish-all", False),
        "Dns": options.get("dns", []),
        "DnsOptions": options.get("dns-option", []),
        "DnsSearch": options.get("dns-search", []),
        "ExtraHosts": [extra_host(one) for one in options.get("add-host", [])] or None,
        "Links": options.get("link") or None,
        "CapAdd": options.get("cap-add"),
        "CapDrop": options.get("cap-drop"),
        "Privileged": options.get("privileged", False),
        "Sysctls": dict(_pair(one) for one in options.get("sysctl", [])) or None,
        "Binds": options.get("volume") or None,
        "IpcMode": "private",
        "PidMode": "",
        "UTSMode": "",
        "Runtime": "runc",
    }
    if host["AutoRemove"] and host["RestartPolicy"]["Name"] not in ("no", ""):
        raise UsageError(f"docker: conflicting options: cannot specify both --restart and --rm{MORE}")
    name = options.get("name", "")
    return {
        "name": name,
        "endpoints": endpoints,
        "host_config": host,
        "exposed": exposed,
        "bindings": bindings,
        "mounts": mounts(session, options),
        "environment": environment(session, options),
    }, warnings


# -- networks -------------------------------------------------------------------------------------


# -- volumes --------------------------------------------------------------------------------------


# -- the image's part -----------------------------------------------------------------------------
def _fill(wanted: Record, options: dict[str, Any], words: list[str], image: images.Image) -> None:
    """Command, environment and Config, from the image and what was given over it."""
    entrypoint = list(image.entrypoint)
    command = words[1:] or list(image.cmd)
    if "entrypoint" in options:
        entrypoint = [options["entrypoint"]] if options["entrypoint"] else []
        command = words[1:]
    line = [*entrypoint, *command]
    if not line:
        raise DaemonError("no command specified", 400)
    exposed = dict.fromkeys([*image.ports, *wanted.pop("exposed"), *wanted.pop("bindings")])
    wanted["path"], wanted["args"] = line[0], line[1:]
    wanted["config"] = {
        "Hostname": options.get("hostname", ""),
        "Domainname": options.get("domainname", ""),
        "User": "",
        "AttachStdin": options.get("interactive", False) and not options.get("detach", False),
        "AttachStdout": not options.get("detach", False),
        "AttachStderr": not options.get("detach", False),
        "ExposedPorts": {port: {} for port in exposed} or None,
        "Tty": options.get("tty", False),
        "OpenStdin": options.get("interactive", False),
        "StdinOnce": options.get("interactive", False),
        "Env": [*wanted.pop("environment"), *image.env],
        "Cmd": command or None,
        "Image": words[0],
        "Volumes": None,
        "WorkingDir": options.get("workdir", image.workdir),
        "Entrypoint": entrypoint or None,
        "MacAddress": next(
            (end["wanted_mac"] for name, end in wanted["endpoints"].items() if name == wanted["host_config"]["NetworkMode"]),
            "",
        ),
        "OnBuild": None,
        "Labels": {**image.labels, **dict(_pair(one) for one in options.get("label", []))},
        "StopSignal": options.get("stop-signal", image.stop_signal),
        "StopTimeout": options.get("stop-timeout"),
    }
    for key in ("StopSignal", "StopTimeout", "ExposedPorts", "MacAddress"):
        if not wanted["config"][key] and wanted["config"][key] != 0:
            del wanted["config"][key]
    wanted["config"].setdefault("ExposedPorts", {})
    if not wanted["config"]["ExposedPorts"]:
        del wanted["config"]["ExposedPorts"]


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def environment(session: Session, options: dict[str, Any]) -> list[str]:
    """The variables of `--env-file` and `--env`, in this order; NAME alone takes what this shell has. UsageError."""
    lines = [line for path in options.get("env-file", []) for line in _variables(session, path)]
    found = []
    for entry in [*lines, *options.get("env", [])]:
        if "=" in entry:
            found.append(entry)
        elif entry in session.here.env:
            found.append(f"{entry}={session.here.env[entry]}")
    return found


def _variables(session: Session, path: str) -> list[str]:
    here = session.here
    try:
        text = here.read(absolute(here.cwd, path)).decode("utf-8", "replace")
    except KernelError as failure:
        raise UsageError(f"docker: open {path}: {failure.strerror.lower()}{MORE}") from None
    found = []
    for line in (line.lstrip() for line in text.split("\n")):
        name = line.partition("=")[0]
        if not line or line.startswith("#"):
            continue
        if not name:
            raise UsageError(f"docker: invalid env file ({path}): no variable name on line '{line}'{MORE}")
        if any(char.isspace() for char in name):
            raise UsageError(
                f"docker: invalid env file ({path}): variable '{name}' contains whitespaces{MORE}"
            )
        found.append(line)
    return found


COMMANDS = [(RUN, run), (CREATE, create)]
