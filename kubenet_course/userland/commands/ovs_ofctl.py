"""`ovs-ofctl` 3.1: OpenFlow rules of a bridge (utilities/ovs-ofctl.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.ovs import match
from kubenet_course.kernel.ovs.flows import Flow, parse_flow
from kubenet_course.kernel.ovs.match import BadFlow
from kubenet_course.kernel.ovs.switch import LOCAL, OvsBridge, OvsPort
from kubenet_course.userland.commands._ovs import OvsError, check_count, find_bridge, the_switch

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("ovs-ofctl",)


class Call:
    """One invocation: its bridge, options and arguments."""

    def __init__(self, proc: Process, options: set[str], words: list[str]):
        self.proc = proc
        self.options = options
        self.words = words
        self.bridge: OvsBridge = find_bridge(
            the_switch(proc), words[0], f"{words[0]} is not a bridge or a socket"
        )
        self.now = proc.loop.now

    def flow(self, text: str, need_actions: bool = False) -> Flow:
        try:
            return parse_flow(text, self.bridge.port_numbers(), self.now, need_actions=need_actions)
        except BadFlow as failure:
            raise OvsError(str(failure)) from None

    def chosen(self, wanted: Flow) -> list[Flow]:
        """Flows that a match selects: loosely, or with --strict exactly."""
        found = []
        for flow in self.bridge.live_flows():
            if wanted.table_given and flow.table != wanted.table:
                continue
            if "--strict" in self.options:
                if flow.fields == wanted.fields and flow.priority == wanted.priority:
                    found.append(flow)
            elif match.covers(wanted.fields, flow.fields):
                if wanted.out_port is None or ("output", wanted.out_port) in flow.actions:
                    found.append(flow)
        return found


async def _add_flow(call: Call) -> int:
    """add-flow BRIDGE FLOW; a rule with the same match and priority is replaced."""
    texts = [call.words[1]]
    if texts[0] == "-":
        texts = (await call.proc.stdin.read()).decode("utf-8", "replace").splitlines()
    for text in texts:
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        made = call.flow(text, need_actions=True)
        flows = call.bridge.live_flows()
        same = [
            f for f in flows if (f.table, f.priority, f.fields) == (made.table, made.priority, made.fields)
        ]
        for old in same:
            flows.remove(old)
        flows.append(made)
    return 0


async def _add_flows(call: Call) -> int:
    try:
        text = call.proc.files.read(call.words[1])
    except KernelError:
        raise OvsError(f"{call.words[1]}: open (No such file or directory)") from None
    for line in text.decode("utf-8", "replace").splitlines():
        body = line.partition("#")[0].strip()
        if body:
            call.words[1] = body
            await _add_flow(call)
    return 0


async def _mod_flows(call: Call) -> int:
    made = call.flow(call.words[1], need_actions=True)
    for flow in call.chosen(made):
        flow.actions = made.actions
    return 0


async def _del_flows(call: Call) -> int:
    wanted = call.flow(call.words[1]) if len(call.words) > 1 else Flow(call.now)
    gone = call.chosen(wanted)
    call.bridge.flows = [flow for flow in call.bridge.flows if flow not in gone]
    return 0


async def _dump_flows(call: Call) -> int:
    wanted = call.flow(call.words[1]) if len(call.words) > 1 else Flow(call.now)
    stats = "--no-stats" not in call.options
    if stats:
        call.proc.print(f"NXST_FLOW reply (xid=0x{'8' if len(call.words) > 1 else '4'}):")
    flows = sorted(call.chosen(wanted), key=lambda flow: (flow.table, -flow.priority))
    for flow in flows:
        call.proc.print(flow.text(call.now, stats))
    return 0


def _ports(call: Call) -> list[OvsPort]:
    """By number, the bridge's own last."""
    return sorted((p for p in call.bridge.ports.values() if p.number >= 0), key=lambda p: p.number)


def _port_lines(port: OvsPort) -> str:
    label = "LOCAL" if port.number == LOCAL else str(port.number)
    dev = port.device
    up = dev is not None and dev.up
    running = dev is not None and dev.running
    patch = port.kind == "patch"
    config = "0" if up or patch else "PORT_DOWN"
    state = "0" if running or patch else "LINK_DOWN"
    mac = dev.mac if dev is not None else "00:00:00:00:00:00"
    text = f" {label}({port.name}): addr:{mac}\n     config:     {config}\n     state:      {state}\n"
    if dev is not None and dev.kind == "veth":
        text += "     current:    10GB-FD COPPER\n     speed: 10000 Mbps now, 0 Mbps max\n"
    else:
        text += "     speed: 0 Mbps now, 0 Mbps max\n"
    return text


