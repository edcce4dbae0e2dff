"""Published, to a port where nobody listens."""

from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault
from kubenet_course.course.faults.docker_user_rule import check as page


def check(expect: Expect) -> None:
    page(expect)


FAULT = Fault(
    title="Nobody at home",
    lab="docker",
    symptom="The container shop (image nginx) runs and port 8080 is published, but the client gets no page from it.",
    breakage=(("host", "docker run -d -p 8080:8080 --name shop nginx && sleep 1"),),
    check=check,
    clues=(
        "It is refused, not silent: somebody answers that nobody listens. Who?",
        "`docker port shop` shows which port of the container is meant. Where does its nginx listen? "
        "`nsenter -n -t $(docker inspect -f '{{.State.Pid}}' shop) ss -tln`.",
        "A published port cannot be changed: `docker rm -f shop`, and run it again with -p 8080:80.",
    ),
    proof=("host", "docker port shop"),
    mend=(("host", "docker rm -f shop > /dev/null && docker run -d -p 8080:80 --name shop nginx && sleep 1"),),
    explanation="Docker forwards to whatever port it was told, and does not look whether a program listens there.",
)
