"""Thousands of damaged files: each gives a result or an error of geoinv's own, in bounded time and memory.

Run with ``pytest -m slow tests/fuzz``; ``GEOINV_FUZZ_CASES`` sets how many files of each kind, ``GEOINV_FUZZ_SEED`` the
first seed. One case again: ``python -m tests.fuzz.worker KIND SEED 1``.
"""
