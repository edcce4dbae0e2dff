"""A network of one's own: a file in /etc/cni/net.d."""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.exercises.cni_attach import PATH, address_of
from kubenet_course.course.expect import Expect

SHOP = {
    "cniVersion": "1.0.0",
    "name": "shop",
    "type": "bridge",
    "bridge": "shop0",
    "isGateway": True,
    "ipMasq": True,
    "ipam": {"type": "host-local", "subnet": "10.50.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]},
}
ATTACH = ("host", f"{PATH} cnitool add shop /var/run/netns/cart")


def networks(expect: Expect) -> list[dict[str, Any]]:
    """The configurations in /etc/cni/net.d that can be read."""
    found = []
    for name in expect.run("host", "ls /etc/cni/net.d").stdout.split():
        try:
            found.append(json.loads(expect.run("host", f"cat /etc/cni/net.d/{name}").stdout))
        except ValueError:
            expect.that(False, f"/etc/cni/net.d/{name} is JSON", "It cannot be read: `jq . FILE` says where.", hint=1)
    return found


def check(expect: Expect) -> None:
    shops = [one for one in networks(expect) if isinstance(one, dict) and one.get("name") == "shop"]
    if not expect.that(bool(shops), "/etc/cni/net.d has a network named shop", "No file there has that name.", hint=1):
        return
    address = address_of(expect, "cart", "10.50.0.")
    expect.that(bool(address), "cart has an address of 10.50.0.0/24", "Attach it once the file is right.", hint=2)
    links = {link["ifname"] for link in expect.json("host", "ip -j link show type bridge")}
    expect.that("shop0" in links, "host has the bridge shop0", f"Its bridges: {', '.join(sorted(links)) or 'none'}.", hint=2)
    expect.route("host", "8.8.8.8/32", netns="cart", hint=3)
    done = expect.run("host", "ip netns exec cart ping -c 3 -i 0.5 -W 1 8.8.8.8")
    expect.that(done.returncode == 0, "cart can ping 8.8.8.8", "Its packets get no answer.", hint=4)


def _written(change: dict[str, Any]) -> tuple[str, str]:
    ipam = {**SHOP["ipam"], **change.pop("ipam", {})}  # type: ignore[dict-item]
    text = json.dumps({key: value for key, value in {**SHOP, **change, "ipam": ipam}.items() if value is not None})
    return ("host", f"echo '{text}' > /etc/cni/net.d/50-shop.conf")


def _listed(name: str) -> tuple[str, str]:
    plugin = {key: value for key, value in SHOP.items() if key not in ("cniVersion", "name")}
    return ("host", f"echo '{json.dumps({'cniVersion': '1.0.0', 'name': 'shop', 'plugins': [plugin]})}' > /etc/cni/net.d/{name}")


EXERCISE = Exercise(
    title="A network for the shop",
    lab="cni",
    setup=(("host", "ip netns add cart"),),
    task=(
        "Write a network named shop into /etc/cni/net.d: a bridge shop0, addresses of 10.50.0.0/24, and a way to "
        "the internet. Then attach the container cart (a namespace that is there), so that it can ping 8.8.8.8."
    ),
    check=check,
    hints=(
        "Copy 10-bridge.conf and change the name, the bridge and the subnet. `jq . FILE` tells whether it is JSON.",
        "`CNI_PATH=/opt/cni/bin cnitool add shop /var/run/netns/cart`. After a change of the file: `cnitool del`, "
        "then add again.",
        'The way out is a default route: "routes": [{"dst": "0.0.0.0/0"}] in the section ipam.',
        'The gateway must be an address of the bridge ("isGateway": true), and the network translated ("ipMasq": true).',
    ),
    solution=(_written({}), ATTACH),
    others=(
        (_listed("05-shop.conflist"), ATTACH),
        (
            _written({"isGateway": None, "isDefaultGateway": True, "ipam": {"routes": []}}),
            ATTACH,
        ),
        (
            _written({"ipMasq": False}),
            ("host", "iptables -t nat -A POSTROUTING -s 10.50.0.0/24 ! -o shop0 -j MASQUERADE"),
            ATTACH,
        ),
    ),
    wrong=(
        Wrong((("host", "echo '{\"name\": \"shop\",}' > /etc/cni/net.d/50-shop.conf"),), hint=1, why="no JSON"),
        Wrong((_written({"bridge": None}), ATTACH), hint=2, why="the bridge is called cni0"),
        Wrong((_written({"isGateway": False, "ipMasq": True, "ipam": {"routes": []}}), ATTACH), hint=3, why="no route"),
        Wrong((_written({"ipMasq": False}), ATTACH), hint=4, why="not translated"),
    ),
    minutes=8,
)
