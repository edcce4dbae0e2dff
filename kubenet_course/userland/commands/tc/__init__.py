"""`tc` of iproute2 6.1: queueing disciplines, classes and filters (tc/tc.c, tc_qdisc.c, tc_class.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.sched import api
from kubenet_course.kernel.sched.qdisc import TC_H_INGRESS, TC_H_ROOT
from kubenet_course.userland.commands.ip.session import Options, Session, usage_text
from kubenet_course.userland.commands.ip.words import Quit, Words, invarg, matches, unsupported
from kubenet_course.userland.commands.tc import filters, parse, show, units

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.userland.process import Process

VERSION = "tc utility, iproute2-6.1.0, libbpf 1.1.2"
CHANGES = ("add", "change", "replace", "link")
UNSUPPORTED_QDISCS = (
    "cake", "cbq", "cbs", "choke", "codel", "drr", "dsmark", "etf", "ets", "fq", "fq_pie", "gred", "hfsc",
    "hhf", "mq",
    "mqprio", "multiq", "pie", "plug", "qfq", "red", "sfb", "skbprio", "taprio", "pfifo_head_drop",
)  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    session: Session | None = None
    try:
        words = Words(argv[1:])
        session = Session(proc, Options(), package="tc")
        _options(words, session)
        return _object(words, session)
    except Quit as leave:
        if leave.message:
            proc.error(leave.message, end="")
        return leave.status
    except KernelError as failure:
        assert session is not None
        message = session.rtnl_error(failure)
        if len(argv) > 1 and any(matches(word, "filter") for word in argv[1:3] if not word.startswith("-")):
            message += filters.TALKING
        proc.error(message, end="")
        return 2


def _options(words: Words, session: Session) -> None:
    options = session.options
    while words.more and words.peek.startswith("-"):
        word = words.take().lstrip("-")
        if matches(word, "stats") or matches(word, "statistics"):
            options.stats += 1
        elif matches(word, "details"):
            options.details += 1
        elif matches(word, "json"):
            options.json = True
        elif matches(word, "pretty"):
            options.pretty = True
        elif word in ("V", "Version", "version"):
            session.proc.print(VERSION)
            raise Quit(0)
        elif matches(word, "netns"):
            session.switch(words.value())
        elif matches(word, "help"):
            raise Quit(0, usage_text("tc", "tc"))
        elif word in (
            "r",
            "raw",
            "i",
            "iec",
            "o",
            "oneline",
            "c",
            "color",
            "N",
            "Numeric",
            "nm",
            "names",
            "br",
            "brief",
        ):
            continue
        elif word in ("b", "batch", "force", "cf", "conf", "graph"):
            unsupported(f"tc -{word}")
        else:
            raise Quit(255, f'Option "-{word}" is unknown, try "tc -help".\n')


def _object(words: Words, session: Session) -> int:
    if not words.more:
        raise Quit(0, usage_text("tc", "tc"))
    word = words.take()
    if matches(word, "qdisc"):
        return _qdisc(words, session)
    if matches(word, "class"):
        return _class(words, session)
    if matches(word, "filter"):
        return _filter(words, session)
    if any(matches(word, known) for known in ("chain", "actions", "monitor", "exec")):
        unsupported(f"tc {word}")
    if matches(word, "help"):
        raise Quit(0, usage_text("tc", "tc"))
    raise Quit(255, f'Object "{word}" is unknown, try "tc help".\n')


def _is_show(word: str) -> bool:
    return any(matches(word, verb) for verb in ("list", "show", "lst"))


# -- qdisc ---------------------------------------------------------------------------------------
def _qdisc(words: Words, session: Session) -> int:
    if not words.more:
        return _show_qdiscs(words, session)
    word = words.take()
    for verb in CHANGES:
        if matches(word, verb):
            return _modify(words, session, verb)
    if matches(word, "delete"):
        return _modify(words, session, "delete")
    if _is_show(word):
        return _show_qdiscs(words, session)
    if matches(word, "help"):
        raise Quit(0, usage_text("tc", "qdisc"))
    raise Quit(255, f'Command "{word}" is unknown, try "tc qdisc help".\n')


def _modify(words: Words, session: Session, verb: str) -> int:
    """tc_qdisc_modify()."""
    name: str | None = None
    handle = parent = 0
    kind: str | None = None
    options: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if word == "dev":
            name = words.value()
        elif word == "handle":
            text = words.value()
            number = units.get_handle(text)
            if number is None:
                invarg("invalid qdisc ID", text)
            handle = number
        elif word in ("root", "parent", "ingress", "clsact"):
            if parent:
                raise Quit(255, f'Error: "{word}" is duplicate parent ID\n')
            if word == "root":
                parent = TC_H_ROOT
            elif word == "parent":
                text = words.value()
                classid = units.get_classid(text)
                if classid is None:
                    invarg("invalid parent ID", text)
                parent = classid
            else:
                parent, handle, kind = TC_H_INGRESS, api.INGRESS_HANDLE, word
        elif word in ("estimator", "stab", "ingress_block", "egress_block"):
            unsupported(f"tc qdisc {word}")
        elif matches(word, "help"):
            raise Quit(0, usage_text("tc", "qdisc"))
        else:
            kind = word
            if kind in UNSUPPORTED_QDISCS:
                unsupported(f"tc qdisc {kind}")
            options = parse.options(kind, words)
    if name is None:
        raise Quit(2, "RTNETLINK answers: No such device\n")
    dev = session.device(name)
    if verb == "delete":
        api.delete(dev, kind, handle, parent)
        return 0
    if kind is not None and kind not in api.KINDS and parent != TC_H_INGRESS:
        raise KernelError(2, "Specified qdisc kind is unknown")
    api.modify(
        dev, kind, handle, parent, options,
        create=verb in ("add", "replace"), excl=verb == "add", replace=verb in ("replace", "link"),
    )  # fmt: skip
    return 0


def _show_qdiscs(words: Words, session: Session) -> int:
    """tc_qdisc_list()."""
    name: str | None = None
    while words.more:
        word = words.take()
        if word == "dev":
            name = words.value()
        elif word in ("root", "ingress", "clsact", "invisible"):
            continue
        elif word in ("parent", "handle"):
            unsupported(f"tc qdisc show {word}")
        elif matches(word, "help"):
            raise Quit(0, usage_text("tc", "qdisc"))
        else:
            raise Quit(255, f'What is "{word}"? Try "tc qdisc help".\n')
    devices = [session.device(name)] if name is not None else list(session.net.devices.values())
    with session.output() as out:
        for dev in devices:
            show.print_qdiscs(
                dev,
                out,
                named=name is None,
                stats=bool(session.options.stats),
                details=bool(session.options.details),
            )
    return 0


# -- class ---------------------------------------------------------------------------------------
def _class(words: Words, session: Session) -> int:
    if not words.more:
        return 0
    word = words.take()
    for verb in ("add", "change", "replace"):
        if matches(word, verb):
            return _modify_class(words, session, verb)
    if matches(word, "delete"):
        return _modify_class(words, session, "delete")
    if _is_show(word):
        return _show_classes(words, session)
    if matches(word, "help"):
        raise Quit(0, usage_text("tc", "class"))
    raise Quit(255, f'Command "{word}" is unknown, try "tc class help".\n')


def _class_words(words: Words, session: Session) -> tuple[NetDevice | None, int, int, str | None]:
    name: str | None = None
    classid = parent = 0
    while words.more:
        word = words.take()
        if word == "dev":
            name = words.value()
        elif word in ("classid", "parent"):
            text = words.value()
            number = units.get_classid(text)
            if number is None:
                invarg("invalid class ID" if word == "classid" else "invalid parent ID", text)
            if word == "classid":
                classid = number
            else:
                parent = number
        elif word == "root":
            parent = TC_H_ROOT
        elif matches(word, "help"):
            raise Quit(0, usage_text("tc", "class"))
        else:
            return (session.device(name) if name else None), classid, parent, word
    return (session.device(name) if name else None), classid, parent, None


def _modify_class(words: Words, session: Session, verb: str) -> int:
    """tc_class_modify()."""
    dev, classid, parent, kind = _class_words(words, session)
    options: dict[str, Any] = {}
    if kind == "htb":
        options = parse.htb_class(words)
    elif kind is not None:
        raise Quit(1, f'Error: Qdisc "{kind}" is classless.\n')
    if dev is None:
        raise Quit(2, "RTNETLINK answers: No such device\n")
    qdisc = api.class_qdisc(dev, parent, classid)
    if not classid >> 16:
        classid |= qdisc.handle
    if verb == "delete":
        qdisc.delete_class(classid)
        return 0
    if kind is None:
        raise Quit(2, "RTNETLINK answers: Invalid argument\n")
    qdisc.change_class(classid, parent or TC_H_ROOT, options, create=verb != "change", excl=verb == "add")
    return 0


def _show_classes(words: Words, session: Session) -> int:
    dev, classid, _, kind = _class_words(words, session)
    if kind is not None:
        raise Quit(255, f'What is "{kind}"? Try "tc class help".\n')
    if dev is None:
        return 0
    with session.output() as out:
        show.print_classes(
            dev, out, stats=bool(session.options.stats), details=bool(session.options.details), wanted=classid
        )
    return 0


# -- filter --------------------------------------------------------------------------------------
def _filter(words: Words, session: Session) -> int:
    if not words.more:
        return 0
    word = words.take()
    for verb in ("add", "change", "replace"):
        if matches(word, verb):
            return filters.add(words, session, verb)
    if matches(word, "delete"):
        return filters.delete(words, session)
    if _is_show(word):
        return filters.show(words, session)
    if matches(word, "help"):
        raise Quit(0, usage_text("tc", "filter"))
    raise Quit(255, f'Command "{word}" is unknown, try "tc filter help".\n')
