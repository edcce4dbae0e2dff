"""The DNS server at 127.0.0.11 that every container of a user-defined network has.

    docker-resolver CONTAINER-ID UDP-PORT TCP-PORT

It runs in the container's network namespace on two free ports; rules in the chains DOCKER_OUTPUT and
DOCKER_POSTROUTING turn port 53 of 127.0.0.11 into these. It knows the names of the containers in the same
networks (name, aliases, short id; also NAME.NETWORK). Everything else it asks of the name servers outside: those
of `--dns` itself, those of the host's own /etc/resolv.conf by way of dockerd, and only while the container has a
way out.

Source: moby daemon/libnetwork/resolver.go, sandbox_dns_unix.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.docker.endpoints import own_endpoints, ranked, ways_out
from kubenet_course.docker.forwarding import ask, ask_from_host, exactly
from kubenet_course.docker.proxy import tell_ready
from kubenet_course.docker.store import Record, Store
from kubenet_course.docker.swarm.state import Swarm
from kubenet_course.errors import KernelError
from kubenet_course.userland.sockets import Stream
from kubenet_course.userland.surroundings import Surroundings

if TYPE_CHECKING:
    import dns.message

ADDRESS = "127.0.0.11"
TTL = 600
MOST_SERVERS = 3
#: SERVFAIL and REFUSED: the next server is asked.
PASSED_OVER = (2, 5)
PREDEFINED = ("bridge", "host", "none")


def chain_rules(udp_port: int, tcp_port: int) -> str:
    """Text for iptables-restore in the container's namespace."""
    lines = []
    for protocol, port in (("tcp", tcp_port), ("udp", udp_port)):
        match = f"-p {protocol} -m {protocol}"
        lines += [
            f"-A DOCKER_OUTPUT -d {ADDRESS}/32 {match} --dport 53 -j DNAT --to-destination {ADDRESS}:{port}",
            f"-A DOCKER_POSTROUTING -s {ADDRESS}/32 {match} --sport {port} -j SNAT --to-source :53",
        ]
    head = ["*nat", ":DOCKER_OUTPUT - [0:0]", ":DOCKER_POSTROUTING - [0:0]"]
    jumps = [
        f"-A OUTPUT -d {ADDRESS}/32 -j DOCKER_OUTPUT",
        f"-A POSTROUTING -d {ADDRESS}/32 -j DOCKER_POSTROUTING",
    ]
    return "\n".join([*head, *jumps, *lines, "COMMIT"]) + "\n"


async def program(here: Surroundings, argv: list[str]) -> int:
    if len(argv) != 4 or not argv[2].isdecimal() or not argv[3].isdecimal():
        here.err(
            "kubenet: docker-resolver: it is started by dockerd: docker-resolver CONTAINER-ID UDP-PORT TCP-PORT\n"
        )
        return 1
    here.on_signal(2, lambda: None)
    server = Resolver(here, argv[1])
    udp = await here.net.udp(ADDRESS, int(argv[2]))
    listener = await here.net.listen(ADDRESS, int(argv[3]))
    tell_ready(here)
    here.net.spawn(_serve_tcp(here, listener, server))
    while True:
        data, peer = await udp.receive()
        here.net.spawn(_answer_udp(udp, data, peer, server))


async def _answer_udp(udp: Any, data: bytes, peer: tuple[str, int], server: Resolver) -> None:
    answer = await server.answer(data, False)
    if answer:
        await udp.send(answer, *peer)


async def _serve_tcp(here: Surroundings, listener: Any, server: Resolver) -> None:
    while True:
        here.net.spawn(_answer_tcp(await listener.accept(), server))


async def _answer_tcp(stream: Stream, server: Resolver) -> None:
    try:
        while True:
            head = await exactly(stream, 2)
            data = await exactly(stream, int.from_bytes(head, "big")) if head else b""
            answer = await server.answer(data, True) if data else b""
            if not answer:
                break
            await stream.write(len(answer).to_bytes(2, "big") + answer)
    except KernelError:
        pass
    finally:
        stream.close()


def _reply(query: dns.message.Message, recursion: bool = True) -> dns.message.Message:
    """An answer without EDNS, whatever the question has."""
    import dns.message

    found = dns.message.make_response(query, recursion_available=recursion)
    found.use_edns(False)
    return found


