// Entry of the bundle: `render` for anywidget, `mountStatic` for a page without a kernel.
import { render as draw } from "preact";
import { useRef, useState } from "preact/hooks";
import { html } from "./draw/html.js";
import { useLanguage } from "./language.js";
import { stillModel, useTrait } from "./store.js";
import { useTheme } from "./theme.js";
import { App } from "./views/app.js";
import { Frame } from "./views/frame.js";
import { Glossary, OpenGlossary, SymbolTips } from "./views/glossary.js";
import { Stepper } from "./views/stepper.js";
import { VIEWS, titleOf } from "./views/views.js";
import "./css/base.css";
import "./css/table.css";
import "./css/parts.css";
import "./css/views.css";
import "./css/plot.css";
import "./css/app.css";
import "./css/page.css";
import "./css/print.css";

/** @typedef {import("./store.js").Model} Model */

/** @param {{ model: Model }} props */
function Root({ model }) {
  const [preferences] = useTrait(model, "preferences");
  const [kind] = useTrait(model, "kind");
  const theme = useTheme(preferences?.theme ?? "auto");
  const lang = useLanguage(preferences?.language ?? "auto");
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
    <${OpenGlossary.Provider} value=${setGlossary}>
      ${view ? html`<${Frame} model=${model} title=${titleOf(kind)} rounds=${view.rounds}><${view.View} model=${model} /><//>` : html`<${kind === "app" ? App : Stepper} model=${model} />`}
      <${SymbolTips} model=${model} root=${root} />
      ${glossary !== null && root.current && html`<${Glossary} model=${model} root=${root.current} at=${glossary} onClose=${() => setGlossary(null)} />`}
    <//>
  </div>`;
}

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  draw(html`<${Root} model=${model} />`, el);
  return () => draw(null, el);
}

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
