"""Mininet builds the lab: its hosts, links and switches, with a machine's agent as each node's shell.

Differences from a plain Mininet net, and why:

* A node's shell is our agent (`agent.py`), made by unshare(2): its own network, mount, process, uts
  and ipc namespace. Mininet's nodes share files, host name and process list; ours do not.
* Switches are nodes in namespaces of their own (a machine `s1` with a bridge `s1`), there is no
  controller, and nothing is set on the computer itself (Mininet.init() raises global limits).
* A link's two ends are made in place (`ip link add … netns A … peer … netns B`), so that interface
  numbers are those a machine would give.
* Nothing is deleted one by one at the end: see guardian.py.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import socket
import subprocess
import sys
import time
import traceback
from typing import Any

from kubenet_course.errno import EACCES, EROFS
from kubenet_course.lab import daemons
from kubenet_course.lab.backends.real import linux, mounts
from kubenet_course.lab.backends.real.agent import Agent
from kubenet_course.lab.backends.real.channel import Channel, Message

SETTLE_SECONDS = 5.0
DEBIAN_MININET = ("/usr/lib/python3/dist-packages/mininet",)


class BuildError(Exception):
    """The lab cannot be built as asked; the message is for the learner."""


class Machines:
    """The agents of a lab by machine name, and what was noticed while building."""

    def __init__(self, fresh_proc: bool, env: dict[str, str]):
        self.fresh_proc = fresh_proc
        self.env = env
        self.channels: dict[str, Channel] = {}
        self.pids: dict[str, int] = {}
        self.notices: list[str] = []
        self.refused: dict[bool, list[str]] = {}  # is it netem? → interfaces where tc could not have it
        self._next = 0

    def launch(self, name: str) -> int:
        """Start the agent of a new machine; its process id as seen here."""
        ours, theirs = socket.socketpair()
        report, tell = os.pipe()
        child = os.fork()
        if child == 0:
            _become_machine(name, theirs.detach(), tell, self.fresh_proc, self.env)
        theirs.close()
        os.close(tell)
        os.waitpid(child, 0)
        with os.fdopen(report, "rb") as pipe:
            said = [line.partition(" ")[::2] for line in pipe.read().decode().splitlines()]
        pid = next((text for word, text in said if word == "pid"), "")
        problem = next((text for word, text in said if word == "problem"), "")
        if problem or not pid:
            raise BuildError(f"machine {name} could not be started: {problem or 'it ended at once'}")
        for word, sentence in said:
            if word == "missing" and sentence not in self.notices:
                self.notices.append(sentence)
        descriptor = ours.detach()
        self.channels[name] = Channel(descriptor, descriptor)
        self.pids[name] = int(pid)
        return int(pid)

    def ask(self, name: str, op: str, **fields: Any) -> Message:
        """Send a request to a machine and wait for its answer (only while building)."""
        self._next -= 1
        channel = self.channels[name]
        channel.send({"id": self._next, "op": op, **fields})
        answer = channel.receive()
        if answer is None:
            raise BuildError(f"machine {name} ended while the lab was being built")
        if "error" in answer:
            raise BuildError(f"machine {name}: {op}: {answer['error']}")
        return answer

    def set_sysctl(self, name: str, key: str, value: str) -> None:
        """Write below /proc/sys; where a container has that read-only, say so once and go on."""
        path = f"/proc/sys/{key}"
        if not self.ask(name, "stat", path=path)["kind"]:
            if "ipv6" in key:
                return  # this kernel has no IPv6
            raise BuildError(f"machine {name}: there is no sysctl {key.replace('/', '.')}")
        try:
            self.ask(name, "write", path=path, data=f"{value}\n")
        except BuildError as error:
            if not str(error).endswith((os.strerror(EROFS), os.strerror(EACCES))):
                raise
            sentence = "Here /proc/sys cannot be written, so no machine can be told to forward packets."
            if sentence not in self.notices:
                self.notices.append(sentence)

    def shell(self, name: str, script: str) -> Message:
        return self.ask(name, "run", argv=["bash", "-c", script])


def _become_machine(name: str, connection: int, tell: int, fresh_proc: bool, env: dict[str, str]) -> None:
    """In the forked child: new namespaces, then (as their process 1) the agent. Never returns."""
    namespaces = linux.CLONE_NEWNS | linux.CLONE_NEWNET | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC
    try:
        linux.unshare(namespaces | linux.CLONE_NEWPID)
        child = os.fork()
        if child:
            os.write(tell, f"pid {child}\n".encode())  # before or after what the child tells
            os._exit(0)
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for standard in (0, 1):
            os.dup2(null, standard)
        os.dup2(connection, 3)
        os.dup2(tell, 4)
        os.closerange(5, 4096)
        linux.set_hostname(name)
        missing = mounts.enter(fresh_proc)
        linux.link_up("lo")
        _quick_ipv6()
        for capability in (linux.CAP_SYS_TIME, linux.CAP_SYS_RAWIO):
            linux.drop_from_bounding_set(capability)
        linux.set_process_title("/sbin/init")
        os.write(4, "".join(f"missing {sentence}\n" for sentence in missing).encode())
        os.close(4)
    except OSError as error:
        os.write(4 if _is_open(4) else tell, f"problem {error.strerror} ({error.filename})\n".encode())
        os._exit(1)
    try:
        Agent(Channel(3, 3), env).serve()
    except BaseException:  # noqa: BLE001 — a defect of ours must be seen, not silently end the machine
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _is_open(descriptor: int) -> bool:
    return os.path.exists(f"/proc/self/fd/{descriptor}")


def _quick_ipv6() -> None:
    """New devices skip duplicate address detection until the lab is settled (see `_settle`)."""
    for path in ("default", "all"):
        _set_sysctl(f"net/ipv6/conf/{path}/accept_dad", "0")


def _set_sysctl(key: str, value: str) -> bool:
    path = f"/proc/sys/{key}"
    if not os.path.exists(path):
        return False
    try:
        with open(path, "w") as handle:
            handle.write(value)
    except OSError:
        return False
    return True


def mininet_classes(machines: Machines) -> dict[str, Any]:
    """Mininet's node, switch and link classes on top of our agents (Mininet is imported here)."""
    from mininet.node import Host
    from mininet.nodelib import LinuxBridge

    class AgentNode:
        """A Mininet node whose shell is an agent."""

        @classmethod
        def checkSetup(cls) -> None:  # mnexec and ifconfig are not needed
            """Nothing to set up."""

        def startShell(self: Any, mnopts: Any = None) -> None:
            self.pid = machines.launch(self.name)
            self.shell = True

        def mountPrivateDirs(self) -> None:
            """Done in mounts.py, for every machine."""

        def cmd(self: Any, *args: Any, **_: Any) -> str:
            words = args[0] if len(args) == 1 and isinstance(args[0], list) else args
            answer = machines.shell(self.name, " ".join(str(word) for word in words))
            return str(answer["stdout"] + answer["stderr"])

        def pexec(self: Any, *args: Any, **_: Any) -> tuple[str, str, int]:
            answer = machines.shell(self.name, " ".join(str(word) for word in args))
            return answer["stdout"], answer["stderr"], answer["rc"]

    class MachineHost(AgentNode, Host):
        """A host, or a router (a host that forwards)."""

        def config(self, **_: Any) -> dict:
            return {}  # `lo` is up already; addresses and routes: see _configure

    class MachineBridge(AgentNode, LinuxBridge):
        """A switch: a machine with a bridge of the same name, its ports enslaved."""

        def start(self: Any, _controllers: Any) -> None:
            lines = [f"link add {self.name} type bridge" + (" stp_state 1" if self.stp else "")]
            lines += [f"link set {port} master {self.name}" for port in self.intfNames() if port != "lo"]
            machines.ask(
                self.name,
                "run",
                argv=["ip", "-batch", "-"],
                stdin="\n".join([*lines, f"link set {self.name} up\n"]),
            )

    return {"host": MachineHost, "switch": MachineBridge, **_link_classes(machines)}


