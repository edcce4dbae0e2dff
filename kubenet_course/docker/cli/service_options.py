"""Options of `docker service create` and `update`, and the specification that they make.

Source: docker/cli command/service/opts.go, update.go.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from kubenet_course.docker import images, names
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.flags import UsageError
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.ports import PortError, parse_publish
from kubenet_course.docker.store import Record
from kubenet_course.docker.swarm.specs import SECOND, update_config

COMMON = """
  -d, --detach                             Exit immediately instead of waiting for the service to converge
      --endpoint-mode string               Endpoint mode (vip or dnsrr) (default "vip")
      --entrypoint command                 Overwrite the default ENTRYPOINT of the image
      --hostname string                    Container hostname
      --limit-cpu decimal                  Limit CPUs
      --limit-memory bytes                 Limit Memory
      --no-resolve-image                   Do not query the registry to resolve image digest and supported platforms
  -q, --quiet                              Suppress progress output
      --replicas uint                      Number of tasks
      --replicas-max-per-node uint         Maximum number of tasks per node (default 0 = unlimited)
      --reserve-cpu decimal                Reserve CPUs
      --reserve-memory bytes               Reserve Memory
      --restart-condition string           Restart when condition is met ("none", "on-failure", "any") (default "any")
      --restart-delay duration             Delay between restart attempts (ns|us|ms|s|m|h) (default 5s)
      --restart-max-attempts uint          Maximum number of restarts before giving up
      --restart-window duration            Window used to evaluate the restart policy (ns|us|ms|s|m|h)
      --rollback-delay duration            Delay between task rollbacks (ns|us|ms|s|m|h) (default 0s)
      --rollback-failure-action string     Action on rollback failure ("pause", "continue") (default "pause")
      --rollback-monitor duration          Duration after each task rollback to monitor for failure (default 5s)
      --rollback-parallelism uint          Maximum number of tasks rolled back simultaneously (0 to roll back all at once) (default 1)
      --stop-grace-period duration         Time to wait before force killing a container (ns|us|ms|s|m|h) (default 10s)
      --stop-signal string                 Signal to stop the container
  -t, --tty                                Allocate a pseudo-TTY
      --update-delay duration              Delay between updates (ns|us|ms|s|m|h) (default 0s)
      --update-failure-action string       Action on update failure ("pause", "continue", "rollback") (default "pause")
      --update-monitor duration            Duration after each task update to monitor for failure (default 5s)
      --update-parallelism uint            Maximum number of tasks updated simultaneously (0 to update all at once) (default 1)
      --with-registry-auth                 Send registry authentication details to swarm agents
  -w, --workdir string                     Working directory inside the container
"""
CREATE = (
    COMMON
    + """
      --constraint list                    Placement constraints
      --container-label list               Container labels
      --dns list                           Set custom DNS servers
      --dns-option list                    Set DNS options
      --dns-search list                    Set custom DNS search domains
  -e, --env list                           Set environment variables
      --host list                          Set one or more custom host-to-IP mappings (host:ip)
  -l, --label list                         Service labels
      --mode string                        Service mode ("replicated", "global", "replicated-job", "global-job") (default "replicated")
      --mount mount                        Attach a filesystem mount to the service
      --name string                        Service name
      --network network                    Network attachments
  -p, --publish port                       Publish a port as a node port
"""
)
UPDATE = (
    COMMON
    + """
      --args command                       Service command args
      --constraint-add list                Add or update a placement constraint
      --constraint-rm list                 Remove a constraint
      --container-label-add list           Add or update a container label
      --container-label-rm list            Remove a container label by its key
      --env-add list                       Add or update an environment variable
      --env-rm list                        Remove an environment variable
      --force                              Force update even if no changes require it
      --host-add list                      Add a custom host-to-IP mapping ("host:ip")
      --host-rm list                       Remove a custom host-to-IP mapping ("host:ip")
      --image string                       Service image tag
      --label-add list                     Add or update a service label
      --label-rm list                      Remove a label by its key
      --mount-add mount                    Add or update a mount on a service
      --mount-rm list                      Remove a mount by its target path
      --network-add network                Add a network
      --network-rm list                    Remove a network
      --publish-add port                   Add or update a published port
      --publish-rm list                    Remove a published port by its target port
      --rollback                           Rollback to previous specification
