"""What a visitor who does not keep to the page can get out of a running server: nothing. Each of these is really tried."""

from __future__ import annotations

import json
import uuid
from http.client import HTTPConnection
from pathlib import Path

import pytest

from dspark_widgets.serving import voila_command
from dspark_widgets.serving.options import Hosting
from tests.browser.servers import Workplace, running, unused_port
from tests.serving.visitor import SECRET, Server, no_place, served

REFUSED = [
    "api/contents",
    "api/contents/other.ipynb",
    "voila/api/contents/other.ipynb",
    "api/kernels",
    "api/kernelspecs",
    "api/sessions",
    "api/terminals",
    "api/config/notebook",
    "api/status",
    "api/spec.yaml",
    "api/me",
    "terminals/1",
    "tree",
    "lab",
    "notebooks/other.ipynb",
    "voila/tree",
    "voila/render/other.ipynb",
    "other.ipynb",
    "page.ipynb",
    "files/secret.txt",
    "voila/files/secret.txt",
    "voila/files/page.ipynb",
    "voila/files/../secret.txt",
    "voila/files/images/../../secret.txt",
    "voila/files/images/..%2F..%2Fsecret.txt",
    "voila/static/../../../../../../../../etc/passwd",
    "voila/static/..%2F..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd",
    "voila/static//etc/passwd",
    "voila/templates/../../../../../etc/passwd",
    "voila/templates/lab/static/../../../../../../etc/passwd",
    "voila/templates/..%2F..%2Fetc/static/passwd",
    "voila/labextensions/../../../../etc/passwd",
    "voila/labextensions/..%2F..%2F..%2F..%2Fetc%2Fpasswd",
    "voila/api/themes/..%2F..%2F..%2F..%2Fetc%2Fpasswd",
    "dspark/x/static/..%2F..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd",
    "dspark/x/labextensions/..%2F..%2F..%2F..%2Fetc%2Fpasswd",
    "dspark/x/..%2Fpage.py",
    "static/style/style.min.css",
    "voila/query/00000000-0000-0000-0000-000000000000",
    "voila/execution/00000000-0000-0000-0000-000000000000",
    "api/kernels/00000000-0000-0000-0000-000000000000",
    "proxy/22",
]


@pytest.mark.parametrize("path", REFUSED)
def test_no_other_address_gives_anything(server: Server, folder: Path, path: str) -> None:
    reply, text = server.ask("/" + path)
    assert reply.status in (400, 403, 404), f"{reply.status}: {text[:200]}"
    assert SECRET not in text and "root:" not in text
    no_place(text, server, folder)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "api/kernels"),
        ("POST", "api/kernels/{kernel}/restart"),
        ("POST", "api/kernels/{kernel}/interrupt"),
        ("POST", "api/sessions"),
        ("POST", "api/terminals"),
        ("PUT", "api/contents/new.ipynb"),
        ("POST", "api/contents"),
        ("DELETE", "api/contents/other.ipynb"),
        ("POST", "voila/api/shutdown/00000000-0000-0000-0000-000000000000"),
        ("POST", ""),
        ("PUT", ""),
    ],
)
def test_no_door_takes_anything(server: Server, folder: Path, kernel: str, method: str, path: str) -> None:
    reply, text = server.ask("/" + path.format(kernel=kernel), method, "{}")
    assert reply.status in (403, 404, 405), text
    no_place(text, server, folder)
    assert not (folder / "new.ipynb").exists() and (folder / "other.ipynb").exists()


def test_a_page_whose_notebook_fails_tells_no_place(folder: Path, tmp_path: Path) -> None:
    with served(folder, "broken.ipynb", Hosting(ready=0, share=False), tmp_path) as server:
        _, text = server.ask("/")
        assert "RuntimeError" not in text and str(folder) not in text and "Traceback" not in text


def test_a_visitor_too_many_is_asked_to_come_again(folder: Path, tmp_path: Path) -> None:
    with served(folder, "page.ipynb", Hosting(ready=0, visitors=2, share=False), tmp_path) as server:
        with server.socket(server.page()), server.socket(server.page()):
            health = json.loads(server.ask("/healthz")[1])
            assert {name: health[name] for name in ("status", "kernels", "limit")} == {
                "status": "full",
                "kernels": 2,
                "limit": 2,
            }
            reply, text = server.ask("/")
            assert reply.status == 503
            assert 5 <= int(reply.headers["Retry-After"]) <= 60
            assert f"Try again in about {reply.headers['Retry-After']} seconds" in text
            assert "2 visitors" in text
            no_place(text, server, folder)
        line = HTTPConnection("127.0.0.1", server.port)
        line.request("GET", "/healthz")
        assert line.getresponse().status == 200


def test_health_needs_no_token_and_tells_nothing_private(folder: Path, tmp_path: Path) -> None:
    place, port = Workplace(tmp_path), unused_port()
    hosting = Hosting(host="0.0.0.0", base_url="/deep/", ready=0, share=False)
    place.environment["JUPYTER_TOKEN"] = "s3cret-token"
    command = voila_command(folder / "page.ipynb", port, hosting)
    with running(command, f"http://127.0.0.1:{port}/deep/healthz", place, tmp_path / "log.txt"):
        server = Server(port, place, "/deep/")
        reply, text = server.ask("/deep/healthz")
        assert reply.status == 200 and reply.headers["Cache-Control"] == "no-store"
        assert set(json.loads(text)) == {"status", "kernels", "ready", "limit", "version"}
        assert server.ask(f"/deep/healthz/{uuid.uuid4()}")[1] == '{"kernel": "unknown"}'
        reply, text = server.ask("/deep/")
        assert reply.status == 302 and "/deep/login" in reply.headers["Location"], "the page itself asks for the token"
        assert "s3cret" not in text
        reply, _ = server.ask("/deep/?token=s3cret-token")
        assert reply.status == 200


def test_behind_a_proxy_only_the_proxys_name_is_answered(folder: Path, tmp_path: Path) -> None:
    hosting = Hosting(public_url="https://lab.example.org/", ready=0, share=False)
    with served(folder, "page.ipynb", hosting, tmp_path) as server:
        for host, status in (("lab.example.org", 404), ("evil.example.org", 403)):
            reply, _ = server.ask("/nothing", Host=host, X_Forwarded_Proto="https", X_Forwarded_For="203.0.113.9")
            assert reply.status == status
