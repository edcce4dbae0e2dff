"""The options of each queueing discipline (iproute2: tc/q_*.c)."""

from __future__ import annotations

from typing import Any, NoReturn

from kubenet_course.userland.commands.ip.session import usage_text
from kubenet_course.userland.commands.ip.words import Quit, Words, c_number, matches, unsupported
from kubenet_course.userland.commands.tc import units


def usage(what: str, message: str = "") -> NoReturn:
    raise Quit(1, message + usage_text("tc", what))


def illegal(message: str) -> NoReturn:
    raise Quit(1, f'Illegal "{message}"\n')


def options(kind: str, words: Words) -> dict[str, Any]:
    """What follows the kind's name; Quit for what the kind does not know."""
    parser = PARSERS.get(kind)
    if parser is None:
        if words.more:
            raise Quit(1, f'Unknown qdisc "{kind}", hence option "{words.take()}" is unparsable\n')
        return {}
    return parser(kind, words)


# -- netem ---------------------------------------------------------------------------------------
def _netem(kind: str, words: Words) -> dict[str, Any]:
    found: dict[str, Any] = {}
    correlations: dict[str, int] = {}
    while words.more:
        word = words.take()
        if matches(word, "limit"):
            found["limit"] = _number(words, "limit")
        elif matches(word, "latency") or matches(word, "delay"):
            _delay(words, found, correlations)
        elif matches(word, "loss") or matches(word, "drop"):
            _loss(words, found, correlations)
        elif matches(word, "ecn"):
            found["ecn"] = True
        elif matches(word, "reorder"):
            found["reorder"] = _share(words, "reorder")
        elif matches(word, "corrupt"):
            found["corrupt"] = _share(words, "corrupt")
        elif matches(word, "gap"):
            found["gap"] = _number(words, "gap")
        elif matches(word, "duplicate"):
            share, correlation = _share(words, "duplicate")
            found["duplicate"] = share
            if correlation:
                correlations["duplicate"] = correlation
        elif matches(word, "distribution"):
            name = words.value()
            if name not in ("uniform", "normal", "pareto", "paretonormal"):
                raise Quit(
                    1,
                    f"No distribution data for {name} "
                    f"(/usr/lib/tc//{name}.dist: No such file or directory)\n",
                )
            found["distribution"] = name
        elif matches(word, "rate"):
            found["rate"] = _netem_rate(words)
        elif matches(word, "slot"):
            unsupported("tc netem slot")
        elif word == "help":
            usage("netem")
        else:
            usage("netem", f'What is "{word}"?\n')
    if correlations:
        found["correlations"] = correlations
    if found.get("reorder", (0, 0))[0]:
        if not found.get("latency"):
            usage("netem", "reordering not possible without specifying some delay\n")
        found.setdefault("gap", 1)
    elif found.get("gap"):
        usage("netem", "gap specified without reorder probability\n")
    if found.get("distribution") and not found.get("jitter"):
        usage(
            "netem",
            "distribution specified but no latency and jitter values\n"
            if not found.get("latency")
            else "distribution specified but no latency and jitter values\n",
        )
    return found


def _is_number(words: Words) -> bool:
    """NEXT_IS_NUMBER()."""
    return words.more and words.peek[:1].isdigit()


def _number(words: Words, what: str) -> int:
    number = units.get_size(words.value())
    if number is None:
        illegal(what)
    return number


def _delay(words: Words, found: dict[str, Any], correlations: dict[str, int]) -> None:
    latency = units.get_time(words.value())
    if latency is None:
        illegal("latency")
    found["latency"] = latency
    if _is_number(words):
        jitter = units.get_time(words.take())
        if jitter is None:
            illegal("latency")
        found["jitter"] = jitter
        if _is_number(words):
            share = units.get_percent(words.take())
            if share is None:
                illegal("latency")
            correlations["delay"] = share


def _share(words: Words, what: str) -> tuple[int, int]:
    share = units.get_percent(words.value())
    if share is None:
        illegal(what)
    correlation = 0
    if _is_number(words):
        second = units.get_percent(words.take())
        if second is None:
            illegal(what)
        correlation = second
    return share, correlation


