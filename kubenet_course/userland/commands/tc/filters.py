"""``tc filter``: u32, matchall and fw with the actions drop, pass and mirred (iproute2: tc/tc_filter.c,
f_*.c, m_*.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.sched import api
from kubenet_course.kernel.sched.filters import Action, Filter
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, c_number, invarg, parse_prefix, unsupported
from kubenet_course.userland.commands.tc import units

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

TALKING = "We have an error talking to the kernel\n"
#: tcf_auto_prio(): the first filter without a priority gets this one, later ones count down.
FIRST_PREFERENCE = 0xC000
VERDICTS = ("drop", "shot", "pass", "ok", "continue", "pipe", "reclassify", "stolen", "trap")
KINDS = ("u32", "matchall", "fw")
UNSUPPORTED_KINDS = ("flower", "basic", "bpf", "cgroup", "flow", "route", "rsvp", "tcindex")


class Request:
    """What the words before the kind say."""

    def __init__(self) -> None:
        self.dev: NetDevice | None = None
        self.parent = 0
        self.protocol = "all"
        self.preference = 0
        self.handle = ""
        self.kind = ""


def parse(words: Words, session: Session) -> Request:
    found = Request()
    name: str | None = None
    while words.more:
        word = words.take()
        if word == "dev":
            name = words.value()
        elif word == "root":
            found.parent = 0
        elif word == "ingress":
            found.parent = api.INGRESS_HANDLE | 0xFFF2
        elif word == "egress":
            found.parent = api.INGRESS_HANDLE | 0xFFF3
        elif word == "parent":
            text = words.value()
            parent = units.get_classid(text)
            if parent is None:
                invarg("Invalid parent ID", text)
            found.parent = parent
        elif word == "handle":
            found.handle = words.value()
        elif word in ("pref", "prio", "preference", "priority"):
            text = words.value()
            number = c_number(text)
            if number is None:
                invarg("invalid priority value", text)
            found.preference = number
        elif word == "protocol":
            text = words.value()
            if text not in ("all", "ip", "ipv6", "arp"):
                if text in ("802.1q", "802.1ad"):
                    unsupported(f"tc filter protocol {text}")
                invarg("invalid protocol", text)
            found.protocol = text
        elif word == "chain":
            unsupported("tc filter chain")
        elif word == "help":
            raise Quit(255, _usage())
        else:
            found.kind = word
            break
    if name is not None:
        found.dev = session.device(name)
    return found


def _usage() -> str:
    from kubenet_course.userland.commands.ip.session import usage_text

    return usage_text("tc", "filter")


def add(words: Words, session: Session, verb: str) -> int:
    """tc_filter_modify()."""
    wanted = parse(words, session)
    made = Filter(wanted.kind, wanted.protocol, wanted.preference, 0)
    if wanted.kind in UNSUPPORTED_KINDS:
        unsupported(f"tc filter {wanted.kind}")
    if wanted.kind and wanted.kind not in KINDS and words.more:
        raise Quit(1, f'Unknown filter "{wanted.kind}", hence option "{words.peek}" is unparsable\n')
    if wanted.kind in KINDS:
        _options(words, session, made)
    if wanted.dev is None:
        raise Quit(2, "RTNETLINK answers: No such device\n" + TALKING)
    filters = api.filter_lists(wanted.dev, wanted.parent)
    if wanted.kind not in KINDS:
        raise Quit(
            2,
            "Error: TC classifier not found.\n" + TALKING
            if wanted.kind
            else "RTNETLINK answers: Invalid argument\n" + TALKING,
        )
    if not made.preference:
        taken = [each.preference for each in filters if each.preference >= FIRST_PREFERENCE - 0x1000]
        made.preference = min(taken) - 1 if taken else FIRST_PREFERENCE
    number = sum(each.preference == made.preference for each in filters)
    if made.kind == "fw":
        made.handle = c_number(wanted.handle or "0") or 0
    elif made.kind == "u32":
        made.handle = 0x800 + number
    else:
        if number:
            raise Quit(2, "RTNETLINK answers: File exists\n" + TALKING)
        made.handle = 1
    for action in made.actions:
        _register(action, wanted.dev)
    filters.append(made)
    filters.sort(key=lambda each: each.preference)
    return 0


def _register(action: Action, dev: NetDevice) -> None:
    """Actions are numbered by kind, from 1."""
    counters = dev.net.rooms.setdefault("tc_actions", {})
    used = counters.setdefault(action.kind, set())
    action.index = next(number for number in range(1, len(used) + 2) if number not in used)
    used.add(action.index)
    action.installed = dev.net.loop.now


def _forget(each: Filter, dev: NetDevice) -> None:
    for action in each.actions:
        dev.net.rooms.get("tc_actions", {}).get(action.kind, set()).discard(action.index)


def _options(words: Words, session: Session, made: Filter) -> None:
    while words.more:
        word = words.take()
        if word == "match" and made.kind == "u32":
            made.keys.append(_match(words, made.protocol))
        elif word in ("flowid", "classid"):
            text = words.value()
            classid = units.get_classid(text)
            if classid is None:
                raise Quit(1, f'Illegal "{"flowid" if made.kind == "u32" else "classid"}"\n')
            made.flowid = classid
        elif word == "action":
            _actions(words, session, made)
        elif word in (
            "police",
            "skip_sw",
            "skip_hw",
            "divisor",
            "ht",
            "link",
            "offset",
            "hashkey",
            "sample",
            "order",
        ):
            unsupported(f"tc filter {made.kind} {word}")
        else:
            raise Quit(1, f'What is "{word}"?\n')


def _match(words: Words, protocol: str) -> tuple[int, int, int]:
    """u32's selectors of IPv4, and raw words."""
    family = words.value()
    if family == "u32":
        value, mask = c_number(words.value(), 16), c_number(words.value(), 16)
        if words.peek == "at":
            words.take()
            offset = c_number(words.value())
        else:
            offset = 0
        if value is None or mask is None or offset is None:
            raise Quit(1, 'Illegal "match"\n')
        return value & mask, mask, offset
    if family != "ip":
        unsupported(f"tc filter u32 match {family}")
    what = words.value()
    if what in ("src", "dst"):
        text = words.value()
        prefix = parse_prefix(text, 4)
        if prefix is None:
            raise Quit(1, 'Illegal "match"\n')
        mask = (0xFFFFFFFF << (32 - prefix.length)) & 0xFFFFFFFF
        return int(prefix.address) & mask, mask, 12 if what == "src" else 16
    value, mask = c_number(words.value()), c_number(words.value())
    if value is None or mask is None:
        raise Quit(1, 'Illegal "match"\n')
    if what == "sport":
        return (value & mask) << 16, mask << 16, 20
    if what == "dport":
        return value & mask, mask, 20
    if what == "protocol":
        return (value & mask) << 16, mask << 16, 8
    if what in ("tos", "dsfield"):
        return (value & mask) << 16, mask << 16, 0
    return unsupported(f"tc filter u32 match ip {what}")


