"""A view as one HTML file that shows its trace anywhere: no kernel, no server, no request."""

from __future__ import annotations

import base64
import gzip
import html
import json
from pathlib import Path
from typing import Any, Protocol

from dspark_lab.errors import LabError
from dspark_lab.records import write_atomically
from dspark_lab.trace import Trace

STATIC = Path(__file__).parent / "static"
SIZE_LIMIT = 1_500_000
TRANSLATIONS = {"ja": "lab.ja.js", "zh": "lab.zh.js"}
"""The files in STATIC with the interface's text in other languages."""

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
"""Nothing is fetched. A chart becomes a PNG by way of a data: image."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
body {{ margin: 0; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #15181d; }} }}
body:has(.dl[data-theme="light"]) {{ background: #fff; }}
body:has(.dl[data-theme="dark"]) {{ background: #15181d; }}
{css}
</style>
</head>
<body>
<div id="lab"></div>
<noscript>This page steps through a recorded trace and needs JavaScript.</noscript>
<script id="payload" type="application/{form}">{payload}</script>
<script type="module">
{script}
const held = document.getElementById("payload");
const bytes = (text) => new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
const unpacked = (text) => bytes(text).stream().pipeThrough(new DecompressionStream("gzip"));
const state = held.type.endsWith("json") ? JSON.parse(held.textContent) : await new Response(unpacked(held.textContent)).json();
mountStatic(document.getElementById("lab"), state);
</script>
</body>
</html>
"""


def bundle() -> tuple[str, str]:
    """The built JavaScript and CSS. Raises LabError where the package was installed without them."""
    return _built("lab.js"), _built("lab.css")


def translations() -> dict[str, str]:
    """The script of each language but English, which puts its text where the bundle looks for it. Raises LabError as
    ``bundle`` does."""
    return {language: _built(name) for language, name in TRANSLATIONS.items()}


def _built(name: str) -> str:
    try:
        return (STATIC / name).read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(
            f"the views' bundle is missing ({error.filename}): run `npm run build` in widgets/js."
        ) from error


def embed_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in: <, > and & are escaped, as are U+2028 and U+2029."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


class Snapshot(Protocol):
    """A view, as in ``dspark_widgets.view``."""

    def snapshot(self) -> dict[str, Any]: ...


def export_html(source: Trace | Snapshot, path: str | Path) -> Path:
    """Write a trace, which then shows in the stepper, or a view with all that it shows now, as a self-contained page, and
    return its path; an old file is replaced only by a whole one.

    Long traces are packed (gzip), so that the page stays under 1.5 MB.

    Raises:
        LabError: there are no rounds to show, they are too long for one page, or the file cannot be written.
    """
    path, page = Path(path), html_of(source)
    write_atomically(path, page)
    return path


def html_of(source: Trace | Snapshot) -> str:
    """The page that ``export_html`` writes. Raises LabError where there is nothing to show, or too much for one page."""
    state: dict[str, Any] = source.snapshot() if not isinstance(source, Trace) else _stepper(source)
    rounds = len((state.get("trace") or {}).get("rounds", ()))
    if not rounds and not any(
        (state.get(name) or {}).get(part) for name, part in (("race", "lanes"), ("serving", "curves"))
    ):
        raise LabError(
            "there are no rounds to show yet: run the session first, or wait for the run at work (view.wait())."
        )
    page = _page(state)
    if len(page.encode()) > SIZE_LIMIT:
        page = _page(state, packed=True)
    size = len(page.encode())
    if size > SIZE_LIMIT:
        raise LabError(
            f"the page of {rounds} rounds would have {size:,} bytes, more than 1,500,000: export a shorter trace."
        )
    return page


def _stepper(trace: Trace) -> dict[str, Any]:
    return {"kind": "stepper", "trace": trace.to_json()}


def _page(state: dict[str, Any], packed: bool = False) -> str:
    script, css = bundle()
    prompt = (state.get("trace") or state.get("race") or {}).get("prompt", "")
    title = html.escape(f"{prompt[:60]} | DSpark Lab" if prompt else "DSpark Lab")
    payload, form = embed_json(state), "json"
    if packed:
        payload, form = base64.b64encode(gzip.compress(payload.encode(), mtime=0)).decode(), "gzip"
    scripts = "\n".join([*translations().values(), _plain(script)])
    inline = scripts.replace("</script", "<\\/script").replace("<!--", "<\\!--")  # nothing can close the element
    return _PAGE.format(
        policy=_POLICY, title=title, css=css.replace("</", "<\\/"), form=form, payload=payload, script=inline
    )


def _plain(script: str) -> str:
    """The bundle for an inline module: its exports become plain names."""
    head, mark, exports = script.rpartition("export{")
    pairs = [part.partition(" as ") for part in exports.split("}")[0].split(",")] if mark else []
    names = {public: local for local, _, public in pairs}
    if "mountStatic" not in names:
        raise LabError("the views' bundle has no mountStatic export: run `npm run build` in widgets/js.")
    return f"{head}\nconst mountStatic = {names['mountStatic']};"
