"""What a visitor who sends the kernel other messages than the page's can get out of it: nothing."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from tests.serving.visitor import WAIT, Server, no_place


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
