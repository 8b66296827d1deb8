// Entry of the bundle: `render` for anywidget, `mountStatic` for a page without a kernel.
import { render as draw } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "./draw/html.js";
import { mountFirst as mount, takeOver } from "./first.js";
import { useLanguage } from "./language.js";
import { cutOff, kernelAddress, watchLine } from "./line.js";
import { recallLook } from "./remember.js";
import { shareWith, stillModel, useTrait } from "./store.js";
import { useTheme } from "./theme.js";
import { App } from "./views/app.js";
import { Frame } from "./views/frame.js";
import { Glossary, OpenGlossary, SymbolTips } from "./views/glossary.js";
import { Notice } from "./views/notice.js";
import { Stepper } from "./views/stepper.js";
import { VIEWS, titleOf } from "./views/views.js";
import "./css/base.css";
import "./css/table.css";
import "./css/parts.css";
import "./css/views.css";
import "./css/plot.css";
import "./css/plans.css";
import "./css/app.css";
import "./css/page.css";
import "./css/print.css";

/** @typedef {import("./store.js").Model} Model */

/**
 * @param {{ model: Model, watched?: boolean, fault?: string, word?: import("./first.js").Word }} props
 * `watched` where a kernel should answer; `fault` is what is known to be wrong, `word` what the server said of it
 */
function Root({ model: given, watched = false, fault: known = "", word }) {
  const [fault, setFault] = useState("");
  useEffect(() => (watched ? watchLine(given, setFault) : undefined), [given, watched]);
  const cut = watched && fault !== "" && fault !== "silent";
  const model = useMemo(() => (cut ? shareWith(cutOff(given), given) : given), [given, cut]);
  const wrong = fault || known;
  const [preferences] = useTrait(model, "preferences");
  const [kind] = useTrait(model, "kind");
  const theme = useTheme(preferences?.theme ?? "auto");
  const lang = useLanguage(preferences?.language ?? "auto", model);
  const view = VIEWS[kind];
  const [glossary, setGlossary] = useState(/** @type {string | null} */ (null));
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  /** g and ? open the glossary, at the term that has the focus. @param {KeyboardEvent} event */
  const keys = (event) => {
    const at = /** @type {HTMLElement} */ (event.composedPath()[0]);
    if ((event.key !== "g" && event.key !== "?") || event.ctrlKey || event.metaKey || event.altKey || at.closest("input,textarea,select")) return;
    setGlossary(at.closest("[data-entry]")?.getAttribute("data-entry") ?? "");
    event.preventDefault();
  };
  return html`<div class="dl" ref=${root} lang=${lang} data-theme=${theme} data-kind=${kind} data-page=${model.still ? "true" : undefined} data-lm-suppress-shortcuts="true" onKeyDownCapture=${keys}>
    ${wrong && html`<${Notice} what=${wrong} word=${word} hosted=${!watched || Boolean(kernelAddress())} />`}
    <${OpenGlossary.Provider} value=${setGlossary}>
      ${view ? html`<${Frame} model=${model} title=${titleOf(kind)} rounds=${view.rounds}><${view.View} model=${model} /><//>` : html`<${kind === "app" ? App : Stepper} model=${model} />`}
      <${SymbolTips} model=${model} root=${root} />
      ${glossary !== null && root.current && html`<${Glossary} model=${model} root=${root.current} at=${glossary} onClose=${() => setGlossary(null)} />`}
    <//>
  </div>`;
}

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const leave = takeOver(model);
  recallLook(model);
  draw(html`<${Root} model=${model} watched=${!model.still} />`, el);
  leave();
  return () => draw(null, el);
}

/** Show the page before its kernel is there. @param {HTMLElement} element @param {import("./contract").ViewState} payload @param {import("./first.js").Word} word */
export const mountFirst = (element, payload, word) => mount(element, payload, word, Root);

/** Show a view on a page without a kernel. @param {HTMLElement} element @param {Partial<import("./contract").ViewState>} payload */
export function mountStatic(element, payload) {
  const model = stillModel({
    kind: "stepper",
    live: false,
    run: 0,
    branches: [],
    cursor: { branch: 0, round: 0, phase: "commit", k: 0, sub: "", serial: 0, at: 0, row: "" },
    preferences: { theme: "auto", language: "auto", predict: false, speed: 1, tab: "rejection" },
    status: { state: "recorded", text: "", error: "", where: "" },
    ...payload,
  });
  return render({ model, el: element });
}

export default { render };