def _actions(words: Words, session: Session, made: Filter) -> None:
    while words.more:
        word = words.take()
        if word == "gact":
            continue
        if word in VERDICTS:
            verdict = {"shot": "drop", "ok": "pass"}.get(word, word)
            made.actions.append(Action("gact", verdict))
        elif word == "mirred":
            side, what = words.value(), words.value()
            if side not in ("egress", "ingress") or what not in ("redirect", "mirror"):
                raise Quit(1, f'mirred: bad action "{what}"\n')
            if words.value() != "dev":
                raise Quit(1, "bad mirred action\n")
            made.actions.append(Action("mirred", what, session.device(words.value()), side == "ingress"))
        elif word in ("pipe", "action"):
            continue
        else:
            unsupported(f"tc action {word}")


def delete(words: Words, session: Session) -> int:
    wanted = parse(words, session)
    if wanted.dev is None:
        raise Quit(2, "RTNETLINK answers: No such device\n" + TALKING)
    filters = api.filter_lists(wanted.dev, wanted.parent)
    gone = [
        each
        for each in filters
        if (not wanted.preference or each.preference == wanted.preference)
        and (not wanted.kind or each.kind == wanted.kind)
    ]
    if not gone and wanted.preference:
        raise Quit(2, "Error: Filter with specified priority/protocol not found.\n" + TALKING)
    for each in gone:
        _forget(each, wanted.dev)
        filters.remove(each)
    return 0


