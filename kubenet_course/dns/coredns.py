"""The program `coredns`, on either kernel: its command line, start, reload and end (coremain, caddy).

Messages, and on which stream they go, are CoreDNS 1.12's. `run()` is what both the emulated command
and `python -m kubenet_course.dns` call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from kubenet_course.dns.cluster import ObjectSource
from kubenet_course.dns.corefile import CorefileError, Files
from kubenet_course.dns.engine import RELEASE, VERSION, Engine, Environment, Source
from kubenet_course.dns.host import Host, exchange, transfer
from kubenet_course.dns.metrics import Metrics
from kubenet_course.dns.plugin import ORDER
from kubenet_course.dns.server import ListenError, Listeners
from kubenet_course.userland.signals import SIGNALS

FLAGS = """  -conf string
    \tCorefile to load (default "Corefile")
  -dns.port string
    \tDefault port (default "53")
  -p string
    \tDefault port (default "53")
  -pidfile string
    \tPath to write pid file
  -plugins
    \tList installed plugins
  -quiet
    \tQuiet mode (no initialization output)
  -version
    \tShow version
"""
STRINGS = ("conf", "dns.port", "p", "pidfile")
SWITCHES = ("plugins", "quiet", "version")
TRUE, FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


@dataclass
class Options:
    conf: str = ""
    port: str = "53"
    pidfile: str = ""
    plugins: bool = False
    quiet: bool = False
    version: bool = False


class Usage(Exception):
    """The command line is wrong (or asks for help): `status` and what to say."""

    def __init__(self, message: str, status: int = 2):
        super().__init__(message)
        self.status = status


def parse_options(argv: list[str]) -> Options:
    """Go's flag package: -name value, -name=value, one dash or two. Usage."""
    options = Options()
    words = list(argv[1:])
    usage = f"Usage of {argv[0]}:\n{FLAGS}".rstrip("\n")
    while words:
        word = words[0]
        if len(word) < 2 or not word.startswith("-"):
            break
        words.pop(0)
        if word == "--":
            break
        name, has_value, value = word.removeprefix("-").removeprefix("-").partition("=")
        if not name or name.startswith("-") or word.startswith(("-=", "--=")):
            raise Usage(f"bad flag syntax: {word}\n{usage}")
        if name in ("h", "help"):
            raise Usage(usage, 0)
        if name in SWITCHES:
            if has_value and value not in TRUE + FALSE:
                raise Usage(f'invalid boolean value "{value}" for -{name}: parse error\n{usage}')
            setattr(options, name, value not in FALSE if has_value else True)
            continue
        if name not in STRINGS:
            raise Usage(f"flag provided but not defined: -{name}\n{usage}")
        if not has_value:
            if not words:
                raise Usage(f"flag needs an argument: -{name}\n{usage}")
            value = words.pop(0)
        setattr(options, "port" if name in ("dns.port", "p") else name, value)
    if words:
        raise Usage(f"extra command line arguments: [{' '.join(words)}]", 1)
    return options


def plugin_list() -> str:
    """What -plugins prints (caddy.DescribePlugins)."""
    names = sorted(["on", *(f"dns.{name}" for name in ORDER if name != "on")])
    plugins = "".join(f"  {name}\n" for name in names)
    return f"Server types:\n  dns\n\nCaddyfile loaders:\n  flag\n  default\n\nOther plugins:\n{plugins}"


async def run(host: Host, argv: list[str], cluster: ObjectSource | None = None) -> int:
    """The whole life of one `coredns`; its exit status. `cluster` is what the plugin `kubernetes` answers from."""
    try:
        options = parse_options(argv)
    except Usage as problem:
        host.err(str(problem))
        return problem.status
    if options.version:
        host.out(f"CoreDNS-{VERSION}\n{RELEASE}")
        return 0
    if options.plugins:
        host.out(plugin_list())
        return 0
    return await Program(host, options, cluster).run()


