"""The directive of `forward`: who is asked, and how (plugin/forward/setup.go)."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress

import dns.exception
import dns.rcode

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import check_domain, fqdn, go_duration, go_duration_text, normalise_zone
from kubenet_course.dns.plugin import Plugin, ServerConfig
from kubenet_course.dns.plugins.forward import Forward, Upstream

MAX_UPSTREAMS = 15


def setup(c: Dispenser, config: ServerConfig) -> list[Plugin]:
    handlers: list[Plugin] = []
    while c.next():
        handlers.append(_parse(c, config))
    return handlers


def _parse(c: Dispenser, config: ServerConfig) -> Forward:
    handler = Forward(config)
    if not c.next_arg():
        raise c.arg_error()
    try:
        zones = normalise_zone(c.text)
        handler.zone = zones[0]
    except (ValueError, IndexError):
        raise c.plain(f"unable to normalize '{c.text}'") from None
    if len(zones) > 1:
        text = f"Unsupported CIDR notation: '{c.text}' expands to multiple zones. Using only '{handler.zone}'."
        config.environment.log(f"[WARNING] plugin/forward: {text}")
    targets = c.remaining_args()
    if not targets:
        raise c.arg_error()
    for target in targets:
        handler.upstreams += _upstreams(c, config, target)
    if not handler.upstreams:
        raise c.plain("no nameservers found")
    if len(handler.upstreams) > MAX_UPSTREAMS:
        raise c.plain(f"more than {MAX_UPSTREAMS} TOs configured: {len(handler.upstreams)}")
    while c.next_block():
        _property(c, handler)
    for upstream in handler.upstreams:
        if handler.server_name and upstream.server_name:
            host = f"[{upstream.address}]" if ":" in upstream.address else upstream.address
            raise c.plain(
                f"both forward ('{handler.server_name}') and proxy level ('{upstream.server_name}') TLS servernames are set "
                f"for upstream proxy 'tls://{host}:{upstream.port}'"
            )
    if handler.max_age and handler.max_age < handler.expire:
        age, expire = go_duration_text(handler.max_age), go_duration_text(handler.expire)
        raise c.plain(f"max_age ({age}) must not be less than expire ({expire})")
    return handler


def _upstreams(c: Dispenser, config: ServerConfig, target: str) -> list[Upstream]:
    """parse.HostPortOrFile(): an address with transport and port, or a file like resolv.conf."""
    transport, rest = "dns", target
    scheme = re.match(r"^([a-z0-9]+)://", target)
    if scheme:
        transport, rest = scheme.group(1), target[scheme.end() :]
        if transport not in ("dns", "tls"):
            raise c.plain(f"'{transport}' is not supported as a destination protocol in forward: {target}")
    match = re.match(
        r"^\[(?P<six>[^\]%]+)(?:%(?P<zone6>[^\]]+))?\](?::(?P<port6>\d+))?$|^(?P<four>[^:%]+)(?:%(?P<zone4>[^:]+))?(?::(?P<port4>\d+))?$",
        rest,
    )
    host, name, port = rest, "", 0
    if match:
        host = match["six"] or match["four"]
        name = match["zone6"] or match["zone4"] or ""
        port = int(match["port6"] or match["port4"] or 0)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        text = config.environment.files.read(rest)
        if text is None:
            raise c.plain(f'not an IP address or file: "{rest}"') from None
        return [Upstream(server, 53) for server in re.findall(r"^\s*nameserver\s+(\S+)", text, re.M)]
    return [
        Upstream(
            str(address),
            port or (853 if transport == "tls" else 53),
            transport,
            name if transport == "tls" else "",
        )
    ]


def _property(c: Dispenser, handler: Forward) -> None:
    word = c.text
    numbers = ("max_concurrent", "max_connect_attempts", "max_idle_conns", "max_fails")
    durations = ("expire", "max_age", "read_timeout")
    if word == "except":
        zones = c.remaining_args()
        if not zones:
            raise c.arg_error()
        for zone in zones:
            with suppress(ValueError):  # what is no zone is left out
                handler.ignored += normalise_zone(zone)
    elif word in numbers:
        if not c.next_arg():
            raise c.arg_error()
        if not c.text.isdigit():
            unsigned = word in ("max_fails", "max_connect_attempts")
            if not unsigned and re.fullmatch(r"-\d+", c.text):
                raise c.plain(f"{word} can't be negative: {int(c.text)}")
            raise c.plain(f'strconv.{"ParseUint" if unsigned else "Atoi"}: parsing "{c.text}": invalid syntax')
        bits = 32 if word in ("max_fails", "max_connect_attempts") else 63
        if int(c.text) >= 1 << bits:
            kind = "ParseUint" if bits == 32 else "Atoi"
            raise c.plain(f'strconv.{kind}: parsing "{c.text}": value out of range')
        setattr(handler, word, int(c.text))
    elif word in durations:
        if not c.next_arg():
            raise c.arg_error()
        duration = _duration(c)
        if duration < 0 or (word == "read_timeout" and duration == 0):
            text = go_duration_text(duration)
            raise c.plain(f"{word} can't be negative: {text}" if duration < 0 else f"{word} must be positive: {text}")
        setattr(handler, word, duration)
    elif word == "policy":
        if not c.next_arg():
            raise c.arg_error()
        if c.text not in ("random", "round_robin", "sequential"):
            raise c.error(f"unknown policy '{c.text}'")
        handler.policy = c.text
    elif word == "health_check":
        _health_check(c, handler)
    elif word in ("force_tcp", "prefer_udp", "next_on_nodata", "failfast_all_unhealthy_upstreams"):
        if c.next_arg():
            raise c.arg_error()
        setattr(handler, {"failfast_all_unhealthy_upstreams": "failfast"}.get(word, word), True)
    elif word == "tls":
        if len(c.remaining_args()) > 3:
            raise c.arg_error()
        handler.tls = True
    elif word == "tls_servername":
        if not c.next_arg():
            raise c.arg_error()
        handler.server_name = c.text
    elif word in ("failover", "next"):
        codes = c.remaining_args()
        if not codes:
            raise c.arg_error()
        for code in codes:
            try:
                rcode = dns.rcode.from_text(code)
            except dns.exception.DNSException:
                raise c.plain(f"{code} is not a valid rcode") from None
            if word == "failover" and rcode == dns.rcode.NOERROR:
                raise c.plain("NoError cannot be used in failover")
            (handler.failover if word == "failover" else handler.next_codes).append(rcode)
    else:
        raise c.error(f"unknown property '{word}'")


def _duration(c: Dispenser) -> int:
    try:
        return go_duration(c.text)
    except ValueError as problem:
        raise c.plain(str(problem)) from None


def _health_check(c: Dispenser, handler: Forward) -> None:
    if not c.next_arg():
        raise c.arg_error()
    handler.health_interval = _duration(c)
    if handler.health_interval < 0:
        raise c.plain(f"health_check can't be negative: {handler.health_interval}")
    while c.next_arg():
        if c.text == "no_rec":
            handler.health_recursion = False
        elif c.text == "domain":
            if not c.next_arg():
                raise c.arg_error()
            try:
                check_domain(c.text)
            except ValueError:
                raise c.plain(f"health_check: invalid domain name {c.text}") from None
            handler.health_domain = fqdn(c.text)
        else:
            raise c.plain(f"health_check: unknown option {c.text}")
