"""A pool of addresses that the dead hold."""

import json

from kubenet_course.course.exercises.cni_attach import PATH, address_of
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault

TINY = {
    "cniVersion": "1.0.0",
    "name": "tiny-net",
    "type": "bridge",
    "bridge": "tiny0",
    "isGateway": True,
    "ipam": {"type": "host-local", "subnet": "10.60.0.0/29"},
}
STALE = (4, 5, 6)


def check(expect: Expect) -> None:
    held = {}
    for name in ("old", "older"):
        held[name] = address_of(expect, name, "10.60.0.")
        kept = expect.run("host", f"ls /var/lib/cni/networks/tiny-net/{held[name] or 'none'}").returncode == 0
        expect.that(bool(held[name]) and kept, f"{name}, which lives, keeps its address", "Its address was freed.")
    new = address_of(expect, "new", "10.60.0.")
    expect.that(bool(new), "new has an address of tiny-net", "It is not attached: `cnitool add tiny-net …`.")
    expect.that(not new or new not in held.values(), "and it is nobody else's", f"{new} is somebody's already.")


FAULT = Fault(
    title="No room",
    lab="cni",
    symptom=(
        "The network tiny-net (10.60.0.0/29) has five addresses to give. Two containers live on it, old and older. A "
        "third, new, gets none: `cnitool add tiny-net /var/run/netns/new` fails."
    ),
    setup=(
        ("host", f"echo '{json.dumps(TINY)}' > /etc/cni/net.d/60-tiny.conf"),
        ("host", "ip netns add old && ip netns add older && ip netns add new"),
        ("host", f"{PATH} cnitool add tiny-net /var/run/netns/old > /dev/null"),
        ("host", f"{PATH} cnitool add tiny-net /var/run/netns/older > /dev/null"),
    ),
    breakage=tuple(
        ("host", rf"printf 'dead{number}\r\neth0' > /var/lib/cni/networks/tiny-net/10.60.0.{number}") for number in STALE
    ),
    check=check,
    clues=(
        "The error names the range and says that no addresses are left. Who has them? "
        "`head /var/lib/cni/networks/tiny-net/10*` shows a container's id in each file.",
        "Compare with those who live: `ip -n old -4 addr`, `ip -n older -4 addr`. Some files belong to nobody.",
        "Somebody removed containers without DEL. Remove the files of the dead ones, and only those; then attach new.",
    ),
    proof=("host", "ls /var/lib/cni/networks/tiny-net"),
    mend=(
        ("host", "rm /var/lib/cni/networks/tiny-net/10.60.0.4 /var/lib/cni/networks/tiny-net/10.60.0.5"),
        ("host", f"{PATH} cnitool add tiny-net /var/run/netns/new"),
    ),
    explanation="host-local frees an address at DEL. Where the runtime dies before it calls that, the file stays.",
)
