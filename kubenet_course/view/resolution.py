"""How a name was resolved: every query and answer between client, resolver and servers, in order.

    resolve_with(lab, "client", "ping -c1 www")   -> Resolution

Run the command, watch port 53 everywhere (`dns_sightings`), and put to it what needed no packet: the
line of /etc/hosts, the sources of nsswitch.conf, the suffix of the search list, an answer out of a
cache. `str()` of a Resolution is all of it as text; the same facts are drawn by `widgets/resolution.py`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kubenet_course.view.dns_exchanges import exchanges, given_up
from kubenet_course.view.dns_sightings import Sighting, sightings
from kubenet_course.view.dns_words import MessageWords
from kubenet_course.view.follow import in_namespace, sender
from kubenet_course.view.target import Target, resolve, words

#: Programs that ask DNS themselves: /etc/hosts and nsswitch.conf are nothing to them.
DNS_ONLY = ("dig", "nslookup", "host", "delv")
#: Programs of which the first word is not the program yet.
WRAPPERS = ("timeout", "time", "sudo", "nice", "env", "exec")


@dataclass(frozen=True)
class Participant:
    """`name` is a machine (``host/red`` a namespace in it), or an address that nobody in the lab has."""

    name: str
    address: str = ""
    role: str = ""


@dataclass(frozen=True)
class Step:
    """One line of the picture. `kind` is query, answer, lost (no answer came), or file (no packet at all).

    `depth` is 0 for what the command's own machine asks, 1 for what is asked because of that. `text` is the
    message in a few words, `note` what one would not see in it, `details` its records.
    """

    kind: str
    source: str
    target: str
    text: str
    note: str = ""
    depth: int = 0
    tcp: bool = False
    rcode: str = ""
    details: tuple[str, ...] = ()
    time: int = 0


@dataclass(frozen=True)
class Resolution:
    """`facts` are what the machine's files say; `steps` are in order; the rest is the command's."""

    machine: str
    command: str
    participants: tuple[Participant, ...]
    steps: tuple[Step, ...]
    facts: tuple[str, ...]
    stdout: str
    stderr: str
    returncode: int

    def __str__(self) -> str:
        lines = [f"{self.machine}$ {self.command}", *(f"  {fact}" for fact in self.facts)]
        width = max((len(_arrow(step)) for step in self.steps), default=0)
        for number, step in enumerate(self.steps, 1):
            note = f"   ({step.note})" if step.note else ""
            lines.append(f"{number:>3} {_arrow(step):<{width}}  {step.text}{note}".rstrip())
        if not self.steps:
            lines.append("  nobody was asked")
        who = [
            f"{one.name}{f' {one.address}' if one.address and one.address != one.name else ''}: {one.role}"
            for one in self.participants
            if one.role not in ("", "client")
        ]
        return "\n".join([*lines, *(f"  {line}" for line in who)])

    __repr__ = __str__


def _arrow(step: Step) -> str:
    indent = "  " * step.depth
    if step.kind == "file":
        return f"{indent}{step.source}"
    if step.kind == "answer":
        return f"{indent}{step.target} ← {step.source}"
    return f"{indent}{step.source} {'→' if step.kind == 'query' else '✕'} {step.target}"


# -- the machine's own files ----------------------------------------------------------------------
@dataclass
class Files:
    """What /etc says on the command's machine, as far as names go."""

    hosts: list[tuple[str, tuple[str, ...]]]
    sources: list[str]
    servers: list[str]
    search: list[str]
    options: list[str]

    def line_of(self, name: str) -> str | None:
        """The line of /etc/hosts that has the name, its addresses joined."""
        wanted = name.lower().rstrip(".")
        found = [address for address, names in self.hosts if wanted in (own.lower() for own in names)]
        return ", ".join(found) or None


def read_files(lab: Any, target: Target) -> Files:
    """/etc/hosts, /etc/resolv.conf and /etc/nsswitch.conf as `target`'s resolver sees them."""
    def text(path: str) -> list[list[str]]:
        result = lab.query(target.machine, target.command("cat", path))
        return (
            [line.partition("#")[0].split() for line in result.stdout.splitlines()]
            if not result.returncode
            else []
        )

    hosts = [(row[0], tuple(row[1:])) for row in text("/etc/hosts") if len(row) > 1]
    sources = ["files", "dns"]
    for row in text("/etc/nsswitch.conf"):
        if row and row[0].partition(":")[0] == "hosts":
            sources = " ".join(row).partition(":")[2].split()
    servers, search, options = [], [], []
    for row in text("/etc/resolv.conf"):
        if row[:1] == ["nameserver"]:
            servers += row[1:2]
        elif row[:1] in (["search"], ["domain"]):
            search = row[1:]
        elif row[:1] == ["options"]:
            options += row[1:]
    return Files(hosts, sources, servers[:3], search, options)


