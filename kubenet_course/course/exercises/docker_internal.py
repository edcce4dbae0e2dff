"""A network whose containers reach each other and nobody else."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.exercises.docker_names import networks
from kubenet_course.course.exercises.docker_publish import running
from kubenet_course.course.expect import Expect

FORM = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"


def check(expect: Expect) -> None:
    if not all(running(expect, name, hint=1) for name in ("safe", "clerk")):
        return
    shared = networks(expect, "safe") & networks(expect, "clerk")
    expect.that(bool(shared - {"none", "host"}), "safe and clerk are in one network", "They are not.", hint=1)
    address = (expect.run("host", f"docker inspect -f '{FORM}' safe").stdout.split() or ["safe"])[0]
    done = expect.run("host", f"docker exec clerk ping -c 3 -i 0.5 -W 1 {address}")
    expect.that(done.returncode == 0, "clerk can ping safe", "It gets no answer.", hint=1)
    for name in ("safe", "clerk"):
        done = expect.run("host", f"docker exec {name} ping -c 1 -W 1 8.8.8.8")
        expect.that(done.returncode != 0, f"{name} cannot reach 8.8.8.8", "It gets an answer from the internet.", hint=2)


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
    ),
)
