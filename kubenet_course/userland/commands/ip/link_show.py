"""One link as `ip link` prints it (ip/ipaddress.c: print_linkinfo(), print_link_stats())."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.rtnetlink import has_ipv6
from kubenet_course.userland.commands.ip.link_parse import kind_module
from kubenet_course.userland.commands.ip.printer import DOWN, IFNAME, MAC, UP, Printer, Raw
from kubenet_course.userland.commands.ip.session import Session

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice


def print_link(
    dev: NetDevice, out: Printer, session: Session, *, link: bool, family: Any = 0, selected: Any = None,
    queue_length: bool = True,
) -> None:  # fmt: skip
    """print_linkinfo(): `link` for ``ip link`` (do_link), else the head of ``ip addr``."""
    options = session.options
    out.any("ifindex", "%d: ", dev.ifindex)
    _name_and_link(dev, out, session, "%s: ", local=family == 6)
    print_flags(dev.flags, out)
    out.any("mtu", "mtu %u ", dev.mtu)
    _queue_and_state(dev, out, session, link=link, family=family, queue_length=queue_length)
    if (family if selected is None else selected) in (0, "link") or options.details:
        out.fp(out.sl)
        _address(dev, out, session)
    if family != 6:
        _netnsid(dev, out, session)
        if dev.proto_down:
            out.any("proto_down", " protodown on ", True)
    if options.details:
        _details(dev, out, link=link)
    if dev.alias and (link or options.details):
        out.nl()
        out.any("ifalias", "    alias %s", dev.alias)
    if link and options.stats:
        out.nl()
        print_stats(dev, out, session)
    if dev.altnames:
        out.open_array("altnames")
        for name in dev.altnames:
            out.nl()
            out.any(None, "    altname %s", name)
        out.close()
    out.fp("\n")


def print_link_brief(dev: NetDevice, out: Printer, session: Session, *, link: bool, family: int = 0) -> None:
    """print_linkinfo_brief()."""
    _name_and_link(dev, out, session, "%-16s ", local=family == 6)
    _operstate(dev, out, "%-14s ")
    if link:
        if dev.link_type != "none":
            out.color(MAC, "address", "%s ", dev.ll_address)
        print_flags(dev.flags, out)
        out.fp("\n")


def _name_and_link(dev: NetDevice, out: Printer, session: Session, form: str, local: bool = False) -> None:
    """print_name_and_link(): ``eth0@if3``; `local`: the message does not say whose namespace the index is of."""
    suffix = ""
    shown = shown_link(dev)
    if shown is not None and not (local and shown[1] == dev.ifindex):
        net, index = shown
        if index == 0:
            out.js("link", None)
            suffix = "@NONE"
        elif net is not dev.net and not local:
            out.js("link_index", index)
            suffix = f"@if{index}"
        else:
            name = session.name_of(index) if dev.net is session.net else f"if{index}"
            out.js("link", name)
            suffix = f"@{name}"
    if out.json:
        out.js("ifname", dev.name)
    else:
        out.color(IFNAME, "ifname", form, dev.name + suffix)


def shown_link(dev: NetDevice) -> tuple[Any, int] | None:
    """IFLA_LINK: the lower or peer device where it is another one than the device itself."""
    lower = dev.iflink()
    if lower is None or lower == (dev.net, dev.ifindex):
        return None
    return lower


def print_flags(flags: list[str], out: Printer) -> None:
    if out.json:
        out.open_array("flags")
        for word in flags:
            out.js(None, word)
        out.close()
    else:
        out.fp(f"<{','.join(flags)}> ")


def _operstate(dev: NetDevice, out: Printer, form: str) -> None:
    state = dev.operstate
    color = {"UP": UP, "DOWN": DOWN}.get(state, "")
    if form.startswith("%"):
        out.color(color, "operstate", form, state)
    else:
        out.fp("state ")
        out.color(color, "operstate", form.removeprefix("state "), state)


def _queue_and_state(
    dev: NetDevice, out: Printer, session: Session, *, link: bool, family: Any, queue_length: bool
) -> None:
    bare = family in (6, "bridge")
    if not bare:
        out.any("qdisc", "qdisc %s ", dev.qdisc_name)
    if dev.master is not None and not bare:
        out.any("master", "master %s ", dev.master.name)
    _operstate(dev, out, "state %s ")
    if bare:
        if dev.qlen:
            out.any("txqlen", "qlen %d", dev.qlen)
        return
    if link:
        out.any("linkmode", "mode %s ", dev.linkmode)
    out.any("group", "group %s ", session.tables.name("group", dev.group))
    if dev.qlen and queue_length:
        out.any("txqlen", "qlen %d", dev.qlen)


def _address(dev: NetDevice, out: Printer, session: Session) -> None:
    number = {"loopback": "[772]", "ether": "[1]"}.get(dev.link_type, dev.link_type)
    out.any("link_type", "    link/%s ", number if session.options.numeric else dev.link_type)
    if dev.link_type == "none":
        return
    out.color(MAC, "address", "%s", dev.ll_address)
    if dev.pointopoint:
        out.fp(" peer ")
        out.js("link_pointtopoint", True)
    else:
        out.fp(" brd ")
    out.color(MAC, "broadcast", "%s", dev.ll_broadcast)


def _netnsid(dev: NetDevice, out: Printer, session: Session) -> None:
    lower = dev.iflink()
    if lower is None or lower[0] is dev.net:
        return
    number = dev.net.nsid_of(lower[0])
    name = session.netns_name_of(lower[0])
    if out.json:
        out.js("link_netnsid", number)
    elif name is not None:
        out.fp(f" link-netns {name}")
    else:
        out.fp(f" link-netnsid {number}")


def _details(dev: NetDevice, out: Printer, *, link: bool) -> None:
    out.any("promiscuity", " promiscuity %u ", dev.promiscuity)
    out.any("allmulti", " allmulti %u ", dev.allmulti)
    out.any("min_mtu", "minmtu %u ", dev.min_mtu)
    out.any("max_mtu", "maxmtu %u ", dev.max_mtu)
    _link_info(dev, out)
    if link and has_ipv6(dev):
        out.any("inet6_addr_gen_mode", "addrgenmode %s ", dev.addrgenmode)
    out.any("num_tx_queues", "numtxqueues %u ", dev.num_tx_queues)
    out.any("num_rx_queues", "numrxqueues %u ", dev.num_rx_queues)
    out.any("gso_max_size", "gso_max_size %u ", dev.gso_max_size)
    out.any("gso_max_segs", "gso_max_segs %u ", dev.gso_max_segs)
    out.any("tso_max_size", "tso_max_size %u ", dev.tso_max_size)
    out.any("tso_max_segs", "tso_max_segs %u ", 65535)
    out.any("gro_max_size", "gro_max_size %u ", dev.gro_max_size)


def _link_info(dev: NetDevice, out: Printer) -> None:
    """print_linktype(): the kind and its data, then the port's."""
    slave = f"{dev.master.kind}_slave" if dev.master is not None and hasattr(dev.port, "info") else None
    if not dev.kind and slave is None:
        return
    out.open_object("linkinfo")
    if dev.kind:
        out.nl()
        out.any("info_kind", "    %s ", dev.kind)
        _data(dev.kind, dev.info(), "info_data", out)
    if slave is not None and dev.master is not None:
        out.nl()
        out.any("info_slave_kind", f"    {slave} ", dev.master.kind)
        _data(slave, dev.port.info(), "info_slave_data", out)
    out.close()


