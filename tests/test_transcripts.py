"""Every transcript is what both kernels print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.transcript import Transcript, all_transcripts, load, parse

FILES = all_transcripts()
WANTED = 1000


def _name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_the_emulated_kernel_prints_what_the_transcript_says(path: Path) -> None:
    assert not (found := load(path).differences("emulated")), "\n" + "\n".join(found)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in FILES if not load(p).why_not_real], ids=_name)
def test_the_real_kernel_prints_what_the_transcript_says(path: Path) -> None:
    transcript = load(path)
    found = transcript.differences("mininet")
    if found:  # the real kernel is sometimes late: only what differs twice counts
        again = transcript.differences("mininet")
        found = [difference for difference in found if difference in again]
    assert not found, "\n" + "\n".join(found)


def test_there_are_enough_commands_mistakes_included() -> None:
    steps = [step for path in FILES for step in load(path).steps]
    assert len(steps) >= WANTED
    assert sum(step.status != 0 for step in steps) >= WANTED // 10


EXAMPLE = """# lab: switching
# real: no, this is an example
A$ ip nets
Object "nets" is unknown, try "ip help".
[1]
A$ for i in 1 2; do
echo $i
done
1
2
B$ true
"""


def test_a_transcript_reads_and_writes_itself() -> None:
    transcript = parse(EXAMPLE)
    assert str(transcript) == EXAMPLE
    assert transcript.why_not_real == "this is an example"
    assert [(s.machine, s.status) for s in transcript.steps] == [("A", 1), ("A", 0), ("B", 0)]


@pytest.mark.parametrize("text", ["what is this\n", "# lab: switching\nC$ true\n"])
def test_what_is_no_transcript_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no statement"):
        parse(text)


def test_a_difference_is_found_and_shown() -> None:
    wrong = Transcript("x", settings={"lab": "single"}, steps=parse("host$ echo hello\ngood bye\n").steps)
    assert wrong.differences("emulated") == [
        "expected:\nhost$ echo hello\ngood bye\n[0]\nemulated:\nhost$ echo hello\nhello\n[0]\n"
    ]
