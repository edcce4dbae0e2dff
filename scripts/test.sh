#!/usr/bin/env bash
# Everything that must hold: style, types, tests, notebooks. Ends with what was left out, one line each.
# In CI (CI=true) nothing may be left out.
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1 JUPYTER_PLATFORM_DIRS=1 PYTHONPATH="$PWD"
bin=.venv/bin
failed=()

step() {
    local name="$1"
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

# Real namespaces are late now and then: what fails there is tried once more.
twice() {
    "$@" || { echo "once more:"; "$@"; }
}

step "style" $bin/ruff check .
step "types" $bin/mypy kubenet_course
# Once, and not anew in each of the thousands of processes that the tests start.
$bin/python -m compileall -q kubenet_course tests/support
# The first of them, on real namespaces, mostly wait: one more at a time than there are processors.
step "tests" $bin/pytest -n 3 --dist loadfile --no-loadscope-reorder -rs
if compgen -G 'notebooks/*.ipynb' >/dev/null; then
    step "notebooks" $bin/pytest -p no:cacheprovider -p tests.support.ipc_kernels -n 2 --dist loadfile --nbval \
        --nbval-cell-timeout=60 notebooks
    # On real namespaces; they mostly wait, so one more at a time than there are processors.
    step "notebooks on Mininet" twice $bin/pytest -p no:cacheprovider -p tests.support.ipc_kernels \
        -p tests.support.nbval_mininet -rs -n 3 --dist loadfile --nbval \
        --nbval-cell-timeout=120 --nbval-sanitize-with tests/notebooks/sanitize.cfg notebooks
    step "notebooks give the same bytes" $bin/python -m tests.support.notebooks check
fi
if [ "${#failed[@]}" -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "everything passed"
