"""curl's progress lines, which a clock writes."""

from __future__ import annotations

from kubenet_course import Lab


def test_nobody_reads_the_progress_any_more() -> None:
    """A line is due when `head` has gone: curl ends of SIGPIPE, and nothing else does."""
    with Lab.load("single") as lab:
        lab.run("host", "ip link set lo up; nc -l -k -p 80 > /dev/null & sleep 0.1")
        done = lab.run("host", "curl -m 5 127.0.0.1:80 2>&1 | head -1; echo ${PIPESTATUS[0]}")
        assert done.stdout.splitlines()[-1] == "141"
        assert not done.stderr
        assert lab.run("host", "echo still here").stdout == "still here\n"
