"""The fidelity page: what the tests show to agree with the real tools, command by command, option by option.

    python -m tests.fidelity             # writes docs/fidelity.md
    python -m tests.fidelity --check     # says whether it is what the tests would give

Evidence is read from the tests' own material, so the page says no more than the tests hold:

* transcripts that both kernels are run on (`tests/transcripts`),
* recordings of real programs that the emulated ones must repeat (`*.jsonl` below `tests`),
* command lines that are run by the real program and by ours and compared (`tests/userland/*_cases`),
* what a program says it does not emulate (its own lines that begin `kubenet:`),
* `docs/fidelity.toml`: what follows documentation alone, with its source.
"""
