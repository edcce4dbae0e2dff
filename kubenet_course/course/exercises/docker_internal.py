"""A network whose containers reach each other and nobody else."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.exercises.docker_publish import running
from kubenet_course.course.expect import Expect

FORM = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"


def check(expect: Expect) -> None:
    if not all(running(expect, name, hint=1) for name in ("safe", "clerk")):
        return
    # Any address of the other will do: a container may have joined several networks.
    for name, other in (("clerk", "safe"), ("safe", "clerk")):
        has = expect.run("host", f"docker inspect -f '{FORM}' {other}").stdout.split()
        works = _one_namespace(expect) or any(
            expect.run("host", f"docker exec {name} ping -c 3 -i 0.5 -W 1 {address}").returncode == 0 for address in has
        )
        why = "It gets no answer." if has else f"{other} has no address: it is in no network."
        expect.that(works, f"{name} can ping {other}", why, hint=1)
    for name in ("safe", "clerk"):
        done = expect.run("host", f"docker exec {name} ping -c 1 -W 1 8.8.8.8")
        expect.that(done.returncode != 0, f"{name} cannot reach 8.8.8.8", "It gets an answer from the internet.", hint=2)


def _one_namespace(expect: Expect) -> bool:
    """One container uses the other's network namespace (`--network container:NAME`)."""
    modes = expect.run("host", "docker inspect -f '{{.HostConfig.NetworkMode}}' safe clerk").stdout
    return "container:" in modes


SAFE, CLERK = "--name safe busybox sleep 10000", "--name clerk busybox sleep 10000"

EXERCISE = Exercise(
    title="The vault",
    lab="docker",
    task=(
        "Run two containers safe and clerk from the image busybox (with the command `sleep 10000`). They must reach each "
        "other, and neither may reach 8.8.8.8."
    ),
    check=check,
    hints=(
        "Both must run, in the same network, and that must be a bridge.",
        "`docker network create` has an option for a network without a way out. `docker network create --help`.",
        "It is --internal.",
    ),
    solution=(
        ("host", "docker network create --internal vault"),
        ("host", f"docker run -d --network vault {SAFE}"),
        ("host", f"docker run -d --network vault {CLERK} && sleep 1"),
    ),
    others=(
        (
            ("host", f"docker network create --internal vault && docker run -d {SAFE} && docker run -d {CLERK}"),
            ("host", "docker network connect vault safe && docker network connect vault clerk"),
            ("host", "docker network disconnect bridge safe && docker network disconnect bridge clerk && sleep 1"),
        ),
        (
            ("host", f"docker run -d {SAFE} && docker run -d {CLERK}"),
            ("host", "iptables -I DOCKER-USER -i docker0 ! -o docker0 -j DROP && sleep 1"),
        ),
        (
            ("host", f"docker run -d --network none {SAFE}"),
            ("host", f"docker run -d --network container:safe {CLERK} && sleep 1"),
        ),
    ),
    wrong=(
        Wrong(
            (("host", f"docker run -d --network none {SAFE}"), ("host", f"docker run -d --network none {CLERK} && sleep 1")),
            hint=1,
            why="cut off from each other, too",
        ),
        Wrong(
            (
                ("host", "docker network create vault"),
                ("host", f"docker run -d --network vault {SAFE}"),
                ("host", f"docker run -d --network vault {CLERK} && sleep 1"),
            ),
            hint=2,
            why="an ordinary network",
        ),
        Wrong(
            (
                ("host", "docker network create --internal one && docker network create --internal two"),
                ("host", f"docker run -d --network one {SAFE}"),
                ("host", f"docker run -d --network two {CLERK} && sleep 1"),
            ),
            hint=1,
            why="two networks",
        ),
        Wrong(
            (
                ("host", f"docker network create --internal vault && docker run -d --network vault {SAFE}"),
                ("host", f"docker run -d --network vault {CLERK} && docker network connect bridge clerk && sleep 1"),
            ),
            hint=2,
            why="clerk has a second network, with a way out",
        ),
    ),
)
