"""A container's own folders compared with its image's: what `docker diff` lists, and how much it is.

An image has no root file system here (`images`): a container has a few folders for itself, and only there it can
change anything.
"""

from __future__ import annotations

from kubenet_course.docker import images
from kubenet_course.docker.store import LAYERS, Record, Store
from kubenet_course.errors import KernelError


def content(store: Store, folder: str) -> dict[str, int | None]:
    """{path below `folder`: size in bytes, or None for a folder}."""
    found: dict[str, int | None] = {}
    if not store.here.isdir(folder):
        return found
    for name in store.here.listdir(folder):
        path = f"{folder}/{name}"
        if store.here.isdir(path):
            found[f"/{name}"] = None
            found |= {f"/{name}{inner}": size for inner, size in content(store, path).items()}
        else:
            found[f"/{name}"] = len(_read(store, path))
    return found


def _read(store: Store, path: str) -> bytes:
    try:
        return store.here.read(path)
    except KernelError:  # a dangling link, a socket
        return b""


def changes(store: Store, record: Record) -> list[tuple[str, str]]:
    """(A, C or D, path) of what differs from the image, by path; folders above a change are changed."""
    image = images.catalogued(record["image_of"])
    files = dict(image.files) if image else {}
    before = set(files)
    for folder in (*images.FOLDERS, *(image.folders if image else ()), *(_parent(path) for path in files)):
        while folder:
            before.add(folder)
            folder = _parent(folder)
    layer = f"{LAYERS}/{record['id']}/diff"
    now = content(store, layer)
    found: dict[str, str] = {}
    for path, size in now.items():
        if path not in before:
            found[path] = "A"
        elif size is not None and path in files and _read(store, layer + path) != files[path].encode():
            found[path] = "C"
    found |= {path: "D" for path in before if path not in now}
    for path in list(found):
        above = _parent(path)
        while above and above not in found:
            found[above] = "C"
            above = _parent(above)
    return [(found[path], path) for path in sorted(found)]


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def size(store: Store, record: Record) -> int:
    """Bytes that were added or changed."""
    layer = f"{LAYERS}/{record['id']}/diff"
    now = content(store, layer)
    return sum(now.get(path) or 0 for kind, path in changes(store, record) if kind != "D")


def volume_size(store: Store, path: str) -> int:
    return sum(one or 0 for one in content(store, path).values())
