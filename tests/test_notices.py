"""What falls back says so once, and every report hears of it."""

from __future__ import annotations

import threading

import pytest

from geoinv import notices


def test_said_once_on_stderr_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    for message in ("slow kernels", "no details", "slow kernels"):
        notices.notify(message)
    assert capsys.readouterr().err == "geoinv: slow kernels\ngeoinv: no details\n"
    assert notices.given() == ["slow kernels", "no details"]


def test_a_run_begins_without_notices_and_hears_of_each_again() -> None:
    said: list[str] = []
    notices.notify("slow kernels")
    with notices.collect(show=said.append):
        assert notices.given() == []
        notices.notify("slow kernels")
        assert notices.given() == ["slow kernels"]
    assert said == ["slow kernels"]
    notices.notify("slow kernels")
    assert (said, notices.given()) == (["slow kernels"], ["slow kernels"])


def test_a_run_that_fails_restores_what_was(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), notices.collect(show=lambda message: None):
        raise KeyError
    notices.notify("after")
    assert capsys.readouterr().err == "geoinv: after\n"


def test_threads_say_it_once() -> None:
    said: list[str] = []
    with notices.collect(show=said.append):
        threads = [threading.Thread(target=notices.notify, args=["slow kernels"]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert said == ["slow kernels"]
