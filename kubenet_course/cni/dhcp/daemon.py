"""`dhcp daemon`: acquires leases for containers, keeps them alive, gives them back.

The plugin asks over /run/cni/dhcp.sock, one JSON object a line each way (the packaged one speaks Go's net/rpc):
{"method": "Allocate" or "Release", "args": {…}} → {"result": {…}} or {"error": "…"}.

A lease is renewed after half its time, and asked for anew of any server after seven eighths (T1, T2).

# containernetworking/plugins plugins/ipam/dhcp/{daemon,lease}.go
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from kubenet_course.cni import conf, gojson, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import STRING, ListOf, Struct
from kubenet_course.cni.netns import Netns
from kubenet_course.cni.result import IPConfig, Result, Route, to_data
from kubenet_course.errors import KernelError
from kubenet_course.userland.sockets import Stream
from kubenet_course.userland.surroundings import Surroundings
from kubenet_course.wire import dhcp

SOCKET = "/run/cni/dhcp.sock"
USAGE = """Usage of daemon:
  -broadcast
    \tbroadcast DHCP leases
  -hostprefix string
    \toptional prefix to host root
  -pidfile string
    \toptional path to write daemon PID to
  -resendmax duration
    \toptional dhcp client resend max duration (default 1m2s)
  -socketpath string
    \toptional dhcp server socketpath
  -timeout duration
    \toptional dhcp client timeout duration (default 10s)
"""
_FLAGS = ("hostprefix", "pidfile", "resendmax", "socketpath", "timeout")
_OPTION_NAMES = {
    "dhcp-client-identifier": 61, "subnet-mask": 1, "routers": 3, "host-name": 12, "user-class": 77,
    "vendor-class-identifier": 60,
}  # fmt: skip
_IPAM = Struct(
    "IPAMConfig",
    {
        "type": STRING,
        "daemonSocketPath": STRING,
        "provide": ListOf(Struct("ProvideOption", {"option": STRING, "value": STRING, "fromArg": STRING})),
        "request": ListOf(Struct("RequestOption", {"option": STRING, "skipDefault": gojson.BOOL})),
    },
    go="main.IPAMConfig",
    optional=True,
)
SHAPE = conf.shape(ipam=_IPAM)


@dataclass
class Lease:
    """One container's lease; times are seconds since 1970."""

    client_id: str
    space: Netns
    device: str
    options: dict[str, Any]
    answer: dict[str, Any] = field(default_factory=dict)
    renewal: float = 0.0
    rebinding: float = 0.0
    expiry: float = 0.0
    stopped: bool = False

    def option(self, code: int) -> bytes:
        return bytes.fromhex(self.answer.get("options", {}).get(str(code), ""))

    def commit(self, answer: dict[str, Any], now: float) -> None:
        """Take over what the server granted. Raises CniError."""
        self.answer = answer
        duration = int.from_bytes(self.option(dhcp.LEASE_TIME), "big")
        if not self.option(dhcp.LEASE_TIME):
            raise CniError("option 51 is not 4 bytes")
        rebinding = int.from_bytes(self.option(dhcp.REBINDING_TIME), "big")
        rebinding = rebinding if 0 < rebinding <= duration else duration * 85 // 100
        renewal = int.from_bytes(self.option(dhcp.RENEWAL_TIME), "big")
        renewal = renewal if 0 < renewal <= rebinding else duration // 2
        self.expiry, self.rebinding, self.renewal = now + duration, now + rebinding, now + renewal

    def result(self) -> Result:
        """What the plugin gives. Raises CniError."""
        mask = self.option(dhcp.SUBNET_MASK)
        if len(mask) != 4:
            raise CniError("DHCP option Subnet Mask not found in DHCPACK")
        length = bin(int.from_bytes(mask, "big")).count("1")
        router = self.option(dhcp.ROUTER)
        gateway = IPv4Address(router[:4]) if len(router) >= 4 else None
        address = IPv4Interface((self.answer["address"], length))
        return Result(ips=[IPConfig(address, gateway)], routes=self._routes(gateway))

    def _routes(self, gateway: IPv4Address | None) -> list[Route]:
        """Classless routes alone, where there are some (RFC 3442); else static ones and the router."""
        data, routes = self.option(dhcp.CLASSLESS_ROUTES), []
        while data:
            length, size = data[0], (data[0] + 7) // 8
            network = IPv4Address(data[1 : 1 + size].ljust(4, b"\0"))
            routes.append(Route(IPv4Interface((network, length)), IPv4Address(data[1 + size : 5 + size])))
            data = data[5 + size :]
        if routes:
            return routes
        static = self.option(dhcp.STATIC_ROUTES)
        for at in range(0, len(static) - 7, 8):
            target = IPv4Address(static[at : at + 4])
            length = 8 if static[at] < 128 else 16 if static[at] < 192 else 24
            routes.append(Route(IPv4Interface((target, length)), IPv4Address(static[at + 4 : at + 8])))
        if gateway is not None:
            routes.append(Route(IPv4Interface("0.0.0.0/0"), gateway))
        return routes