"""
)
#: Known, and refused: what they ask for does not exist in a lab.
REFUSED = """
      --config config                      Specify configurations to expose to the service
      --credential-spec credential-spec    Credential spec for managed service account (Windows only)
      --env-file list                      Read in a file of environment variables
      --generic-resource list              User defined resources
      --group list                         Set one or more supplementary user groups for the container
      --health-cmd string                  Command to run to check health
      --health-interval duration           Time between running the check (ms|s|m|h)
      --health-retries int                 Consecutive failures needed to report unhealthy
      --health-timeout duration            Maximum time to allow one check to run (ms|s|m|h)
      --health-start-interval duration     Time between running the check during the start period (ms|s|m|h)
      --health-start-period duration       Start period for the container to initialize (ms|s|m|h)
      --isolation string                   Service container isolation mode
      --log-driver string                  Logging driver for service
      --log-opt list                       Logging driver options
      --max-concurrent uint                Number of job tasks to run concurrently
      --placement-pref pref                Add a placement preference
      --read-only                          Mount the container's root filesystem as read only
      --rollback-max-failure-ratio float   Failure rate to tolerate during a rollback (default 0)
      --rollback-order string              Rollback order ("start-first", "stop-first") (default "stop-first")
      --secret secret                      Specify secrets to expose to the service
      --sysctl list                        Sysctl options
      --ulimit ulimit                      Ulimit options (default [])
      --update-max-failure-ratio float     Failure rate to tolerate during an update (default 0)
      --update-order string                Update order ("start-first", "stop-first") (default "stop-first")
  -u, --user string                        Username or UID (format: <name|uid>[:<group|gid>])
"""
#: Accepted without effect, as in `docker run`.
IGNORED = """
      --cap-add list                       Add Linux capabilities
      --cap-drop list                      Drop Linux capabilities
      --init                               Use an init inside each service container to forward signals and reap processes
      --limit-pids int                     Limit maximum number of processes (default 0 = unlimited)
      --no-healthcheck                     Disable any container-specified HEALTHCHECK
      --oom-score-adj int                  Tune host's OOM preferences (-1000 to 1000)
