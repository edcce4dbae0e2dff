"""What `tc` prints of disciplines and classes, as text and JSON (iproute2: tc/tc_qdisc.c, tc_class.c,
q_*.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.sched.api import Ingress, qdiscs, root_of
from kubenet_course.kernel.sched.htb import Htb, HtbClass
from kubenet_course.kernel.sched.netem import Netem
from kubenet_course.kernel.sched.qdisc import Qdisc, Stats, TcClass
from kubenet_course.kernel.sched.tbf import Tbf
from kubenet_course.userland.commands.ip.printer import Printer, Raw
from kubenet_course.userland.commands.tc import units

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

TC_H_ROOT = 0xFFFFFFFF


def number(value: float) -> Raw:
    """A JSON number as %g writes it."""
    return Raw(f"{value:g}")


def print_qdiscs(dev: NetDevice, out: Printer, *, named: bool, stats: bool, details: bool) -> None:
    """Every discipline of a device; `named` says the device too."""
    root = root_of(dev)
    if root is None and dev.activated:
        _head(out, dev.default_qdisc, 0, dev if named else None, "root", dev)
        _default(dev.default_qdisc, out)
        _finish(out, Stats(), 0, 0, stats)
    for qdisc in qdiscs(dev):
        parent = "root" if qdisc.parent == TC_H_ROOT else units.print_classid(qdisc.parent)
        _head(out, qdisc.kind, qdisc.handle, dev if named else None, parent, dev)
        _options(qdisc, out, details)
        _finish(out, qdisc.stats, qdisc.backlog, qdisc.qlen, stats)
    if isinstance(dev.ingress, Ingress):
        _ingress(dev, out, named, stats)


def _head(out: Printer, kind: str, handle: int, named: NetDevice | None, parent: str, dev: NetDevice) -> None:
    out.open_object()
    out.any("kind", "qdisc %s ", kind)
    out.any("handle", "%s ", units.print_classid(handle) if handle else "0:")
    if named is not None:
        out.any("dev", "dev %s ", named.name)
    if parent == "root":
        out.js("root", True)
        out.fp("root ")
        out.any("refcnt", "refcnt %d ", 2 if not handle else 1 + dev.num_tx_queues)
    else:
        out.any("parent", "parent %s ", parent)
    out.open_object("options")


def _finish(out: Printer, stats: Stats, backlog: int, qlen: int, wanted: bool) -> None:
    out.close()
    out.fp("\n")
    if wanted:
        print_stats(out, stats, backlog, qlen)
    out.close()


def print_stats(out: Printer, stats: Stats, backlog: int, qlen: int, prefix: str = " ") -> None:
    """print_tcstats2_attr()."""
    if out.json:
        for key, value in (
            ("bytes", stats.bytes), ("packets", stats.packets), ("drops", stats.drops), ("overlimits",
            stats.overlimits),
            ("requeues", stats.requeues), ("backlog", backlog), ("qlen", qlen),
        ):  # fmt: skip
            out.js(key, value)
        return
    out.fp(
        f"{prefix}Sent {stats.bytes} bytes {stats.packets} pkt (dropped {stats.drops}, "
        f"overlimits {stats.overlimits} requeues {stats.requeues}) \n"
        f"{prefix}backlog {units.print_size(backlog)} {qlen}p requeues {stats.requeues}\n"
    )


def _ingress(dev: NetDevice, out: Printer, named: bool, stats: bool) -> None:
    kind = dev.ingress.kind
    out.open_object()
    out.any("kind", "qdisc %s ", kind)
    out.any("handle", "%s ", "ffff:")
    if named:
        out.any("dev", "dev %s ", dev.name)
    out.any("parent", "parent %s ", "ffff:fff1")
    out.open_object("options")
    if kind == "ingress":
        out.fp("---------------- ")
    _finish(out, Stats(), 0, 0, stats)


def _default(kind: str, out: Printer) -> None:
    if kind == "pfifo_fast":
        _priomap(out, 3, [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1])


def _priomap(out: Printer, bands: int, priomap: list[int]) -> None:
    out.any("bands", "bands %d priomap", bands)
    out.open_array("priomap")
    for band in priomap:
        out.any(None, " %d", band)
    out.close()


def _options(qdisc: Qdisc, out: Printer, details: bool) -> None:
    options = qdisc.options()
    if isinstance(qdisc, Netem):
        _netem(qdisc, out)
    elif isinstance(qdisc, Tbf):
        _tbf(qdisc, out, details)
    elif qdisc.kind in ("prio", "pfifo_fast"):
        _priomap(out, options["bands"], options["priomap"])
    elif qdisc.kind in ("pfifo", "bfifo"):
        out.any("limit", "limit %d" + ("p" if qdisc.kind == "pfifo" else "b"), options["limit"])
    elif isinstance(qdisc, Htb):
        out.any("r2q", "r2q %d", options["r2q"])
        out.any("default", " default %s", options["default"])
        out.any("direct_packets_stat", " direct_packets_stat %d", options["direct_packets_stat"])
        out.any("direct_qlen", " direct_qlen %d", options["direct_qlen"])
    elif qdisc.kind == "fq_codel":
        _fq_codel(options, out)
    elif qdisc.kind == "sfq":
        _sfq(options, out)


def _fq_codel(options: dict[str, Any], out: Printer) -> None:
    out.any("limit", "limit %up ", options["limit"])
    out.any("flows", "flows %u ", options["flows"])
    out.any("quantum", "quantum %u ", options["quantum"])
    for key in ("target", "interval"):
        if out.json:
            out.js(key, options[key])
        else:
            out.fp(f"{key} {units.print_time((options[key] + 1) * 1000)} ")
    if out.json:
        out.js("memory_limit", options["memory_limit"])
    else:
        out.fp(f"memory_limit {units.print_size(options['memory_limit'])} ")
    if options["ecn"]:
        out.js("ecn", True)
        out.fp("ecn ")
    out.any("drop_batch", "drop_batch %u ", options["drop_batch"])


def _sfq(options: dict[str, Any], out: Printer) -> None:
    out.any("limit", "limit %up ", options["limit"])
    if out.json:
        out.js("quantum", options["quantum"])
    else:
        out.fp(f"quantum {units.print_size(options['quantum'])} ")
    out.any("depth", "depth %u ", options["depth"])
    out.any("divisor", "divisor %u ", options["divisor"])
    if options.get("perturb"):
        out.any("perturb", "perturb %dsec ", options["perturb"])


def _tbf(qdisc: Tbf, out: Printer, details: bool) -> None:
    """tbf_print_opt()."""
    rate, peak = qdisc.rate, qdisc.peak
    burst = units.transmit_size(rate, qdisc.buffer)
    waiting = 1e9 * qdisc.limit / rate - qdisc.buffer
    if peak:
        waiting = max(waiting, 1e9 * qdisc.limit / peak - qdisc.mtu)
    if out.json:
        out.js("rate", rate)
        out.js("burst", burst)
        if peak:
            out.js("peakrate", peak)
            out.js("minburst", units.transmit_size(peak, qdisc.mtu))
        out.js("lat", int(waiting / 1000))
        return
    text = f"rate {units.print_rate(rate)} burst {units.print_size(burst)}"
    text += "/1 mpu 0b " if details else " "
    if peak:
        minburst = units.print_size(units.transmit_size(peak, qdisc.mtu))
        text += f"peakrate {units.print_rate(peak)} minburst {minburst}" + ("/1 mpu 0b " if details else " ")
    text += f"lat {units.print_time(waiting)} "
    if details:
        text += "linklayer ethernet "
    out.fp(text)


def _netem(qdisc: Netem, out: Printer) -> None:
    """netem_print_opt()."""
    share = units.print_percent
    rho = {name: each.rho for name, each in qdisc.correlations.items()}
    out.any("limit", "limit %d", qdisc.limit)
    if qdisc.latency:
        if out.json:
            out.open_object("delay")
            for key, value in (("delay", qdisc.latency), ("jitter", qdisc.jitter)):
                out.js(key, number(int(value / 1000) / 1e6))
            out.js("correlation", number(rho["delay"] / 0xFFFFFFFF))
            out.close()
        else:
            out.fp(f" delay {units.print_time(qdisc.latency)}")
            if qdisc.jitter:
                out.fp(f"  {units.print_time(qdisc.jitter)}")
                if rho["delay"]:
                    out.fp(f" {share(rho['delay'])}")
    if qdisc.loss:
        _netem_share(out, "loss-random", "loss", qdisc.loss, rho["loss"])
    _netem_model(qdisc, out)
    for name in ("duplicate", "reorder", "corrupt"):
        if getattr(qdisc, name):
            _netem_share(out, name, name, getattr(qdisc, name), rho[name])
    rate, overhead, cell, cell_overhead = qdisc.rate
    if rate:
        if out.json:
            out.open_object("rate")
            for key, value in (
                ("rate", rate), ("packetoverhead", overhead), ("cellsize", cell), ("celloverhead",
                cell_overhead),
            ):  # fmt: skip
                out.js(key, value)
            out.close()
        else:
            out.fp(f" rate {units.print_rate(rate)}")
            out.fp(f" packetoverhead {overhead}" if overhead else "")
            out.fp(f" cellsize {cell}" if cell else "")
            out.fp(f" celloverhead {cell_overhead}" if cell_overhead else "")
    out.js("ecn", qdisc.ecn)
    if qdisc.ecn:
        out.fp(" ecn ")
    if qdisc.gap or out.json:
        out.any("gap", " gap %lu".replace("lu", "d"), qdisc.gap)


def _netem_share(out: Printer, key: str, word: str, value: int, rho: int) -> None:
    if out.json:
        out.open_object(key)
        out.js(word, number(value / 0xFFFFFFFF))
        out.js("correlation", number(rho / 0xFFFFFFFF))
        out.close()
        return
    out.fp(f" {word} {units.print_percent(value)}")
    if rho:
        out.fp(f" {units.print_percent(rho)}")


def _netem_model(qdisc: Netem, out: Printer) -> None:
    if qdisc.model is None:
        return
    name, *shares = qdisc.model
    labels = ("p13", "p31", "p32", "p23", "p14") if name == "state" else ("p", "r", "1-h", "1-k")
    if out.json:
        out.open_object("loss-" + ("state" if name == "state" else "gemodel"))
        for label, value in zip(labels, shares):
            out.js(label, number(value / 0xFFFFFFFF))
        out.close()
        return
    out.fp(
        f" loss {name} "
        + " ".join(f"{label} {units.print_percent(value)}" for label, value in zip(labels, shares))
    )


# -- classes -------------------------------------------------------------------------------------
def hash_order(classes: list[TcClass]) -> list[TcClass]:
    """qdisc_class_hash: the order in which the kernel walks its table."""
    size = 4
    buckets: dict[int, list[TcClass]] = {}

    def bucket(classid: int) -> int:
        mixed = classid ^ classid >> 8
        return (mixed ^ mixed >> 4) & (size - 1)

    placed: list[TcClass] = []
    for count, each in enumerate(classes, 1):
        placed.append(each)
        if count * 4 > size * 3:
            size *= 2
    for each in placed:
        buckets.setdefault(bucket(each.classid), []).insert(0, each)
    return [each for key in sorted(buckets) for each in buckets[key]]


def print_classes(dev: NetDevice, out: Printer, *, stats: bool, details: bool, wanted: int = 0) -> None:
    for qdisc in qdiscs(dev):
        found = list(qdisc.classes.values())
        if isinstance(qdisc, Htb):
            found = hash_order(found)
        for each in found:
            if isinstance(qdisc, Netem) and each.child is None:
                continue
            if not wanted or each.classid == wanted:
                _class(qdisc, each, out, stats, details)


def _class(qdisc: Qdisc, each: TcClass, out: Printer, stats: bool, details: bool) -> None:
    out.open_object()
    out.any("class", "class %s ", qdisc.kind)
    out.any("handle", "%s ", units.print_classid(each.classid))
    if isinstance(each, HtbClass) and each.above is None:
        out.js("root", True)
        out.fp("root ")
    else:
        parent = each.above.classid if isinstance(each, HtbClass) and each.above is not None else qdisc.handle
        out.any("parent", "parent %s ", units.print_classid(parent))
    if each.child is not None:
        out.any("leaf", "leaf %s ", units.print_classid(each.child.handle))
    if isinstance(each, HtbClass):
        assert isinstance(qdisc, Htb)
        _htb_class(qdisc, each, out, details)
    out.fp("\n")
    if stats:
        _class_stats(each, out)
    out.close()


def _htb_class(qdisc: Htb, each: HtbClass, out: Printer, details: bool) -> None:
    """htb_print_opt()."""
    settings = each.settings
    rate, ceil = settings["rate"], settings["ceil"]
    burst = units.transmit_size(rate, settings["burst_ns"])
    cburst = units.transmit_size(ceil, settings["cburst_ns"])
    if out.json:
        if not each.below:
            out.js("prio", settings["prio"])
        for key, value in (("rate", rate), ("ceil", ceil), ("burst", burst), ("cburst", cburst)):
            out.js(key, value)
        return
    text = ""
    if not each.below:
        text += f"prio {settings['prio']} "
        if details:
            quantum = settings["quantum"] or max(1000, min(200000, rate // qdisc.r2q))
            text += f"quantum {quantum} "
    text += f"rate {units.print_rate(rate)} ceil {units.print_rate(ceil)} "
    if details:
        text += (
            f"linklayer ethernet burst {units.print_size(burst)}/1 mpu 0b "
            f"cburst {units.print_size(cburst)}/1 mpu 0b "
            f"level {each.level} "
        )
    else:
        text += f"burst {units.print_size(burst)} cburst {units.print_size(cburst)} "
    out.fp(text)


def _class_stats(each: TcClass, out: Printer) -> None:
    leaf = each.leaf if isinstance(each, HtbClass) else each.child
    print_stats(
        out, each.stats, leaf.backlog if leaf is not None else 0, leaf.qlen if leaf is not None else 0
    )
    if isinstance(each, HtbClass):
        tokens = [value // 64 for value in (each.tokens, each.ctokens)]
        if out.json:
            for key, value in (
                ("lended", each.lended), ("borrowed", each.borrowed), ("giants", 0), ("tokens", tokens[0]),
                ("ctokens", tokens[1]),
            ):  # fmt: skip
                out.js(key, value)
        else:
            out.fp(
                f" lended: {each.lended} borrowed: {each.borrowed} giants: 0\n"
                f" tokens: {tokens[0]} ctokens: {tokens[1]}\n"
            )
    out.fp("\n")