def _data(kind: str, info: dict[str, Any], key: str, out: Printer) -> None:
    if out.json:
        if info:
            out.open_object(key)
            put_all(out, info)
            out.close()
        return
    module = kind_module(kind)
    if module is not None:
        out.fp(module.show(info))


def put_all(out: Printer, info: dict[str, Any]) -> None:
    """A dictionary as JSON; nested dictionaries and lists as they are."""
    for key, value in info.items():
        put_value(out, key, value)


def put_value(out: Printer, key: str | None, value: Any) -> None:
    if isinstance(value, dict):
        out.open_object(key)
        put_all(out, value)
        out.close()
    elif isinstance(value, list):
        out.open_array(key)
        for item in value:
            put_value(out, None, item)
        out.close()
    else:
        out.js(key, Raw(f"{value:.2f}") if isinstance(value, float) else value)


# -- statistics ----------------------------------------------------------------------------------
def human(number: int, iec: bool) -> str:
    """print_num(): at most three digits and a power's letter."""
    base = 1024 if iec else 1000
    if number < base:
        return str(number)
    power, letters = 1, "kMGTPE"
    index = -1
    while number // power >= base and index < 5:
        power *= base
        index += 1
    precision, tens = 2, 1
    while precision > 0:
        tens *= 10
        if number // power < tens:
            break
        precision -= 1
    return f"{number / power:.{precision}f}{letters[index]}{'i' if iec else ''}"