class Program:
    def __init__(self, host: Host, options: Options, cluster: ObjectSource | None = None):
        self.host = host
        self.options = options
        self.cluster = cluster
        self.piped: str | None = None
        self.listeners = Listeners(host.network)
        self.engine: Engine | None = None
        self.text = ""
        self.metrics = Metrics()
        self.metrics.set(
            "coredns_build_info", 1, goversion=RELEASE.split(", ")[1], revision=RELEASE.split(", ")[2], version=VERSION
        )
        self.metrics.set("coredns_panics_total", 0)
        self.file = options.conf or "Corefile"

    # -- starting ---------------------------------------------------------------------------
    def load(self) -> str:
        """The Corefile's text, "" for the default. CorefileError where it cannot be read."""
        if self.piped is not None:
            return self.piped
        text = self.host.read(self.file)
        if text is not None:
            return text
        problem = self.host.problem(self.file)
        if not self.options.conf:
            if problem == "no such file or directory":
                return ""
            raise CorefileError(f"loading Caddyfile via default: open {self.file}: {problem}")
        raise CorefileError(f"loading Caddyfile via flag: open {self.file}: {problem}")

    def environment(self) -> Environment:
        host = self.host

        async def sleep(ns: int) -> None:
            await host.network.sleep(ns / 1e9)

        async def ask(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
            return await exchange(host.network, server, port, wire, protocol, timeout)

        return Environment(
            files=Files(host.read, host.glob, host.out, host.cwd, host.problem), now=host.now, sleep=sleep, spawn=host.network.spawn,
            exchange=ask, stream=partial(transfer, host.network),
            log=host.out, random=host.random, variables=host.variables, hostname=host.hostname,
            time=host.network.time, problem=host.problem, addresses=host.addresses, interface=host.interface_addresses,
            reload=self.reload_text, shutdown=self.fatal, failed=host.failed,
        )  # fmt: skip

    async def run(self) -> int:
        host, options = self.host, self.options
        try:
            if options.conf == "stdin":
                self.piped = await host.stdin()
            self.text = self.load()
            self.engine = self._engine(self.text)
            self.engine.check()
            await self.listeners.open(self.engine)
            await self.listeners.open_pages(self.engine.endpoints())
        except (CorefileError, ListenError) as problem:
            self.listeners.close()
            host.err(str(problem))
            return 1
        if options.pidfile:
            failure = host.write(options.pidfile, f"{host.pid}\n")
            if failure:
                host.out(f"[ERROR] Could not write pidfile: open {options.pidfile}: {failure}")
        await self._started(self.engine)
        if not options.quiet:
            host.out(f"CoreDNS-{VERSION}\n{RELEASE}")
        return await self._signals()

    def _engine(self, text: str) -> Engine:
        environment = self.environment()
        environment.metrics = self.metrics
        environment.cluster = self.cluster
        if text:
            environment.source = Source(text, self.file, lambda: self.host.read(self.file))
        return Engine(text, environment, file=self.file, default_port=self.options.port)

    async def _started(self, engine: Engine) -> None:
        if not self.options.quiet:
            for server in engine.servers:
                for line in server.banner():
                    self.host.out(line)
        await engine.start()

    # -- signals ----------------------------------------------------------------------------
    async def _signals(self) -> int:
        """caddy.trapSignals()."""
        host = self.host
        while True:
            number = await host.next_signal()
            if number == SIGNALS["INT"]:
                host.out("[INFO] SIGINT: Shutting down")
            elif number == SIGNALS["TERM"]:
                host.out("[INFO] SIGTERM: Shutting down servers then terminating")
            elif number == SIGNALS["QUIT"]:
                host.out("[INFO] SIGQUIT: Quitting process immediately")
            elif number == SIGNALS["USR1"]:
                host.out("[INFO] SIGUSR1: Reloading")
                await self._reload_from_file()
                continue
            elif number != 0:
                continue
            if number in (SIGNALS["INT"], SIGNALS["TERM"]) and self.engine is not None:
                await self.engine.drain()
            self.end()
            return 1 if number == 0 else 0

    async def _reload_from_file(self) -> None:
        try:
            text = self.load() or self.text
        except CorefileError as problem:
            self.host.out(f"[ERROR] SIGUSR1: loading updated Caddyfile: {str(problem).partition(': ')[2]}")
            return
        problem_text = await self.reload_text(text)
        if problem_text:
            self.host.out(f"[ERROR] SIGUSR1: {problem_text}")

    async def reload_text(self, text: str) -> str:
        """caddy.Instance.Restart(): the new configuration in place of the old one; "" or why it is not."""
        host, old = self.host, self.engine
        host.out("[INFO] Reloading")
        try:
            engine = self._engine(text)
            engine.check()
            await self.listeners.open(engine)
            await self.listeners.open_pages(engine.endpoints())
        except (CorefileError, ListenError) as problem:
            host.out(f"[ERROR] Restart failed: {problem}")
            if old is not None and self.listeners.engine is not old:
                await self.listeners.open(old)
                await self.listeners.open_pages(old.endpoints())
            return str(problem)
        if old is not None:
            old.stop()
        self.engine, self.text = engine, text
        await self._started(engine)
        host.out("[INFO] Reloading complete")
        return ""

    def fatal(self, message: str) -> None:
        """log.Fatal() from a plugin: the program ends with status 1."""
        self.host.out(message)
        self.host.raise_signal(0)

    def end(self) -> None:
        if self.engine is not None:
            self.engine.stop()
        self.listeners.close()
        if self.options.pidfile:
            self.host.remove(self.options.pidfile)


