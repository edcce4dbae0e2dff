"""Whatever is typed, no program fails in Python: it answers, or says in one line what it cannot do."""

from __future__ import annotations

import os
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.programs import standard_programs
from kubenet_course.userland.shell.parser import parse_units
from kubenet_course.userland.system import System
from tests.support import fuzz
from tests.userland.machines import machine

SETTINGS = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
SHELL_PIECES = [
    "echo", "a", "$x", "${x", "}", "{", "(", ")", "((", "))", "[[", "]]", "[", "]", "if", "then", "else", "fi", "for",
    "in", "do", "done", "while", "case", "esac", ";;", ";", "&", "&&", "||", "|", "<", ">", ">>", "<<E", "<<<", "2>&1",
    "'", '"', "`", "$(", "$((", "\\", "\n", " ", "*", "?", "~", "!", "=", "x=1", "a=(1 2)", "${a[@]}", "${#x}",
    "${x:-y}", "${x//a/b}", "$'\\x41'", "{1..3}", "{a,b}", "#", "function", "f()", "return", "break", "eval", "set -e",
    "read", "exit", "local", "trap", "E", "1", "+", "-", "%", "/", ",", ".", "cat", "grep", "sed s/a/b/", "ls", "time",
]  # fmt: skip
#: The modules of text tools, which get more of it.
MODULES = frozenset(
    """awk base64 basename cat chmod cp cut date df diff dmesg echo env expr false find free grep gzip head hostname jq
    kill less ln logger ls md5sum mkdir mktemp mount nohup nsenter od paste printenv printf ps pwd readlink rm sed seq
    sleep sort stat su tail tar tee test timeout top touch tr true tty uname uniq vi watch wc which whoami xargs
    yes""".split()
)
OWN = sorted(
    name for name, main in standard_programs().items() if main.__module__.rpartition(".")[2] in MODULES
)
WORDS = st.sampled_from(
    [
        "-", "--", "-a", "-n", "-f", "-r", "-x", "-e", "-c", "-1", "-v", "-i", "-k", "-d", "-t", "-l", "-p", "-s", "-w",
        "--help", "--version", "--foo", "--bar=1", "-n5", "-k2", "/etc/hosts", "/nope", "/etc", ".", "..", "/", "", "a",
        "a b", "s/a/b/", "{print $1}", "BEGIN{print 1/0}", "1", "0", "-5", "99999999999999999999", "u+x", "755", "%s",
        "%d", "+%Y", "[a", "(", ")", "\\", "*", "é", "\udcff", "x=1", "root", "/proc/self/status", "/dev/null", ":",
        ".[", ".a", "1,2", "a-z", "!", "{}", ";", "+", "sleep", "echo", "KILL", "TERM", "2020-01-01", "tmpfs", "$",
    ]
)  # fmt: skip


@lru_cache(1)
def shared() -> System:
    """One machine for all examples: what one leaves behind is the next one's surprise."""
    system = machine()
    system.files.view.mkdir("/tmp/fuzz")
    return system


def check(system: System, argv: list[str], data: bytes = b"b 2\na 1\n") -> None:
    out, err, status = system.run(argv, stdin=data, cwd="/tmp/fuzz", limit=3 * SECOND)
    defects, system.defects[:] = list(system.defects), []
    assert not defects, (argv, defects)
    assert b"Traceback" not in err and 0 <= status <= 255
    for process in list(system.processes.values()):
        if process.pid != 1:
            process.kill(9)
    system.loop.run_soon()


@SETTINGS
@given(st.lists(st.sampled_from(SHELL_PIECES), max_size=14), st.booleans())
def test_any_pieces_of_shell_are_run_or_refused(pieces: list[str], spaced: bool) -> None:
    check(shared(), ["bash", "-c", (" " if spaced else "").join(pieces)])


@SETTINGS
@given(st.text(max_size=40))
def test_any_text_can_be_parsed(text: str) -> None:
    parse_units(text)


@SETTINGS
@given(st.binary(max_size=60))
def test_any_bytes_can_be_a_script(data: bytes) -> None:
    check(shared(), ["bash"], data)


