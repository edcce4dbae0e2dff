"""Publish a container's port under another number."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def running(expect: Expect, name: str, hint: int = 0) -> bool:
    """A container of that name runs."""
    state = expect.run("host", f"docker inspect -f '{{{{.State.Status}}}}' {name}")
    said = state.stdout.strip() if state.returncode == 0 else ""
    why = f"It is {said}: `docker logs {name}` may say why." if said else "There is no such container."
    return expect.that(said == "running", f"the container {name} runs", why, hint)


def check(expect: Expect) -> None:
    if not running(expect, "site", hint=1):
        return
    ports = expect.run("host", "docker port site").stdout
    expect.that(
        ":9090" in ports, "port 9090 of the host is published", f"docker port site says: {ports.strip() or 'nothing'}.", hint=2
    )
    done = expect.run("client", "curl -sS -m 3 http://192.168.1.10:9090")
    said = (done.output.strip().splitlines() or ["nothing"])[-1]
    where = [line.split(" -> ")[-1] for line in ports.splitlines() if ":9090" in line]
    if where and all(place.startswith("127.") for place in where):
        said += f". It is published at {', '.join(where)}, and that is for the host alone."
    expect.that("nginx" in done.stdout, "client gets nginx' page from http://192.168.1.10:9090", f"It says: {said}", hint=3)


EXERCISE = Exercise(
    title="Open on 9090",
    lab="docker",
    task="Run a container named site from the image nginx, so that the client gets its page from http://192.168.1.10:9090.",
    check=check,
    hints=(
        "`docker run -d --name site … nginx`. If one of that name is there: `docker rm -f site`.",
        "A port is published with `-p HOST:CONTAINER` when the container is made.",
        "nginx listens on port 80 in its container: that number stands behind the colon. An address before the two "
        "numbers says where on the host; without one it is everywhere.",
    ),
    solution=(("host", "docker run -d --name site -p 9090:80 nginx && sleep 1"),),
    others=(
        (("host", "docker run -dp 192.168.1.10:9090:80 --name=site nginx && sleep 1"),),
        (("host", "docker create --name site --publish 9090:80/tcp nginx && docker start site && sleep 1"),),
        (("host", "docker network create n && docker run -d --network n --name site -p 9090:80 nginx && sleep 1"),),
    ),
    wrong=(
        Wrong((("host", "docker run -d --name site nginx && sleep 1"),), hint=2, why="nothing is published"),
        Wrong((("host", "docker run -d --name site -p 80:9090 nginx && sleep 1"),), hint=2, why="turned round"),
        Wrong((("host", "docker run -d --name site -p 9090:9090 nginx && sleep 1"),), hint=3, why="nobody listens there"),
        Wrong((("host", "docker run -d --network host nginx && sleep 1"),), hint=1, why="another name, another port"),
        Wrong((("host", "docker run -d --name site -p 127.0.0.1:9090:80 nginx && sleep 1"),), hint=3, why="for the host alone"),
        Wrong((("host", "docker create --name site -p 9090:80 nginx && sleep 1"),), hint=1, why="made, and not started"),
    ),
)
