"""What each view looks like as a page of its own, kept as small pictures, and compared with what it looks like now.

The views stand on states that were recorded once (``states.json``), so that neither other weights nor another machine's
numbers change a picture; they are set in a font of bars, so that its fonts do not. ``python -m tests.browser.looks`` takes the
pictures anew, with ``states`` behind it the states too, which takes the pocket models.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from dspark_widgets import export_html
from tests.browser import bars

HERE = Path(__file__).parent
STATES = HERE / "states.json"
VIEWS = ("stepper", "rejection", "confidence", "scheduler", "load", "race", "lens")
THEMES = ("light", "dark")
WINDOW = {"width": 1280, "height": 900}
WIDTH, QUALITY = 320, 0.8
BLOCK = 8
"""Pixels of a kept picture: the side of the squares whose mean colours are compared, 32 pixels of the page."""
NEAR = 14
"""Of 255: how far a square's mean colour may be off."""
SHIFT = 2
"""Rows of a kept picture by which something may stand higher or lower, where a control is drawn a little larger."""
FEW = 3
"""Squares of a page that may be off all the same."""

Picture = NDArray[np.float64]  # [height, width, 3], 0 to 255

_PIXELS = """async ([address, width, quality]) => {
    const image = Object.assign(new Image(), { src: address });
    await image.decode();
    const draw = (w, h) => Object.assign(document.createElement("canvas"), { width: w, height: h }).getContext("2d");
    const whole = draw(image.width, image.height);
    whole.drawImage(image, 0, 0);
    const { data } = whole.getImageData(0, 0, image.width, image.height);
    const by = image.width / width, height = Math.floor(image.height / by);
    const small = new ImageData(width, height);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let c = 0; c < 4; c++) {
        let sum = 0;
        for (let i = 0; i < by; i++) for (let j = 0; j < by; j++) sum += data[4 * ((y * by + i) * image.width + x * by + j) + c];
        small.data[4 * (y * width + x) + c] = Math.round(sum / by / by);
    }
    const drawn = draw(width, height);
    drawn.putImageData(small, 0, 0);
    let text = "";
    for (let i = 0; i < small.data.length; i += 8192) text += String.fromCharCode(...small.data.subarray(i, i + 8192));
    return { height, pixels: btoa(text), file: quality ? drawn.canvas.toDataURL("image/webp", quality) : "" };
}"""


@dataclass(frozen=True)
class Kept:
    """A view as it was once."""

    state: dict[str, Any]

    def snapshot(self) -> dict[str, Any]:
        return self.state


def export(view: str, folder: Path) -> Path:
    """A view's recorded state as a page."""
    kept = json.loads(STATES.read_text(encoding="utf-8"))
    return export_html(Kept({"trace": kept["trace"], **kept["views"][view]}), folder / f"{view}.html")


def dress(page: Page, theme: str) -> None:
    """A page in this theme, as its system asks for it, and in bars."""
    page.emulate_media(color_scheme=theme)
    expect(page.locator(".dl")).to_have_attribute("data-theme", theme)
    if not page.evaluate("() => document.fonts.check('14px bars') && [...document.fonts].length"):
        page.add_style_tag(content=bars.style())
        page.evaluate("() => document.fonts.load('14px bars')")


def photograph(page: Page, lens: Page, quality: float = 0) -> tuple[Picture, bytes]:
    """What a page shows from top to bottom, made small in ``lens``, an empty page; with a ``quality`` also as a file."""
    shot = page.screenshot(full_page=True, animations="disabled", caret="hide")
    return develop(lens, shot, "image/png", quality)


def develop(lens: Page, content: bytes, kind: str, quality: float = 0) -> tuple[Picture, bytes]:
    """A picture file made WIDTH wide."""
    address = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    found = lens.evaluate(_PIXELS, [address, WIDTH, quality])
    pixels = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8).reshape(found["height"], WIDTH, 4)
    return pixels[..., :3].astype(np.float64), base64.b64decode(found["file"].partition(",")[2])


def kept(view: str, theme: str, lens: Page) -> Picture:
    """The picture in the repository."""
    return develop(lens, path_of(view, theme).read_bytes(), "image/webp")[0]


def path_of(view: str, theme: str) -> Path:
    return HERE / f"{view}-{theme}.webp"


def compare(shown: Picture, kept: Picture) -> str:
    """What is different, in words; "" where they look the same."""
    if abs(len(shown) - len(kept)) > 2 * SHIFT:
        return f"the page is {4 * len(shown)} px high, not {4 * len(kept)}"
    height = min(len(shown), len(kept))
    shown, kept = shown[:height], kept[:height]
    off = np.min([_distance(shown, np.roll(kept, by, axis=0)) for by in range(-SHIFT, SHIFT + 1)], axis=0)
    places = np.argwhere(off > NEAR)
    if len(places) <= FEW:
        return ""
    (top, left), (bottom, right) = 4 * BLOCK * places.min(0), 4 * BLOCK * (places.max(0) + 1)
    return f"{len(places)} of {off.size} squares are off by up to {off.max():.0f}, from ({left}, {top}) to ({right}, {bottom})"


def _distance(one: Picture, other: Picture) -> Picture:
    """How far the squares' mean colours are apart, in the channel where it is most."""
    rows = len(one) // BLOCK
    squares = (one - other)[: rows * BLOCK].reshape(rows, BLOCK, WIDTH // BLOCK, BLOCK, 3)
    distance: Picture = np.abs(squares.mean((1, 3))).max(-1)
    return distance