def client_options(fields: dict[str, Any], args: str) -> dict[str, Any]:
    """Which options to send and to ask for. Raises CniError."""
    given = dict(pair.split("=", 1) for pair in args.split(";") if "=" in pair)
    provide = {}
    for item in fields["ipam"]["provide"] or ():
        code = _option_code(item["option"])
        value = given.get(item["fromArg"], item["value"])
        if len(value) > 255:
            raise CniError(
                f"value too long for option {gojson.quoted(item['option'])}: {gojson.quoted(value)}"
            )
        if value:
            provide[code] = value.encode().hex()
    request, default = [], True
    for item in fields["ipam"]["request"] or ():
        default = default and not item["skipDefault"]
        request.append(_option_code(item["option"]))
    if default:
        request += [code for code in (dhcp.SUBNET_MASK, dhcp.ROUTER) if code not in request]
    return {"provide": list(provide.items()), "request": request}


def _option_code(name: str) -> int:
    if name in _OPTION_NAMES:
        return _OPTION_NAMES[name]
    if name.isdigit() and int(name) < 256:
        return int(name)
    reason = "value out of range" if name.isdigit() else "invalid syntax"
    raise CniError(
        f"Can not parse option {gojson.quoted(name)}: Can not parse option: "
        f"strconv.ParseUint: parsing {gojson.quoted(name)}: {reason}"
    )


class Daemon:
    def __init__(self, here: Surroundings, program: str, prefix: str, timeout: float, resend_max: float):
        self.here = here
        self.program = program
        self.prefix = prefix
        self.timeout = timeout
        self.resend_max = resend_max
        self.leases: dict[str, Lease] = {}

    def log(self, text: str) -> None:
        self.here.err(f"{time.strftime('%Y/%m/%d %H:%M:%S', time.gmtime(self.here.time()))} {text}\n")

    # -- requests ---------------------------------------------------------------------------
    async def serve(self, stream: Stream) -> None:
        """One request of the plugin."""
        data = b""
        while not data.endswith(b"\n"):
            chunk = await stream.read()
            if not chunk:
                break
            data += chunk
        try:
            answer = await self._answer(json.loads(data or b"{}"))
        except (CniError, gojson.GoJsonError) as error:
            answer = {"error": str(error)}
        except KernelError as error:
            answer = {"error": error.strerror.lower()}
        await stream.write(json.dumps(answer).encode() + b"\n")
        stream.close()

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        args = request.get("args", {})
        try:
            fields = gojson.decode(args.get("stdin", ""), SHAPE)
        except gojson.GoJsonError as error:
            raise CniError(f"error parsing netconf: {error}") from None
        client_id = f"{args['container_id']}/{fields['name']}/{args['ifname']}"[:254]
        if request.get("method") == "Release":
            lease = self.leases.pop(client_id, None)
            if lease is not None:
                await self._release(lease)
            return {"result": {}}
        options = client_options(fields, args.get("args", ""))
        space = await netns.open_netns(self.here, self.prefix + args["netns"], " ")
        lease = Lease(client_id, space, args["ifname"], {**options, "timeout": self.timeout})
        self.log(f"{client_id}: acquiring lease")
        if await link.find(space, lease.device) is None:
            raise CniError(f"error looking up {gojson.quoted(lease.device)}: {link.NOT_FOUND}")
        await self._acquire(lease)
        result = lease.result()
        self.log(f"{client_id}: lease acquired, expiration is {_moment(lease.expiry)}")
        before = self.leases.get(client_id)
        if before is not None:
            before.stopped = True
        self.leases[client_id] = lease
        self.here.net.spawn(self._maintain(lease))
        return {"result": to_data(result, "1.0.0")}

    # -- leases -----------------------------------------------------------------------------
    async def _client(self, lease: Lease, what: str, *words: str) -> dict[str, Any]:
        """Run the client in the container's namespace. Raises CniError."""
        argv = [self.program, "client", what, lease.device, lease.client_id.encode().hex(), *words]
        done = await lease.space.run(*argv, stdin=json.dumps(lease.options))
        if done.returncode:
            raise CniError(done.stderr.strip() or f"exit status {done.returncode}")
        found: dict[str, Any] = json.loads(done.stdout or "{}")
        return found

    async def _acquire(self, lease: Lease) -> None:
        device = await link.find(lease.space, lease.device)
        if device is not None and not device.up:
            self.log(f'Link "{lease.device}" down. Attempting to set up')
            await link.set_up(lease.space, lease.device)
        await self._retry(lease, "acquire")

    async def _retry(self, lease: Lease, what: str, *words: str) -> None:
        """Try until it works: quickly at first, then ever more slowly. Raises CniError."""
        delay, fast = 4.0, 4
        while True:
            try:
                lease.commit(await self._client(lease, what, *words), self.here.time())
                return
            except CniError as error:
                self.log(str(error))
            jitter = self.here.random(1)[0] / 128 - 1
            seconds = (delay if fast == 0 else 2.0) + jitter
            fast -= fast > 0
            self.log(f"retrying in {seconds:f} seconds")
            await self.here.sleep(seconds)
            if fast == 0:
                if delay >= self.resend_max:
                    raise CniError("no more tries")
                delay *= 2

    async def _maintain(self, lease: Lease) -> None:
        """Renew, later ask anew, at last set the interface down; until the lease is given back."""
        while not lease.stopped:
            await self.here.sleep(max(lease.renewal - self.here.time(), 1.0))
            if lease.stopped:
                return
            self.log(f"{lease.client_id}: renewing lease")
            server = str(IPv4Address(lease.option(dhcp.SERVER_ID) or bytes(4)))
            try:
                if self.here.time() < lease.rebinding:
                    answer = await self._client(lease, "renew", lease.answer["address"], server)
                    lease.commit(answer, self.here.time())
                    self.log(f"{lease.client_id}: lease renewed, expiration is {_moment(lease.expiry)}")
                else:
                    lease.commit(await self._client(lease, "acquire"), self.here.time())
                    self.log(f"{lease.client_id}: lease rebound, expiration is {_moment(lease.expiry)}")
            except CniError as error:
                self.log(f"{lease.client_id}: {error}")
                lease.renewal = self.here.time() + 60
                if self.here.time() > lease.expiry:
                    self.log(f"{lease.client_id}: lease expired, bringing interface DOWN")
                    await lease.space.run("ip", "link", "set", "dev", lease.device, "down")
                    return

    async def _release(self, lease: Lease) -> None:
        lease.stopped = True
        self.log(f"{lease.client_id}: releasing lease")
        server = str(IPv4Address(lease.option(dhcp.SERVER_ID) or bytes(4)))
        try:
            if await link.find(lease.space, lease.device) is None:
                raise CniError("no such device")
            await self._client(lease, "release", lease.answer["address"], server)
        except (CniError, KernelError) as error:
            words = error.strerror.lower() if isinstance(error, KernelError) else error
            self.log(f"{lease.client_id}: failed to release DHCP lease: {words}")


