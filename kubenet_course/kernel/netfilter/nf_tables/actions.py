"""What follows a rule's matches, as functions of (skb, state) that are called one after the other.

Each gives CONTINUE to go on, BREAK to leave the rule, or what the rule says: a verdict, or a kind of
step with its argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubenet_course.kernel.netfilter.conntrack_entry import IP_CT_UNTRACKED, UNTRACKED
from kubenet_course.kernel.netfilter.log import log_packet
from kubenet_course.kernel.netfilter.nf_tables import diversions, dynset, rewrite
from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.expressions import Concat, Expr, Prefix, Range, Value
from kubenet_course.kernel.netfilter.nf_tables.matching import compile_test, lookup_function
from kubenet_course.kernel.netfilter.nf_tables.readers import reader_function
from kubenet_course.kernel.netfilter.nf_tables.rule import COUNTING, NftRule, verdict_step
from kubenet_course.kernel.netfilter.tables import (
    ACCEPT,
    BREAK,
    CONTINUE,
    DROP,
    NOTHING,
    RETURN,
    RETURNS,
    VERDICT,
    Table,
)

Action = Callable[[Any, Any], Any]


def program(rule: NftRule, tail: tuple[Any, ...], table: Table) -> Action:
    """One function that runs the statements in turn."""
    first = rule.front
    actions = tuple(_action(rule, first + number, statement, table) for number, statement in enumerate(tail))

    def run(skb: Any, state: Any) -> Any:
        for action in actions:
            result = action(skb, state)
            if result != CONTINUE:
                return result
        return CONTINUE

    return run


def _action(rule: NftRule, number: int, statement: Any, table: Table) -> Action:
    if isinstance(statement, st.Match):
        test = compile_test((statement,), table)
        assert test is not None
        return lambda skb, state: CONTINUE if test(skb, state) else BREAK
    if isinstance(statement, COUNTING):
        count = rule.states[number].run
        return lambda skb, state: CONTINUE if count(skb) else BREAK
    make = _MAKERS.get(type(statement))
    if make is None:
        return lambda skb, state: BREAK
    return make(statement, table)


def result_of(verdict: Any, table: Table) -> Any:
    """A verdict as a program's result."""
    kind, argument = verdict_step(verdict, table)
    if kind == VERDICT:
        return argument
    if kind == RETURNS:
        return RETURN
    return CONTINUE if kind == NOTHING else (kind, argument)


def _verdict(statement: st.VerdictStatement, table: Table) -> Action:
    result = result_of(statement.verdict, table)
    return lambda skb, state: result


def _verdict_map(statement: st.VerdictMap, table: Table) -> Action:
    read = reader_function(statement.key, table)
    find = lookup_function(statement.mappings, table)
    results: dict[Any, Any] = {}

    def action(skb: Any, state: Any) -> Any:
        key = read(skb, state)
        found = find(key, skb) if key is not None else None
        if found is None:
            return BREAK
        verdict = found.data
        result = results.get(verdict)
        if result is None:
            result = results[verdict] = result_of(verdict, table)
        return result

    return action


def _log(statement: st.Log, table: Table) -> Action:
    if statement.group is not None:
        return lambda skb, state: CONTINUE  # to a program that listens: none is there
    net, prefix, flags = table.ruleset.net, statement.prefix or "", statement.flags
    details = {
        "sequence": bool(flags & 1), "tcp_options": bool(flags & 2), "ip_options": bool(flags & 4), "uid": bool(flags & 8),
        "macdecode": bool(flags & 32),
    }  # fmt: skip

    def action(skb: Any, state: Any) -> int:
        if skb.network is not None and len(skb.network) in (8, 9):
            log_packet(net, skb, state, prefix, **details)
        return CONTINUE

    return action


#: icmpx's codes in the two families.
ICMPX4 = {0: 0, 1: 3, 2: 1, 3: 13}
ICMPX6 = {0: 0, 1: 4, 2: 3, 3: 1}


def _reject(statement: st.Reject, table: Table) -> Action:
    from kubenet_course.kernel.netfilter.reject import reject4, reject6, reset

    net, kind, code = table.ruleset.net, statement.kind, statement.code

    def action(skb: Any, state: Any) -> int:
        if kind == "tcp reset":
            if skb.network[2] != 6:
                return BREAK
            reset(net, skb, state)
        elif state.family == 4:
            if kind == "icmpv6":
                return BREAK
            reject4(net, skb, state, ICMPX4[code] if kind == "icmpx" else code)
        else:
            if kind == "icmp":
                return BREAK
            reject6(net, skb, state, ICMPX6[code] if kind == "icmpx" else code)
        return DROP

    return action


