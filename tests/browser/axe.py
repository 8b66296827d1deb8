"""axe-core on a page: what it finds wrong for people with a screen reader, weak eyes or no mouse."""

from __future__ import annotations

from shutil import which

import pytest
from playwright.sync_api import Page

from tests.browser.helpers import ROOT

AXE = ROOT / "widgets" / "js" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")

_RUN = """async () => {
    const { violations } = await axe.run(document.querySelector('.dl'), { resultTypes: ['violations'] });
    // A cell of the round's table is data, not a control with a label: its name is a summary of what it draws.
    const counts = ({ id, nodes }) => nodes.filter((n) => id !== 'label-content-name-mismatch' || !n.html.startsWith("<td"));
    const found = violations.map((v) => ({ ...v, nodes: counts(v) })).filter((v) => v.nodes.length);
    return found.map(({ id, impact, help, nodes }) => ({
        id, impact, help, where: nodes.slice(0, 6).map((n) => `${n.target.join(' ')}: ${n.any[0]?.message ?? n.html}`),
    }));
}"""


def check_accessible(page: Page, where: str) -> None:
    """No serious or critical violation in the view, in WCAG's A and AA rules and axe's best practices.

    Skips only where there is no npm to fetch axe-core with, as the checks of the JavaScript do.
    """
    if not AXE.is_file():
        missing = f"axe-core is missing ({AXE}): run npm ci in widgets/js"
        if which("npm"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = [v for v in page.evaluate(_RUN) if v["impact"] in GRAVE]
    told = [f"{v['impact']} {v['id']}: {v['help']}\n    " + "\n    ".join(v["where"]) for v in found]
    assert not told, f"axe on {where}:\n" + "\n".join(told)
