"""reload: reads the Corefile again and again, and restarts where it has changed (plugin/reload)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from kubenet_course.dns.corefile import CorefileError, parse
from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import go_duration
from kubenet_course.dns.plugin import Plugin, ServerConfig

SECOND = 10**9


@dataclass
class Reload(Plugin):
    config: ServerConfig
    interval: int = 30 * SECOND
    jitter: int = 15 * SECOND
    running: bool = False

    async def start(self) -> None:
        environment = self.config.environment
        source = environment.source
        if source is None:
            return
        digest = self.digest(source.text, source.file)
        environment.log(f"[INFO] plugin/reload: Running configuration SHA512 = {digest}")
        environment.metrics.values.pop("coredns_reload_version_info", None)
        environment.metrics.set("coredns_reload_version_info", 1, hash="sha512", value=digest)
        if self.interval and not self.running:
            self.running = True
            environment.spawn(self._watch(digest))

    async def _watch(self, digest: str) -> None:
        environment = self.config.environment
        source = environment.source
        jitter = environment.random.randrange(self.jitter) if self.jitter else 0
        assert source is not None and environment.reload is not None
        while self.running:
            await environment.sleep(self.interval + jitter)
            if not self.running:
                return
            text = source.load()
            if text is None:
                continue
            try:
                new = self.digest(text, source.file)
            except CorefileError as problem:
                environment.log(f"[WARNING] plugin/reload: Corefile parse failed: {problem}")
                continue
            if new == digest:
                continue
            digest = new
            problem_text = await environment.reload(text)
            if not problem_text:
                return
            environment.metrics.count("coredns_reload_failed_total")
            environment.log(f"[ERROR] plugin/reload: Corefile changed but reload failed: {problem_text}")

    def digest(self, text: str, file: str) -> str:
        """The SHA-512 of the server blocks, as Go's encoding/json writes them; the main file's name is left out."""
        environment = self.config.environment
        blocks = parse(text, file, files=environment.files, environment=environment.variables)
        data = [
            {
                "Keys": block.keys,
                "Tokens": {
                    name: [{"File": "" if token.file == file else token.file, "Line": token.line, "Text": token.text} for token in tokens]
                    for name, tokens in sorted(block.directives.items())
                },
            }
            for block in blocks
        ]
        written = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        for letter in "<>&\u2028\u2029":
            written = written.replace(letter, f"\\u{ord(letter):04x}")
        return hashlib.sha512(written.encode()).hexdigest()

    def stop(self) -> None:
        self.running = False


def setup(c: Dispenser, config: ServerConfig) -> Plugin | None:
    c.next()
    words = c.remaining_args()
    if len(words) > 2:
        raise c.arg_error()
    handler = Reload(config)
    values = []
    for word in words:
        try:
            values.append(go_duration(word))
        except ValueError as problem:
            raise c.plain(str(problem)) from None
    if values:
        handler.interval = values[0]
        handler.jitter = values[0] // 2
    if handler.interval < 2 * SECOND:
        raise c.plain(f"interval value must be greater or equal to {2}s")
    if len(values) > 1:
        handler.jitter = values[1]
        if handler.jitter != 0 and handler.jitter < SECOND:
            raise c.plain("jitter value must be greater or equal to 1s")
    handler.jitter = min(handler.jitter, handler.interval // 2)
    if config.options.get("reload"):
        return None
    return handler
