"""Cutting scripts into statements, judged by bash itself."""

from __future__ import annotations

import subprocess

import pytest

from kubenet_course.lab.limits import interrupt_after
from kubenet_course.lab.statements import is_complete, split_prompt, statements

COMPLETE = [
    "ls", "echo 'a b'", r"echo a\ b", "f() { echo hi; }", "for i in 1 2; do echo $i; done", "if true; then echo; fi",
    "case x in a) b;; *) c;; esac", "cat <<E\nx\nE", "cat <<-E\n\tx\n\tE", "cat <<'X Y'\na\nX Y", "a && b", "(cd /; ls)",
    "{ a; b; }", "echo $(ls | wc -l)", 'echo "$(echo "x")"', "echo ${x:-'}'}", "while read x; do echo $x; done < f",
    "echo if then", "echo }", "for x in if do; do echo; done", "a # comment '", "echo $((1+(2*3)))",
    "x=$(cat <<E\nhello\nE\n)", "until false; do if a; then b; else c; fi; done", "((i++))", "[[ a && b ]]", "echo a &",
    "function g { ls; }", "a | b", "! a", "echo a\\\nb", "ip addr add 1.2.3.4/24 dev 'eth0'", "a > f 2>&1", "a <<< b",
    "a &> f", "if a; then\nb\nfi", "case $x in\na)\n b\n ;;\nesac", "cat <<A <<B\n1\nA\n2\nB",
    r"echo $'it\'s'", "((x=1<<2))", "for ((i=0;i<3;i++)); do echo; done", "echo $(cat <<E\nit's\nE\n)", "[[ a == b ]]",
    "function g {\nls\n}", "echo $(case x in a) b;; esac)", "echo a \\\n# it's", "[[ a ]] || {\nls\n}",
]  # fmt: skip
INCOMPLETE = [
    "echo 'a", 'echo "a', "a \\", "a |", "a &&", "a ||", "if true; then", "if true; then echo", "for i in 1 2",
    "for i in 1; do", "f() {", "{ a;", "(a", "cat <<E", "cat <<E\nx", "echo $(ls", "case x in", "case x in a) b;;",
    "while true", "while x; do y", "echo ${x", "echo `a", "if a; then b; else", "cat <<'X Y'\na", "cat <<A <<B\n1\nA\n2",
    r"echo $'a\'", "((x=1", "function g {", "[[ a == b", "echo $(cat <<E\n)", "echo a \\\nb'", "for ((i=0;i<3;i++)); do",
    "echo $(case x in a) b;;", 'echo "$(ls',
]  # fmt: skip


@pytest.mark.parametrize("text", COMPLETE)
def test_what_bash_would_run_is_complete(text: str) -> None:
    assert subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False).returncode == 0
    assert is_complete(text)


@pytest.mark.parametrize("text", INCOMPLETE)
def test_what_bash_would_ask_more_of_is_not(text: str) -> None:
    assert not is_complete(text)


SCRIPT = r"""
# a comment

red$ ls -l
@blue ip a
for i in 1
do
  echo $i    # not a comment line
done
cat <<E
# inside

E
red$
$x
echo a \
  b
"""


def test_a_script_is_cut_at_statements() -> None:
    assert [tuple(s) for s in statements(SCRIPT.splitlines())] == [
        ("red", "ls -l"),
        ("blue", "ip a"),
        (None, "for i in 1\ndo\n  echo $i    # not a comment line\ndone"),
        (None, "cat <<E\n# inside\n\nE"),
        ("red", "$x"),
        (None, "echo a \\\n  b"),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("red$ ip a", ("red", "ip a")),
        ("@red ip a", ("red", "ip a")),
        ("echo $x", (None, "echo $x")),
        ("a@b c", (None, "a@b c")),
    ],
)
def test_a_prompt_names_the_machine(line: str, expected: tuple[str | None, str]) -> None:
    assert split_prompt(line) == expected


LIMITS: list[tuple[str | list[str], float | None]] = [
    ("ping 1.2.3.4", 3.5), ("ping -c 1 1.2.3.4", None), ("ping -c1 1.2.3.4", None), ("ping -W1 x", 3.5),
    ("ping -I c0 x", 3.5), ("ping -w 5 x", None), ("ping -n x", 3.5), ("ip netns exec red ping x", 3.5),
    ("sudo ping x", 3.5), ("A=1 ping x | grep time", 3.5), ("echo ping", None), ("ping x &", None),
    ("for i in 1; do ping x; done", 3.5), ("tcpdump -ni eth0", 10), ("tcpdump -c 3 -ni eth0", None),
    ("tail -f /x", 10), ("tail -1 /x", None), ("ip monitor", 10), ("ip route", None), ("nc -l 80", 10),
    ("nc -lp 80", 10), ("watch ip a", 10), (["ping", "x"], 3.5), (["sleep", "100"], None), ("echo 'ping", None),
    ("docker exec -it web ping x", 3.5), ("kubectl exec pod -- ping x", 3.5), ("ping x; ping y", 7.0),
]  # fmt: skip


@pytest.mark.parametrize(("command", "seconds"), LIMITS)
def test_commands_that_never_end_get_a_limit(command: str | list[str], seconds: float | None) -> None:
    assert interrupt_after(command) == seconds