# -- nat ------------------------------------------------------------------------------------------
def _limits(expr: Expr | None, table: Table) -> Callable[[Any, Any], Any]:
    """A function that gives (lowest, highest) of an address or port, or None."""
    if expr is None:
        return lambda skb, state: (None, None)
    if isinstance(expr, (Range, Prefix)):
        pair = (expr.low, expr.high)
        return lambda skb, state: pair
    if isinstance(expr, Value):
        single = (expr.value, expr.value)
        return lambda skb, state: single
    read = reader_function(expr, table)

    def limits(skb: Any, state: Any) -> Any:
        value = read(skb, state)
        if value is None or isinstance(value, tuple):
            return value
        return value, value

    return limits


def _nat(statement: st.Nat, table: Table) -> Action:
    from kubenet_course.kernel.netfilter.masquerade import masquerade, redirect
    from kubenet_course.kernel.netfilter.nat import DST, SRC, NatRange, setup_info

    net, kind = table.ruleset.net, statement.kind
    random, fully, persistent = (flag in statement.flags for flag in ("random", "fully-random", "persistent"))
    addresses, ports = _limits(statement.address, table), _limits(statement.port, table)
    wanted_family = {"ip": 4, "ip6": 6}.get(statement.family)
    concat = statement.concat or isinstance(statement.address, Concat)

    def action(skb: Any, state: Any) -> Any:
        if wanted_family is not None and state.family != wanted_family:
            return BREAK
        address, port = addresses(skb, state), ports(skb, state)
        if address is None or port is None:
            return BREAK
        if concat:
            address, port = (address[0], address[0]), (address[1], address[1])
        wanted = NatRange(address[0], address[1], port[0], port[1], random, fully, persistent)
        if kind == "masquerade":
            return masquerade(net, skb, state, wanted)
        if kind == "redirect":
            return redirect(net, skb, state, wanted)
        ct = skb.nfct
        if ct is None or ct is UNTRACKED:
            return ACCEPT
        return ACCEPT if setup_info(net, ct, wanted, SRC if kind == "snat" else DST) else DROP

    return action


# -- setting things -------------------------------------------------------------------------------
def _assign(statement: st.Assign, table: Table) -> Action:
    write = rewrite.writer(statement.target, table)
    read = reader_function(statement.value, table)

    def action(skb: Any, state: Any) -> int:
        value = read(skb, state)
        if value is None:
            return BREAK
        return CONTINUE if write(skb, state, value) else BREAK

    return action


def _notrack(statement: st.Notrack, table: Table) -> Action:
    def action(skb: Any, state: Any) -> int:
        if skb.nfct is None:
            skb.nfct, skb.ctinfo = UNTRACKED, IP_CT_UNTRACKED
        return CONTINUE

    return action


def _object(statement: st.ObjectRef, table: Table) -> Action:
    read = reader_function(statement.name, table)
    objects, kind = table.objects, statement.kind

    def action(skb: Any, state: Any) -> int:
        name = read(skb, state)
        found = objects.get((kind, str(name))) if name is not None else None
        if found is None:
            return BREAK
        if found.details is not None:
            return _details(found, skb)
        assert found.state is not None
        return CONTINUE if found.state.run(skb) else BREAK

    return action


def _details(found: Any, skb: Any) -> int:
    """An object that counts nothing is put on the connection."""
    ct = skb.nfct
    if ct is None or ct is UNTRACKED:
        return CONTINUE
    if found.kind == "ct helper":
        ct.helper = found.details.helper
    return CONTINUE


def _dup(statement: st.Dup, table: Table) -> Action:
    if table.family == "netdev":
        return diversions.duplicate_to_device(statement, table)
    from kubenet_course.kernel.netfilter.dup import duplicate
    from kubenet_course.wire.addresses import IPv4Address

    net = table.ruleset.net
    read = reader_function(statement.address, table)
    device = reader_function(statement.device, table) if statement.device is not None else None

    def action(skb: Any, state: Any) -> int:
        address = read(skb, state)
        dev = net.by_index.get(device(skb, state)) if device is not None else None
        if address is not None:
            duplicate(net, skb, state, IPv4Address(address), dev.name if dev is not None else None)
        return CONTINUE

    return action


_MAKERS: dict[type, Callable[[Any, Table], Action]] = {
    st.VerdictStatement: _verdict, st.VerdictMap: _verdict_map, st.Log: _log, st.Reject: _reject, st.Nat: _nat,
    st.Assign: _assign, st.Notrack: _notrack, st.SetUpdate: dynset.update, st.ObjectRef: _object, st.Dup: _dup,
    st.Meter: dynset.meter, st.Fwd: diversions.forward, st.Tproxy: diversions.tproxy, st.Synproxy: diversions.synproxy,
    st.ResetOption: diversions.reset_option,
}  # fmt: skip
