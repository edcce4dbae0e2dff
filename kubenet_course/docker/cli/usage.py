"""docker stats, docker system df: what containers, images and volumes take."""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.docker import images, inspect, layers
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.tables import Listing
from kubenet_course.docker.inspect import human_duration, human_size
from kubenet_course.docker.process import processes
from kubenet_course.docker.store import VOLUMES, Record, seconds_of
from kubenet_course.errors import KernelError

STATS = Listing(
    {"Container": "CONTAINER", "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT",
     "MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS"},
    "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    go_type="*container.statsContext",
)  # fmt: skip
USAGE = Listing(
    {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"},
    "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
    go_type="*formatter.diskUsageImagesContext",
)
#: Clock ticks of /proc/PID/stat in a second, and how long the processor is watched.
TICKS = 100
WATCH_SECONDS = 1.0


async def stats(session: Session, options: dict[str, Any], words: list[str]) -> int:
    if not options.get("no-stream"):
        raise UsageError("kubenet: docker stats: only with --no-stream", 1)
    store = session.engine.store
    if words:
        records = [store.container(word) for word in words]
    else:
        records = [
            one for one in reversed(store.containers()) if options.get("all") or one["state"]["Running"]
        ]
    groups = {one["id"]: processes(session.here, one["id"]) for one in records if one["state"]["Running"]}
    before = {key: sum(_ticks(session, pid) for pid in pids) for key, pids in groups.items()}
    await session.here.sleep(WATCH_SECONDS)
    entries = []
    for record in records:
        pids = groups.get(record["id"], [])
        spent = sum(_ticks(session, pid) for pid in pids) - before.get(record["id"], 0)
        entries.append(await _entry(session, record, pids, spent, options.get("no-trunc", False)))
    session.out(STATS.text(entries, options.get("format", "")))
    return 0


async def _entry(session: Session, record: Record, pids: list[str], spent: int, full: bool) -> dict[str, Any]:
    memory = sum(_number(session, f"/proc/{pid}/status", "VmRSS:") * 1024 for pid in pids)
    threads = sum(_number(session, f"/proc/{pid}/status", "Threads:") for pid in pids)
    limit = _number(session, "/proc/meminfo", "MemTotal:") * 1024 if pids else 0
    read = sum(_number(session, f"/proc/{pid}/io", "read_bytes:") for pid in pids)
    written = sum(_number(session, f"/proc/{pid}/io", "write_bytes:") for pid in pids)
    received, sent = await _traffic(session, record) if pids else (0, 0)
    identity = record["id"] if full else record["id"][:12]
    return {
        "Container": identity,
        "ID": identity,
        "Name": record["name"],
        "CPUPerc": f"{max(0, spent) / TICKS / WATCH_SECONDS * 100:.2f}%",
        "MemUsage": f"{binary_size(memory)} / {binary_size(limit)}",
        "MemPerc": f"{memory * 100 / limit if limit else 0:.2f}%",
        "NetIO": f"{human_size(received)} / {human_size(sent)}",
        "BlockIO": f"{human_size(read)} / {human_size(written)}",
        "PIDs": str(threads),
    }


async def _traffic(session: Session, record: Record) -> tuple[int, int]:
    """Bytes that all the namespace's devices but `lo` have received and sent; nothing is counted for the host's."""
    key = record["sandbox"]["key"]
    if not key or not record["sandbox"]["id"]:
        return 0, 0
    done = await session.here.run(["nsenter", f"--net={key}", "ip", "-j", "-s", "link", "show"])
    shown = [one["stats64"] for one in json.loads(done.stdout or "[]") if one and one["ifname"] != "lo"]
    return sum(one["rx"]["bytes"] for one in shown), sum(one["tx"]["bytes"] for one in shown)


def _ticks(session: Session, pid: str) -> int:
    """User and system time of a process."""
    try:
        fields = session.here.read(f"/proc/{pid}/stat").decode("utf-8", "replace").rpartition(")")[2].split()
    except KernelError:
        return 0
    return int(fields[11]) + int(fields[12])


def _number(session: Session, path: str, key: str) -> int:
    try:
        text = session.here.read(path).decode("utf-8", "replace")
    except KernelError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(key)), 0)


