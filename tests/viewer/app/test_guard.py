"""Pages of other sites get nothing, under whatever name they come."""

from __future__ import annotations

import socket

import pytest

from geoinv.viewer.app.guard import is_own, own_names

from .conftest import Client

NAMES = own_names("faces.example")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8765", "LOCALHOST:1", "127.0.0.1:8765", "[::1]:8765", "192.168.1.7", "faces.example:80"]
    + ["localhost.", socket.gethostname()],
)
def test_names_of_this_machine(host: str) -> None:
    assert is_own(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8765",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
    ]
    + ["localhost:port", "[::1", "evil.example#localhost"],
)
def test_names_that_somebody_else_can_own(host: str) -> None:
    assert not is_own(host, NAMES)


def test_a_foreign_name_is_refused_everywhere(client: Client) -> None:
    for path in ("/", "/api", "/page/app.js", "/openapi.json"):
        answer = client.http.get(path, headers={"host": "evil.example"})
        assert answer.status_code == 403, path
        assert "not the app's" in answer.json()["message"]


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:9999"}]
    + [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)
def test_a_foreign_page_sends_nothing(client: Client, photo: bytes, headers: dict[str, str]) -> None:
    answer = client.http.post("/api/jobs", files={"photo": photo}, headers=headers)
    assert answer.status_code == 403
    assert len(client.service.jobs) == 0


def test_the_own_page_sends(client: Client, photo: bytes) -> None:
    headers = {"origin": "http://localhost:8765", "sec-fetch-site": "same-origin"}
    assert client.http.post("/api/jobs", files={"photo": photo}, headers=headers).status_code == 202


def test_answers_are_for_the_own_page_alone(client: Client) -> None:
    headers = client.http.get("/api", headers={"origin": "http://evil.example"}).headers
    assert not [name for name in headers if name.startswith("access-control-")]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
