"""Every exercise and every fault: fails untouched, passes when solved, meets wrong answers with the right hint."""

from __future__ import annotations

import pytest

from kubenet_course.course.exercise import Exercise, apply
from kubenet_course.course.fault import Fault
from kubenet_course.course.session import CourseSession, exercises, faults

EXERCISES = exercises()
FAULTS = faults()
OTHERS = [(name, number) for name, exercise in EXERCISES.items() for number in range(len(exercise.others))]
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


@pytest.mark.parametrize(("name", "number"), OTHERS)
def test_another_right_answer_passes_as_well(name: str, number: int) -> None:
    exercise: Exercise = EXERCISES[name]
    with exercise.start() as lab:
        apply(lab, exercise.others[number])
        assert exercise.judge(lab).passed, repr(exercise.judge(lab))


def test_open_vswitch_is_a_bridge_too_where_it_runs() -> None:
    exercise = EXERCISES["bridge_three"]
    with exercise.start() as lab:
        lab.run("host", "ovs-vsctl add-br sw && ip link set sw up && ip addr add 10.1.1.100/25 dev sw")
        for number, name in enumerate(("green", "yellow", "violet"), 1):
            lab.run("host", f"ip link add {name} type veth peer name eth0 netns {name} && ip link set {name} up")
            lab.run("host", f"ip netns exec {name} ifconfig eth0 10.1.1.{number}/25 up")
            assert not exercise.judge(lab).passed
            lab.run("host", f"ovs-vsctl add-port sw {name}")
        assert exercise.judge(lab).passed, repr(exercise.judge(lab))


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


def test_every_exercise_names_usual_wrong_answers_and_other_right_ones() -> None:
    assert [name for name, exercise in EXERCISES.items() if not exercise.wrong or not exercise.others] == []


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


def test_a_hint_fits_what_is_wrong_now_and_asked_again_the_next_one_comes() -> None:
    course = CourseSession()
    with course.begin("router_forward") as lab:
        assert course.hint().startswith("Hint 1 of 3")
        assert course.hint().startswith("Hint 2 of 3")
        course.hints_given[course.name] = 1
        apply(lab, EXERCISES["router_forward"].solution[:2])
        assert course.hint().startswith("Hint 2 of 3")  # the routes are there: it is forwarding now
        apply(lab, [("B", "sysctl -w net.ipv4.ip_forward=1 && iptables -P FORWARD DROP")])
        assert course.hint().startswith("Hint 3 of 3")
        apply(lab, [("B", "iptables -P FORWARD ACCEPT")])
        assert course.hint() == "It is solved already: no hint needed."


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
    for other in exercise.others:
        with exercise.start(backend="mininet") as lab:
            apply(lab, other)
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


@pytest.mark.parametrize("name", FAULTS)
def test_the_first_clue_of_a_fault_comes_first(name: str) -> None:
    course = CourseSession()
    with course.begin(name):
        assert course.hint().startswith(f"Hint 1 of {len(FAULTS[name].clues)}")
