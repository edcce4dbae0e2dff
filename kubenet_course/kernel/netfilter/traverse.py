"""How a packet runs through a chain's compiled steps (see tables.py).

Mirrors nft_do_chain() (net/netfilter/nf_tables_core.c) and ipt_do_table(). With a trace or a listener for
traces the same way is gone in traced.py, which tells of each rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain as chained
from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter import hooks as nf
from kubenet_course.kernel.netfilter.lookups import LOOKUP
from kubenet_course.kernel.netfilter.tables import (
    ACCEPT,
    ACTION,
    BREAK,
    CONTINUE,
    DROP,
    GOES,
    JUMPS,
    NF_TRACE,
    PROGRAM,
    RETURN,
    RETURNS,
    VERDICT,
    Chain,
    HookState,
    Step,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

FIXED_FAMILIES = {"arp": nf.NFPROTO_ARP, "bridge": nf.NFPROTO_BRIDGE, "netdev": nf.NFPROTO_NETDEV}


def hook_function(chain: Chain) -> nf.HookFunction:
    """The function that a base chain puts into its hook."""
    base = chain.base
    assert base is not None
    reroutes = base.type == "route" and base.hook == nf.NF_INET_LOCAL_OUT
    rules = chain.table.ruleset
    states: dict[tuple, HookState] = {}
    fixed = 0 if base.type == "nat" else FIXED_FAMILIES.get(chain.table.family, 0) or (nf.NFPROTO_NETDEV if base.device else 0)

    def run_hook(net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None) -> bool:
        family = fixed or (4 if len(skb.network) == 9 else 6)
        key = (family, indev, outdev)
        state = states.get(key)
        if state is None:
            if len(states) > 256:
                states.clear()
            state = states[key] = HookState(net, family, hook, indev, outdev)
        if rules.tracers:  # a rule may begin to trace the packet: be told of all
            from kubenet_course.kernel.netfilter.traced import run_traced

            run = run_traced
        else:
            run = run_chain
        if reroutes:
            ip, mark = skb.network, skb.mark
            verdict = run(chain, skb, state)
            if verdict == ACCEPT:
                new = skb.network
                if skb.mark != mark or new[0] != ip[0] or new[1] != ip[1] or new.tos != ip.tos:
                    from kubenet_course.kernel.netfilter.nat import route_me_harder

                    return route_me_harder(net, skb)
        else:
            verdict = run(chain, skb, state)
        if verdict == ACCEPT:
            return True
        if verdict == DROP:
            skb.drop("NETFILTER_DROP", net)
        return False

    return run_hook


def run_chain(chain: Chain, skb: SkBuff, state: HookState) -> int:
    """nft_do_chain(): ACCEPT, DROP or STOLEN."""
    if skb.trace is not None or skb.nf_flags & NF_TRACE:
        from kubenet_course.kernel.netfilter.traced import run_traced

        return run_traced(chain, skb, state)
    steps = iter(chain.scan)
    stack: list[Iterator[Step]] | None = None
    while True:
        for match, kind, argument, rule in steps:
            if match is not None and not match(skb, state):
                continue
            if kind == LOOKUP:
                named = argument(skb.network)
                if named is None:
                    continue
                steps = chained(named, steps)
                break
            if kind == PROGRAM:
                verdict = argument(skb, state)
                if verdict == CONTINUE or verdict == BREAK:
                    continue
                if isinstance(verdict, tuple):
                    kind, argument = verdict
                elif verdict == RETURN:
                    kind = RETURNS
                else:
                    return verdict
            else:
                rule.packets += 1
                rule.bytes += skb.len
            if kind == VERDICT:
                return argument
            if kind == JUMPS:
                stack = stack or []
                stack.append(steps)
                steps = iter(argument.scan)
                break
            if kind == GOES:
                steps = iter(argument.scan)
                break
            if kind == RETURNS:
                if stack:
                    steps = stack.pop()
                    break
                return _policy(chain, skb)
            if kind == ACTION:
                verdict = argument(skb, state)
                if verdict == CONTINUE:
                    continue
                return verdict
        else:
            if not stack:
                return _policy(chain, skb)
            steps = stack.pop()


def _policy(chain: Chain, skb: SkBuff) -> int:
    counters = chain.counters
    if counters is not None:
        counters[0] += 1
        counters[1] += skb.len
    return chain.base.policy  # type: ignore[union-attr]