def print_stats(dev: NetDevice, out: Printer, session: Session) -> None:
    """print_link_stats64()."""
    more = session.options.stats > 1
    rx = (dev.rx_bytes, dev.rx_packets, dev.rx_errors, dev.rx_dropped, 0, dev.rx_multicast)
    tx = (dev.tx_bytes, dev.tx_packets, dev.tx_errors, dev.tx_dropped, dev.tx_carrier_errors, dev.collisions)
    rx_errors = (0, 0, 0, 0, 0)
    tx_errors = (0, 0, 0, 0, dev.carrier_changes)
    if out.json:
        _stats_json(rx, tx, rx_errors, tx_errors, more, out)
        return
    columns = [10, 7, 6, 7, 7, 7]
    rows = [rx, tx, *(((0, *rx_errors), (0, *tx_errors)) if more else ())]
    for row in rows:
        columns = [max(width, len(str(value))) for width, value in zip(columns, row)]
    options = session.options

    def line(direction: str, titles: tuple[str, ...]) -> str:
        cells = " ".join(title.rjust(width) for title, width in zip(titles[1:], columns[1:]))
        return f"    {direction}: {titles[0].rjust(columns[0] - 4)} {cells} {'':10}{out.sl}"

    def values(numbers: tuple[int, ...], widths: list[int]) -> str:
        texts = (human(value, options.iec) if options.human else str(value) for value in numbers)
        return "".join(f"{text.rjust(width)} " for text, width in zip(texts, widths))

    def errors(direction: str, titles: tuple[str, ...], numbers: tuple[int, ...]) -> str:
        head = " ".join(title.rjust(width) for title, width in zip(titles, columns[1:]))
        return (
            f"{out.sl}    {direction} errors:{'':{columns[0] - 10}} {head}{out.sl}"
            f"    {'':{columns[0]}} {values(numbers, columns[1:])}"
        )

    out.fp(line("RX", ("bytes", "packets", "errors", "dropped", "missed", "mcast")))
    out.fp("    " + values(rx, columns))
    if more:
        out.fp(errors("RX", ("length", "crc", "frame", "fifo", "overrun"), rx_errors))
    out.fp(out.sl)
    out.fp(line("TX", ("bytes", "packets", "errors", "dropped", "carrier", "collsns")))
    out.fp("    " + values(tx, columns))
    if more:
        out.fp(errors("TX", ("aborted", "fifo", "window", "heartbt", "transns"), tx_errors))


def _stats_json(
    rx: tuple[int, ...], tx: tuple[int, ...], rx_errors: tuple[int, ...], tx_errors: tuple[int, ...], more: bool,
    out: Printer,
) -> None:  # fmt: skip
    rx_keys = ("bytes", "packets", "errors", "dropped", "over_errors", "multicast")
    tx_keys = ("bytes", "packets", "errors", "dropped", "carrier_errors", "collisions")
    rx_more = ("length_errors", "crc_errors", "frame_errors", "fifo_errors", "missed_errors")
    tx_more = ("aborted_errors", "fifo_errors", "window_errors", "heartbeat_errors", "carrier_changes")
    out.open_object("stats64")
    for name, keys, numbers, more_keys, more_numbers in (
        ("rx", rx_keys, rx, rx_more, rx_errors),
        ("tx", tx_keys, tx, tx_more, tx_errors),
    ):
        out.open_object(name)
        for key, value in zip(keys, numbers):
            out.js(key, value)
        if more:
            for key, value in zip(more_keys, more_numbers):
                out.js(key, value)
        out.close()
    out.close()
