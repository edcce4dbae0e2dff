"""dockerd's work: containers from creation to removal. `docker` and the shims call it, under one lock.

A container's record (`new_container`) is its state between two commands. What `docker inspect` prints is made
from it in `inspect.py`.
"""

from __future__ import annotations

import json
import signal as signals
from typing import Any

from kubenet_course.docker import events
from kubenet_course.docker.creation import Creator, new_state
from kubenet_course.docker.endpoints import new_endpoint
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.process import processes
from kubenet_course.docker.running import start
from kubenet_course.docker.store import (
    CONTAINERS,
    LAYERS,
    RUN,
    VOLUMES,
    Record,
    attached_path,
    seconds_of,
)
from kubenet_course.docker.swarm.balancer import Balancers
from kubenet_course.docker.swarm.state import TASK_LABEL, Swarm
from kubenet_course.errors import KernelError

START_SECONDS = 30.0
CONFIGURATION = "cannot create endpoint on configuration-only network"
CANNOT_START = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create "
    "failed: unable to start container process: error during container init: {problem}: unknown"
)


class Engine(Creator):
    """One machine's containers."""

    # -- starting ---------------------------------------------------------------------------
    async def start(self, record: Record, stdin: bytes = b"") -> None:
        """Network, ports, files, process. DaemonError with everything undone."""
        if record["state"]["Running"]:
            return
        record["state"]["Error"] = ""
        try:
            await self._network_up(record)
            await self._launch(record, stdin)
        except DaemonError as problem:
            await self._network_down(record)
            record["state"]["ExitCode"] = problem.exit_status if problem.exit_status != 125 else 128
            record["state"]["Error"] = problem.message
            self.store.save(record)
            raise
        self.store.save(record)
        events.of_container(self.store, record, "start")

    async def _network_up(self, record: Record) -> None:
        mode = record["host_config"]["NetworkMode"]
        shared: Record | None = None
        try:
            if mode.startswith("container:"):
                shared = self._shared(mode.partition(":")[2])
                record["sandbox"] = {**shared["sandbox"], "own": False}
            elif mode == "host":
                record["sandbox"] = {
                    "id": self.store.new_id(),
                    "key": "/var/run/docker/netns/default",
                    "own": False,
                }
                self._default_netns()
                await self._attach_all(record)
                record["sandbox"]["id"], shown = "", record["sandbox"]["id"]
                record["sandbox"]["shown"] = shown
            else:
                await self.sandbox.create(record)
                self.store.save(record)
                await self._sysctls(record)
                await self._attach_all(record)
                await self.sandbox.default_gateway(record)
                await self.sandbox.route(record)
                if record.get("ingress"):
                    await self.sandbox.redirect(record)
        except DaemonError as problem:
            if problem.message.startswith(("failed to set up container networking", CANNOT_START.partition("{")[0])):
                raise
            raise DaemonError(
                f"failed to set up container networking: {problem.message}", problem.status
            ) from None
        self.sandbox.write_files(record, shared)
        if shared is None and record["sandbox"].get("own"):
            self.store.save(record)
            if self.sandbox.uses_resolver(record):
                await self.sandbox.start_resolver(record)
            await self.publish(record)

    def _default_netns(self) -> None:
        """The mark of the host's own namespace."""
        self.store.write("/var/run/docker/netns/default", b"", 0o444)

    def _shared(self, container_id: str) -> Record:
        other = self.store.container(container_id)
        if not other["state"]["Running"]:
            raise DaemonError(f"cannot join network namespace of a non running container: {other['id']}", 409)
        return other

    async def _attach_all(self, record: Record) -> None:
        for name in sorted(
            record["endpoints"], key=lambda one: (one != record["host_config"]["NetworkMode"], one)
        ):
            endpoint = record["endpoints"][name]
            if name == "bridge" and self.config["bridge"] == "none":
                continue
            network = self.networks.find(name)
            if network.get("config_only"):
                raise DaemonError(CONFIGURATION, 403)
            record["endpoints"] = {
                (network["name"] if key == name else key): value for key, value in record["endpoints"].items()
            }
            endpoint["network"] = network["name"]
            self.check_address(network, endpoint)
            await self.balance(record, network)
            await self.sandbox.attach(record, network, endpoint)
            self.store.save(record)
            events.of_network(self.store, network, "connect", record["id"])

    async def balance(self, record: Record, network: Record) -> None:
        """Who comes into an overlay network finds its load balancer there; only an attachable one takes anybody."""
        if network["driver"] != "overlay":
            return
        if TASK_LABEL not in record["config"]["Labels"] and not network["attachable"]:
            raise DaemonError(
                f"Could not attach to network {network['name']}: rpc error: code = PermissionDenied desc = "
                f"network {network['name']} not manually attachable",
                403,
            )
        await Balancers(self, Swarm(self.store)).ensure(network)

    def check_address(self, network: Record, endpoint: Record) -> None:
        import ipaddress

        for key, text in (endpoint["ipam_config"] or {}).items():
            if key == "LinkLocalIPs":
                continue
            family = 6 if "6" in key else 4
            pools = [ipaddress.ip_network(pool["Subnet"]) for pool in network["pools"]]
            pools = [pool for pool in pools if pool.version == family]
            problem = ""
            if not network.get("user_subnet"):
                problem = "user specified IP address is supported only when connecting to networks with user configured subnets"
            elif not any(ipaddress.ip_address(text) in pool for pool in pools):
                problem = f"no configured subnet or ip-range contain the IP address {text}"
            if problem:
                raise DaemonError(
                    f"invalid config for network {network['name']}: invalid endpoint settings:\n{problem}",
                    400,
                )

    async def publish(self, record: Record) -> None:
        """Open the ports on whichever networks have the default routes."""
        try:
            await self.publisher.follow(record)
        except DaemonError as problem:
            raise DaemonError(
                f"failed to set up container networking: {problem.message}", problem.status
            ) from None

    async def _launch(self, record: Record, stdin: bytes) -> None:
        await self._executable(record, [record["path"], *record["args"]])
        self._volumes(record, "mount")
        if stdin:
            self.here.write(f"{CONTAINERS}/{record['id']}/stdin", stdin, mode=0o600)
        self.store.save(record)
        ready = self._started_path(record["id"])
        argv = [
            "containerd-shim-runc-v2",
            "-namespace",
            "moby",
            "-id",
            record["id"],
            "-address",
            "/run/containerd/containerd.sock",
        ]
        await start(self.here, argv)
        waited = 0.0
        while not self.here.exists(ready) and waited < START_SECONDS:
            await self.here.sleep(0.001)
            waited += 0.001
        answer = self.store.read_json(ready, {"pid": 0, "error": "the shim does not answer"})
        self.store.remove_tree(ready)
        if not answer["pid"]:
            raise DaemonError(CANNOT_START.format(problem=answer["error"]))
        record["state"] = {
            **new_state(),
            "Status": "running",
            "Running": True,
            "Pid": answer["pid"],
            "StartedAt": self.store.now(),
        }
        record["stopped"] = False

    def _started_path(self, container_id: str) -> str:
        return f"{RUN}/started-{container_id[:12]}"

    def tell_started(self, container_id: str, pid: int, error: str = "") -> None:
        """The shim's answer to `_launch`."""
        path = self._started_path(container_id)
        self.store.write_json(f"{path}.new", {"pid": pid, "error": error})
        self.here.rename(f"{path}.new", path)

    async def executable_problem(self, record: Record, words: list[str]) -> tuple[str, int] | None:
        """Why a command line cannot be run, in runc's words, and the exit status."""
        from kubenet_course.docker.process import environment, program_words

        name = program_words(record, words)[0]
        if name == "env" and len(words) > 1 and words[0] != "env":
            return await self.executable_problem(record, words[1:])
        shown = json.dumps(words[0])
        if "/" in name:
            if not self.here.exists(name):
                return f"exec: {shown}: stat {name}: no such file or directory", 127
            if self.here.isdir(name):
                return f"exec: {shown}: is a directory", 126
            allowed = (await self.here.run(["test", "-x", name])).returncode == 0
            return None if allowed else (f"exec: {shown}: permission denied", 126)
        for folder in environment(record)["PATH"].split(":"):
            path = f"{folder}/{name}"
            if self.here.exists(path) and not self.here.isdir(path):
                return None
        return f"exec: {shown}: executable file not found in $PATH", 127

    async def _executable(self, record: Record, words: list[str]) -> None:
        problem = await self.executable_problem(record, words)
        if problem is not None:
            raise DaemonError(CANNOT_START.format(problem=problem[0]), 400, problem[1])

    # -- ending -----------------------------------------------------------------------------
    async def ended(self, container_id: str, status: int) -> None:
        """A container's process has ended (called by its shim)."""
        await self.store.lock()
        try:
            record: Record | None = self.store.read_json(f"{CONTAINERS}/{container_id}/config.v2.json", None)
            if record is None:
                return
            await self._network_down(record)
            self._volumes(record, "unmount")
            record["state"] = {
                **record["state"], "Status": "exited", "Running": False, "Paused": False, "Pid": 0,
                "ExitCode": status, "FinishedAt": self.store.now(),
            }  # fmt: skip
            lasted = int(self.here.time() - seconds_of(record["state"]["StartedAt"]))
            events.of_container(self.store, record, "die", exitCode=str(status), execDuration=str(lasted))
            again = self._restarts(record, status)
            if again:
                record["restarts"] += 1
            self.store.save(record)
            if again:
                await self.start(record)
        finally:
            self.store.unlock()
        if record["host_config"]["AutoRemove"]:
            await self._remove_unattended(record)

    async def _remove_unattended(self, record: Record) -> None:
        """`--rm`, once whoever reads the output has read it."""
        path = attached_path(record["id"])
        while self.here.exists(path):
            reader = self.here.read(path).decode()
            if not self.here.exists(f"/proc/{reader}"):
                self.store.remove_tree(path)
                break
            await self.here.sleep(0.005)
        await self.store.lock()
        try:
            if self.store.reload(record) is not None:
                self.remove(record)
        finally:
            self.store.unlock()

    def _restarts(self, record: Record, status: int) -> bool:
        policy = record["host_config"]["RestartPolicy"]
        if record["stopped"]:
            return False
        if policy["Name"] == "on-failure":
            most = policy["MaximumRetryCount"]
            return status != 0 and (not most or record["restarts"] < most)
        return policy["Name"] in ("always", "unless-stopped")

    async def _network_down(self, record: Record) -> None:
        networks = {one["name"]: one for one in self.store.networks()}
        await self.publisher.close_all(record)
        if record["resolver"]:
            await self.here.run(["kill", str(record["resolver"])])
            record["resolver"] = 0
        for name, endpoint in record["endpoints"].items():
            network = networks.get(name)
            there = bool(endpoint["endpoint_id"])
            await self.sandbox.detach(record, network, endpoint)
            if network is not None and there:
                events.of_network(self.store, network, "disconnect", record["id"])
        await self.sandbox.drop_gateway(record)
        await self.sandbox.destroy(record)

    def remove(self, record: Record) -> None:
        """Forget a container that does not run, with its files."""
        events.of_container(self.store, record, "destroy")
        self.store.remove_tree(f"{CONTAINERS}/{record['id']}")
        self.store.remove_tree(f"{LAYERS}/{record['id']}")
        for mount in record["mounts"]:
            if mount.get("anonymous"):
                self.store.remove_tree(f"{VOLUMES}/{mount['Name']}")

    # -- signals ----------------------------------------------------------------------------
    async def signal(self, record: Record, signum: int) -> bool:
        """Send a signal to a container's first process; False if, as process 1, it would not take it.

        The first process of a container gets no signal that it has no handler for, but KILL and STOP
        (pid_namespaces(7)): that is why `docker stop` of a `sleep` takes ten seconds.
        """
        pid = record["state"]["Pid"]
        events.of_container(self.store, record, "kill", signal=str(signum))
        if signum not in (9, 18, 19) and not self._catches(pid, signum):
            return False
        await self.here.run(["kill", f"-{signum}", str(pid)])
        return True

    async def stop_process(self, record: Record, seconds: float | None, signal: str = "") -> None:
        """`docker stop`: the stop signal, some patience, SIGKILL. The caller does not hold the lock."""
        if not record["state"]["Running"]:
            return
        record["stopped"] = True
        self.store.save(record)
        if record["state"]["Paused"]:
            await self.here.run(["kill", "-CONT", *processes(self.here, record["id"])])
        number = signal_number(signal or record["config"].get("StopSignal") or "SIGTERM")
        timeout = record["config"].get("StopTimeout")
        patience = seconds if seconds is not None else 10.0 if timeout is None else float(timeout)
        if patience or signal:
            await self.signal(record, number)
        left = await self.wait_for_end(record, None if patience < 0 else patience)
        if left is not None and left["state"]["Running"]:
            await self.signal(left, 9)
            await self.wait_for_end(record, 10.0)
        await self.settled()
        events.of_container(self.store, record, "stop")

    async def _sysctls(self, record: Record) -> None:
        """`--sysctl`: only in a network namespace of the container's own."""
        wanted = record["host_config"].get("Sysctls") or {}
        if not record["sandbox"].get("own"):
            return
        for key, value in wanted.items():
            path = f"/proc/sys/{key.replace('.', '/')}"
            words = ["nsenter", f"--net={record['sandbox']['key']}", "sysctl", "-qw", f"{key}={value}"]
            done = await self.here.run(words)
            if done.returncode or done.stderr:
                missing = "No such file" in done.stderr or "cannot stat" in done.stderr
                problem = (
                    f"open {path}: no such file or directory"
                    if missing
                    else f"write {path}: invalid argument"
                )
                raise DaemonError(CANNOT_START.format(problem=problem), 400, 127 if missing else 126)
        if any(key.startswith("net.ipv6.") for key in wanted):
            inside = await self.sandbox.inside(record, ["sysctl", "-n", "net.ipv6.conf.lo.disable_ipv6"])
            record["sandbox"]["ipv6"] = inside.strip() == "0"

    def _volumes(self, record: Record, action: str) -> None:
        for mount in record["mounts"]:
            if mount["Type"] != "volume":
                continue
            more = {"container": record["id"], "driver": "local"}
            if action == "mount":
                more |= {
                    "destination": mount["Destination"],
                    "propagation": "",
                    "read/write": str(mount["RW"]).lower(),
                }
            events.note(self.store, "volume", action, mount["Name"], **more)

    async def settled(self) -> None:
        """Until the shim has tidied up (it holds the lock meanwhile)."""
        await self.store.lock()
        self.store.unlock()

    def _catches(self, pid: int, signum: int) -> bool:
        try:
            text = self.here.read(f"/proc/{pid}/status").decode()
        except KernelError:
            return False
        mask = next((line.split()[1] for line in text.splitlines() if line.startswith("SigCgt:")), "0")
        return bool(int(mask, 16) >> (signum - 1) & 1)

    async def wait_for_end(self, record: Record, seconds: float | None = None) -> Record | None:
        """The record once the container runs no more (None: it has been removed), or as it is when time is up."""
        waited, step = 0.0, 0.002
        while True:
            now = self.store.reload(record)
            if now is None or not (now["state"]["Running"] or now["state"]["Restarting"]):
                return now
            if seconds is not None and waited >= seconds:
                return now
            await self.here.sleep(step)
            waited += step
            step = min(step * 1.5, 0.1)


def signal_number(text: str) -> int:
    """Of KILL, SIGKILL or 9. DaemonError for what is no signal."""
    name = text.upper().removeprefix("SIG")
    if name.isdecimal() and 0 < int(name) < 65:
        return int(name)
    found = getattr(signals, f"SIG{name}", None)
    if found is None:
        raise DaemonError(f"invalid signal: {text}", 400)
    return int(found)


def blank_endpoint(name: str, **more: Any) -> Record:
    """An endpoint for a network that is looked up when the container starts."""
    return new_endpoint({"name": name, "id": ""}, **more)
