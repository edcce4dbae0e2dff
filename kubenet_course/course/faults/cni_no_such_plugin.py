"""A network whose plugin does not exist."""

import json

from kubenet_course.course.exercises.cni_attach import PATH, address_of
from kubenet_course.course.exercises.cni_network import SHOP
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    address = address_of(expect, "cart", "10.50.0.")
    expect.that(bool(address), "cart has an address of 10.50.0.0/24", "It is not attached: `cnitool add shop …`.")
    done = expect.run("host", "ip netns exec cart ping -c 3 -i 0.5 -W 1 8.8.8.8")
    expect.that(done.returncode == 0, "cart can ping 8.8.8.8")


FAULT = Fault(
    title="Nobody of that name",
    lab="cni",
    symptom=(
        "The network shop is there, in /etc/cni/net.d/50-shop.conf, and `cnitool add shop /var/run/netns/cart` fails at "
        "once. (Afterwards cart must be attached.)"
    ),
    setup=(("host", "ip netns add cart"),),
    breakage=(
        (
            "host",
            f"echo '{json.dumps({**SHOP, 'type': 'brigde'})}' > /etc/cni/net.d/50-shop.conf",
        ),
    ),
    check=check,
    clues=(
        "Read the error: it names what was looked for, and where.",
        "The file's `type` is a program's name in /opt/cni/bin. `ls /opt/cni/bin`.",
        "`sed -i 's/brigde/bridge/' /etc/cni/net.d/50-shop.conf`, and attach cart.",
    ),
    proof=("host", f"{PATH} cnitool version shop"),
    mend=(
        ("host", "sed -i 's/brigde/bridge/' /etc/cni/net.d/50-shop.conf"),
        ("host", f"{PATH} cnitool add shop /var/run/netns/cart"),
    ),
    explanation="A runtime looks for a plugin by its file name in CNI_PATH, and knows nothing else of it.",
)
