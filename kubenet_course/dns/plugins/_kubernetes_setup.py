"""The directive of `kubernetes`: zones and options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import normalise_zone
from kubenet_course.dns.plugin import Fallthrough, ServerConfig

DEFAULT_TTL, MAX_TTL = 5, 3600
IN_CLUSTER = "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined"


@dataclass
class Options:
    zones: list[str]
    namespaces: list[str] = field(default_factory=list)
    labels: str = ""
    namespace_labels: str = ""
    pods: str = "disabled"
    endpoint: str = ""
    kubeconfig: tuple[str, ...] = ()
    pod_names: bool = False
    no_endpoints: bool = False
    ignore_empty: bool = False
    ttl: int = DEFAULT_TTL
    fallthrough: Fallthrough = Fallthrough()
    multicluster: list[str] = field(default_factory=list)
    zonal: bool = False
    qps: float = 0.0
    burst: int = 0
    max_inflight: int = 0
    startup_timeout: int = 5 * 10**9


class SelectorError(ValueError):
    """A label selector is wrong."""


_TERM = re.compile(r"\s*([\w./-]+)\s*(?:(!=|==|=)\s*([\w./-]*)|(in|notin)\s*\(([^()]*)\))?\s*")


def selector(text: str) -> str:
    """labels.Selector: sorted, as it prints itself; SelectorError."""
    return ",".join(sorted(_terms(text)))


def _terms(text: str) -> list[str]:
    found = []
    at = 0
    while at < len(text):
        if text[at:].lstrip().startswith("!"):
            name = re.match(r"\s*!\s*([\w./-]+)\s*", text[at:])
            if name is None:
                raise SelectorError(f"unable to parse requirement: {text[at:]!r}")
            found.append(f"!{name[1]}")
            at += name.end()
        else:
            match = _TERM.match(text, at)
            if match is None:
                raise SelectorError(f"unable to parse requirement: {text[at:]!r}")
            found.append(_term(match))
            at = match.end()
        if at < len(text):
            if text[at] != ",":
                raise SelectorError(f"found '{text[at:].strip()}', expected: ',' or 'end of string'")
            at += 1
    return found


def _term(match: re.Match[str]) -> str:
    if match[4]:
        values = ",".join(sorted(value.strip() for value in match[5].split(",")))
        return f"{match[1]} {match[4]} ({values})"
    if match[2]:
        return f"{match[1]}{'!=' if match[2] == '!=' else '='}{match[3]}"
    return match[1]


def selects(text: str, labels: Mapping[str, str]) -> bool:
    """Whether a (canonical) selector lets these labels through."""
    for term in re.findall(r"[^,(]+(?:\([^)]*\))?", text):
        match = _TERM.fullmatch(term)
        if match is None:
            if term.startswith("!") and term[1:] in labels:
                return False
            continue
        value = labels.get(match[1])
        if match[4]:
            inside = value in [one.strip() for one in match[5].split(",")]
            if inside is (match[4] == "notin"):
                return False
        elif match[2] == "!=":
            if value == match[3]:
                return False
        elif match[2]:
            if value != match[3]:
                return False
        elif value is None:
            return False
    return True


def parse(c: Dispenser, config: ServerConfig) -> Options:
    """One `kubernetes` with its block. CorefileError."""
    options = Options(config.origins(c.remaining_args()))
    if all(zone.endswith((".in-addr.arpa.", ".ip6.arpa.")) for zone in options.zones):
        raise c.plain("non-reverse zone name must be used")
    while c.next_block():
        _property(c, config, options)
    if options.namespaces and options.namespace_labels:
        raise c.error("namespaces and namespace_labels cannot both be set")
    for zone in options.multicluster:
        if zone not in options.zones:
            raise c.plain(f"{_where(c)} - Error during parsing: is not authoritative for the multicluster zone {zone}")
    if options.zonal and options.no_endpoints:
        raise c.error("zonal needs endpoints: it cannot be used with noendpoints")
    return options


def _where(c: Dispenser) -> str:
    token = c.tokens[max(c.position, 0)]
    return f"{token.file}:{token.line}"


def _property(c: Dispenser, config: ServerConfig, options: Options) -> None:
    word = c.text
    words = c.remaining_args()
    if word in ("labels", "namespace_labels"):
        if not words:
            raise c.arg_error()
        text = " ".join(words)
        try:
            setattr(options, word, selector(text))
        except SelectorError as problem:
            kind = "label" if word == "labels" else "namespace_label"
            raise c.plain(f"unable to parse {kind} selector value: '{text}': {problem}") from None
    elif word == "namespaces":
        if not words:
            raise c.arg_error()
        options.namespaces += words
    elif word == "pods":
        if len(words) != 1:
            raise c.arg_error()
        if words[0] not in ("disabled", "insecure", "verified"):
            raise c.plain(f"wrong value for pods: {words[0]},  must be one of: disabled, verified, insecure")
        options.pods = words[0]
    elif word == "endpoint":
        if not words:
            raise c.arg_error()
        options.endpoint = words[0]
        if len(words) > 1:
            text = f"Multiple endpoints have been deprecated, only the first specified endpoint '{words[0]}' is used"
            config.environment.log(f"[WARNING] plugin/kubernetes: {text}")
    elif word == "kubeconfig":
        if not 1 <= len(words) <= 2:
            raise c.arg_error()
        options.kubeconfig = tuple(words)
    elif word == "tls":
        if len(words) != 3:
            raise c.arg_error()
    elif word == "ttl":
        _ttl(c, options, words)
    elif word == "ignore":
        if words and words[0] != "empty_service":
            raise c.plain(f"unable to parse ignore value: '{words[0]}'")
        options.ignore_empty = options.ignore_empty or bool(words)
    elif word == "fallthrough":
        c.position -= len(words)
        options.fallthrough = Fallthrough.parse(c)
    elif word == "multicluster":
        options.multicluster = [zone for name in words for zone in normalise_zone(name)]
    else:
        _flag_or_number(c, options, word, words)


def _flag_or_number(c: Dispenser, options: Options, word: str, words: list[str]) -> None:
    flags = {"endpoint_pod_names": "pod_names", "noendpoints": "no_endpoints", "zonal": "zonal"}
    numbers = {"apiserver_qps": "qps", "apiserver_burst": "burst", "apiserver_max_inflight": "max_inflight"}
    if word in flags:
        if words:
            raise c.arg_error()
        setattr(options, flags[word], True)
    elif word in numbers:
        if len(words) != 1:
            raise c.arg_error()
        try:
            value = float(words[0]) if word == "apiserver_qps" else int(words[0])
        except ValueError:
            raise c.error(f"{word}: invalid value '{words[0]}'") from None
        if value < 0:
            raise c.error(f"{word} must not be negative: {words[0]}")
        setattr(options, numbers[word], value)
    elif word == "startup_timeout":
        from kubenet_course.dns.names import go_duration

        if len(words) != 1:
            raise c.arg_error()
        try:
            options.startup_timeout = go_duration(words[0])
        except ValueError:
            raise c.error(f"failed to parse startup_timeout: {words[0]}") from None
    else:
        raise c.error(f"unknown property '{word}'")


def _ttl(c: Dispenser, options: Options, words: list[str]) -> None:
    if not words:
        raise c.arg_error()
    if not words[0].lstrip("-").isdigit():
        raise c.plain(f'strconv.Atoi: parsing "{words[0]}": invalid syntax')
    if not 0 <= int(words[0]) <= MAX_TTL:
        raise c.error(f"ttl must be in range [0, {MAX_TTL}]: {words[0]}")
    options.ttl = int(words[0])
