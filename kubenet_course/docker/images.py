"""The lab's own images: small programs under the names that everybody uses, with the real ones' metadata.

An image has no root file system of its own: its programs are the machine's (`nginx`, `bash`) or of
`docker.apps`, and `files` are put into folders that a container has for itself (`folders`). `programs` says
what is run for a name that the machine does not have (`/whoami`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import IMAGES, Record, Store

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BUILT = "2025-10-28T17:00:00Z"
#: Folders of the machine of which each container has its own, empty ones.
FOLDERS = ("/tmp", "/root", "/var/log")


@dataclass(frozen=True)
class Image:
    """What `docker image inspect` tells, and what the engine needs. `size` in bytes."""

    repository: str
    size: int
    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    workdir: str = ""
    stop_signal: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    programs: dict[str, tuple[str, ...]] = field(default_factory=dict)


NGINX_CONF = """user  root;
worker_processes  1;
error_log  /dev/stderr notice;
pid        /tmp/nginx.pid;
events {
    worker_connections  1024;
}
http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;
    log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';
    access_log  /dev/stdout  main;
    sendfile        on;
    keepalive_timeout  65;
    include /etc/nginx/conf.d/*.conf;
}
"""
NGINX_SITE = """server {
    listen       80;
    listen  [::]:80;
    server_name  localhost;
    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }
    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
"""
MIME_TYPES = """types {
    text/html                             html htm shtml;
    text/css                              css;
    text/xml                              xml;
    image/gif                             gif;
    image/jpeg                            jpeg jpg;
    application/javascript                js;
    text/plain                            txt;
    image/png                             png;
    image/svg+xml                         svg svgz;
    application/json                      json;
}
"""
WELCOME = """<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
"""
ERROR_PAGE = "<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>An error occurred.</h1></body></html>\n"
WORKS = "<html><body><h1>It works!</h1></body></html>\n"

CATALOGUE = (
    Image(
        "nginx",
        152_000_000,
        cmd=("nginx", "-g", "daemon off;"),
        entrypoint=("/docker-entrypoint.sh",),
        env=(PATH, "NGINX_VERSION=1.29.3", "PKG_RELEASE=1~bookworm"),
        ports=("80/tcp",),
        stop_signal="SIGQUIT",
        labels={"maintainer": "NGINX Docker Maintainers <docker-maint@nginx.com>"},
        files={
            "/etc/nginx/nginx.conf": NGINX_CONF,
            "/etc/nginx/mime.types": MIME_TYPES,
            "/etc/nginx/conf.d/default.conf": NGINX_SITE,
            "/usr/share/nginx/html/index.html": WELCOME,
            "/usr/share/nginx/html/50x.html": ERROR_PAGE,
            "/var/log/nginx/error.log": "",
            "/var/log/nginx/access.log": "",
        },
        folders=("/etc/nginx", "/usr/share/nginx/html"),
        programs={"/docker-entrypoint.sh": ("env",)},
    ),
    Image(
        "httpd",
        117_000_000,
        cmd=("httpd-foreground",),
        env=(f"{PATH.replace('=', '=/usr/local/apache2/bin:', 1)}", "HTTPD_PREFIX=/usr/local/apache2"),
        ports=("80/tcp",),
        stop_signal="SIGWINCH",
        workdir="/usr/local/apache2",
        files={"/tmp/htdocs/index.html": WORKS},
        programs={"httpd-foreground": ("docker-app", "static", "--name", "Apache/2.4.65 (Unix)", "/tmp/htdocs")},
    ),
    Image("busybox", 4_430_000, cmd=("sh",), env=(PATH,)),
    Image("alpine", 8_320_000, cmd=("/bin/sh",), env=(PATH,)),
    Image("debian", 117_000_000, cmd=("bash",), env=(PATH,)),
    Image("ubuntu", 78_100_000, cmd=("/bin/bash",), env=(PATH,)),
    Image("python", 1_110_000_000, cmd=("python3",), env=(PATH, "LANG=C.UTF-8")),
    Image(
        "redis",
        137_000_000,
        cmd=("redis-server",),
        entrypoint=("docker-entrypoint.sh",),
        env=(PATH, "REDIS_VERSION=8.2.2"),
        ports=("6379/tcp",),
        workdir="/data",
        programs={"docker-entrypoint.sh": ("env",), "redis-server": ("docker-app", "redis"), "redis-cli": ("docker-app", "redis-cli")},
    ),
    Image(
        "traefik/whoami",
        6_480_000,
        entrypoint=("/whoami",),
        env=(PATH,),
        ports=("80/tcp",),
        programs={"/whoami": ("docker-app", "whoami")},
    ),
    Image(
        "hashicorp/http-echo",
        15_600_000,
        entrypoint=("/http-echo",),
        env=(PATH, "PRODUCT_NAME=http-echo"),
        ports=("5678/tcp",),
        programs={"/http-echo": ("docker-app", "http-echo")},
    ),
    Image("curlimages/curl", 21_900_000, cmd=("curl",), entrypoint=("/entrypoint.sh",), env=(PATH,),
          programs={"/entrypoint.sh": ("docker-app", "curl-entrypoint")}),
    Image("nicolaka/netshoot", 509_000_000, cmd=("bash",), env=(PATH,), workdir="/root"),
)  # fmt: skip
#: Tags that the lab's registry has for each repository, besides numbers.
VARIANTS = re.compile(
    r"latest|(v?\d[\d.]*-?)?(alpine|slim|stable|mainline|bookworm|trixie|bullseye|perl|musl|glibc|uclibc|noble|jammy)*"
    r"|v?\d[\d.]*"
)
REFERENCE = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")


def split(reference: str) -> tuple[str, str]:
    """(familiar repository, tag): docker.io/library/ is left out, the tag is `latest` by default."""
    name, _, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, "latest"
    for prefix in ("docker.io/", "index.docker.io/", "registry-1.docker.io/"):
        repository = repository.removeprefix(prefix)
    repository = repository.removeprefix("library/")
    if digest or not REFERENCE.fullmatch(repository.partition(":")[2].partition("/")[2] or repository):
        if repository != repository.lower():
            raise DaemonError(
                f"invalid reference format: repository name (library/{repository}) must be lowercase", 400
            )
        raise DaemonError("invalid reference format", 400)
    return repository, tag


def image_id(image: Image, tag: str) -> str:
    """sha256:…, the same in every lab; numbered tags of a repository are different images."""
    variant = "latest" if tag in ("latest", "local") else tag
    return "sha256:" + hashlib.sha256(f"{image.repository}:{variant}".encode()).hexdigest()


def digest(image: Image, tag: str) -> str:
    return "sha256:" + hashlib.sha256(f"manifest {image.repository}:{tag}".encode()).hexdigest()


def catalogued(repository: str) -> Image | None:
    return next((image for image in CATALOGUE if image.repository == repository), None)


class ImageStore:
    """Which images this machine has: a list of {repository, tag, id, of}. Those of the catalogue from the start."""

    def __init__(self, store: Store):
        self.store = store

    def all(self) -> list[Record]:
        return list(self.store.read_json(IMAGES, None) or self._initial())

    def _initial(self) -> list[Record]:
        return [_record(image, "latest") for image in CATALOGUE]

    def save(self, records: list[Record]) -> None:
        self.store.write_json(IMAGES, records or [{"repository": "", "tag": "", "id": "", "of": ""}])

    def find(self, reference: str) -> tuple[Record, Image] | None:
        """By name or by (the beginning of) an id."""
        records = [record for record in self.all() if record["of"]]
        plain = reference.removeprefix("sha256:")
        if re.fullmatch(r"[0-9a-f]{4,64}", plain):
            for record in records:
                if record["id"].removeprefix("sha256:").startswith(plain):
                    return record, _image(record)
        repository, tag = split(reference)
        for record in records:
            if (record["repository"], record["tag"]) == (repository, tag):
                return record, _image(record)
        return None

    def pull(self, reference: str) -> tuple[Record, Image, bool]:
        """Fetch from the lab's registry; whether it is new here. DaemonError in Docker Hub's words."""
        repository, tag = split(reference)
        image = catalogued(repository)
        if image is None:
            raise DaemonError(
                f"pull access denied for {repository}, repository does not exist or may require 'docker login': "
                "denied: requested access to the resource is denied",
                404,
            )
        if not VARIANTS.fullmatch(tag):
            raise DaemonError(
                f"manifest for {repository}:{tag} not found: manifest unknown: manifest unknown", 404
            )
        records = [record for record in self.all() if record["of"]]
        for record in records:
            if (record["repository"], record["tag"]) == (repository, tag):
                return record, image, False
        record = _record(image, tag)
        self.save([*records, record])
        return record, image, True


def _record(image: Image, tag: str) -> Record:
    return {
        "repository": image.repository,
        "tag": tag,
        "id": image_id(image, tag),
        "of": image.repository,
        "digest": digest(image, tag),
    }


def _image(record: Record) -> Image:
    image = catalogued(record["of"])
    if image is None:
        raise DaemonError(f"No such image: {record['repository']}:{record['tag']}", 404)
    return image


def inspect(record: Record, image: Image, tags: list[str]) -> dict[str, Any]:
    """`docker image inspect`."""
    return {
        "Id": record["id"],
        "RepoTags": tags,
        "RepoDigests": [f"{image.repository}@{record['digest']}"],
        "Parent": "",
        "Comment": "",
        "Created": BUILT,
        "DockerVersion": "",
        "Author": "",
        "Architecture": "amd64",
        "Os": "linux",
        "Size": image.size,
        "GraphDriver": {"Data": None, "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": []},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
        "Config": {
            "ExposedPorts": {port: {} for port in image.ports} or None,
            "Env": list(image.env),
            "Entrypoint": list(image.entrypoint) or None,
            "Cmd": list(image.cmd) or None,
            "WorkingDir": image.workdir or "/",
            "Labels": dict(image.labels) or None,
            "StopSignal": image.stop_signal,
        },
    }