# -- the command --------------------------------------------------------------------------------
def program_of(command: str) -> str:
    """The program that a command line runs."""
    line = re.sub(r"^ip\s+netns\s+exec\s+\S+\s+", "", command.strip())
    for word in line.split():
        if word in WRAPPERS or "=" in word or word[:1].isdigit() or word.startswith("-"):
            continue
        return word.rpartition("/")[2]
    return ""


def names_in(command: str) -> list[str]:
    """Words of a command line that may be a host's name: of URLs the host, of user@host the host."""
    try:
        typed = shlex.split(command)
    except ValueError:
        typed = command.split()
    found = []
    for word in typed:
        match = re.match(
            r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^@/]*@)?\[?([A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*)\]?(?::\d+)?(?:/.*)?$",
            word,
        )
        if match and not word.startswith(("-", "+")):
            found.append(match[1].rstrip("."))
    return list(dict.fromkeys(found))


# -- putting it together --------------------------------------------------------------------------
def resolve_with(lab: Any, where: Any, command: str | Sequence[str], **options: Any) -> Resolution:
    """Run `command` on a machine or namespace and tell how its names were resolved.

    It becomes part of the lab's history, as if run by `lab.run`; `options` are those of `Machine.run`.
    """
    from kubenet_course.view import netmap

    target = resolve(lab, where)
    typed = words(command)
    asker = sender(target, typed)
    files = read_files(lab, asker)
    owners = _owners(netmap.read(lab))
    with sightings(lab) as seen:
        result = lab.run(target.machine, in_namespace(target, typed), **options)
    builder = _Builder(asker, typed, files, owners)
    steps = builder.build(seen)
    return Resolution(
        str(target),
        typed,
        tuple(builder.participants(steps)),
        tuple(steps),
        tuple(builder.facts()),
        result.stdout,
        result.stderr,
        result.returncode,
    )


def _owners(found: Any) -> dict[str, str]:
    """Address → machine or namespace that has it."""
    owners: dict[str, str] = {}
    for machine in found.machines:
        for space in machine.spaces:
            name = f"{machine.name}/{space.name}" if space.name else machine.name
            for link in space.links:
                for address in link.addresses:
                    text = str(address.local)
                    if not text.startswith("127.") and text != "::1":
                        owners.setdefault(text, name)
    return owners


