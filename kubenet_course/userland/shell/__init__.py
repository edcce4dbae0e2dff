"""A shell that behaves as `bash -c` does.

    lexer.py + grammar.lark + parser.py   text → `nodes` (cached: parsing is a pure function)
    words.py, braces.py                   quotes, expansions and braces inside one word
    expand.py, parameters.py, arith.py    words → strings, in a `ShellState`
    interpreter.py, redirect.py, jobs.py  nodes → processes and files
    builtins/                             what the shell does itself
    state.py                              variables, functions, options: what a session keeps

`run_script(proc, text, state)` runs a text in a process; `main` is the program `bash`.
"""
