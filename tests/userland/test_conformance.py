"""The shell and the commands against Debian 12's own: same output, same errors, same status.

The scripts are data (`shell_cases/`, `command_cases/`); what is expected comes from running them
with the real bash and the real programs, in an empty folder with an empty environment.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.userland import machines

HERE = Path(__file__).parent
FILES = sorted([*HERE.glob("shell_cases/*.txt"), *HERE.glob("command_cases/*.txt")])
CASES = [
    pytest.param(script, id=f"{path.parent.name}/{path.stem}:{number}")
    for path in FILES
    for number, script in enumerate(machines.cases(path))
]


@pytest.mark.parametrize("script", CASES)
def test_prints_what_the_real_one_prints(script: str) -> None:
    reason = machines.not_debian_12()
    if reason:
        pytest.skip(reason)
    expected = machines.without_pids(machines.real(script))
    assert machines.without_pids(machines.run(machines.machine(), script)) == expected


def test_there_are_enough_cases_of_both_kinds() -> None:
    shell = sum(len(machines.cases(path)) for path in HERE.glob("shell_cases/*.txt"))
    commands = sum(
        script.count(";") + script.count("|") + script.count("\n") + 1
        for path in HERE.glob("command_cases/*.txt")
        for script in machines.cases(path)
    )
    assert shell >= 350 and commands >= 1000
