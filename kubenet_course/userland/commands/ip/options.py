"""The global options of `ip`, abbreviated as iproute2 allows (ip/ip.c: main())."""

from __future__ import annotations

from kubenet_course.userland.commands.ip.session import Options, usage_text
from kubenet_course.userland.commands.ip.words import Quit, Words, c_number, invarg, matches

FAMILIES = {"inet": 4, "inet6": 6, "link": "link", "mpls": "mpls", "bridge": "bridge"}
EXACT = {"-4": 4, "-6": 6, "-0": "link", "-M": "mpls", "-B": "bridge"}
VERSION = "ip utility, iproute2-6.1.0, libbpf 1.1.2\n"

#: Options without an argument: (word, attribute, amount to add), in order.
SIMPLE = (
    ("-human", "human"), ("-human-readable", "human"), ("-iec", "iec"), ("-stats", "stats"), ("-statistics", "stats"),
    ("-details", "details"), ("-resolve", "resolve"), ("-oneline", "oneline"), ("-timestamp", "timestamp"),
    ("-tshort", "timestamp"), ("-force", "force"), ("-brief", "brief"), ("-json", "json"), ("-pretty", "pretty"),
    ("-Numeric", "numeric"), ("-all", "all"),
)  # fmt: skip
COUNTED = frozenset({"stats", "details", "timestamp"})


def parse_options(words: Words) -> tuple[Options, str | None]:
    """Take the options off `words`; returns them and the namespace of ``-n``."""
    options = Options()
    netns: str | None = None
    while words.more and words.peek.startswith("-"):
        given = words.take()
        if given == "--":
            break
        word = given[1:] if given.startswith("--") else given
        if word in EXACT:
            options.family = EXACT[word]
        elif matches(word, "-loops"):
            options.loops = c_number(_argument(words), 10) or 0
        elif matches(word, "-family"):
            family = _argument(words)
            if family == "help":
                raise Quit(255, usage_text("ip", "ip"))
            if family not in FAMILIES:
                invarg("invalid protocol family", family)
            options.family = FAMILIES[family]
        elif _simple(word, options):
            continue
        elif matches(word, "-Version"):
            raise Quit(0, VERSION)
        elif matches(word, "-rcvbuf"):
            _argument(words)
        elif _color(word, options):
            continue
        elif matches(word, "-help"):
            raise Quit(255, usage_text("ip", "ip"))
        elif matches(word, "-netns"):
            netns = words.take() if words.more else "(null)"
        else:
            if matches(word, "-batch"):
                options.batch = _argument(words)
                continue
            raise Quit(255, f'Option "{word}" is unknown, try "ip -help".\n')
    return options, netns


def _argument(words: Words) -> str:
    if not words.more:
        raise Quit(255, usage_text("ip", "ip"))
    return words.take()


def _simple(word: str, options: Options) -> bool:
    if len(word) < 2 or word == "-b":
        return False
    for full, attribute in SIMPLE:
        if matches(word, full):
            if attribute in COUNTED:
                setattr(options, attribute, getattr(options, attribute) + 1)
            else:
                setattr(options, attribute, True)
            return True
    return False


def _color(word: str, options: Options) -> bool:
    """matches_color(): -c, -color, -color=always|auto|never; auto means off here (no terminal)."""
    name, equals, when = word.partition("=")
    if len(name) < 2 or not matches(name, "-color"):
        return False
    if not equals or when == "always":
        options.color = True
    elif when in ("auto", "never"):
        options.color = False
    else:
        return False
    return True
