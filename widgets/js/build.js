// Bundles src/ into ../dspark_widgets/static/: lab.js, lab.css and a file for each translation; with --check only compares with what lies there.
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "dspark_widgets", "static");
const notice =
  "/*! DSpark Lab views. Built from widgets/js by `npm run build`. Contains Preact (MIT, (c) 2015-present Jason Miller) " +
  "and htm (Apache-2.0, (c) 2018 Google Inc.). */";

/** What htm reads over, and esbuild must keep: indentation within templates, lines between elements, names of closing tags, what an attribute that is there says anyway, quotes around a word. */
const tighten = (source) =>
  source.replace(/\n +/g, "\n").replace(/<\/[a-z]\w*>/g, "</>").replace(/<\/\/>/g, "</>").replace(/([>}])\n(?=<|\$\{)/g, "$1").replace(/(\s(?:aria|data)-[a-z]+)="true"/g, "$1").replace(/(\s[a-z-]+=)"([\w-]+)"(?=[\s>])/g, "$1$2");
const tight = {
  name: "tight",
  setup: (builder) => void builder.onLoad({ filter: /[\\/]src[\\/].*\.js$/ }, ({ path }) => ({ contents: tighten(readFileSync(path, "utf8")) })),
};
const common = { absWorkingDir: here, bundle: true, minify: true, target: "es2022", charset: "utf8", legalComments: "none", write: !process.argv.includes("--check") };

const results = await Promise.all([
  build({ ...common, entryPoints: [{ in: "src/index.js", out: "lab" }], outdir: out, format: "esm", plugins: [tight], banner: { js: notice } }),
  ...["ja", "zh"].map((language) =>
    build({
      ...common,
      stdin: { contents: `import words from "./src/strings.${language}.js"; (globalThis.dsparkWords ??= {}).${language} = words;`, resolveDir: here },
      outfile: join(out, `lab.${language}.js`),
      format: "iife",
    }),
  ),
]);

if (process.argv.includes("--check")) {
  const stale = results.flatMap((result) => result.outputFiles).filter((file) => {
    try {
      return readFileSync(file.path, "utf8") !== file.text;
    } catch {
      return true;
    }
  });
  for (const file of stale) console.error(`${file.path} is not what src/ builds: run npm run build`);
  process.exit(stale.length ? 1 : 0);
}
