"""The same run through a chain, told step by step (for journeys, TRACE and nftrace)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter import tables
from kubenet_course.kernel.netfilter.hooks import hook_name
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
    VERDICT_NAMES,
    Chain,
    HookState,
    Step,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.skbuff import SkBuff


class _Place:
    """Where in which chain the run is."""

    __slots__ = ("chain", "steps", "number")

    def __init__(self, chain: Chain):
        self.chain = chain
        self.steps: Iterator[Step] = iter(chain.steps)
        self.number = 0


def run_traced(chain: Chain, skb: SkBuff, state: HookState) -> int:
    """As traverse.run_chain(), with `skb.trace` and the ruleset's tracers told of each rule tried."""
    trace = skb.trace
    if trace is not None:
        trace.hook(skb, hook_name(state.family, state.hook))
    place = _Place(chain)
    run = place
    stack: list[_Place] = []
    while True:
        step = next(place.steps, None)
        if step is None:
            if not stack:
                return _policy(chain, skb, state, run)
            place = stack.pop()
            continue
        place.number += 1
        match, kind, argument, rule = step
        if match is not None and not match(skb, state):
            _tell_rule(skb, place, rule, False, "")
            continue
        if kind == PROGRAM:
            verdict: Any = argument(skb, state)
            if verdict == BREAK:
                _tell_rule(skb, place, rule, False, "")
                continue
            if isinstance(verdict, tuple):
                kind, argument = verdict
            elif verdict == RETURN:
                kind = RETURNS
            else:
                kind, argument = (tables.NOTHING, None) if verdict == CONTINUE else (VERDICT, verdict)
        else:
            rule.packets += 1
            rule.bytes += skb.len
        if kind == ACTION:
            verdict = argument(skb, state)
            kind, argument = (tables.NOTHING, None) if verdict == CONTINUE else (VERDICT, verdict)
        word = _word(kind, argument)
        _tell_rule(skb, place, rule, True, word)
        _tell_tracers(skb, state, chain, place.chain, place.number, rule, "rule", word, run)
        if kind == VERDICT:
            return argument
        if kind in (JUMPS, GOES):
            if kind == JUMPS:
                stack.append(place)
            place = _Place(argument)
        elif kind == RETURNS:
            if not stack:
                return _policy(chain, skb, state, run)
            place = stack.pop()


def _word(kind: int, argument: Any) -> str:
    if kind == VERDICT:
        return VERDICT_NAMES[argument]
    if kind == JUMPS:
        return f"jump {argument.name}"
    if kind == GOES:
        return f"goto {argument.name}"
    return "return" if kind == RETURNS else "continue"


def _tell_rule(skb: SkBuff, place: _Place, rule: tables.Rule, matched: bool, verdict: str) -> None:
    if skb.trace is not None:
        chain = place.chain
        skb.trace.rule(skb, chain.table.label, chain.name, place.number, rule.text(), matched, verdict)


def _policy(chain: Chain, skb: SkBuff, state: HookState, run: object) -> int:
    if chain.counters is not None:
        chain.counters[0] += 1
        chain.counters[1] += skb.len
    assert chain.base is not None
    policy = chain.base.policy
    if skb.trace is not None:
        skb.trace.policy(skb, chain.table.label, chain.name, "ACCEPT" if policy == ACCEPT else "DROP")
    _tell_tracers(skb, state, chain, chain, len(chain.rules) + 1, None, "policy", "accept" if policy != DROP else "drop", run)
    return policy


def _tell_tracers(
    skb: SkBuff, state: HookState, base: Chain, chain: Chain, number: int, rule: tables.Rule | None, kind: str, verdict: str,
    run: object,
) -> None:  # fmt: skip
    """nft_trace_notify(), or for the old tables trace_packet()'s line in the kernel log."""
    if not skb.nf_flags & NF_TRACE:
        return
    ruleset = chain.table.ruleset
    if ruleset.legacy:
        from kubenet_course.kernel.netfilter.log import packet_line

        comment = "return" if kind == "rule" and verdict == "return" else kind
        prefix = f"TRACE: {chain.table.name}:{chain.name}:{comment}:{number} "
        state.net.host.log(prefix + packet_line(skb, state, tcp_options=True, ip_options=True, uid=True, sequence=True))
        return
    if not skb.ident:
        skb.ident = state.net.host.random.getrandbits(32)
    event = {
        "id": skb.ident, "skb": skb, "state": state, "base": base, "chain": chain, "number": number, "rule": rule,
        "type": kind, "verdict": verdict, "network": skb.network, "transport": skb.transport, "eth": skb.eth,
        "mark": skb.mark, "length": skb.len, "run": run,
    }  # fmt: skip
    for tracer in list(ruleset.tracers):
        tracer(event)