async def _show(call: Call) -> int:
    datapath = int(call.bridge.mac)
    text = f"OFPT_FEATURES_REPLY (xid=0x2): dpid:{datapath:016x}\nn_tables:254, n_buffers:0\n"
    text += "capabilities: FLOW_STATS TABLE_STATS PORT_STATS QUEUE_STATS ARP_MATCH_IP\n"
    text += (
        "actions: output enqueue set_vlan_vid set_vlan_pcp strip_vlan mod_dl_src mod_dl_dst mod_nw_src "
        "mod_nw_dst mod_nw_tos mod_tp_src mod_tp_dst\n"
    )
    text += "".join(_port_lines(port) for port in _ports(call))
    text += "OFPT_GET_CONFIG_REPLY (xid=0x4): frags=normal miss_send_len=0\n"
    call.proc.print(text, end="")
    return 0


async def _dump_ports(call: Call) -> int:
    chosen = _ports(call)
    if len(call.words) > 1:
        try:
            number = match.port_number(call.words[1], call.bridge.port_numbers())
        except BadFlow:
            raise OvsError(f"{call.bridge.name}: unknown port `{call.words[1]}'") from None
        chosen = [port for port in chosen if port.number == number]
    xid = "0x2" if len(call.words) == 1 else "0x4"
    call.proc.print(f"OFPST_PORT reply (xid={xid}): {len(chosen)} ports")
    for port in chosen:
        label = "LOCAL" if port.number == LOCAL else f"{port.number:>2}"
        dev = port.device
        rx = (
            (dev.rx_packets, dev.rx_bytes, dev.rx_dropped, dev.rx_errors)
            if dev is not None
            else (*port.rx, 0, 0)
        )
        tx = (
            (dev.tx_packets, dev.tx_bytes, dev.tx_dropped, dev.tx_errors)
            if dev is not None
            else (*port.tx, 0, 0)
        )
        if dev is not None and port.kind == "internal":
            rx, tx = tx, rx
        call.proc.print(
            f"  port {label}: rx pkts={rx[0]}, bytes={rx[1]}, drop={rx[2]}, errs={rx[3]}, "
            f"frame=0, over=0, crc=0\n"
            f"           tx pkts={tx[0]}, bytes={tx[1]}, drop={tx[2]}, errs={tx[3]}, coll=0"
        )
    return 0


COMMANDS: dict[str, tuple[int, int, Callable[[Call], object]]] = {
    "add-flow": (2, 2, _add_flow),
    "add-flows": (2, 2, _add_flows),
    "mod-flows": (2, 2, _mod_flows),
    "del-flows": (1, 2, _del_flows),
    "dump-flows": (1, 2, _dump_flows),
    "show": (1, 1, _show),
    "dump-ports": (1, 2, _dump_ports),
}
UNSUPPORTED = (
    "dump-desc", "dump-tables", "dump-ports-desc", "mod-port", "snoop", "dump-groups", "add-group",
    "del-groups",
    "replace-flows", "diff-flows", "dump-aggregate", "monitor", "packet-out", "probe", "ping",
    "dump-meters", "bundle",
)  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    try:
        return await _main(proc, argv[1:])
    except OvsError as failure:
        message = failure.message
        if message:
            proc.error(message if message.startswith("kubenet:") else f"ovs-ofctl: {message}")
        return failure.status


async def _main(proc: Process, words: list[str]) -> int:
    options: set[str] = set()
    rest: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word in ("-V", "--version"):
            proc.print("ovs-ofctl (Open vSwitch) 3.1.0\nOpenFlow versions 0x1:0x6")
            return 0
        if word in ("-O", "--protocols", "-F", "--flow-format", "-t", "--timeout"):
            position += 1
        elif word in (
            "--strict",
            "--no-stats",
            "--names",
            "--no-names",
            "--bundle",
            "--sort",
            "--rsort",
            "-m",
            "--more",
        ):
            options.add(word)
        elif word.startswith(
            ("--protocols=", "--flow-format=", "-O", "--timeout=", "--sort=", "-v", "--verbose")
        ):
            continue
        elif word.startswith("-") and len(word) > 1:
            raise OvsError(f"unrecognized option '{word}'")
        else:
            rest.append(word)
    if not rest:
        raise OvsError("missing command name; use --help for help")
    name, *arguments = rest
    if name in UNSUPPORTED:
        raise OvsError(f"kubenet: ovs-ofctl {name} is not emulated")
    if name not in COMMANDS:
        raise OvsError(f"unknown command '{name}'; use --help for help")
    low, high, work = COMMANDS[name]
    check_count(name, arguments, low, high)
    return await work(Call(proc, options, arguments))  # type: ignore[misc]
