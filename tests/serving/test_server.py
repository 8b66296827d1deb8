"""What the page server is told, and how it finds a port. Nothing here starts a server."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from voila.paths import collect_template_paths

from dspark_lab.errors import LabError
from dspark_widgets.serving import free_port, serve, voila_command
from dspark_widgets.serving.handlers import NoDelayConnection, PageConnection
from dspark_widgets.serving.lab import lab_command
from dspark_widgets.serving.options import CONNECTION, PAGE_CONNECTION, Hosting, is_loopback
from dspark_widgets.serving.page import SHARE, PageServer

NOTEBOOK = Path("notebooks/app.ipynb")


@pytest.fixture
def taken() -> Iterator[int]:
    """Yield a port that something listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_is_taken_as_asked(taken: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert free_port(port) == port


def test_a_taken_port_is_passed_over(taken: int) -> None:
    if taken > 65515:
        pytest.skip("too near the last port")
    assert taken < free_port(taken) < taken + 20


def test_no_free_port_names_the_range_and_the_remedy(taken: int) -> None:
    with pytest.raises(OSError, match=rf"port {taken} taken; end what listens there or name another"):
        free_port(taken, tries=1)


@pytest.mark.parametrize(
    "host", ["999.1.1.1", "203.0.113.7", "no-such-name.invalid", "2001:db8::1", "é" * 99, "127.0.0.1:80"]
)
def test_a_wrong_host_is_named_and_no_port_blamed(host: str) -> None:
    with pytest.raises(OSError, match="is no address of this machine") as caught:
        free_port(host=host)
    assert repr(host) in str(caught.value) and "taken" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value) and "0.0.0.0" in str(caught.value)


def test_a_port_that_needs_rights_is_not_called_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(OSError, match="port 80 on 127.0.0.1 .*name one from 1024"):
        free_port(80, tries=1)


def test_the_last_port_ends_the_range() -> None:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", 65535))
        except OSError:
            pytest.skip("port 65535 is in use")
        listener.listen()
        with pytest.raises(OSError, match="65535"):
            free_port(65535, tries=20)


def test_a_missing_notebook_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="nowhere.ipynb"):
        serve(Path("nowhere.ipynb"))


def test_a_local_page_asks_for_no_token_and_stays_on_its_port() -> None:
    command = voila_command(NOTEBOOK, 8866)
    assert "--token" not in command
    assert {"--port=8866", "--Voila.ip=127.0.0.1", "--Voila.port_retries=0", str(NOTEBOOK)} <= set(command)


def test_a_page_on_the_network_asks_for_a_token() -> None:
    assert "--token" in voila_command(NOTEBOOK, 8866, Hosting(host="0.0.0.0"))


def test_the_page_shows_no_source_no_traceback_and_no_other_file() -> None:
    command = set(voila_command(NOTEBOOK, 8866))
    assert {
        "--strip_sources=True",
        "--show_tracebacks=False",
        "--VoilaConfiguration.allow_template_override=NO",
    } <= command
    assert [option for option in command if "file_allowlist" in option] == [
        r"--VoilaConfiguration.file_allowlist=images/[\w-]+\.(png|svg)"
    ]


def test_one_kernel_waits_ready_unless_told_otherwise() -> None:
    assert {"--preheat_kernel=True", "--pool_size=1"} <= set(voila_command(NOTEBOOK, 8866))
    assert {"--preheat_kernel=True", "--pool_size=3"} <= set(voila_command(NOTEBOOK, 8866, Hosting(ready=3)))
    assert {"--preheat_kernel=False", "--pool_size=0"} <= set(voila_command(NOTEBOOK, 8866, Hosting(ready=0)))


def test_a_dead_kernel_is_not_started_again_without_its_widgets() -> None:
    assert "--KernelManager.autorestart=False" in voila_command(NOTEBOOK, 8866)


def test_a_proxys_address_sets_path_and_origin() -> None:
    hosting = Hosting(public_url="https://lab.example.org:8443/deep/er")
    assert (hosting.path, hosting.origin) == ("/deep/er/", "https://lab.example.org:8443")
    assert {"--base_url=/deep/er/", "--PageServer.origin=https://lab.example.org:8443"} <= set(
        voila_command(NOTEBOOK, 8866, hosting)
    )
    settings = PageServer(port=8866, base_url="/", origin=hosting.origin).tornado_settings
    assert "wss://lab.example.org:8443" in settings["headers"]["Content-Security-Policy"]
    assert settings["allow_origin"] == hosting.origin
    assert "lab.example.org" in settings["local_hostnames"] and not settings["allow_remote_access"]


@pytest.mark.parametrize(
    "url", ["lab.example.org", "ftp://lab.example.org", "https://", "https://lab.example.org/?x=1"]
)
def test_a_proxys_address_must_be_one(url: str) -> None:
    with pytest.raises(LabError, match="https://lab.example.org/dspark/"):
        Hosting(public_url=url)


def test_page_and_lab_share_the_fast_websocket() -> None:
    assert f"{NoDelayConnection.__module__}.{NoDelayConnection.__name__}" == CONNECTION
    assert issubclass(PageConnection, NoDelayConnection)
    assert f"{PageConnection.__module__}.{PageConnection.__name__}" == PAGE_CONNECTION
    assert f"--Voila.kernel_websocket_connection_class={PAGE_CONNECTION}" in voila_command(NOTEBOOK, 8866)
    assert f"--ServerApp.kernel_websocket_connection_class={CONNECTION}" in lab_command(Path("notebooks"))


def test_lab_asks_nobody_for_news() -> None:
    command = lab_command(Path("notebooks"), ["--port=9999"])
    assert {"--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"} <= set(command)
    assert command[-1] == "--port=9999"


def test_the_page_may_only_talk_to_its_own_server() -> None:
    settings = PageServer(port=8867).tornado_settings
    policy = settings["headers"]["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "https:" not in policy
    assert "*" not in policy
    assert "ws://127.0.0.1:8867" in policy


@pytest.mark.parametrize(
    ("ip", "base_url", "foreign_names"),
    [("127.0.0.1", "/", False), ("127.0.0.1", "/user/ada/", True), ("0.0.0.0", "/", True)],
)
def test_a_local_page_answers_to_local_names_only(ip: str, base_url: str, foreign_names: bool) -> None:
    assert PageServer(ip=ip, base_url=base_url).tornado_settings["allow_remote_access"] is foreign_names


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("", False),
        ("127.example.com", False),
    ],
)
def test_loopback_hosts(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_voila_finds_the_template_and_builds_it_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(SHARE))
    paths = collect_template_paths(["voila", "nbconvert"], "dspark", prune=True)
    assert paths[0] == str(SHARE / "voila" / "templates" / "dspark")
    assert any(Path(path).parts[-3:] == ("voila", "templates", "lab") for path in paths)


def test_no_template_asks_another_host() -> None:
    templates = sorted((SHARE / "voila" / "templates" / "dspark").iterdir())
    assert templates
    assert [
        file.name for file in templates if "//" in file.read_text(encoding="utf-8").replace("http://www.w3.org", "")
    ] == []


def test_serving_needs_no_torch() -> None:
    code = "import sys, dspark_widgets.serving; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