"""
#: Of those, what `update` calls otherwise: --secret-add and --secret-rm in the place of --secret.
LISTED = ("config", "generic-resource", "group", "placement-pref", "secret", "sysctl", "ulimit")
REFUSED_UPDATE = "".join(
    f"{line}\n"
    for line in REFUSED.splitlines()
    if not any(f"--{name} " in line for name in (*LISTED, "env-file"))
) + "".join(
    f"      --{name}-{verb} list   Lists that are not emulated\n"
    for name in (*LISTED, "dns", "dns-option", "dns-search")
    for verb in ("add", "rm")
)
REFUSED_NAMES = re.findall(r"--([\w-]+)", REFUSED + REFUSED_UPDATE)


def refuse(path: str, options: dict[str, Any]) -> None:
    for name in REFUSED_NAMES:
        if name in options:
            raise UsageError(f"kubenet: {path}: option --{name} is not emulated", 1)


def from_options(session: Session, options: dict[str, Any], words: list[str]) -> Record:
    """The ServiceSpec of `docker service create`. UsageError as the command line itself finds it."""
    refuse("docker service create", options)
    mode = options.get("mode", "replicated")
    if mode in ("replicated-job", "global-job"):
        raise UsageError(f"kubenet: docker service create: --mode {mode} is not emulated", 1)
    if mode not in ("replicated", "global"):
        raise UsageError(f"Unknown mode: {mode}, only replicated and global supported", 1)
    if mode == "global" and "replicas" in options:
        raise UsageError("replicas can only be used with replicated or replicated-job mode", 1)
    if mode == "global" and options.get("replicas-max-per-node"):
        raise UsageError("replicas-max-per-node can only be used with replicated or replicated-job mode", 1)
    container: Record = {"Image": pinned(session, words[0], options), "Init": False}
    if options.get("container-label"):
        container["Labels"] = _labels(options["container-label"])
    if words[1:]:
        container["Args"] = words[1:]
    if options.get("env"):
        container["Env"] = [one for one in options["env"] if "=" in one]
    if options.get("mount"):
        container["Mounts"] = [_mount(one) for one in options["mount"]]
    if options.get("host"):
        container["Hosts"] = [_host(one) for one in options["host"]]
    dns = {
        key: options[name]
        for key, name in (("Nameservers", "dns"), ("Search", "dns-search"), ("Options", "dns-option"))
        if options.get(name)
    }
    container |= {"StopGracePeriod": 10 * SECOND, "DNSConfig": dns, "Isolation": "default"}
    placement: Record = {"Platforms": [{"Architecture": "amd64", "OS": "linux"}]}
    if options.get("constraint"):
        placement["Constraints"] = options["constraint"]
    spec: Record = {
        "Name": options.get("name") or names.pick(session.here.random(4)),
        "Labels": _labels(options.get("label", [])),
        "TaskTemplate": {
            "ContainerSpec": container,
            "Resources": {"Limits": {}, "Reservations": {}},
            "RestartPolicy": {"Condition": "any", "Delay": 5 * SECOND, "MaxAttempts": 0},
            "Placement": placement,
            "ForceUpdate": 0,
            "Runtime": "container",
        },
        "Mode": {"Global": {}}
        if mode == "global"
        else {"Replicated": {"Replicas": options.get("replicas", 1)}},
        "UpdateConfig": update_config(),
        "RollbackConfig": update_config(),
        "EndpointSpec": {"Mode": options.get("endpoint-mode", "vip")},
    }
    if options.get("network"):
        spec["TaskTemplate"]["Networks"] = [_network(one) for one in options["network"]]
    if options.get("publish"):
        spec["EndpointSpec"]["Ports"] = [
            port
            for text in options["publish"]
            for port in published(text, "-p, --publish", "docker service create")
        ]
    _both(spec, options)
    return spec


def changed(session: Session, service: Record, options: dict[str, Any]) -> Record:
    """The specification of a service after `docker service update`."""
    refuse("docker service update", options)
    spec = copy.deepcopy(service["spec"])
    task = spec["TaskTemplate"]
    container = task["ContainerSpec"]
    if options.get("image"):
        container["Image"] = pinned(session, options["image"], options)
    if "args" in options:
        container["Args"] = options["args"].split()
    if "replicas" in options:
        if "Replicated" not in spec["Mode"]:
            raise UsageError("replicas can only be used with replicated mode", 1)
        spec["Mode"]["Replicated"]["Replicas"] = options["replicas"]
    if "endpoint-mode" in options:
        spec["EndpointSpec"]["Mode"] = options["endpoint-mode"]
    _list(container, "Env", options, "env", lambda one: str(one).partition("=")[0])
    _list(task["Placement"], "Constraints", options, "constraint", str)
    for target, key, name in ((spec, "Labels", "label"), (container, "Labels", "container-label")):
        labels = {**(target.get(key) or {}), **_labels(options.get(f"{name}-add", []))}
        for gone in options.get(f"{name}-rm", []):
            labels.pop(gone, None)
        if labels or key in target:
            target[key] = labels
    if options.get("host-add") or options.get("host-rm"):
        gone = {_host(one) if ":" in one else one for one in options.get("host-rm", [])}
        kept = [one for one in container.get("Hosts", []) if one not in gone]
        container["Hosts"] = [*kept, *(_host(one) for one in options.get("host-add", []))]
    mounts = [one for one in container.get("Mounts", []) if one["Target"] not in options.get("mount-rm", [])]
    mounts += [_mount(one) for one in options.get("mount-add", [])]
    if mounts or "Mounts" in container:
        container["Mounts"] = mounts
    _change_networks(session, task, options)
    _change_ports(spec, options)
    _both(spec, options)
    return spec


def _list(target: Record, key: str, options: dict[str, Any], name: str, key_of: Any) -> None:
    added, gone = options.get(f"{name}-add", []), options.get(f"{name}-rm", [])
    if not added and not gone:
        return
    new = {key_of(one) for one in added} | set(gone)
    target[key] = [*(one for one in target.get(key) or [] if key_of(one) not in new), *added]


def _change_networks(session: Session, task: Record, options: dict[str, Any]) -> None:
    if not options.get("network-add") and not options.get("network-rm"):
        return
    networks = session.engine.networks
    gone = {networks.find(one)["id"] for one in options.get("network-rm", [])}
    kept = [one for one in task.get("Networks") or [] if one["Target"] not in gone]
    fresh = [_network(one) for one in options.get("network-add", [])]
    there = {one["Target"] for one in kept}
    for one in fresh:
        if networks.find(one["Target"])["id"] in there:
            raise UsageError(f"service is already attached to network {one['Target']}", 1)
    task["Networks"] = [*kept, *fresh]


def _change_ports(spec: Record, options: dict[str, Any]) -> None:
    added = [
        port
        for text in options.get("publish-add", [])
        for port in published(text, "--publish-add", "docker service update")
    ]
    gone = set()
    for text in options.get("publish-rm", []):
        for one in _ports_of(text, "--publish-rm", "docker service update"):
            gone.add((one.protocol, one.container_port))
    if not added and not gone:
        return
    new = {(port["Protocol"], port["TargetPort"]) for port in added}
    kept = [
        port
        for port in spec["EndpointSpec"].get("Ports", [])
        if (port["Protocol"], port["TargetPort"]) not in gone | new
    ]
    spec["EndpointSpec"]["Ports"] = [*kept, *added]


def _both(spec: Record, options: dict[str, Any]) -> None:
    """What create and update call by the same name."""
    task = spec["TaskTemplate"]
    container, policy = task["ContainerSpec"], task["RestartPolicy"]
    condition = options.get("restart-condition")
    if condition is not None:
        if condition not in ("none", "on-failure", "any"):
            raise DaemonError(f'invalid RestartCondition: "{condition}"', 400)
        policy["Condition"] = condition
    for name, target, key in (
        ("restart-delay", policy, "Delay"), ("restart-max-attempts", policy, "MaxAttempts"),
        ("restart-window", policy, "Window"), ("hostname", container, "Hostname"), ("workdir", container, "Dir"),
        ("stop-signal", container, "StopSignal"), ("stop-grace-period", container, "StopGracePeriod"), ("tty", container, "TTY"),
        ("replicas-max-per-node", task["Placement"], "MaxReplicas"),
        ("update-delay", spec["UpdateConfig"], "Delay"), ("update-parallelism", spec["UpdateConfig"], "Parallelism"),
        ("update-monitor", spec["UpdateConfig"], "Monitor"), ("rollback-delay", spec["RollbackConfig"], "Delay"),
        ("rollback-parallelism", spec["RollbackConfig"], "Parallelism"), ("rollback-monitor", spec["RollbackConfig"], "Monitor"),
    ):  # fmt: skip
        if name in options:
            target[key] = options[name]
    if "entrypoint" in options:
        container["Command"] = options["entrypoint"].split()
    for prefix, known in (("update", ("pause", "continue", "rollback")), ("rollback", ("pause", "continue"))):
        action = options.get(f"{prefix}-failure-action")
        if action is not None:
            if action not in known:
                raise DaemonError(f"unrecognized {prefix}-failure action {action}", 400)
            spec[f"{prefix.capitalize()}Config"]["FailureAction"] = action


def pinned(session: Session, reference: str, options: dict[str, Any]) -> str:
    """The image with its digest, as the registry tells it; as it is where the registry has none."""
    repository, tag = images.split(reference)
    image = images.catalogued(repository)
    full = reference if ":" in reference.rpartition("/")[2] else f"{reference}:{tag}"
    if image is None or not images.VARIANTS.fullmatch(tag):
        if not options.get("no-resolve-image"):
            session.err(
                f"image {full} could not be accessed on a registry to record\nits digest. Each node will access {full} "
                "independently,\npossibly leading to different nodes running different\nversions of the image.\n\n"
            )
        return full
    return full if options.get("no-resolve-image") else f"{full}@{images.digest(image, tag)}"


def published(text: str, flag: str, path: str) -> list[Record]:
    """8080:80/tcp, or published=8080,target=80,protocol=tcp,mode=ingress|host."""
    if "=" not in text:
        found = []
        for one in _ports_of(text, flag, path):
            if one.host_ip:
                raise _invalid(text, flag, path, "hostip is not supported")
            if one.host_port != one.host_end:
                raise _invalid(text, flag, path, "port range is not supported for one container port")
            found.append(_port(one.protocol, one.container_port, one.host_port, "ingress"))
        return found
    fields = {"protocol": "tcp", "mode": "ingress"}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals:
            raise _invalid(text, flag, path, f"invalid field: {part}")
        if key.lower() not in ("target", "published", "protocol", "mode"):
            raise _invalid(text, flag, path, f"invalid field key: {key.lower()}")
        fields[key.lower()] = value.lower()
    if fields["protocol"] not in ("tcp", "udp", "sctp"):
        raise _invalid(
            text,
            flag,
            path,
            f"invalid protocol value ({fields['protocol']}): must be one of 'tcp', 'udp' or 'sctp'",
        )
    if fields["mode"] not in ("ingress", "host"):
        raise _invalid(
            text,
            flag,
            path,
            f"invalid publish mode value ({fields['mode']}): must be either 'ingress' or 'host'",
        )
    for key in ("target", "published"):
        if key in fields and not (fields[key].isdecimal() and int(fields[key]) < 65536):
            said = f"invalid {key} port ({fields[key]}): value must be an integer: invalid syntax"
            raise _invalid(text, flag, path, said)
    if "target" not in fields:
        raise _invalid(text, flag, path, "missing mandatory field 'target'")
    return [_port(fields["protocol"], int(fields["target"]), int(fields.get("published", 0)), fields["mode"])]


def _port(protocol: str, target: int, host: int, mode: str) -> Record:
    found: Record = {"Protocol": protocol, "TargetPort": target}
    if host:
        found["PublishedPort"] = host
    return {**found, "PublishMode": mode}


def _ports_of(text: str, flag: str, path: str) -> list[Any]:
    try:
        return parse_publish(text)
    except PortError as problem:
        raise _invalid(text, flag, path, str(problem)) from None


def _invalid(text: str, flag: str, path: str, said: str) -> UsageError:
    use = "[OPTIONS] IMAGE [COMMAND] [ARG...]" if path.endswith("create") else "[OPTIONS] SERVICE"
    return UsageError(
        f'invalid argument "{text}" for "{flag}" flag: {said}\n\nUsage:  {path} {use}\n\nRun \'{path} --help\' for more information\n'
    )


def _network(text: str) -> Record:
    """NAME, or name=NAME,alias=…"""
    if "=" not in text:
        return {"Target": text}
    fields = [part.partition("=") for part in text.split(",")]
    found: Record = {"Target": next((value for key, _, value in fields if key == "name"), text)}
    aliases = [value for key, _, value in fields if key == "alias"]
    return {**found, "Aliases": aliases} if aliases else found


def _mount(text: str) -> Record:
    fields: dict[str, str] = {"type": "volume"}
    for part in text.split(","):
        key, _, value = part.partition("=")
        key = {"src": "source", "destination": "target", "dst": "target", "ro": "readonly"}.get(key, key)
        if key not in ("type", "source", "target", "readonly"):
            raise UsageError(f"kubenet: docker service: --mount: {key} is not emulated", 1)
        fields[key] = value
    if fields["type"] not in ("volume", "bind"):
        raise UsageError(f"kubenet: docker service: --mount: type={fields['type']} is not emulated", 1)
    if "target" not in fields:
        raise _invalid(text, "--mount", "docker service create", "target is required")
    found: Record = {"Type": fields["type"], "Source": fields.get("source", ""), "Target": fields["target"]}
    if "readonly" in fields and fields["readonly"] in ("", "true", "1"):
        found["ReadOnly"] = True
    return found


def _host(text: str) -> str:
    """host:ip → "ip host", as /etc/hosts has it."""
    name, _, address = text.partition(":")
    return f"{address} {name}"


def _labels(texts: list[str]) -> dict[str, str]:
    return dict(sorted((key, value) for key, _, value in (text.partition("=") for text in texts)))
