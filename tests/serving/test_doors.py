"""What a visitor who does not keep to the page can get out of a running server: nothing. Each of these is really tried."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import nbformat
import pytest
from websockets.sync.client import ClientConnection, connect

from dspark_widgets.serving import voila_command
from dspark_widgets.serving.options import Hosting
from tests.browser.servers import Workplace, running, unused_port

WAIT = 60.0
"""Seconds that a kernel may take to start on a loaded machine."""

SECRET = "the-other-notebook"
CODE = """\
import pathlib
from dspark_lab.errors import LabError
from dspark_widgets.stepper import Stepper

class Witness(Stepper):
    def on_stop(self, request):
        raise LabError(f"{pathlib.Path.cwd()}/weights is damaged")

    def on_delete(self, request):
        raise ValueError(f"{pathlib.Path.cwd()}/weights")

Witness()
"""
BROKEN = "raise RuntimeError(__import__('os').getcwd())"


class Server:
    """A running page server, and what can be asked of it."""

    def __init__(self, port: int, place: Workplace, base: str = "/") -> None:
        self.port, self.place, self.base = port, place, base
        self.held: list[HTTPConnection] = []

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> tuple[HTTPResponse, str]:
        """The answer to a request, its path sent as it is written."""
        line = HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        line.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        reply = line.getresponse()
        return reply, reply.read().decode("utf-8", "replace")

    def page(self) -> str:
        """Open the page; the id of its kernel."""
        reply, text = self.ask(self.base)
        assert reply.status == 200, text
        return json.loads(re.search(r'"jupyter-config-data"[^>]*>(.*?)</script>', text, re.DOTALL)[1])["kernelId"]

    @contextmanager
    def socket(self, kernel: str) -> Iterator[ClientConnection]:
        url = f"ws://127.0.0.1:{self.port}{self.base}api/kernels/{kernel}/channels?session_id={uuid.uuid4()}"
        with connect(url, open_timeout=WAIT, max_size=None) as line:
            yield line


def message(kind: str, content: dict[str, Any], channel: str = "shell") -> str:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "username": "",
        "session": "x",
        "date": "",
        "version": "5.3",
    }
    return json.dumps(
        {"channel": channel, "header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
    )


def hear(line: ClientConnection, kind: str, wait: float = WAIT) -> dict[str, Any] | None:
    """The next message of a kind; None where none comes."""
    try:
        while True:
            got = line.recv(wait)
            if isinstance(got, bytes):  # buffers follow a JSON part; see jupyter_server's deserialize_binary_message
                start, end = (int.from_bytes(got[4 * i : 4 * i + 4], "big") for i in (1, 2))
                got = got[start : end if int.from_bytes(got[:4], "big") > 1 else None].decode()
            found = json.loads(got)
            if found["msg_type"] == kind:
                return dict(found)
    except TimeoutError:
        return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("notebooks")
    for name, code in (("page", CODE), ("other", f"print('{SECRET}')"), ("broken", BROKEN)):
        cell = nbformat.v4.new_code_cell(code)
        spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=spec), place / f"{name}.ipynb")
    (place / "secret.txt").write_text(SECRET)
    return place


@contextmanager
def served(folder: Path, notebook: str, hosting: Hosting, logs: Path) -> Iterator[Server]:
    place, port = Workplace(logs), unused_port()
    command = voila_command(folder / notebook, port, hosting)
    with running(command, f"http://127.0.0.1:{port}{hosting.path}healthz", place, logs / "log.txt"):
        yield Server(port, place, hosting.path)


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(folder, "page.ipynb", Hosting(ready=0, share=False), tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="module")
def kernel(server: Server) -> str:
    return server.page()


def no_place(text: str, server: Server, folder: Path) -> None:
    """No traceback and no path of the server in what was answered."""
    assert "Traceback" not in text and ".py" not in text
    for place in (str(folder), str(server.place.folder), "site-packages", str(Path(__file__).parents[2])):
        assert place not in text


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


FORBIDDEN = [
    ("execute_request", {"code": "open('broken-in', 'w')", "silent": False, "store_history": False}),
    ("execute_request", {"code": "", "user_expressions": {"x": "open('broken-in', 'w')"}}),
    ("complete_request", {"code": "import os; os.", "cursor_pos": 14}),
    ("inspect_request", {"code": "open", "cursor_pos": 4, "detail_level": 1}),
    ("history_request", {"hist_access_type": "tail", "n": 10, "output": True, "raw": True}),
    ("is_complete_request", {"code": "1"}),
    ("input_reply", {"value": "1"}),
    ("debug_request", {"type": "request", "seq": 1, "command": "evaluate", "arguments": {"expression": "1"}}),
    ("create_subshell_request", {}),
    ("interrupt_request", {}),
    ("shutdown_request", {"restart": False}),
    ("comm_open", {"comm_id": "a" * 32, "target_name": "jupyter.widget", "data": {"state": {}}}),
    ("comm_open", {"comm_id": "b" * 32, "target_name": "matplotlib", "data": {}}),
]


@pytest.mark.parametrize("channel", ["shell", "control", "stdin"])
def test_no_code_is_run_and_nothing_of_the_kernel_is_told(
    server: Server, folder: Path, kernel: str, channel: str
) -> None:
    with server.socket(kernel) as line:
        line.send(message("kernel_info_request", {}))
        assert hear(line, "kernel_info_reply")
        for kind, content in FORBIDDEN:
            line.send(message(kind, content, channel))
        for nonsense in ("", "{}", "[]", "null", '{"header": null}', '{"header": {"msg_type": []}}', "\0"):
            line.send(nonsense)
        line.send(message("kernel_info_request", {}))
        heard = []
        while not heard or heard[-1]["msg_type"] != "kernel_info_reply":
            got = line.recv(WAIT)
            heard.append(json.loads(got) if isinstance(got, str) else {"msg_type": "bytes"})
        kinds = {found["msg_type"] for found in heard}
        assert kinds <= {"kernel_info_reply", "status"}, kinds
        busy = {found["parent_header"].get("msg_type") for found in heard if found["msg_type"] == "status"}
        assert busy <= {"kernel_info_request", None}, f"the kernel has worked on {busy}"
    assert not list(folder.rglob("broken-in")) and not list(server.place.folder.rglob("broken-in"))
    assert json.loads(server.ask(f"/healthz/{kernel}")[1]) == {"kernel": "alive"}


def widget(line: ClientConnection) -> str:
    """The id of the page's widget: asked for as the page does."""
    line.send(message("comm_info_request", {"target_name": "jupyter.widget"}))
    comms = list((hear(line, "comm_info_reply") or {})["content"]["comms"])
    for comm in comms:
        line.send(message("comm_msg", {"comm_id": comm, "data": {"method": "request_state"}}))
        if '"kind"' in json.dumps(hear(line, "comm_msg")):
            return str(comm)
    raise AssertionError(f"no view among the comms {comms}")


def test_what_the_page_may_send_is_answered_and_its_errors_tell_no_place(server: Server, folder: Path) -> None:
    with server.socket(server.page()) as line:
        comm = widget(line)

        def said(data: dict[str, Any]) -> str:
            line.send(message("comm_msg", {"comm_id": comm, "data": data}))
            while True:
                got = hear(line, "comm_msg")
                assert got, "the view has not answered"
                data = got["content"]["data"]
                if data["method"] == "custom" or "status" in data.get("state", {}):
                    return json.dumps(data)

        assert "pong" in said({"method": "custom", "content": {"type": "ping"}})
        for request in ({"type": "stop"}, {"type": "delete", "branch": 1}):
            text = said({"method": "custom", "content": request})
            assert "/weights" in text
            no_place(text, server, folder)
        for name, value in (("_esm", "alert(1)"), ("kind", "app"), ("trace", None), ("_model_module", "evil")):
            text = said({"method": "update", "state": {name: value}, "buffer_paths": []})
            assert f"cannot set {name}" in text


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
