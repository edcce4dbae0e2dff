"""How a container's process is started: the command lines that put it into its namespaces.

`nsenter` for the network namespace, `unshare` for mounts, processes and host name of its own, then a shell that binds
the container's folders over the machine's and becomes the program. For `docker exec` it is `nsenter` alone.
"""

from __future__ import annotations

import shlex

from kubenet_course.docker import images
from kubenet_course.docker.store import CONTAINERS, LAYERS, Record
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Child, Surroundings

PATH = images.PATH.partition("=")[2]


def log_paths(container_id: str) -> tuple[str, str]:
    """The files that hold standard output and standard error."""
    folder = f"{CONTAINERS}/{container_id}"
    return f"{folder}/stdout.log", f"{folder}/stderr.log"


def namespace_path(container_id: str) -> str:
    """The file that holds the name of the container's PID namespace (else mount namespace)."""
    return f"{CONTAINERS}/{container_id}/namespace"


def processes(here: Surroundings, container_id: str) -> list[str]:
    """Process numbers of everything in a container: whoever is in its namespace."""
    try:
        namespace = here.read(namespace_path(container_id)).decode().strip()
    except KernelError:
        return []
    kind = namespace.partition(":")[0]
    if namespace == here.readlink(f"/proc/self/ns/{kind}"):
        return []
    found = []
    for name in here.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            if here.readlink(f"/proc/{name}/ns/{kind}") == namespace:
                found.append(name)
        except KernelError:
            continue  # it has just ended
    return found


def environment(container: Record, extra: list[str] | None = None) -> dict[str, str]:
    env = {"PATH": PATH, "HOSTNAME": container["config"]["Hostname"], "HOME": "/root"}
    for entry in [*(container["config"]["Env"] or []), *(extra or [])]:
        name, _, text = entry.partition("=")
        env[name] = text
    return env


def program_words(container: Record, words: list[str]) -> list[str]:
    """What is really run for a command line of the image: its own programs may be ours."""
    image = images.catalogued(container["image_of"])
    found = list(words)
    for _ in range(3):
        known = image.programs.get(found[0]) if image and found else None
        if not known:
            break
        found = [*known, *found[1:]]
        if known == ("env",):
            rest = program_words(container, found[1:]) if len(found) > 1 else []
            return ["env", *rest]
    return found


def mounts(container: Record) -> list[tuple[str, str]]:
    """(source, target) of everything bound over the machine's files."""
    folder, layer = f"{CONTAINERS}/{container['id']}", f"{LAYERS}/{container['id']}/diff"
    image = images.catalogued(container["image_of"])
    own = [(f"{layer}{path}", path) for path in (*images.FOLDERS, *(image.folders if image else ()))]
    names = [(f"{folder}/{name}", f"/etc/{name}") for name in ("hosts", "hostname", "resolv.conf")]
    volumes = [(mount["Source"], mount["Destination"]) for mount in container["mounts"]]
    return [*own, *names, *volumes]


NEW_PIDS = ("--pid", "--fork", "--kill-child", "--mount-proc")


async def has_pid_namespaces(here: Surroundings) -> bool:
    """Whether a container can have process numbers and a /proc of its own (not where /proc cannot be mounted)."""
    return (await here.run(["unshare", "--mount", *NEW_PIDS, "true"])).returncode == 0


async def first_process(here: Surroundings, child: Child) -> int:
    """The container's process 1, by its number out here: what `unshare --fork` has made. 0 if it has ended."""
    while child.poll() is None:
        try:
            found = here.read(f"/proc/{child.pid}/task/{child.pid}/children").split()
        except KernelError:
            break
        if found:
            return int(found[0])
        await here.sleep(0.001)
    return 0


def command_line(container: Record, own_pids: bool) -> tuple[list[str], dict[str, str]]:
    """The words that start a container's first process, and its environment."""
    out, err = log_paths(container["id"])
    script = [f"exec >>{shlex.quote(out)} 2>>{shlex.quote(out if container['config']['Tty'] else err)}"]
    script += [
        f"mount --bind {shlex.quote(source)} {shlex.quote(target)}" for source, target in mounts(container)
    ]
    kind = "pid" if own_pids else "mnt"
    script.append(f"readlink /proc/self/ns/{kind} >{shlex.quote(namespace_path(container['id']))}")
    own_name = "host" not in container["endpoints"] and not container["host_config"][
        "NetworkMode"
    ].startswith("container:")
    if own_name:
        script.append(f"hostname {shlex.quote(container['config']['Hostname'])}")
    script.append(f"cd {shlex.quote(container['config']['WorkingDir'] or '/')} 2>/dev/null || cd /")
    script.append('exec "$@"')
    words = ["unshare", "--mount", *(["--uts"] if own_name else []), *(NEW_PIDS if own_pids else ())]
    words += ["sh", "-c", "\n".join(script), "sh"]
    words += program_words(container, [container["path"], *container["args"]])
    key = container["sandbox"]["key"]
    if key and container["sandbox"]["id"]:
        words = ["nsenter", f"--net={key}", *words]
    return words, environment(container)


def exec_line(container: Record, words: list[str], workdir: str = "") -> list[str]:
    """The words that run a program beside a container's own, in its namespaces."""
    folder = workdir or container["config"]["WorkingDir"] or "/"
    script = f'cd {shlex.quote(folder)} 2>/dev/null || cd /\nexec "$@"'
    if workdir:
        script = f'cd {shlex.quote(folder)} || exit 126\nexec "$@"'
    pid = str(container["state"]["Pid"])
    return [
        "nsenter",
        "-t",
        pid,
        "-n",
        "-m",
        "-u",
        "-p",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        *program_words(container, words),
    ]