class Resolver:
    """Answers for one container."""

    def __init__(self, here: Surroundings, container_id: str):
        self.here = here
        self.store = Store(here)
        self.container_id = container_id

    async def answer(self, data: bytes, tcp: bool) -> bytes:
        """The reply to a query in wire format; b"" for what is no query."""
        import dns.exception
        import dns.flags
        import dns.message
        import dns.rcode

        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return b""
        if not query.question or query.flags & dns.flags.QR:
            return b""
        local = self._local(query)
        if local is not None:
            most = 65535 if tcp else max(512, query.payload)
            return local.to_wire(max_size=most, prefer_truncation=True)
        record = self._record()
        if record.get("ndots_set") and self._is_plain(query):
            return _reply(query).to_wire()
        outside = await self._forward(data, tcp, record)
        if outside:
            return outside
        failed = _reply(query, False)
        failed.set_rcode(dns.rcode.SERVFAIL)
        return failed.to_wire()

    def _record(self) -> Record:
        path = f"/var/lib/docker/containers/{self.container_id}/config.v2.json"
        found: Record = self.store.read_json(path, {})
        return found

    def _is_plain(self, query: dns.message.Message) -> bool:
        """An address is asked for a name of one label: with ndots set, the client tries its search domains next."""
        import dns.rdatatype

        question = query.question[0]
        return question.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) and len(question.name.labels) <= 2

    # -- the containers' names ----------------------------------------------------------------
    def _local(self, query: dns.message.Message) -> dns.message.Message | None:
        """An answer from what Docker knows; None: it knows no such name."""
        import dns.message
        import dns.name
        import dns.rdatatype
        import dns.rrset

        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        reply = _reply(query)
        if kind == "PTR":
            target = self._reverse(question.name)
            if target is None:
                return None
            reply.answer.append(dns.rrset.from_text(question.name, TTL, "IN", "PTR", f"{target}."))
            return reply
        if kind not in ("A", "AAAA", "MX"):
            return None
        addresses = self._addresses(name)
        if addresses is None or (kind == "MX" and not addresses):
            return None
        if kind != "MX":
            found = [one for one in addresses if (":" in one) == (kind == "AAAA")]
            if found:
                reply.answer.append(
                    dns.rrset.from_text(question.name, TTL, "IN", kind, *self._rotated(found))
                )
        return reply

    def _rotated(self, addresses: list[str]) -> list[str]:
        if len(addresses) < 2:
            return addresses
        start = self.here.random(1)[0] % len(addresses)
        return addresses[start:] + addresses[:start]

    def _neighbours(self) -> list[tuple[str, Record, Record]]:
        """(network, container, endpoint) of everyone in this container's user-defined networks."""
        own_too = (self.container_id,)  # it may ask before dockerd has noted that it runs
        containers = [
            one for one in self.store.containers() if one["state"]["Running"] or one["id"] in own_too
        ]
        own = next((one for one in containers if one["id"] == self.container_id), None)
        mesh = Swarm(self.store).ingress()
        silent = (*PREDEFINED, mesh["name"] if mesh else "")
        shared = [name for name in own["endpoints"] if name not in silent] if own else []
        return [
            (network, other, other["endpoints"][network])
            for network in shared
            for other in containers
            if network in other["endpoints"]
        ]

    def _services(self) -> list[tuple[str, str, list[str]]]:
        """(network, name, addresses) of a swarm's services in this container's networks.

        A service's own name has its virtual address, or those of its tasks where it has none; tasks.NAME always
        has the tasks'.
        """
        swarm = Swarm(self.store)
        if not swarm.active:
            return []
        own = self._record()
        found = []
        for network, endpoint in own.get("endpoints", {}).items():
            key = endpoint["network_id"]
            for service in swarm.services:
                if key not in service["networks"]:
                    continue
                tasks = [
                    task["addresses"][key]
                    for task in swarm.tasks_of(service)
                    if task["state"] == "running"
                    and task["desired"] == "running"
                    and key in task["addresses"]
                ]
                vip = service["vips"].get(key)
                wanted = service["spec"]["TaskTemplate"].get("Networks") or []
                aliases = [
                    alias for one in wanted if one["Target"] == key for alias in one.get("Aliases", [])
                ]
                name = service["spec"]["Name"]
                found += [(network, one, [vip] if vip else tasks) for one in (name, *aliases)]
                found.append((network, f"tasks.{name}", tasks))
        return found

    def _addresses(self, name: str) -> list[str] | None:
        """Of the first of the container's networks that knows the name; None: none does."""
        own = self._record()
        links = {
            alias.lower(): target
            for end in own.get("endpoints", {}).values()
            for target, alias in end["links"]
        }
        found: dict[str, dict[str, None]] = {}
        for network, container, endpoint in self._neighbours():
            names = {one.lower() for one in endpoint["dns_names"]}
            if links.get(name) in (container["name"], container["id"], container["id"][:12]):
                names.add(name)
            if name in names or (name.endswith(f".{network.lower()}") and name[: -len(network) - 1] in names):
                known = found.setdefault(network, {})
                known.update((address, None) for address in (endpoint["ip"], endpoint["ip6"]) if address)
        for network, service, addresses in self._services():
            if name in (service.lower(), f"{service}.{network}".lower()):
                found.setdefault(network, {}).update((address, None) for address in addresses)
        order = [end["network"] for end in ranked(own)] if own else []
        for network in order:
            if found.get(network):
                return list(found[network])
        return [] if found else None

    def _reverse(self, name: Any) -> str | None:
        import dns.exception
        import dns.reversename

        try:
            address = dns.reversename.to_address(name)
        except dns.exception.DNSException:
            return None
        for network, container, endpoint in self._neighbours():
            if address in (endpoint["ip"], endpoint["ip6"]):
                return f"{container['name']}.{network}"
        for network, service, addresses in self._services():
            if address in addresses and not service.startswith("tasks."):
                return f"{service}.{network}"
        return None

    # -- everybody else's ---------------------------------------------------------------------
    async def _forward(self, data: bytes, tcp: bool, record: Record) -> bytes:
        """Ask the first three servers in turn, over the protocol that the question came by.

        One that refuses or fails is passed over; so are the host's servers where no network leads out.
        """
        proxied = any(any(ways_out(end)) for end in own_endpoints(record)) if record else False
        servers = [
            (address, from_host)
            for address, from_host in record.get("dns_servers", [])
            if from_host or address != ADDRESS
        ]
        for address, from_host in servers[:MOST_SERVERS]:
            if from_host and not proxied:
                continue
            asked = ask_from_host if from_host else ask
            answer = await asked(self.here, address, data, tcp)
            if len(answer) > 3 and answer[3] & 15 not in PASSED_OVER:
                return answer
        return b""
