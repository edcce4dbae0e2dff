"""file: authoritative answers from zone files (plugin/file)."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.message
import dns.opcode
import dns.rcode

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import go_duration, go_duration_text, longest_match
from kubenet_course.dns.plugin import Dropped, Fallthrough, Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.plugins.transfer import Transfer
from kubenet_course.dns.wire import code_of
from kubenet_course.dns.zone import Zone, ZoneError, answer_from

SECOND = 10**9
TRANSFERS = (251, 252)  # IXFR, AXFR


@dataclass
class File(Plugin):
    config: ServerConfig
    path: str
    zones: list[str]
    reload: int = 60 * SECOND
    fallthrough: Fallthrough = Fallthrough()
    loaded: dict[str, Zone] = field(default_factory=dict)
    _running: bool = False

    def load(self) -> None:
        """Read the file (again); a zone whose serial has not changed stays as it is. ZoneError."""
        environment = self.config.environment
        path = self.config.path(self.path)
        text = environment.files.read(path)
        if text is None:
            raise FileNotFoundError(f"open {path}: {environment.problem(path)}")
        for zone in self.zones:
            new = Zone.parse(text, zone, path, environment.files.read)
            old = self.loaded.get(zone)
            if old is None or old.serial != new.serial:
                self.loaded[zone] = new
                if old is not None:
                    notify(self.config, zone, told=True)
                    environment.log(
                        f'[INFO] plugin/file: Successfully reloaded zone "{zone}" in "{path}" with {new.serial} SOA serial'
                    )

    async def serve_dns(self, request: Request) -> dns.message.Message:
        origin = longest_match(self.zones, request.name)
        if origin is None:
            return await self.next_plugin(request)
        return await serve_zone(self, self.loaded.get(origin), request, self.fallthrough)

    async def start(self) -> None:
        for zone in self.zones:
            notify(self.config, zone)
        if self.reload and not self._running:
            self._running = True
            self.config.environment.spawn(self._watch())

    async def _watch(self) -> None:
        environment = self.config.environment
        while self._running:
            await environment.sleep(self.reload)
            if not self._running:
                return
            try:
                self.load()
            except FileNotFoundError as problem:
                environment.log(f'[ERROR] plugin/file: Failed to open zone "{self.zones[0]}" in "{self.path}": {problem}')
            except ZoneError as problem:
                environment.log(f'[WARNING] plugin/file: Failed to parse zone "{self.zones[0]}": {problem}')

    def stop(self) -> None:
        self._running = False


def notify(config: ServerConfig, zone: str, told: bool = False) -> None:
    """Let `transfer`, where it is loaded, tell others that a zone is there, or has changed; if `told`, say what fails."""
    handler = config.handlers.get("transfer")
    if not isinstance(handler, Transfer):
        return

    async def work() -> None:
        problem = await handler.notify(zone)
        if problem and told:
            config.environment.log(f"[WARNING] plugin/file: Failed sending notifies: {problem}")

    config.environment.spawn(work())


async def serve_zone(plugin: Plugin, zone: Zone | None, request: Request, fallthrough: Fallthrough) -> dns.message.Message:
    """File.ServeDNS(), once the zone is found: also what `auto` and `secondary` do."""
    if zone is None:
        raise PluginError(plugin.name, "", dns.rcode.SERVFAIL)
    if request.qtype in TRANSFERS:
        raise PluginError(plugin.name, "", dns.rcode.REFUSED)
    if request.message.opcode() == dns.opcode.NOTIFY:
        plugin.config.environment.log(f"[INFO] plugin/file: Dropping notify from {request.client} for {zone.origin}")  # type: ignore[attr-defined]
        raise Dropped
    answer = await answer_from(zone, request)
    if code_of(answer) == dns.rcode.NXDOMAIN and fallthrough.through(request.name):
        return await plugin.next_plugin(request)
    return answer


def setup(c: Dispenser, config: ServerConfig) -> list[Plugin]:
    handlers: list[Plugin] = []
    while c.next():
        if not c.next_arg():
            raise c.arg_error()
        handler = File(config, c.text, [])
        handler.zones = config.origins(c.remaining_args())
        while c.next_block():
            if c.text == "fallthrough":
                handler.fallthrough = Fallthrough.parse(c)
            elif c.text == "reload":
                words = c.remaining_args()
                if len(words) != 1:
                    raise c.error("reload interval is missing")
                try:
                    handler.reload = go_duration(words[0])
                except ValueError as problem:
                    raise c.plain(str(problem)) from None
            elif c.text == "upstream":
                c.remaining_args()  # ignored since 1.5
            else:
                raise c.error(f"unknown property '{c.text}'")
        try:
            handler.load()
        except FileNotFoundError as problem:
            if not handler.reload:
                raise c.plain(str(problem)) from None
            config.environment.log(
                f'[WARNING] plugin/file: Failed to open "{problem}": trying again in {go_duration_text(handler.reload)}'
            )
        except ZoneError as problem:
            raise c.plain(str(problem)) from None
        config.authoritative.append((handler.zones, handler.loaded.get))
        handlers.append(handler)
    return handlers