def show(words: Words, session: Session) -> int:
    wanted = parse(words, session)
    if wanted.dev is None:
        return 0
    from kubenet_course.errors import KernelError

    try:
        filters = api.filter_lists(wanted.dev, wanted.parent)
    except KernelError:
        return 0
    if session.options.json:
        unsupported("tc -j filter")
    prefix = ""
    if not wanted.parent:
        root = api.root_of(wanted.dev)
        prefix = f"parent {units.print_classid(root.handle)} " if root is not None else ""
    seen: set[int] = set()
    for each in filters:
        session.proc.print(_describe(each, prefix, each.preference in seen, session), end="")
        seen.add(each.preference)
    return 0


def _describe(each: Filter, prefix: str, again: bool, session: Session) -> str:
    head = f"filter {prefix}protocol {each.protocol} pref {each.preference} {each.kind} chain 0 "
    text = "" if again else head + "\n"
    stats = bool(session.options.stats)
    hit = f" (rule hit {each.hits})" if stats and each.kind == "matchall" else ""
    if each.kind == "u32":
        text += "" if again else head + "fh 800: ht divisor 1 \n"
        text += head + f"fh 800::{each.handle:x} order {each.handle} key ht 800 bkt 0 "
        text += (
            f"*flowid {units.print_classid(each.flowid)} not_in_hw "
            if each.flowid
            else "terminal flowid not_in_hw "
        )
        text += f" (rule hit {each.hits} success {each.hits})" if stats else ""
        for value, mask, offset in each.keys:
            text += f"\n  match {value:08x}/{mask:08x} at {offset}"
        text += "\n"
    elif each.kind == "fw":
        text += head + f"handle {each.handle:#x} classid {units.print_classid(each.flowid)} \n"
    else:
        text += head + "handle 0x1 "
        text += f"flowid {units.print_classid(each.flowid)} " if each.flowid else ""
        text += f"\n  not_in_hw{hit}\n"
    for order, action in enumerate(each.actions, 1):
        text += _describe_action(order, action, session, stats)
    return text + ("\n" if each.actions else "")


def _describe_action(order: int, action: Action, session: Session, stats: bool) -> str:
    age: Any = ""
    if stats:
        now = session.net.loop.now
        used = max(action.used, action.installed)
        age = f" installed {(now - action.installed) // 10**9} sec used {(now - used) // 10**9} sec"
    if action.kind == "mirred":
        assert action.dev is not None
        side = "Ingress" if action.ingress else "Egress"
        verdict = "stolen" if action.verdict == "redirect" else "pipe"
        there = action.dev.net.by_index.get(action.dev.ifindex) is action.dev
        what = f"{side} {action.verdict.capitalize()} to device {action.dev.name if there else '*'}"
        text = f"\taction order {order}: mirred ({what}) {verdict}\n"
        text += f"\tindex {action.index} ref 1 bind 1{age}\n"
    else:
        text = f"\taction order {order}: gact action {action.verdict}\n\t random type none pass val 0\n"
        text += f"\t index {action.index} ref 1 bind 1{age}\n"
    if stats:
        text += (
            f"\tAction statistics:\n\tSent {action.bytes} bytes {action.packets} pkt "
            f"(dropped {action.drops}, "
            f"overlimits 0 requeues 0) \n\tbacklog 0b 0p requeues 0\n"
        )
    return text
