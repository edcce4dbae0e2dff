"""ready: an HTTP page that says OK once every plugin is ready (plugin/ready); port 8181."""

from __future__ import annotations

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Endpoint, ServerConfig, host_port

TEXT = "text/plain; charset=utf-8"


def setup(c: Dispenser, config: ServerConfig) -> None:
    address, monitor = ":8181", "until-ready"
    uses = 0
    while c.next():
        uses += 1
        if uses > 1:
            raise c.once()
        arguments = c.remaining_args()
        if len(arguments) > 1:
            raise c.arg_error()
        if arguments:
            address = arguments[0]
            if host_port(address) is None:
                raise c.plain(f"address {address}: missing port in address")
        while c.next_block():
            if c.text != "monitor":
                raise c.arg_error()
            words = c.remaining_args()
            if len(words) != 1 or words[0] not in ("continuously", "until-ready"):
                raise c.plain(f"monitor type '{' '.join(words)}' not supported")
            monitor = words[0]
    config.options["ready"] = (address, monitor)
    where = host_port(address)
    assert where is not None
    done: set[str] = set()

    def page() -> tuple[int, str, str]:
        """readiness(): the plugins that are not ready, or OK."""
        waiting = []
        for handler in config.plugins:
            if handler.name in done:
                continue
            if not handler.ready():
                waiting.append(handler.name)
            elif monitor == "until-ready":
                done.add(handler.name)
        if not waiting:
            return 200, TEXT, "OK"
        names = ",".join(sorted(waiting))
        config.environment.log(f'[INFO] plugin/ready: Still waiting on: "{names}"')
        return 503, TEXT, names

    config.endpoints.append(Endpoint(where[0], where[1], {"/ready": page}))
