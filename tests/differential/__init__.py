"""The same random script on both kernels, compared step by step.

    python -m tests.differential --family base --seeds 0-199 --steps 40 --jobs 8

`grammar.py` makes the scripts (a family is one file in `families/`), `compare.py` runs and compares
them, and shrinks a disagreement to a small script that still shows it.
"""