class _Builder:
    def __init__(self, target: Target, command: str, files: Files, owners: dict[str, str]):
        self.target, self.command, self.files, self.owners = target, command, files, owners
        self.program = program_of(command)
        self.dns_only = self.program in DNS_ONLY
        self.names = names_in(command)
        self.addresses: dict[str, str] = {}
        self.roles: dict[str, str] = {}
        self.zones: dict[str, str] = {}
        self.targets: dict[str, str] = {}

    def facts(self) -> list[str]:
        files = self.files
        server = ", ".join(files.servers) or "none: this machine itself is asked"
        lines = [] if self.dns_only else [f"nsswitch.conf  hosts: {' '.join(files.sources)}"]
        search = f"; search {' '.join(files.search)}" if files.search else ""
        extra = f"; options {' '.join(files.options)}" if files.options else ""
        lines.append(f"resolv.conf    nameserver {server}{search}{extra}")
        if self.dns_only:
            lines.append(f"{self.program} asks DNS only: /etc/hosts is not read")
        return lines

    # -- participants ---------------------------------------------------------------------------
    def name(self, space: Target | None, address: str) -> str:
        name = str(space) if space is not None else self.owners.get(address, address)
        if address and not address.startswith("127.") and address != "::1":
            self.addresses.setdefault(name, address)
        return name

    def participants(self, steps: list[Step]) -> list[Participant]:
        order = [str(self.target)]
        for step in steps:
            order += [step.source, step.target]
        self.roles.setdefault(str(self.target), "client")
        return [
            Participant(name, self.addresses.get(name, ""), self.roles.get(name, ""))
            for name in dict.fromkeys(order)
            if name
        ]

    # -- steps ----------------------------------------------------------------------------------
    def build(self, seen: Sequence[Sighting]) -> list[Step]:
        pairs = exchanges(seen)
        start = pairs[0].query.time if pairs else 0
        moments: list[tuple[int, int, Step]] = []
        for number, exchange in enumerate(pairs):
            query, answer = exchange.query, exchange.answer
            depth = 0 if query.space == self.target else 1
            asker = self.name(query.space, query.source)
            loopback = query.destination.startswith("127.") or query.destination == "::1"
            responder = asker if loopback else self.name(exchange.answered_by, query.destination)
            asked = MessageWords(query.message)
            note = self._search_note(asked.name) if depth == 0 else ""
            over = " over TCP" if query.tcp else ""
            step = Step(
                "query",
                asker,
                responder,
                f"{asked.rdtype} {asked.name}?{over}",
                note,
                depth,
                query.tcp,
                time=query.time - start,
            )
            moments.append((query.time, 2 * number, step))
            if answer is None:
                arrived = responder in map(str, exchange.reached)
                why = "it got there, and no answer came" if arrived else "it did not get there"
                lost = Step(
                    "lost", asker, responder, "no answer", why, depth, query.tcp, time=query.time - start
                )
                moments.append((given_up(exchange, pairs), -1, lost))
                continue
            reply = MessageWords(answer.message)
            self._learn(reply, responder, query.destination)
            between = any(
                query.time < other.query.time < answer.time and str(other.query.space) == responder
                for other in pairs
            )
            step = Step(
                "answer", responder, asker, reply.summary(), self._answer_note(reply, responder, between, query), depth, answer.tcp,
                reply.rcode, tuple(reply.records()), answer.time - start,
            )  # fmt: skip
            moments.append((answer.time, 2 * number + 1, step))
        steps = [step for _, _, step in sorted(moments, key=lambda moment: moment[:2])]
        return self._with_files(steps)

    def _search_note(self, name: str) -> str:
        """That a suffix of the search list was appended."""
        asked = name.rstrip(".").lower()
        for typed in self.names:
            for suffix in self.files.search:
                if asked == f"{typed}.{suffix.rstrip('.')}".lower() and asked != typed.lower():
                    return f"search list: {typed} + {suffix}"
        return ""

    def _learn(self, reply: MessageWords, responder: str, address: str) -> None:
        """What a referral says about who is responsible for which zone."""
        for name, found in reply.glue():
            self.targets.setdefault(name, found)
        for zone, target in reply.referrals():
            where = self.targets.get(target)
            if where is not None:
                self.zones.setdefault(where, zone)
        if responder in self.roles:
            return
        if reply.authoritative or reply.is_referral:
            zone = self.zones.get(address) or (
                "." if reply.is_referral and reply.referral_depth == 0 else reply.zone
            )
            self.roles[responder] = (
                "root server" if zone == "." else f"authoritative for {zone}" if zone else "authoritative"
            )
        elif reply.recursion_available:
            self.roles[responder] = "resolver"

    def _answer_note(self, reply: MessageWords, responder: str, between: bool, query: Sighting) -> str:
        if reply.truncated:
            return "too long for a datagram: asked again over TCP"
        if reply.authoritative:
            return "authoritative"
        if (
            not between
            and reply.recursion_available
            and reply.rcode in ("NOERROR", "NXDOMAIN")
            and responder != str(self.target)
        ):
            return "from its cache: nobody else was asked"
        return ""

    def _with_files(self, steps: list[Step]) -> list[Step]:
        """What /etc/hosts had to say, before or after the queries as nsswitch.conf orders the sources."""
        if self.dns_only or "files" not in self.files.sources:
            return steps
        here = str(self.target)
        asked = {
            _asked(step).rstrip(".").lower() for step in steps if step.kind == "query" and step.depth == 0
        }
        before: list[Step] = []
        after: list[Step] = []
        order = [source for source in self.files.sources if not source.startswith("[")]
        first = order.index("files") < order.index("dns") if "dns" in order else True
        for name in self.names:
            line = self.files.line_of(name)
            about = name.lower() in asked or any(
                f"{name}.{suffix}".lower().rstrip(".") in asked for suffix in self.files.search
            )
            if line is not None and (first or about):
                note = "no query is sent" if first else "after DNS did not know it"
                step = Step("file", here, "", f"{name} is {line}", note if not (first and about) else "")
                (before if first else after).append(replace(step, text=f"/etc/hosts: {name} is {line}"))
            elif line is None and about and first:
                before.append(Step("file", here, "", f"/etc/hosts: no {name}", "DNS is next"))
        return [*before, *steps, *after]


def _asked(step: Step) -> str:
    return step.text.partition(" ")[2].partition("?")[0]
