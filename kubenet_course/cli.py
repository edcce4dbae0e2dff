"""`kubenet-course`: lab, sh, run, doctor.

    kubenet-course lab                      open the course in JupyterLab
    kubenet-course sh [--lab NAME]          a prompt on an emulated machine
    kubenet-course run [--backend emulated|mininet] [--lab NAME] [--on MACHINE] [--json] SCRIPT
    kubenet-course doctor                   what this computer can do, and what to install

Exit status: 0; 1 where the lab or the computer cannot do it; 2 for a wrong command line, with one
sentence on standard error. `run` itself succeeds whatever its commands return.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from kubenet_course.errors import KubenetError, LabError

BACKENDS = ("emulated", "mininet")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, with status 2."""

    def error(self, message: str) -> NoReturn:
        sentence = message[0].upper() + message[1:]
        print(f"{self.prog}: {sentence.rstrip('.')}. See {self.prog} --help.", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="kubenet-course", description="How packets travel through Linux and Kubernetes.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser, prog=parser.prog)

    lab = commands.add_parser("lab", help="open the course in JupyterLab")
    lab.add_argument("--folder", help="where the notebooks are, or are copied to")
    lab.add_argument("jupyter", nargs="*", metavar="OPTION", help="options for jupyter lab, after --")

    shell = commands.add_parser("sh", help="a prompt on a machine of a lab")
    _lab_options(shell)

    run = commands.add_parser("run", help="run a script, statement by statement, and print a transcript")
    _lab_options(run)
    run.add_argument("--json", action="store_true", help='one object a line: {"cmd","stdout","stderr","rc"}')
    run.add_argument("script", metavar="SCRIPT", help="a file, or - for standard input")

    commands.add_parser("doctor", help="what this computer can do, and what to install")
    return parser


def _lab_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backend", choices=BACKENDS, help="the kernel underneath; KUBENET_BACKEND's, or emulated, if not given"
    )
    parser.add_argument(
        "--lab", metavar="NAME", default="single", help="a scenario, or a topology in a .yaml file"
    )
    parser.add_argument(
        "--on", metavar="MACHINE", help="the machine to begin on; the first host if not given"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; `argv` without the program's name."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.error("a command is missing: lab, sh, run or doctor")
    try:
        return int(_COMMANDS[options.command](options))
    except KubenetError as error:
        print(f"kubenet-course: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130


def _open_lab(options: argparse.Namespace) -> tuple[Any, str]:
    """The lab of the command line, and the machine to begin on. A wrong name is a wrong command line."""
    from kubenet_course.lab.lab import Lab
    from kubenet_course.lab.scenarios import find_topology

    try:
        topology = find_topology(options.lab)
        first = next((node.name for node in topology if node.kind != "switch"), topology.nodes[0].name)
        machine = topology.node(options.on).name if options.on else first
    except LabError as error:
        print(f"kubenet-course {options.command}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    return Lab(topology, backend=options.backend), machine


# -- run ---------------------------------------------------------------------------------------
def _run(options: argparse.Namespace) -> int:
    from kubenet_course.lab.interrupts import Interrupted
    from kubenet_course.lab.statements import statements

    try:
        if options.script == "-":
            lines: Iterable[str] = sys.stdin
        else:
            with open(options.script, encoding="utf-8-sig", errors="replace") as handle:
                lines = handle.readlines()
    except OSError as error:
        print(f"kubenet-course run: {options.script}: {error.strerror}.", file=sys.stderr)
        return 2
    lab, machine = _open_lab(options)
    with lab:
        for notice in lab.notices:
            print(f"kubenet-course: {notice}", file=sys.stderr)
        for statement in statements(lines):
            if statement.machine is not None:
                machine = lab.spec.node(statement.machine).name
            try:
                result = lab.run(machine, statement.text, session="main")
            except Interrupted as stop:  # Ctrl-C ends the script; what there was is shown
                _report(statement.text, machine, stop.result, options.json, sys.stdout)
                raise
            _report(statement.text, machine, result, options.json, sys.stdout)
    return 0


def _report(text: str, machine: str, result: Any, as_json: bool, out: TextIO) -> None:
    """One step of a transcript; see STYLE.md and tests/transcripts for the form."""
    if as_json:
        fields = {"cmd": text, "stdout": result.stdout, "stderr": result.stderr, "rc": result.returncode}
        print(json.dumps(fields), file=out, flush=True)
        return
    print(f"{machine}$ {text}", file=out)
    output = result.stdout + result.stderr
    print(output, end="" if output.endswith("\n") or not output else "\n", file=out)
    if result.returncode:
        print(f"[{result.returncode}]", file=out)
    out.flush()


# -- sh ----------------------------------------------------------------------------------------
def _sh(options: argparse.Namespace) -> int:
    from kubenet_course.lab.interrupts import Interrupted
    from kubenet_course.lab.statements import is_complete, split_prompt

    lab, machine = _open_lab(options)
    with lab:
        if sys.stdin.isatty():
            _line_editing()
            others = f" Others: {', '.join(n for n in lab.machines if n != machine)} (type: NAME$ command)."
            print(
                f"You are root on {machine}, in the lab {lab.name}.{others if len(lab.machines) > 1 else ''}"
            )
        while True:
            pending = ""
            try:
                while not pending or not is_complete(pending):
                    prompt = f"{machine}$ " if not pending else "> "
                    pending += ("\n" if pending else "") + input(prompt if sys.stdin.isatty() else "")
                    if not pending.strip():
                        pending = ""
            except EOFError:
                if sys.stdin.isatty():
                    print()
                return 0
            except KeyboardInterrupt:
                print("^C")
                continue
            chosen, text = split_prompt(pending)
            if chosen is not None:
                if chosen not in lab:
                    print(f"kubenet: there is no machine {chosen}; there are: {', '.join(lab.machines)}")
                    continue
                machine = chosen
            if text.strip() in ("exit", "logout"):
                return 0
            if text.strip():
                try:
                    result = lab.run(machine, text, session="main")
                except Interrupted as stop:
                    result = stop.result
                    sys.stderr.write("\n")  # the terminal shows ^C by itself
                except KeyboardInterrupt:
                    sys.stderr.write("\n")
                    continue
                sys.stdout.write(result.stdout)
                sys.stdout.flush()
                sys.stderr.write(result.stderr)
                sys.stderr.flush()


def _line_editing() -> None:
    """Arrow keys and history, where this Python has them."""
    import importlib.util

    if importlib.util.find_spec("readline") is not None:
        __import__("readline")


# -- lab and doctor ----------------------------------------------------------------------------
def _lab(options: argparse.Namespace) -> int:
    """Open the course where it is (a checkout), or from a copy that is the learner's own."""
    import importlib
    import importlib.util
    import subprocess

    if importlib.util.find_spec("jupyterlab") is None:
        print(
            "kubenet-course lab: JupyterLab is missing: pip install 'kubenet-course[lab]'.", file=sys.stderr
        )
        return 1
    kernel = importlib.import_module("kubenet_course.jupyter.install")
    try:
        kernel.install()
    except OSError:  # this environment is somebody else's
        kernel.install(user=True)
    folder = course_folder(options.folder)
    index = next((name for name in ("index.ipynb", "00_welcome.ipynb") if (folder / name).exists()), "")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", *options.jupyter]
    if getattr(os, "geteuid", lambda: 1)() == 0:
        command.append("--allow-root")  # as whom labs on the real kernel are at their best; it listens on 127.0.0.1
    if index:
        command.append(f"--LabApp.default_url=/lab/tree/{index}")
    return subprocess.call(command)


def course_folder(wanted: str | None = None) -> Path:
    """The folder with the notebooks: `wanted`, the checkout's own, or a copy of the installed ones.

    A copy never overwrites a file that is there already: it may hold the learner's work.
    """
    import shutil

    checkout = Path(__file__).resolve().parent.parent / "notebooks"
    installed = Path(sys.prefix) / "share" / "kubenet-course" / "notebooks"
    source = checkout if checkout.is_dir() else installed
    if wanted is None and source == checkout:
        return checkout
    if not source.is_dir():
        raise LabError(f"this installation has no notebooks (looked in {installed})")
    if wanted is None:
        import platformdirs

        target = platformdirs.user_documents_path() / "kubenet-course"
    else:
        target = Path(wanted).expanduser().resolve()
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(exist_ok=True)
        elif not copy.exists():
            shutil.copyfile(path, copy)
    return target


def _doctor(_: argparse.Namespace) -> int:
    from kubenet_course.doctor import doctor

    print(doctor())
    return 0


_COMMANDS = {"lab": _lab, "sh": _sh, "run": _run, "doctor": _doctor}


if __name__ == "__main__":
    sys.exit(main())