def _loss(words: Words, found: dict[str, Any], correlations: dict[str, int]) -> None:
    text = words.value()
    if text in ("state", "gemodel"):
        shares: list[int] = []
        while _is_number(words) and len(shares) < (5 if text == "state" else 4):
            share = units.get_percent(words.take())
            if share is None:
                illegal("loss state" if text == "state" else "loss gemodel")
            shares.append(share)
        if not shares:
            illegal("loss p13" if text == "state" else "loss gemodel p")
        if text == "state":
            p13 = shares[0]
            defaults = [p13, 0xFFFFFFFF - p13, 0, 0xFFFFFFFF, 0]
            found["loss_model"] = ("state", *(shares + defaults[len(shares) :]))
        else:
            p = shares[0]
            defaults = [p, 0xFFFFFFFF - p, 0xFFFFFFFF, 0]
            found["loss_model"] = ("gemodel", *(shares + defaults[len(shares) :]))
        return
    if text == "random":
        text = words.value()
    share = units.get_percent(text)
    if share is None:
        illegal("loss percent")
    found["loss"] = share
    if _is_number(words):
        second = units.get_percent(words.take())
        if second is None:
            illegal("loss correllation")
        correlations["loss"] = second


def _netem_rate(words: Words) -> tuple[int, int, int, int]:
    rate = units.get_rate(words.value())
    if rate is None:
        illegal("rate")
    extra = [0, 0, 0]
    for position in range(3):
        if not _is_number(words):
            break
        number = c_number(words.take())
        if number is None:
            illegal("rate")
        extra[position] = number
    return rate, extra[0], extra[1], extra[2]


# -- tbf -----------------------------------------------------------------------------------------
def _tbf(kind: str, words: Words) -> dict[str, Any]:
    found: dict[str, int] = {}
    latency: int | None = None

    def value(reader: Any, what: str) -> int:
        text = words.value()
        number = reader(text.partition("/")[0] if what in ("burst", "mtu") else text)
        if number is None:
            raise Quit(1, f'tbf: illegal value for "{what}": "{text}"\n')
        return int(number)

    while words.more:
        word = words.take()
        if matches(word, "limit"):
            found["limit"] = value(units.get_size, "limit")
        elif matches(word, "latency"):
            latency = value(units.get_time, "latency")
        elif matches(word, "burst") or word in ("buffer", "maxburst"):
            found["burst"] = value(units.get_size, "burst")
        elif word in ("mtu", "minburst"):
            found["mtu"] = value(units.get_size, "mtu")
        elif word == "rate":
            found["rate"] = value(units.get_rate, "rate")
        elif matches(word, "peakrate"):
            found["peakrate"] = value(units.get_rate, "peakrate")
        elif matches(word, "overhead") or matches(word, "linklayer") or matches(word, "mpu"):
            unsupported(f"tc tbf {word}")
        elif word == "help":
            usage("tbf")
        else:
            usage("tbf", f'tbf: unknown parameter "{word}"\n')
    return _tbf_finish(found, latency)


def _tbf_finish(found: dict[str, int], latency: int | None) -> dict[str, Any]:
    message = ""
    if not found.get("rate"):
        message += 'tbf: the "rate" parameter is mandatory.\n'
    if not found.get("burst"):
        message += 'tbf: the "burst" parameter is mandatory.\n'
    if found.get("peakrate") and not found.get("mtu"):
        message += 'tbf: when "peakrate" is specified, "mtu" must also be specified.\n'
    if "limit" not in found and latency is None:
        message += 'tbf: either "limit" or "latency" is required.\n'
    if message:
        usage("tbf", message)
    rate, burst = found["rate"], found["burst"]
    if "limit" not in found:
        assert latency is not None
        limit = rate * latency / 1e9 + burst
        if found.get("peakrate"):
            limit = min(limit, found["peakrate"] * latency / 1e9 + found["mtu"])
        found["limit"] = int(limit)
    result: dict[str, Any] = dict(found)
    result["buffer_ns"] = units.transmit_time(rate, burst)
    if found.get("peakrate"):
        result["mtu_ns"] = units.transmit_time(found["peakrate"], found["mtu"])
    return result


# -- the others ----------------------------------------------------------------------------------
def _fifo(kind: str, words: Words) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if word == "limit":
            text = words.value()
            number = units.get_size(text)
            if number is None:
                raise Quit(1, f'{kind}: Illegal value for "limit": "{text}"\n')
            found["limit"] = number
        elif word == "help":
            usage("pfifo")
        else:
            usage("pfifo", f'{kind}: unknown parameter "{word}"\n')
    return found