def _link_classes(machines: Machines) -> dict[str, Any]:
    """Cables whose ends are made in place, and interfaces that are configured with everything else."""
    from mininet.link import Intf, Link, TCIntf

    class MachineIntf(Intf):
        """A plain interface: it is set up with everything else in _configure."""

        def config(self, **_: Any) -> dict:
            return {}

    class MachineTCIntf(TCIntf):
        """An interface with bandwidth, delay or loss, by Mininet's own tc commands."""

        def config(self: Any, **params: Any) -> dict:
            shaping = {k: params[k] for k in ("delay", "jitter", "loss", "max_queue_size") if params.get(k)}
            commands, parent = self.bwCmds(bw=params.get("bw"))
            commands += self.delayCmds(parent, **shaping)[0]
            for command in commands:
                line = command % ("tc", self.name)
                if machines.shell(self.node.name, line)["rc"]:
                    machines.refused.setdefault("netem" in line, []).append(f"{self.node.name}:{self.name}")
            return {}

    class MachineLink(Link):
        """A virtual cable whose ends are made inside the two machines."""

        @classmethod
        def makeIntfPair(  # type: ignore[override]
            cls, a: str, b: str, addr1: str, addr2: str, node1: Any, node2: Any, deleteIntfs: bool = False
        ) -> None:
            command = f"ip link add {a} address {addr1} netns {node1.pid} type veth peer name {b} "
            run = subprocess.run(
                (command + f"address {addr2} netns {node2.pid}").split(),
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                raise BuildError(f"link {node1.name} {a} – {node2.name} {b}: {run.stderr.strip()}")
            for node in (node1, node2):  # in the order of links, so that it is the same every time
                machines.ask(node.name, "number_namespaces")

    return {"link": MachineLink, "intf": MachineIntf, "tc": MachineTCIntf}


def provide_mininet() -> None:
    """Make `import mininet` find Debian's package where this Python has none of its own."""
    if importlib.util.find_spec("mininet") is not None:
        return
    for folder in DEBIAN_MININET:
        init = os.path.join(folder, "__init__.py")
        if os.path.exists(init):
            spec = importlib.util.spec_from_file_location(
                "mininet", init, submodule_search_locations=[folder]
            )
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules["mininet"] = module
            spec.loader.exec_module(module)
            return


def build(spec: Message, machines: Machines) -> None:
    """Build the lab of `spec` (see `mininet.py: plan`), settled and ready for its first command."""
    provide_mininet()
    from mininet.log import setLogLevel
    from mininet.net import Mininet

    setLogLevel("critical")
    Mininet.inited = True  # its init() raises limits of the whole computer
    classes = mininet_classes(machines)
    gc.freeze()
    net = Mininet(topo=None, controller=None, build=False)
    for number, machine in enumerate(spec["machines"], 1):
        if machine["kind"] == "switch":
            net.addSwitch(
                machine["name"],
                cls=classes["switch"],
                inNamespace=True,
                stp=machine.get("stp", False),
                dpid=f"{number:x}",  # else the name would need a number in it
            )
        else:
            net.addHost(machine["name"], cls=classes["host"], ip=None)
    for link in spec["links"]:
        (one, name1, mac1), (two, name2, mac2) = link["ends"]
        shaped = any(link["params"].get(key) for key in ("bw", "delay", "loss", "jitter", "max_queue_size"))
        net.addLink(
            one, two, cls=classes["link"], intfName1=name1, intfName2=name2, addr1=mac1, addr2=mac2,
            intf=classes["tc" if shaped else "intf"], **(link["params"] if shaped else {}),
        )  # fmt: skip
    for machine in spec["machines"]:
        _open_vswitch(machine, machines)
    net.build()
    net.start()
    for netem, interfaces in machines.refused.items():
        what, then = ("netem", "no delay and no loss") if netem else ("htb", "no bandwidth limit")
        machines.notices.append(f"This kernel has no {what}: {', '.join(interfaces)} have {then}.")
    for machine in spec["machines"]:
        _files(machine, machines)
    for machine in spec["machines"]:
        _configure(machine, machines)
    _settle(spec, machines)
    _daemons(spec, machines)
    for machine in spec["machines"]:
        for command in machine.get("commands", ()):
            answer = machines.shell(machine["name"], command)
            if answer["rc"]:
                raise BuildError(
                    f"{machine['name']}: {command}: {(answer['stderr'] or answer['stdout']).strip()}"
                )


def _open_vswitch(machine: Message, machines: Machines) -> None:
    """Start Open vSwitch (userspace datapath: `datapath_type=netdev`) in a machine that asks for it."""
    if "openvswitch" not in machine.get("daemons", ()):
        return
    script = """set -e
mkdir -p /etc/openvswitch /run/openvswitch /var/log/openvswitch
ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server --detach --no-chdir --pidfile --remote=punix:/run/openvswitch/db.sock /etc/openvswitch/conf.db
ovs-vsctl --no-wait init
ovs-vswitchd --detach --no-chdir --pidfile --log-file"""
    lines = [script]
    if machine["kind"] == "ovs":
        lines.append(
            f"ovs-vsctl add-br {machine['name']} -- set bridge {machine['name']} datapath_type=netdev"
        )
        lines += [f"ovs-vsctl add-port {machine['name']} {port}" for port in machine["up"]]
    answer = machines.shell(machine["name"], "\n".join(lines))
    if answer["rc"]:
        raise BuildError(f"{machine['name']}: Open vSwitch does not start: {answer['stderr'].strip()}")


def _daemons(spec: Message, machines: Machines) -> None:
    """Start every machine's programs, then wait until all of them listen."""
    waiting: list[tuple[str, str, str]] = []
    for machine in spec["machines"]:
        for name in machine.get("daemons", ()):
            daemon = daemons.find(name)
            if daemon is None:
                continue
            if name == "sshd" and not os.path.exists("/usr/sbin/sshd"):
                machines.notices.append(f"This computer has no sshd: nobody listens on {machine['name']}'s port 22.")
                continue
            answer = machines.shell(machine["name"], daemons.REAL_SSHD if name == "sshd" else daemon.start)
            if answer["rc"] and name == "sshd":  # it wants more of the computer than others
                machines.notices.append(f"sshd does not start on {machine['name']}: {answer['stderr'].strip()}")
                continue
            if answer["rc"]:
                raise BuildError(f"{machine['name']}: {name} does not start: {answer['stderr'].strip()}")
            if daemon.port:
                waiting.append((machine["name"], name, daemon.port))
    for where, name, port in waiting:
        if machines.shell(where, daemons.waiting_script(port))["rc"]:
            log = machines.shell(where, f"cat /var/log/{name}.log")["stdout"].strip()
            raise BuildError(f"{where}: {name} does not listen on {port}: {log}")


def _files(machine: Message, machines: Machines) -> None:
    for path, entry in machine.get("files", {}).items():
        machines.ask(machine["name"], "write", path=path, data=entry["data"], mode=entry.get("mode"))


def _configure(machine: Message, machines: Machines) -> None:
    """Addresses, routes and sysctls, one `ip -batch` a machine."""
    name = machine["name"]
    for key, value in machine.get("sysctls", {}).items():
        machines.set_sysctl(name, key.replace(".", "/"), str(value))
    if machine["batch"]:
        answer = machines.ask(
            name, "run", argv=["ip", "-batch", "-"], stdin="\n".join(machine["batch"]) + "\n"
        )
        if answer["rc"]:
            raise BuildError(f"{name}: {answer['stderr'].strip()}")


def _settle(spec: Message, machines: Machines) -> None:
    """Wait until devices are up, then give duplicate address detection its defaults back.

    A veth's operational state may follow its carrier by up to a second (net/core/link_watch.c),
    and what is sent before is lost.
    """
    end = time.monotonic() + SETTLE_SECONDS
    for machine in spec["machines"]:
        name = machine["name"]
        while machines.ask(name, "settled", names=machine["up"])["waiting"] and time.monotonic() < end:
            time.sleep(0.005)
        devices = [*machine["up"], *([name] if machine["kind"] == "switch" else [])]
        for device in (*devices, "default"):
            machines.set_sysctl(name, f"net/ipv6/conf/{device}/accept_dad", "1")
