"""`kubenet-course` as it is used in a terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from kubenet_course import cli

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]
SCRIPT = r"""# comments and blank lines are left out

x=1
for i in a b
do
  echo $i$x
done
cat <<END
# $x

END
cd /tmp
pwd
frobnicate
printf abc
"""


def course(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kubenet_course", *arguments], input=stdin, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_run_prints_a_transcript(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_text(SCRIPT)
    done = course("run", "--backend", backend, str(path))
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == (
        "host$ x=1\nhost$ for i in a b\ndo\n  echo $i$x\ndone\na1\nb1\nhost$ cat <<END\n# $x\n\nEND\n# 1\n\n"
        "host$ cd /tmp\nhost$ pwd\n/tmp\nhost$ frobnicate\nbash: line 1: frobnicate: command not found\n[127]\n"
        "host$ printf abc\nabc\n"
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_run_json_is_one_object_a_statement(backend: str) -> None:
    done = course("run", "--json", "--backend", backend, "-", stdin="echo a\necho b >&2; false\n")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"cmd": "echo a", "stdout": "a\n", "stderr": "", "rc": 0},
        {"cmd": "echo b >&2; false", "stdout": "", "stderr": "b\n", "rc": 1},
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_machine_alone_has_only_lo_which_is_up(backend: str) -> None:
    done = course("run", "--backend", backend, "-", stdin="ip -br addr\n")
    assert done.stdout == "host$ ip -br addr\nlo               UNKNOWN        127.0.0.1/8 ::1/128 \n"


def test_a_script_may_say_on_which_machine() -> None:
    done = course("run", "--lab", "switching", "--on", "B", "-", stdin="hostname\nA$ hostname\n@s1 hostname\nhostname\n")
    assert done.stdout == "B$ hostname\nB\nA$ hostname\nA\ns1$ hostname\ns1\ns1$ hostname\ns1\n"


def test_a_lab_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("nodes: {only: {}}\n")
    assert course("run", "--lab", str(path), "-", stdin="hostname\n").stdout == "only$ hostname\nonly\n"


WRONG = [
    ([], "A command is missing"),
    (["fly"], "invalid choice: 'fly'"),
    (["run"], "SCRIPT"),
    (["run", "--backend", "docker", "-"], "invalid choice: 'docker'"),
    (["run", "/nonexistent"], "/nonexistent: No such file"),
    (["run", "/"], "Is a directory"),
    (["run", "--lab", "nowhere", "-"], "there is no lab 'nowhere'"),
    (["run", "--on", "nobody", "-"], "there is no machine 'nobody'"),
    (["run", "--jsom", "-"], "--jsom"),
    (["sh", "--lab", "nowhere"], "there is no lab 'nowhere'"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG)
def test_a_wrong_command_line_is_one_sentence_and_status_2(arguments: list[str], sentence: str) -> None:
    done = course(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_script_may_come_from_windows(tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_bytes(b"\xef\xbb\xbfx=1\r\necho $x \\\r\n  b\r\n")
    assert course("run", str(path)).stdout == "host$ x=1\nhost$ echo $x \\\n  b\n1 b\n"


def test_the_environment_may_name_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBENET_BACKEND", "nonsense")
    done = course("run", "-", stdin="true\n")
    assert (done.returncode, done.stderr) == (1, "kubenet-course: there is no backend 'nonsense'; there are: emulated, mininet\n")
    assert course("run", "--backend", "emulated", "-", stdin="hostname\n").stdout == "host$ hostname\nhost\n"


def test_a_script_for_a_machine_that_is_not_there_says_so() -> None:
    done = course("run", "-", stdin="red$ ip a\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "kubenet-course: there is no machine 'red' in this lab; there are: host\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        f"yes 'echo a' | head -5000 | {sys.executable} -m kubenet_course.cli run - | head -1",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("host$ echo a\n", "")


def test_the_prompt_runs_what_is_typed() -> None:
    done = course("sh", "--lab", "switching", stdin="hostname\nfor i in 1 2\ndo echo $i\ndone\nB$ hostname\nred$ x\nexit\nhostname\n")
    assert done.stdout == "A\n1\n2\nB\nkubenet: there is no machine red; there are: s1, A, B\n"
    assert done.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_the_prompt_in_a_terminal_edits_lines_asks_on_and_survives_ctrl_c() -> None:
    import pty
    import select

    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "kubenet_course", "sh", "--lab", "switching"])
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        shown = ""
        while text not in shown:
            assert select.select([terminal], [], [], 60)[0], (text, shown)
            shown += os.read(terminal, 4096).decode()

    steps = [
        ("", "A$ "), ("hostnaem\x7f\x7fme\r", "A\r\nA$ "), ("for i in 1 2\r", "> "), ("do echo $i; done\r", "1\r\n2\r\nA$ "),
        ("B$ echo 'a\r", "> "), ("\x03", "^C\r\nA$ "), ("while true; do ls >/dev/null; done\r", "done\r\n"), ("\x03", "A$ "),
        ("B$ hostname\r", "B\r\nB$ "), ("exit\r", "exit"),
    ]  # fmt: skip
    for typed, answer in steps:
        if typed == "\x03":
            time.sleep(0.3)
        os.write(terminal, typed.encode())
        until(answer)
    assert os.waitpid(pid, 0)[1] == 0
    os.close(terminal)


def test_doctor_says_what_is_there() -> None:
    done = course("doctor")
    assert done.returncode == 0
    for title in ("Python", "The emulated kernel", "Real namespaces", "JupyterLab"):
        assert title in done.stdout


def test_the_course_opens_in_jupyterlab(tmp_path: Path) -> None:
    """`make lab` after its set-up: also as root, and with the notebooks where --folder says."""
    argv = [sys.executable, "-m", "kubenet_course", "lab", "--folder", str(tmp_path), "--", "--no-browser", "--port=0"]
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "JUPYTER_DATA_DIR": str(tmp_path / "data")}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True) as process:
        assert process.stderr is not None
        try:
            shown = ""
            for line in process.stderr:
                shown += line
                found = re.search(r"http://127\.0\.0\.1:\d+/lab/tree/(index|00_welcome)\.ipynb\?token=\w+", line)
                if found is not None:
                    break
            assert found is not None, shown
            url = found[0]
            assert "JupyterLab" in _page(url)
            assert (tmp_path / "00_welcome.ipynb").exists()
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def _page(url: str) -> str:
    """The beginning of a page; the server says its address a moment before it accepts."""
    for attempt in range(60):
        try:
            with urllib.request.urlopen(url, timeout=30) as page:
                return page.read(500).decode()
        except urllib.error.URLError as error:
            if attempt == 59 or not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.5)
    raise AssertionError("not reached")


def test_installed_notebooks_are_copied_and_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = tmp_path / "prefix" / "share" / "kubenet-course" / "notebooks"
    (share / "data").mkdir(parents=True)
    (share / "00_welcome.ipynb").write_text("new")
    (share / "data" / "x.txt").write_text("x")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site-packages" / "kubenet_course" / "cli.py"))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "00_welcome.ipynb").write_text("my work")
    assert cli.course_folder(str(mine)) == mine
    assert (mine / "00_welcome.ipynb").read_text() == "my work"
    assert (mine / "data" / "x.txt").read_text() == "x"
