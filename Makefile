# Eustress. The work is done by bootstrap.py (standard library only); this file names the doors.
PYTHON := $(shell command -v python3.11 || command -v python3)

.PHONY: help setup run test check lock
help:
	@echo "make run    set up if need be, then start Eustress (Ctrl-C stops it)"
	@echo "make test   set up if need be, then run every test, the browser's too (ARGS='-k name' for some)"
	@echo "make check  lint, types and boundaries"
	@echo "make setup  only set up"
	@echo "make lock   resolve requirements/*.in again"

setup run test check lock:
	@test -n "$(PYTHON)" || { echo "Eustress needs Python 3.11: sudo apt-get install python3.11 python3.11-venv" >&2; exit 2; }
	@exec $(PYTHON) bootstrap.py $@ $(ARGS)
