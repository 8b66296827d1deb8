"""The README's ten lines do what the sentence below them says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_ten_lines_of_python_say_what_the_readme_says() -> None:
    code, rest = re.split(r"```python\n(.*?)```", README, maxsplit=1, flags=re.DOTALL)[1:]
    names: dict[str, Any] = {}
    exec(code, names)
    accepted, start, residual, other = re.findall(r'"([^"]+)"', rest.strip().split("\n\n")[0])
    first, forked = names["session"].rounds[0], names["other"].rounds[0]
    assert first.positions[0].token.text == accepted and first.positions[0].verdict == "accepted"
    assert names["session"].text.startswith(start)
    assert (forked.positions[0].verdict, forked.final.kind, forked.final.token.text) == (
        "rejected",
        "residual",
        residual,
    )
    assert names["other"].text.startswith(other)
