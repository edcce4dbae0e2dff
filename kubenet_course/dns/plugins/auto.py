"""auto: serves every zone file of a folder, whose names tell the zones (plugin/auto)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import dns.message

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.goregexp import RegexpError, compile_regexp
from kubenet_course.dns.names import fqdn, go_duration, longest_match
from kubenet_course.dns.plugin import Fallthrough, Plugin, Request, ServerConfig
from kubenet_course.dns.plugins._rewrite_rules import substitute
from kubenet_course.dns.plugins.file import notify, serve_zone
from kubenet_course.dns.zone import Zone, ZoneError

SECOND = 10**9


@dataclass
class Auto(Plugin):
    config: ServerConfig
    origins: list[str]
    directory: str = "."
    expression: re.Pattern[str] = field(default_factory=lambda: re.compile(r"db\.(.*)"))
    template: str = "${1}"
    reload: int = 60 * SECOND
    fallthrough: Fallthrough = Fallthrough()
    loaded: dict[str, Zone] = field(default_factory=dict)
    running: bool = False

    def scan(self) -> None:
        """Load what is new or changed, forget what is gone (auto/walk.go)."""
        environment = self.config.environment
        files = environment.files
        there: set[str] = set()
        base = self.config.path(self.directory).rstrip("/")
        for path in [*files.glob(f"{base}/*"), *files.glob(f"{base}/*/*")]:
            match = self.expression.search(path.rpartition("/")[2])
            if match is None:
                continue
            origin = fqdn(substitute(self.template.replace("${", "{"), match))
            if longest_match(self.origins, origin) is None:
                continue
            text = files.read(path)
            if text is None:
                continue
            there.add(origin)
            self._load(origin, path, text)
        for gone in set(self.loaded) - there:
            del self.loaded[gone]
            environment.log(f'[INFO] plugin/auto: Deleting zone "{gone}"')

    def _load(self, origin: str, path: str, text: str) -> None:
        environment = self.config.environment
        try:
            zone = Zone.parse(text, origin, path, environment.files.read)
        except ZoneError as problem:
            environment.log(f'[WARNING] plugin/auto: Parse zone "{origin}": {problem}')
            return
        old = self.loaded.get(origin)
        if old is None or old.serial != zone.serial:
            self.loaded[origin] = zone
            if self.running:
                notify(self.config, origin)
            word = "Inserting" if old is None else "Reloading"
            environment.log(f'[INFO] plugin/auto: {word} zone "{origin}" from: {path}')

    async def serve_dns(self, request: Request) -> dns.message.Message:
        if longest_match(self.origins, request.name) is None:
            return await self.next_plugin(request)
        origin = longest_match(list(self.loaded), request.name)
        if origin is None:
            return await self.next_plugin(request)
        return await serve_zone(self, self.loaded[origin], request, self.fallthrough)

    async def start(self) -> None:
        for origin in self.loaded:
            notify(self.config, origin)
        if self.reload and not self.running:
            self.running = True
            self.config.environment.spawn(self._watch())

    async def _watch(self) -> None:
        while self.running:
            await self.config.environment.sleep(self.reload)
            if self.running:
                self.scan()

    def stop(self) -> None:
        self.running = False


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Auto(config, [])
    while c.next():
        handler.origins = config.origins(c.remaining_args())
        while c.next_block():
            if c.text == "directory":
                _directory(c, config, handler)
            elif c.text == "reload":
                words = c.remaining_args()
                if not words:
                    raise c.plain("reload duration value is expected")
                try:
                    handler.reload = go_duration(words[0])
                except ValueError as problem:
                    raise c.plain(str(problem)) from None
                if handler.reload < 0:
                    raise c.plain("plugin/file: invalid duration")
            elif c.text == "fallthrough":
                handler.fallthrough = Fallthrough.parse(c)
            elif c.text == "upstream":
                c.remaining_args()
            else:
                raise c.error(f"unknown property '{c.text}'")
    handler.scan()
    config.authoritative.append((handler.origins, handler.loaded.get))
    return handler


def _directory(c: Dispenser, config: ServerConfig, handler: Auto) -> None:
    """directory DIR [REGEXP ORIGIN_TEMPLATE]"""
    words = c.remaining_args()
    if not words:
        raise c.arg_error()
    handler.directory = words[0]
    if config.environment.problem(config.path(words[0])) == "no such file or directory":
        config.environment.log(f"[WARNING] plugin/auto: Directory does not exist: {config.path(words[0])}")
    if len(words) > 1:
        try:
            handler.expression = compile_regexp(words[1])
        except RegexpError as problem:
            raise c.plain(str(problem)) from None
        if not handler.expression.groups:
            raise c.error("Need at least one sub expression")
        if len(words) != 3:
            raise c.arg_error()
        handler.template = words[2]
