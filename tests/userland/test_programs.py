"""The table of programs: complete, unambiguous, and cheap until something is run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kubenet_course.userland.programs import import_all, standard_programs
from tests.userland.machines import machine, run

FOLDERS = ("kubenet_course.docker.commands", "kubenet_course.cni.commands", "kubenet_course.dns.commands")


@pytest.mark.parametrize("folders", [(), FOLDERS])
def test_the_table_says_what_importing_everything_says(folders: tuple[str, ...]) -> None:
    table = {name: program.__module__ for name, program in standard_programs(*folders).items()}
    assert table == import_all(*folders)


def test_a_machine_is_made_without_importing_its_commands() -> None:
    script = (
        "import sys\n"
        "from kubenet_course.userland.programs import standard_programs\n"
        "standard_programs()\n"
        "print(sum(name.startswith('kubenet_course.userland.commands.') for name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 0


def test_every_program_is_found_by_its_name() -> None:
    system = machine()
    names = sorted(system.programs)
    out, _, status = run(
        system, "for n in " + " ".join(f"'{name}'" for name in names) + "; do type -P $n; done"
    )
    assert status == 0
    assert len(out.split()) == len(names)
