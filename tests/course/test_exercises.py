"""Every exercise and every fault: fails untouched, passes when solved, meets wrong answers with the right hint."""

from __future__ import annotations

import pytest

from kubenet_course.course.exercise import Exercise, apply
from kubenet_course.course.fault import Fault
from kubenet_course.course.session import exercises, faults

EXERCISES = exercises()
FAULTS = faults()
WRONG = [(name, number) for name, exercise in EXERCISES.items() for number in range(len(exercise.wrong))]


@pytest.mark.parametrize("name", EXERCISES)
def test_an_untouched_exercise_fails_and_says_why(name: str) -> None:
    exercise: Exercise = EXERCISES[name]
    with exercise.start() as lab:
        verdict = exercise.judge(lab)
    assert not verdict.passed
    assert any(not finding.ok and (finding.why or finding.text) for finding in verdict.findings)
    assert 1 <= verdict.hint <= len(exercise.hints)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_of_an_exercise_passes_and_a_reset_undoes_it(name: str) -> None:
    exercise: Exercise = EXERCISES[name]
    with exercise.start() as lab:
        apply(lab, exercise.solution)
        assert exercise.judge(lab).passed, repr(exercise.judge(lab))
        lab.reset()
        assert not exercise.judge(lab).passed


@pytest.mark.parametrize(("name", "number"), WRONG)
def test_a_usual_wrong_answer_fails_with_the_hint_that_fits(name: str, number: int) -> None:
    exercise: Exercise = EXERCISES[name]
    wrong = exercise.wrong[number]
    with exercise.start() as lab:
        for machine, command in wrong.commands:
            lab.run(machine, command)
        verdict = exercise.judge(lab)
    assert not verdict.passed, f"accepted although {wrong.why}"
    assert verdict.hint == wrong.hint, repr(verdict)


def test_every_exercise_names_a_usual_wrong_answer() -> None:
    assert [name for name, exercise in EXERCISES.items() if not exercise.wrong] == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_shows_and_its_mend_works(name: str) -> None:
    fault: Fault = FAULTS[name]
    with fault.start() as lab:
        before = fault.judge(lab)
        assert not before.passed
        shown = lab.run(*fault.proof)
        apply(lab, fault.mend)
        assert fault.judge(lab).passed, repr(fault.judge(lab))
        assert lab.run(*fault.proof) != shown


# -- on real namespaces: the same checks, and the same hints ------------------------------------------
@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_is_judged_alike_on_a_real_kernel(name: str) -> None:
    exercise: Exercise = EXERCISES[name]
    with exercise.start(backend="mininet") as lab:
        assert not exercise.judge(lab).passed
        apply(lab, exercise.solution)
        assert exercise.judge(lab).passed, repr(exercise.judge(lab))
    for wrong in exercise.wrong:
        with exercise.start(backend="mininet") as lab:
            for machine, command in wrong.commands:
                lab.run(machine, command)
            verdict = exercise.judge(lab)
        assert not verdict.passed, f"accepted although {wrong.why}"
        assert verdict.hint == wrong.hint, repr(verdict)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_shows_and_is_mended_on_a_real_kernel(name: str) -> None:
    fault: Fault = FAULTS[name]
    with fault.start(backend="mininet") as lab:
        assert not fault.judge(lab).passed
        apply(lab, fault.mend)
        assert fault.judge(lab).passed, repr(fault.judge(lab))