@settings(SETTINGS, max_examples=1500)
@given(st.sampled_from(OWN), st.lists(WORDS, max_size=4), st.binary(max_size=20))
def test_any_arguments_get_an_answer(name: str, words: list[str], data: bytes) -> None:
    check(shared(), [name, *words], data)


def test_every_program_answers_to_nothing_and_to_nonsense() -> None:
    for name in OWN:
        for words in ([], ["--no-such-option"], ["-\x01"], ["/nope", "/nope"], [""], ["a"] * 5, ["-"] * 3):
            check(machine() if name in ("yes",) else shared(), [name, *words])


def test_any_command_of_any_room_answers_to_anything_on_a_machine_in_use() -> None:
    """KUBENET_FUZZ=N: N rounds of all commands; `python -m tests.support.fuzz` for longer, with other seeds."""
    found = fuzz.Fuzzer(seed=0)
    rounds = int(os.environ.get("KUBENET_FUZZ", "10"))
    failures = [failure for failure in map(found.run, fuzz.lines(found.random, rounds, [])) if failure]
    assert not failures, "\n\n".join(failures)
    assert found.count >= 200 * rounds


def test_the_fuzzer_notices_a_defect_and_says_how_to_have_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from kubenet_course.userland.commands import true

    async def fail(proc: object, argv: list[str]) -> int:
        raise ValueError("nobody thought of this")

    found = fuzz.Fuzzer(seed=0)
    assert found.run(fuzz.Line(["true"], "")) == ""
    monkeypatch.setattr(true, "main", fail)
    shown = found.run(fuzz.Line(["true", "a b"], ""))
    assert shown.startswith("true 'a b'\n['true', 'a b']: Traceback") and "nobody thought of this" in shown


@SETTINGS
@given(
    st.sampled_from(["grep", "sed", "awk", "jq", "find", "expr", "tr", "date", "printf", "test"]),
    st.text(max_size=15),
    st.text(max_size=10),
)
def test_little_languages_refuse_politely(name: str, program: str, operand: str) -> None:
    words = {"grep": [program], "date": ["-d", program], "find": [".", "-name", program]}.get(
        name, [program, operand]
    )
    check(shared(), [name, *words])


@SETTINGS
@given(
    st.lists(
        st.sampled_from(
            [
                "{",
                "}",
                "(",
                ")",
                "[",
                "]",
                "print",
                "$",
                "1",
                "x",
                "+",
                "-",
                "*",
                "/",
                "=",
                "==",
                "!",
                "~",
                "if",
                "else",
                "while",
                "for",
                "in",
                ";",
                ",",
                '"a"',
                "/b/",
                "BEGIN",
                "END",
                "getline",
                "|",
                ">",
                "<",
                "function",
                "f(",
                "return",
                "split(",
                "substr(",
                "gsub(",
                "printf",
                "next",
                "exit",
                "delete",
                "NF",
                "\n",
                "?",
                ":",
                "&&",
                "||",
                "++",
                "%",
                "^",
            ]
        ),
        max_size=10,
    )
)
def test_any_pieces_of_awk_are_run_or_refused(pieces: list[str]) -> None:
    check(shared(), ["awk", " ".join(pieces)])


@SETTINGS
@given(
    st.lists(
        st.sampled_from(
            [
                ".",
                "..",
                ".a",
                "[",
                "]",
                "{",
                "}",
                "(",
                ")",
                "|",
                ",",
                ":",
                "//",
                "=",
                "|=",
                "+=",
                "==",
                "and",
                "or",
                "not",
                "if",
                "then",
                "else",
                "end",
                "try",
                "catch",
                "reduce",
                "as",
                "$x",
                "1",
                '"s"',
                "map(",
                "select(",
                "keys",
                "length",
                "del(",
                "path(",
                "range(",
                "first(",
                "?",
                "-",
                "*",
                "/",
                "%",
                ";",
                "@csv",
                "to_entries",
                "add",
                "limit(",
                "sort_by(",
            ]
        ),
        max_size=8,
    )
)
def test_any_pieces_of_jq_are_run_or_refused(pieces: list[str]) -> None:
    check(shared(), ["jq", "-c", " ".join(pieces)], b'{"a":[1,{"b":"c"}],"s":"x"}')
