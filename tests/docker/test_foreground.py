"""`docker run` without -d: when does the learner press Ctrl-C, and what happens then?"""

from __future__ import annotations

import pytest

from kubenet_course import Lab
from kubenet_course.lab.limits import ENDLESS_SECONDS, PING_SECONDS, interrupt_after


@pytest.mark.parametrize(
    "command,seconds",
    [
        ("docker run nginx", ENDLESS_SECONDS),
        ("docker run --network none --name x -p 80:80 nginx", ENDLESS_SECONDS),
        ("docker run --rm -it -e A=b nginx:alpine", ENDLESS_SECONDS),
        ("docker run -d nginx", None),
        ("docker run -itd nginx", None),
        ("docker run --detach --network none nginx", None),
        ("docker run --rm busybox ping 8.8.8.8", PING_SECONDS),
        ("docker run --rm busybox ping -c 3 8.8.8.8", None),
        ("docker run --rm busybox echo hello", None),
        ("docker run", None),
        ("docker run --help", None),
        ("docker exec web ping 8.8.8.8", PING_SECONDS),
        ("docker exec -it web tail -f /x", ENDLESS_SECONDS),
        ("docker logs -f web", ENDLESS_SECONDS),
        ("docker logs web", None),
        ("docker attach web", ENDLESS_SECONDS),
        ("docker container run nginx", ENDLESS_SECONDS),
        ("docker ps", None),
    ],
)
def test_when_a_command_is_interrupted(command: str, seconds: float | None) -> None:
    assert interrupt_after(command) == seconds


def test_ctrl_c_ends_a_server_and_its_container() -> None:
    with Lab.load("single") as lab:
        done = lab.run("host", "docker run --name web --network none nginx")
        assert done.returncode == 0
        assert "start worker processes" in done.stderr
        assert "signal 2 (SIGINT) received, exiting" in done.stderr
        shown = lab.run("host", "docker ps -a --format '{{.Names}} {{.State}} {{.Status}}'").stdout
        assert shown == "web exited Exited (0) Less than a second ago\n"
        assert lab.run("host", "docker logs web").stderr == done.stderr


def test_a_first_process_that_does_not_heed_ctrl_c_goes_on() -> None:
    with Lab.load("single") as lab:
        done = lab.run("host", "docker run --name zzz busybox sleep 1000", timeout=5)
        assert done.returncode == 137  # docker itself was killed in the end
        assert lab.run("host", "docker ps --format '{{.Names}}'").stdout == "zzz\n"
        before = lab.run("host", "date +%s").stdout
        assert lab.run("host", "docker stop zzz").stdout == "zzz\n"
        assert int(lab.run("host", "date +%s").stdout) - int(before) >= 10
        assert lab.run("host", "docker wait zzz").stdout == "137\n"


def test_outputs_are_kept_apart_and_the_status_is_the_programs() -> None:
    with Lab.load("single") as lab:
        done = lab.run("host", "docker run --rm busybox sh -c 'echo out; echo err >&2; exit 7'")
        assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)
        done = lab.run("host", "docker run --rm -t busybox sh -c 'echo out; echo err >&2'")
        assert (done.stdout, done.stderr, done.returncode) == ("out\nerr\n", "", 0)
        assert lab.run("host", "seq 3 | docker run --rm -i busybox wc -l").stdout == "3\n"


def test_the_same_script_gives_the_same_bytes() -> None:
    script = "docker run -d -p 8080:80 nginx; docker network create n; docker inspect $(docker ps -q); iptables-save; ip link"
    found = []
    for _ in range(2):
        with Lab.load("single") as lab:
            found.append(lab.run("host", script))
    assert found[0] == found[1]
    assert found[0].returncode == 0


def test_undo_takes_a_container_away_and_redo_brings_it_back() -> None:
    with Lab.load("single") as lab:
        lab.run("host", "docker info")
        lab.run("host", "docker run -d --name web nginx")
        lab.undo()
        lab.redo()
        assert "172.17.0.2" in lab.run("host", "iptables-save").stdout
        lab.undo()
        lab.undo()
        assert lab.run("host", "docker ps -aq; iptables-save -t raw | grep 172").stdout == ""