def binary_size(size: float) -> str:
    """units.BytesSize: 4.768MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.4g}{unit}"
        size /= 1024
    return f"{size:.4g}TiB"


# -- system df ----------------------------------------------------------------------------------
async def system_df(session: Session, options: dict[str, Any], words: list[str]) -> int:
    engine = session.engine
    containers = engine.store.containers()
    if options.get("verbose"):
        if options.get("format"):
            raise UsageError("kubenet: docker system df: not --verbose and --format together", 1)
        session.out(_verbose(session, containers))
        return 0
    used = {one["image_id"] for one in containers}
    sizes = {one["id"]: _image_size(one) for one in engine.images.all() if one["of"]}
    layer = {one["id"]: layers.size(engine.store, one) for one in containers}
    stopped = [one["id"] for one in containers if not one["state"]["Running"]]
    volumes = _volumes(session, containers)
    entries = [
        _row("Images", len(sizes), len(used & set(sizes)), sum(sizes.values()),
             sum(size for key, size in sizes.items() if key not in used)),
        _row("Containers", len(layer), len(layer) - len(stopped), sum(layer.values()), sum(layer[key] for key in stopped)),
        _row("Local Volumes", len(volumes), sum(links > 0 for links, _ in volumes.values()),
             sum(size for _, size in volumes.values()), sum(size for links, size in volumes.values() if not links)),
        {"Type": "Build Cache", "TotalCount": "0", "Active": "0", "Size": "0B", "Reclaimable": "0B"},
    ]  # fmt: skip
    session.out(USAGE.text(entries, options.get("format", "")))
    return 0


def _row(kind: str, total: int, active: int, size: int, reclaimable: int) -> dict[str, str]:
    share = f" ({reclaimable * 100 // size}%)" if size else ""
    return {
        "Type": kind,
        "TotalCount": str(total),
        "Active": str(active),
        "Size": human_size(size, 4),
        "Reclaimable": human_size(reclaimable, 4) + share,
    }


def _image_size(record: Record) -> int:
    image = images.catalogued(record["of"])
    return image.size if image else 0


def _volumes(session: Session, containers: list[Record]) -> dict[str, tuple[int, int]]:
    """{name: (containers that use it, bytes)}."""
    names = session.here.listdir(VOLUMES) if session.here.isdir(VOLUMES) else []
    return {
        name: (
            sum(any(mount.get("Name") == name for mount in one["mounts"]) for one in containers),
            layers.volume_size(session.engine.store, f"{VOLUMES}/{name}/_data"),
        )
        for name in names
    }


def _verbose(session: Session, containers: list[Record]) -> str:
    now = session.here.time()
    built = f"{human_duration(max(0.0, now - seconds_of(images.BUILT)))} ago"
    rows = [
        {"R": one["repository"], "T": one["tag"], "I": one["id"].removeprefix("sha256:")[:12], "C": built,
         "S": human_size(_image_size(one)), "N": str(sum(c["image_id"] == one["id"] for c in containers))}
        for one in sorted(session.engine.images.all(), key=lambda one: (one["repository"], one["tag"]))
        if one["of"]
    ]  # fmt: skip
    image_table = Listing(
        {"R": "REPOSITORY", "T": "TAG", "I": "IMAGE ID", "C": "CREATED", "S": "SIZE", "Z": "SHARED SIZE", "U": "UNIQUE SIZE",
         "N": "CONTAINERS"},
        "{{.R}}\t{{.T}}\t{{.I}}\t{{.C}}\t{{.S}}\t{{.Z}}\t{{.U}}\t{{.N}}",
    )  # fmt: skip
    text = "Images space usage:\n\n" + image_table.text([{**row, "Z": "0B", "U": row["S"]} for row in rows])
    container_table = Listing(
        {"I": "CONTAINER ID", "M": "IMAGE", "C": "COMMAND", "V": "LOCAL VOLUMES", "S": "SIZE", "A": "CREATED", "U": "STATUS", "N": "NAMES"},
        "{{.I}}\t{{.M}}\t{{.C}}\t{{.V}}\t{{.S}}\t{{.A}}\t{{.U}}\t{{.N}}",
    )  # fmt: skip
    shown = []
    for one in reversed(containers):
        command = " ".join([one["path"], *one["args"]])
        command = command if len(command) <= 20 else command[:19] + "…"
        shown.append(
            {"I": one["id"][:12], "M": one["config"]["Image"], "C": json.dumps(command, ensure_ascii=False),
             "V": str(sum("Name" in mount for mount in one["mounts"])), "S": human_size(layers.size(session.engine.store, one)),
             "A": f"{human_duration(now - seconds_of(one['created']))} ago", "U": inspect.status(one, now), "N": one["name"]}
        )  # fmt: skip
    text += "\nContainers space usage:\n\n" + container_table.text(shown)
    volume_table = Listing({"N": "VOLUME NAME", "L": "LINKS", "S": "SIZE"}, "{{.N}}\t{{.L}}\t{{.S}}")
    volumes = [
        {"N": name, "L": str(links), "S": human_size(size)}
        for name, (links, size) in _volumes(session, containers).items()
    ]
    text += "\nLocal Volumes space usage:\n\n" + volume_table.text(volumes)
    cache = Listing(
        {
            "I": "CACHE ID",
            "T": "CACHE TYPE",
            "S": "SIZE",
            "C": "CREATED",
            "L": "LAST USED",
            "U": "USAGE",
            "H": "SHARED",
        },
        "{{.I}}\t{{.T}}\t{{.S}}\t{{.C}}\t{{.L}}\t{{.U}}\t{{.H}}",
    )
    return text + "\nBuild cache usage: 0B\n\n" + cache.text([])


COMMANDS = [
    (Command("docker stats", "[OPTIONS] [CONTAINER...]", "Display a live stream of container(s) resource usage statistics", """
  -a, --all             Show all containers (default shows just running)
      --format string   Format output using a custom template
      --no-stream       Disable streaming stats and only pull the first result
      --no-trunc        Do not truncate output
""", aliases=("docker container stats",)), stats),
    (Command("docker system df", "[OPTIONS]", "Show docker disk usage", """
      --format string   Format output using a custom template
  -v, --verbose         Show detailed information on space usage
""", 0, 0), system_df),
]  # fmt: skip
