"""A chain's hook, priority and policy, from words to numbers."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.tables import ACCEPT, DROP, Base
from kubenet_course.userland.commands.nft.commands import ChainData, HookData
from kubenet_course.userland.commands.nft.errors import NftError, misread
from kubenet_course.userland.commands.nft.listing import (
    BRIDGE_PRIORITIES,
    HOOKS,
    PRIORITIES,
    priority_allowed,
)
from kubenet_course.userland.commands.nft.rhs import Constants

TYPES = ("filter", "nat", "route")


def chain_arguments(family: str, data: ChainData, constants: Constants) -> tuple[Base | None, int | None]:
    """(base, policy) of what was typed; NftError in nft's words."""
    policy = None
    if data.policy is not None:
        word = constants.resolve(data.policy)
        text = str(getattr(word, "word", word))
        if text not in ("accept", "drop"):
            raise NftError("invalid policy expression value", data.policy_loc)
        policy = ACCEPT if text == "accept" else DROP
    hook = data.hook
    if hook is None:
        return None, policy
    if hook.type not in TYPES:
        raise misread("unknown chain type", hook.type_loc)
    names = HOOKS.get(family if family in HOOKS else "inet", HOOKS["inet"])
    if hook.hook not in ("prerouting", "input", "forward", "output", "postrouting", "ingress", "egress"):
        raise misread("unknown chain hook", hook.hook_loc)
    if hook.hook not in names or family in ("ip", "ip6", "bridge") and hook.hook in ("ingress", "egress"):
        raise NftError(f"The {family} family does not support this hook", hook.hook_loc)
    number = names.index(hook.hook)
    priority = _priority(family, number, hook, constants)
    devices = _devices(hook, constants)
    if family == "netdev" and not devices:
        raise NftError("Missing `device' in this chain definition", hook.loc)
    return Base(hook.type, number, priority, device=devices or None), policy


def _priority(family: str, hook: int, data: HookData, constants: Constants) -> int:
    words = data.priority
    first = words[0]
    if not hasattr(first, "type"):
        found = constants.resolve(first)
        text = str(getattr(found, "word", getattr(found, "value", found)))
    elif first.type == "DASH":
        return -int(words[1], 0)
    else:
        text = str(first)
    try:
        return int(text, 0)
    except ValueError:
        pass
    word, sign, distance = text, "", 0
    if len(words) == 3:
        sign, distance = str(words[1]), int(words[2], 0)
    known = BRIDGE_PRIORITIES if family == "bridge" else PRIORITIES
    if family in ("arp", "netdev"):
        known = {"filter": 0}
    if word not in known or not priority_allowed(family, hook, word):
        raise NftError("invalid priority expression value in this context.", data.priority_loc)
    return known[word] + (distance if sign == "+" else -distance)


def _devices(data: HookData, constants: Constants) -> str:
    names = []
    for device in data.devices:
        found = constants.resolve(device) if not hasattr(device, "type") else device
        names.append(str(getattr(found, "word", found)))
    return ",".join(names)
