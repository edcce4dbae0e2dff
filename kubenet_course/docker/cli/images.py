"""docker images, pull, rmi, tag, image …: the lab's own catalogue."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from kubenet_course.docker import events
from kubenet_course.docker import images as catalogue
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.events import moment
from kubenet_course.docker.cli.filters import grouped
from kubenet_course.docker.cli.flags import Command
from kubenet_course.docker.cli.looking import show_objects
from kubenet_course.docker.cli.tables import Listing
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.inspect import human_duration, human_size
from kubenet_course.docker.store import Record, seconds_of

_HEADERS = {
    "ID": "IMAGE ID", "Repository": "REPOSITORY", "Tag": "TAG", "CreatedSince": "CREATED",
    "Size": "SIZE", "Digest": "DIGEST", "CreatedAt": "CREATED AT",
}  # fmt: skip
LISTING = Listing(
    _HEADERS,
    "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    go_type="*formatter.imageContext",
)
DIGESTS = Listing(
    _HEADERS,
    "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    go_type="*formatter.imageContext",
)
FILTERS = ("before", "dangling", "label", "reference", "since", "until")


async def images(session: Session, options: dict[str, Any], words: list[str]) -> int:
    records = [one for one in session.engine.images.all() if one["of"]]
    if words:
        repository, _, tag = words[0].partition(":")
        records = [
            one
            for one in records
            if fnmatchcase(one["repository"], repository) and (not tag or fnmatchcase(one["tag"], tag))
        ]
    filters = grouped(options.get("filter", []), FILTERS)
    records = [one for one in records if _passes(session, one, filters)]
    full = options.get("no-trunc", False)
    age = f"{human_duration(max(0.0, session.here.time() - seconds_of(catalogue.BUILT)))} ago"
    entries = [
        {
            "ID": one["id"] if full else one["id"].removeprefix("sha256:")[:12],
            "Repository": one["repository"],
            "Tag": one["tag"],
            "CreatedSince": age,
            "CreatedAt": "2025-10-28 17:00:00 +0000 UTC",
            "Size": human_size(catalogue.catalogued(one["of"]).size),  # type: ignore[union-attr]
            "Digest": one["digest"],
        }
        for one in sorted(records, key=lambda one: (one["repository"], one["tag"]))
    ]
    listing = DIGESTS if options.get("digests") else LISTING
    session.out(listing.text(entries, options.get("format", ""), options.get("quiet", False)))
    return 0


def _passes(session: Session, record: Record, filters: dict[str, list[str]]) -> bool:
    image = catalogue.catalogued(record["of"])
    labels = image.labels if image else {}
    name = f"{record['repository']}:{record['tag']}"
    built = seconds_of(catalogue.BUILT)
    tests = {
        "dangling": lambda value: value in ("0", "false"),  # nothing is built here, so every image has a name
        "reference": lambda value: fnmatchcase(name, value if ":" in value else f"{value}:*"),
        "label": lambda value: value in labels or value in {f"{key}={text}" for key, text in labels.items()},
        "until": lambda value: built <= moment(value, session.here.time()),
        "before": lambda value: False,  # all are of one moment
        "since": lambda value: False,
    }  # fmt: skip
    return all(any(tests[key](value) for value in values) for key, values in filters.items())


async def pull(session: Session, options: dict[str, Any], words: list[str]) -> int:
    reference = words[0]
    try:
        repository, tag = catalogue.split(reference)
        plain = reference.rpartition("/")[2]
        if ":" not in plain and "@" not in plain and not options.get("quiet"):
            session.line("Using default tag: latest")
        record, _, fresh = session.engine.images.pull(reference)
    except DaemonError as problem:
        session.complain(problem)
        return 1
    events.note(session.engine.store, "image", "pull", f"{repository}:{tag}", name=repository)
    full = f"docker.io/{repository if '/' in repository else 'library/' + repository}:{tag}"
    if not options.get("quiet"):
        session.line(f"{tag}: Pulling from {full.removeprefix('docker.io/').rpartition(':')[0]}")
        session.line(f"Digest: {record['digest']}")
        session.line(
            f"Status: {'Downloaded newer image' if fresh else 'Image is up to date'} for {repository}:{tag}"
        )
    session.line(full)
    return 0


async def remove(session: Session, options: dict[str, Any], words: list[str]) -> int:
    store = session.engine.images
    status = 0
    for word in words:
        found = store.find(word)
        if found is None:
            if not options.get("force"):
                repository, tag = catalogue.split(word)
                session.err(f"Error response from daemon: No such image: {repository}:{tag}\n")
                status = 1
            continue
        record = found[0]
        same = [one for one in store.all() if one["id"] == record["id"]]
        users = [one for one in session.engine.store.containers() if one["image_id"] == record["id"]]
        if users and len(same) == 1 and (not options.get("force") or users[0]["state"]["Running"]):
            short = users[0]["id"][:12]
            must = "cannot be forced" if options.get("force") else "must force"
            session.err(
                f'Error response from daemon: conflict: unable to remove repository reference "{word}" ({must}) - '
                f"container {short} is using its referenced image {record['id'].removeprefix('sha256:')[:12]}\n"
            )
            status = 1
            continue
        store.save([one for one in store.all() if one is not record and one != record])
        session.line(f"Untagged: {record['repository']}:{record['tag']}")
        events.note(session.engine.store, "image", "untag", record["id"], name=record["id"])
        if len(same) == 1:
            events.note(session.engine.store, "image", "delete", record["id"], name=record["id"])
            session.line(f"Deleted: {record['id']}")
    return status


async def tag(session: Session, options: dict[str, Any], words: list[str]) -> int:
    store = session.engine.images
    found = store.find(words[0])
    if found is None:
        repository, old = catalogue.split(words[0])
        raise DaemonError(f"No such image: {repository}:{old}", 404)
    repository, new = catalogue.split(words[1])
    others = [one for one in store.all() if (one["repository"], one["tag"]) != (repository, new)]
    store.save([*others, {**found[0], "repository": repository, "tag": new}])
    events.note(session.engine.store, "image", "tag", found[0]["id"], name=f"{repository}:{new}")
    return 0


async def inspect(session: Session, options: dict[str, Any], words: list[str]) -> int:
    found, missing = [], []
    for word in words:
        one = session.engine.images.find(word)
        if one is None:
            repository, new = catalogue.split(word)
            missing.append(f"{repository}:{new}" if ":" not in word else word)
        else:
            found.append(catalogue.inspect(one[0], one[1], [f"{one[0]['repository']}:{one[0]['tag']}"]))
    show_objects(session, found, options.get("format", ""))
    for word in missing:
        session.err(f"Error response from daemon: No such image: {word}\n")
    return 1 if missing else 0


COMMANDS = [
    (Command("docker images", "[OPTIONS] [REPOSITORY[:TAG]]", "List images", """
  -a, --all             Show all images (default hides intermediate images)
      --digests         Show digests
  -f, --filter filter   Filter output based on conditions provided
      --format string   Format output using a custom template
      --no-trunc        Don't truncate output
  -q, --quiet           Only show image IDs
""", 0, 1, aliases=("docker image ls", "docker image list")), images),
    (Command("docker pull", "[OPTIONS] NAME[:TAG|@DIGEST]", "Download an image from a registry", """
  -a, --all-tags                Download all tagged images in the repository
      --platform string         Set platform if server is multi-platform capable
  -q, --quiet                   Suppress verbose output
""", 1, 1, aliases=("docker image pull",)), pull),
    (Command("docker rmi", "[OPTIONS] IMAGE [IMAGE...]", "Remove one or more images", """
  -f, --force      Force removal of the image
      --no-prune   Do not delete untagged parents
""", 1, aliases=("docker image rm", "docker image remove")), remove),
    (Command("docker tag", "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE", "", 2, 2, aliases=("docker image tag",)), tag),
    (Command("docker image inspect", "[OPTIONS] IMAGE [IMAGE...]", "Display detailed information on one or more images", """
  -f, --format string   Format output using a custom template
""", 1), inspect),
]  # fmt: skip
__all__ = ["COMMANDS", "Record"]
