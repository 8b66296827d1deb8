"""One visitor of the bench: a page in a real Chromium, and how long what it is asked takes until it is painted."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

PATIENCE = 120_000
"""Milliseconds until an action counts as failed."""

# In the page: when what was waited for had been painted, by the page's own clock. Both are given what to look for.
WATCH = """
const by = (id) => document.querySelector(`[data-testid="${id}"]`);
window.painted = (there) => new Promise((done, fail) => {
  const look = () => {
    if (!there()) return false;
    watcher.disconnect();
    clearTimeout(late);
    requestAnimationFrame(() => setTimeout(() => done(performance.now())));
    return true;
  };
  const late = setTimeout(() => {
    watcher.disconnect();
    const said = ["error", "notice", "status"].map((id) => by(id)?.textContent ?? "");
    fail(new Error(`not painted within PATIENCE ms: ${said.join(" ")}`));
  }, PATIENCE);
  const watcher = new MutationObserver(look);
  watcher.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  look();
});
window.firstPainted = painted(() => by("scrub"));
window.livePainted = painted(() => !document.getElementById("dspark-first") && by("status")?.textContent === "ready");
window.timed = async (act, there) => {
  const began = performance.now();
  act();
  return (await painted(there)) - began;
};
""".replace("PATIENCE", str(PATIENCE))

STEP = """(forward) => {
  const scrub = document.querySelector('[data-testid="scrub"]'), stepper = document.querySelector('[data-testid="stepper"]');
  const before = scrub.value, key = forward ? "ArrowRight" : "ArrowLeft";
  return timed(() => stepper.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })), () => scrub.value !== before);
}"""

SCRUB = """(share) => {
  const scrub = document.querySelector('[data-testid="scrub"]'), before = scrub.getAttribute("aria-valuetext");
  return timed(() => {
    scrub.value = Math.round(share * scrub.max);
    scrub.dispatchEvent(new Event("input", { bubbles: true }));
  }, () => scrub.getAttribute("aria-valuetext") !== before);
}"""

FORK = """async (number) => {
  const began = performance.now(), by = (id) => document.querySelector(`[data-testid="${id}"]`);
  by("apply-fork").click();
  await painted(() => by(`branch-${number}`)?.getAttribute("aria-current") === "true" && by("diff"));
  const there = performance.now();
  await painted(() => !by("save-trace").disabled);
  return [there - began, performance.now() - began];
}"""
"""The forked round beside the original's, and the fork run to its end."""

LOAD = """(load) => {
  const slider = document.querySelector('[data-testid="plan-load"]');
  const cut = () => document.querySelector('[data-testid="plan-length"]'), before = cut().dataset.number;
  return timed(() => {
    slider.value = load;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }, () => cut().dataset.number !== before);
}"""


class Visitor:
    """A browser context with one page, its errors kept."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context, self.page = context, page
        self.forks, self.errors = 0, list[str]()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)

    @classmethod
    async def new(cls, browser: Browser) -> Visitor:
        context = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
        context.set_default_timeout(PATIENCE)
        await context.add_init_script(WATCH)
        return cls(context, await context.new_page())

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to initialize model" not in message.text:  # anywidget gives a module 2 s
            self.errors.append(message.text)

    async def open(self, url: str) -> tuple[float, float]:
        """Open the page; milliseconds from the request to the first content, and to live models."""
        await self.page.goto(url, wait_until="commit", timeout=PATIENCE)
        first, live = await self.page.evaluate("Promise.all([firstPainted, livePainted])")
        return float(first), float(live)

    async def generate(self, tokens: int) -> None:
        """A run of so many tokens, to its end; forks begin anew."""
        await self.page.get_by_test_id("max-tokens").fill(str(tokens))
        await self.page.get_by_test_id("generate").click()
        await self.page.wait_for_function(
            """() => document.querySelector('[data-testid="speed-ratio"]')
              && document.querySelector('[data-testid="status"]').textContent === "ready" """
        )
        self.forks = 0

    async def step(self, forward: bool = True) -> float:
        """Milliseconds from a key to the next step on the screen."""
        return float(await self.page.evaluate(STEP, forward))

    async def scrub(self, share: float) -> float:
        """Milliseconds from a pull at the slider to its step on the screen."""
        return float(await self.page.evaluate(SCRUB, share))

    async def fork(self) -> tuple[float, float]:
        """Another acceptance draw in the middle round of the original; milliseconds from the press to the forked round on
        the screen, with what differs, and to the fork's end."""
        original = self.page.get_by_test_id("branch-0")
        if await original.count():
            await original.click()
        rounds = self.page.locator('[data-testid^="round-chip-"]')
        await rounds.nth(await rounds.count() // 2).click()
        await self.page.get_by_test_id("edit-u-accept-1").press("Enter")
        await self.page.get_by_test_id("uniform-value").fill(f"{0.9 - 0.01 * self.forks:.2f}")
        await self.page.get_by_test_id("edit-done").click()
        self.forks += 1
        painted, whole = await self.page.evaluate(FORK, self.forks)
        return float(painted), float(whole)

    async def open_tab(self, name: str) -> None:
        """Open a view below the stepper, and wait for what it shows first."""
        await self.page.get_by_test_id(f"tab-{name}").click()
        if name == "scheduler":
            await self.page.get_by_test_id("plan-length").wait_for()

    async def load(self, requests: int) -> float:
        """So many background requests, at the scheduler's slider; milliseconds from the pull to the cut that the kernel has
        found on the screen."""
        return float(await self.page.evaluate(LOAD, requests))

    async def notice(self) -> str:
        """What the page says went wrong, "" where nothing did."""
        told: Any = await self.page.evaluate(
            """[...document.querySelectorAll('[data-testid="notice"], [data-testid="error"]')].map((e) => e.textContent).join()"""
        )
        return str(told)

    async def close(self) -> None:
        """Leave the page, as people do: it asks for its kernel to be ended."""
        await self.page.goto("about:blank")
        await self.context.close()
