"""Containers that find each other by name."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.exercises.docker_publish import running
from kubenet_course.course.expect import Expect


def networks(expect: Expect, name: str) -> set[str]:
    """The networks that a container is in."""
    form = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
    return set(expect.run("host", f"docker inspect -f '{form}' {name}").stdout.split())


def check(expect: Expect) -> None:
    if not all(running(expect, name, hint=1) for name in ("db", "app")):
        return
    # The ping is the task; the rest says why it fails.
    works = expect.run("host", "docker exec app ping -c 3 -i 0.5 -W 1 db").returncode == 0
    shared = networks(expect, "db") & networks(expect, "app")
    expect.that(works or bool(shared), "db and app are in one network", "Each is in a network of its own.", hint=3)
    expect.that(
        works or not shared or not shared <= {"bridge", "host", "none"},
        "and in that network there are names",
        f"The network {', '.join(sorted(shared))} has no names. Make one of your own.",
        hint=2,
    )
    expect.that(works, "app can ping db by its name", "The name is not known, or nobody answers.", hint=2)


APP, DB = "--name app busybox sleep 10000", "--name db redis"

EXERCISE = Exercise(
    title="By name",
    lab="docker",
    task=(
        "Run two containers: db from the image redis, app from the image busybox (with the command `sleep 10000`). "
        "`docker exec app ping db` must work."
    ),
    check=check,
    hints=(
        "`docker run -d --name NAME IMAGE COMMAND`. `docker ps -a` shows what runs and what has ended.",
        "`docker network create NAME`, and run both with `--network NAME`.",
        "A running container joins another network with `docker network connect NETWORK CONTAINER`.",
    ),
    solution=(
        ("host", "docker network create inner"),
        ("host", f"docker run -d --network inner {DB}"),
        ("host", f"docker run -d --network inner {APP} && sleep 1"),
    ),
    others=(
        (
            ("host", "docker network create inner"),
            ("host", f"docker run -d {DB} && docker run -d {APP}"),
            ("host", "docker network connect inner db && docker network connect inner app && sleep 1"),
        ),
        (
            ("host", "docker network create inner && docker run -d --network inner --name data redis"),
            ("host", f"docker rename data db && docker run -d --net=inner {APP} && sleep 1"),
        ),
        (("host", f"docker run -d {DB} && docker run -d --link db {APP} && sleep 1"),),
    ),
    wrong=(
        Wrong((("host", f"docker run -d {DB}"), ("host", f"docker run -d {APP} && sleep 1")), hint=2, why="no names there"),
        Wrong(
            (
                ("host", "docker network create one && docker network create two"),
                ("host", f"docker run -d --network one {DB}"),
                ("host", f"docker run -d --network two {APP} && sleep 1"),
            ),
            hint=3,
            why="two networks",
        ),
        Wrong((("host", f"docker run -d {DB}"), ("host", "docker run -d --name app busybox && sleep 1")), hint=1, why="app ended"),
        Wrong(
            (("host", f"docker run -d --network host {DB}"), ("host", f"docker run -d --network host {APP} && sleep 1")),
            hint=2,
            why="the host's network has no names either",
        ),
    ),
)