def _prio(kind: str, words: Words) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if word == "bands":
            number = c_number(words.value())
            if number is None:
                illegal("bands")
            found["bands"] = number
        elif word == "priomap":
            numbers: list[int] = []
            while words.more and len(numbers) < 16:
                band = c_number(words.take())
                if band is None:
                    illegal("priomap element")
                numbers.append(band)
            found["priomap"] = numbers + [0] * (16 - len(numbers))
        elif word == "help":
            usage("prio")
        else:
            usage("prio", f'What is "{word}"?\n')
    bands = found.get("bands", 3)
    if not 2 <= bands <= 16 or any(not 0 <= band < bands for band in found.get("priomap", ())):
        raise Quit(2, "RTNETLINK answers: Invalid argument\n")
    return found


def _htb(kind: str, words: Words) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if matches(word, "r2q") or word in ("default", "direct_qlen"):
            number = c_number(words.value(), 16 if word == "default" else 0)
            if number is None:
                illegal(word)
            found[word] = number
        elif word in ("debug", "offload"):
            unsupported(f"tc htb {word}")
        else:
            usage("htb", f'What is "{word}"?\n')
    return found


def htb_class(words: Words) -> dict[str, Any]:
    """htb_parse_class_opt()."""
    found: dict[str, int] = {}
    readers = {
        "rate": units.get_rate,
        "ceil": units.get_rate,
        "burst": units.get_size,
        "cburst": units.get_size,
    }
    names = {"buffer": "burst", "maxburst": "burst", "cbuffer": "cburst", "cmaxburst": "cburst"}
    while words.more:
        word = names.get(words.peek, words.peek)
        words.take()
        text = words.value() if word in (*readers, "prio", "mtu", "quantum") else ""
        if word in readers:
            number = readers[word](text.partition("/")[0])
            if number is None:
                illegal(word)
            found[word] = number
        elif word in ("prio", "mtu", "quantum"):
            plain = c_number(text)
            if plain is None:
                illegal(word)
            found[word] = plain
        else:
            usage("htb", f'What is "{word}"?\n')
    if not found.get("rate"):
        raise Quit(1, '"rate" is required.\n')
    rate = found["rate"]
    ceil = found.setdefault("ceil", rate)
    mtu = found.get("mtu", 1600)
    burst = found.get("burst") or rate // 10**9 + mtu
    cburst = found.get("cburst") or ceil // 10**9 + mtu
    result: dict[str, Any] = {
        "rate": rate,
        "ceil": ceil,
        "prio": found.get("prio", 0),
        "quantum": found.get("quantum", 0),
    }
    result["burst_ns"] = units.transmit_time(rate, burst)
    result["cburst_ns"] = units.transmit_time(ceil, cburst)
    return result


def _settings(kind: str, words: Words) -> dict[str, Any]:
    """fq_codel and sfq: numbers and times that are shown again."""
    found: dict[str, Any] = {}
    readers: dict[str, Any] = {
        "fq_codel": {
            "limit": c_number, "flows": c_number, "quantum": units.get_size, "memory_limit": units.get_size,
            "target": units.get_time, "interval": units.get_time, "drop_batch": c_number,
        },
        "sfq": {"limit": c_number, "quantum": units.get_size, "depth": c_number, "divisor": c_number,
        "perturb": c_number},
    }[kind]  # fmt: skip
    while words.more:
        word = words.take()
        if word in readers:
            number = readers[word](words.value())
            if number is None:
                illegal(word)
            found[word] = number // 1000 if word in ("target", "interval") else number
        elif kind == "fq_codel" and word in ("ecn", "noecn"):
            found["ecn"] = word == "ecn"
        elif word == "help":
            usage(kind)
        else:
            usage(kind, f'What is "{word}"?\n')
    return found


def _none(kind: str, words: Words) -> dict[str, Any]:
    if words.more:
        raise Quit(1, f'Unknown qdisc "{kind}", hence option "{words.take()}" is unparsable\n')
    return {}


PARSERS: dict[str, Any] = {
    "netem": _netem, "tbf": _tbf, "pfifo": _fifo, "bfifo": _fifo, "prio": _prio, "htb": _htb,
    "fq_codel": _settings,
    "sfq": _settings, "pfifo_fast": _none, "noqueue": _none,
}  # fmt: skip
