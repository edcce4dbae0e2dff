"""What a learner does with a lab: scenarios, exercises with checks and hints, faults to mend, quizzes.

One file each, found by its name: `scenarios/`, `exercises/`, `faults/`, `quizzes/`.
"""
