"""A rule in DOCKER-USER, which is read before Docker's own."""

from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    done = expect.run("client", "curl -sS -m 3 http://192.168.1.10:8080")
    said = (done.output.strip().splitlines() or ["nothing"])[-1]
    expect.that("nginx" in done.stdout, "client gets nginx' page from http://192.168.1.10:8080", f"It says: {said}")


FAULT = Fault(
    title="Published, and still closed",
    lab="docker",
    symptom=(
        "The container shop is published on port 8080. On the host `curl http://192.168.1.10:8080` works, on the client it "
        "does not: silence."
    ),
    setup=(("host", "docker run -d -p 8080:80 --name shop nginx && sleep 1"),),
    breakage=(("host", "iptables -I DOCKER-USER -i eth0 -j DROP"),),
    check=check,
    clues=(
        "`docker port shop` is right, and the host gets the page. So what is different for a packet that comes in from "
        "outside? It is forwarded.",
        "`%explain client nc -z -w 1 192.168.1.10 8080` names the rule, or read the chains that FORWARD goes through.",
        "`iptables -nvL DOCKER-USER --line-numbers`.",
    ),
    proof=("host", "iptables -S DOCKER-USER"),
    mend=(("host", "iptables -D DOCKER-USER 1"),),
    explanation="DOCKER-USER is the place for rules of your own: Docker never touches it, and packets pass it first.",
)
