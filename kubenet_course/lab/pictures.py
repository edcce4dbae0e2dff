"""How a lab is looked at: thin methods that hand over to `kubenet_course.widgets` and `.course`.

This is the one place where a lower room names higher ones. It does so by name, at the moment of the
call, so that `import kubenet_course.lab` needs neither ipywidgets nor a notebook, and that a picture
is added by a file in `widgets/` alone. The contract: `kubenet_course.widgets.<name>` has
`show(lab, *args, **options)`, which returns an object whose repr() is the same facts as text.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from kubenet_course.errors import LabError


class WrongOptions(LabError, TypeError):
    """A picture was asked for in a way that it does not know."""


def _show(picture: str, lab: Any, *args: Any, **options: Any) -> Any:
    module = f"kubenet_course.widgets.{picture}"
    try:
        show = importlib.import_module(module).show
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise LabError(f"this installation has no picture {picture!r}") from None
    try:
        inspect.signature(show).bind(lab, *args, **options)
    except TypeError as error:
        raise WrongOptions(f"{picture}: {error}") from None
    return show(lab, *args, **options)


class Pictures:
    """The looking half of `Lab`.

    Each method gives a widget: drawn in a notebook, its repr the same facts as text. A table or a map follows
    what is done to the lab afterwards. `machine` is a machine's name, or `MACHINE/NAMESPACE` for a named network
    namespace on it. LabError: there is no such machine, bridge or interface; WrongOptions: an option that the
    picture does not know.
    """

    def topology(self, **options: Any) -> Any:
        """The machines, cables, bridges and addresses."""
        return _show("topology", self, **options)

    def routes(self, machine: str, **options: Any) -> Any:
        """A machine's routes, one a row. `table`: a name, a number or "all" (else main); `family`: 4 or 6."""
        return _show("routes", self, machine, **options)

    def neighbours(self, machine: str, **options: Any) -> Any:
        """A machine's neighbours (ARP, NDP), one a row: address, device, MAC address, state and what the state means."""
        return _show("neighbours", self, machine, **options)

    def fdb(self, bridge: str, **options: Any) -> Any:
        """The MAC addresses that a bridge has learned, by port. `own`: also those of the ports themselves.

        `bridge` is a switch of the lab, or a bridge's name (`MACHINE:NAME` where several have it).
        """
        return _show("fdb", self, bridge, **options)

    def nat(self, machine: str, **options: Any) -> Any:
        """The NAT rules in the order in which a packet meets them, and how many packets each has matched.

        `family`: 4 or 6. A rule that was hit since the last look is marked.
        """
        return _show("nat", self, machine, **options)

    def firewall(self, machine: str, **options: Any) -> Any:
        """The rules and how many packets each has matched. `table`: filter (if not given), nat, mangle, raw,
        security or all; `family`: 4 or 6."""
        return _show("firewall", self, machine, **options)

    def connections(self, machine: str, **options: Any) -> Any:
        """The connections that connection tracking knows: both directions, state, and the addresses that NAT rewrote."""
        return _show("connections", self, machine, **options)

    def sockets(self, machine: str, **options: Any) -> Any:
        """Who listens and who talks, with the programs; listeners first."""
        return _show("sockets", self, machine, **options)

    def ipam(self, machine: str, network: str = "") -> Any:
        """The address pools that CNI's host-local keeps, of one network or of all: given, free, and what comes next."""
        return _show("ipam", self, machine, network)

    def hooks(self, *spots: str, **options: Any) -> Any:
        """The diagram of the hooks that a packet passes in one machine, with `spots` (such as "FORWARD") lit."""
        return _show("hooks", self, *spots, **options)

    def figure(self, **options: Any) -> Any:
        """The topology as a `matplotlib.figure.Figure`, for print. `path`: also saved there (.pdf, .png, .svg).

        LabError where matplotlib is not installed.
        """
        return _show("figure", self, **options)

    def journey(self, machine: str, command: str, **options: Any) -> Any:
        """Run a command on a machine and follow its packets, stage by stage.

        What the command changes stays, as after `run`. `.journey` holds the same as plain records.
        """
        return _show("journey", self, machine, command, **options)

    def resolution(self, machine: str, command: str, **options: Any) -> Any:
        """Run a command and show how its names were resolved: files, queries, answers, caches."""
        return _show("resolution", self, machine, command, **options)

    def explain(self, *args: Any, **options: Any) -> Any:
        """Run a command (`explain(machine, command)`) and say in a few sentences how its packets fared: where they were
        lost, the fact that decides it, and the command that would mend it."""
        return _show("explain", self, *args, **options)

    def pcap(self, interface: str, path: str, **options: Any) -> Any:
        """Write what passes an interface to a pcap file on this computer (`path`), for Wireshark.

        `interface`: `A:eth0`, `host/red:veth-red`, or a name that only one machine has. With `command`, run that on
        its machine and end the capture; else use the result in a `with` statement. `filter`: as tcpdump's.
        """
        return _show("pcap", self, interface, path, **options)
