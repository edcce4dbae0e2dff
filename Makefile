# make lab    open the course in JupyterLab
# make test   everything that must hold
# Both set up .venv (and, as root on Debian, the programs of labs on the real kernel) the first time.

.PHONY: lab test setup doctor bench clean

lab:
	scripts/setup.sh lab,mininet
	.venv/bin/kubenet-course lab

test: setup
	scripts/test.sh

setup:
	scripts/setup.sh lab,mininet,test,bench

doctor: setup
	.venv/bin/kubenet-course doctor

bench: setup
	for file in benchmarks/[a-z]*.py; do echo "== $$file"; .venv/bin/python $$file; done

clean:
	rm -rf .venv .setup build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
