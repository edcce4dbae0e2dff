"""Objects without a state: helpers, timeouts, expectations, synproxies, security contexts, flowtables."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.objects import (
    TIMEOUT_STATES,
    CtExpectation,
    CtHelper,
    CtTimeout,
)
from kubenet_course.kernel.netfilter.targets.CT import HELPERS
from kubenet_course.userland.commands.nft.commands import Command
from kubenet_course.userland.commands.nft.errors import NftError, refused
from kubenet_course.userland.commands.nft.pieces import milliseconds
from kubenet_course.userland.commands.nft.rhs import Constants

PROTOCOLS = {"tcp": 6, "udp": 17}


def details(command: Command, said: dict[str, Any], family: str, constants: Constants) -> Any:
    """What the object is; NftError where it lacks something or the kernel does not have it."""
    l3 = said.get("l3proto", family)
    if command.obj == "ct helper":
        if family == "arp":
            raise refused("Address family not supported by protocol", command.loc)
        if {l3, family} == {"ip", "ip6"}:
            raise refused("Invalid argument", command.loc)
        return _tracked(_helper(command, said, l3), command, family)
    if command.obj == "ct timeout":
        return _tracked(_timeout(said, l3), command, family)
    if command.obj == "ct expectation":
        if not {"protocol", "dport", "timeout", "size"} <= set(said):
            where = command.spec.name_loc
            raise NftError("missing options", (where[1] - 1, where[1]) if where else None)
        if l3 not in ("ip", "ip6"):
            raise refused("Address family not supported by protocol", command.loc)
        if family not in (l3, "inet"):
            raise refused("Invalid argument", command.loc)
        found = constants.resolve(said["timeout"])
        time = milliseconds(getattr(found, "word", found))
        return CtExpectation(said["protocol"], said["dport"] & 0xFFFF, time, said["size"] & 0xFF, l3)
    if command.obj == "synproxy":
        if "synproxy" not in said:
            raise refused("Invalid argument", command.loc)
        return said["synproxy"]
    # No security module knows the context of a secmark, and the kernel has no flowtables (CONFIG_NF_FLOW_TABLE is off).
    raise refused("No such file or directory", command.loc)


def _tracked(found: Any, command: Command, family: str) -> Any:
    if family not in ("ip", "ip6", "inet"):
        raise refused("Protocol error", command.loc)
    return found


def _helper(command: Command, said: dict[str, Any], l3: str) -> CtHelper:
    if "helper" not in said:
        raise refused("Numerical result out of range", command.loc)
    helper, protocol = said["helper"]
    if PROTOCOLS[protocol] not in HELPERS.get(helper, ()):
        raise refused("No such file or directory", command.loc)
    return CtHelper(helper, protocol, l3)


def _timeout(said: dict[str, Any], l3: str) -> CtTimeout:
    protocol = said.get("protocol", "tcp")
    known = TIMEOUT_STATES[protocol]
    policy: dict[str, int] = {}
    for state in said.get("policy", ()):
        word, seconds = state.value
        if word not in known:
            raise NftError("invalid state for this protocol", state.loc)
        policy[word] = seconds
    return CtTimeout(protocol, l3, tuple((word, policy[word]) for word in known if word in policy))