def _moment(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(when))


def _flags(argv: list[str]) -> tuple[dict[str, str], str]:
    """Go's flags: ``-name value``, ``-name=value``; and what is wrong with them."""
    found: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            break
        name, equals, value = word.lstrip("-").partition("=")
        if name in ("h", "help"):
            return found, "help"
        if name == "broadcast":
            found[name] = value or "true"
        elif name not in _FLAGS:
            return found, f"flag provided but not defined: -{name}"
        elif not equals and not words:
            return found, f"flag needs an argument: -{name}"
        else:
            found[name] = value if equals else words.pop(0)
    return found, ""


def _seconds(text: str) -> float | None:
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if not parts or "".join(a + b for a, b in parts) != text:
        return None
    return sum(float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit] for number, unit in parts)


async def main(here: Surroundings, argv: list[str]) -> int:
    """The program, until it is told to end."""
    flags, problem = _flags(argv[2:])
    times = {}
    for name, default in (("timeout", "10s"), ("resendmax", "62s")):
        times[name] = _seconds(flags.get(name, default))
        if times[name] is None:
            problem = f'invalid value "{flags[name]}" for flag -{name}: parse error'
    if problem:
        here.err(USAGE if problem == "help" else f"{problem}\n{USAGE}")
        return 0 if problem == "help" else 2
    daemon = Daemon(
        here, argv[0], flags.get("hostprefix", ""), times["timeout"] or 0, times["resendmax"] or 0
    )
    path = daemon.prefix + (flags.get("socketpath") or SOCKET)
    try:
        pid_file = flags.get("pidfile", "")
        if pid_file and not pid_file.startswith("/"):
            daemon.log(f"Error writing pidfile {gojson.quoted(pid_file)}: path not absolute")
            return 1
        if pid_file:
            here.write(flags["pidfile"], str(here.pid))
        here.mkdir(path.rpartition("/")[0] or "/")
        listener = await here.net.listen_unix(path)
    except KernelError as error:
        daemon.log(f"Error getting listener: listen unix {path}: bind: {error.strerror.lower()}")
        return 1

    async def accept() -> None:
        while True:
            here.net.spawn(daemon.serve(await listener.accept()))

    here.net.spawn(accept())
    await here.signalled(2, 15)
    listener.close()
    for name in (path, flags.get("pidfile", "")):
        if name and here.exists(name):
            here.remove(name)
    return 0
