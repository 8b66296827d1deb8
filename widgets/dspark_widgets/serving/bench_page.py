"""One visitor of the bench: a page in a real Chromium, and how long what it is asked takes until it is painted."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

PATIENCE = 120_000
"""Milliseconds until an action counts as failed."""

# In the page: when what was waited for had been painted, by the page's own clock. Both are given what to look for.
WATCH = """
window.painted = (there) => new Promise((done) => {
  const look = () => {
    if (!there()) return false;
    watcher.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now())));
    return true;
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  look();
});
const by = (id) => document.querySelector(`[data-testid="${id}"]`);
window.firstPainted = painted(() => by("scrub"));
window.livePainted = painted(() => !document.getElementById("dspark-first") && by("status")?.textContent === "ready");
window.timed = async (act, there) => {
  const began = performance.now();
  act();
  return (await painted(there)) - began;
};
"""

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

FORK = """(number) => timed(() => document.querySelector('[data-testid="apply-fork"]').click(),
  () => document.querySelector(`[data-testid="branch-${number}"]`)?.getAttribute("aria-current") === "true"
    && document.querySelector('[data-testid="diff"]'))"""


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

    async def fork(self) -> float:
        """Another acceptance draw in the middle round of the original; milliseconds from the press to the fork on the
        screen."""
        await self._middle()
        await self.page.get_by_test_id("edit-u-accept-1").press("Enter")
        await self.page.get_by_test_id("uniform-value").fill(str(0.9 - 0.01 * self.forks))
        await self.page.get_by_test_id("edit-done").click()
        return await self._apply()

    async def load(self, requests: int) -> float:
        """So many background requests from the middle round on; milliseconds from the press to the new cut on the screen."""
        await self._middle()
        await self.page.get_by_test_id("fork-load").fill(str(requests))
        return await self._apply()

    async def _middle(self) -> None:
        original = self.page.get_by_test_id("branch-0")
        if await original.count():
            await original.click()
        rounds = self.page.locator('[data-testid^="round-chip-"]')
        await rounds.nth(await rounds.count() // 2).click()

    async def _apply(self) -> float:
        self.forks += 1
        return float(await self.page.evaluate(FORK, self.forks))

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
