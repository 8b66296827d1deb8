// Bundles src/ into ../dspark_widgets/static/{lab.js,lab.css}; with --check only compares with what lies there.
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "dspark_widgets", "static");
const notice =
  "/*! DSpark Lab views. Built from widgets/js by `npm run build`. Contains Preact (MIT, (c) 2015-present Jason Miller) " +
  "and htm (Apache-2.0, (c) 2018 Google Inc.). */";

const result = await build({
  absWorkingDir: here,
  entryPoints: [{ in: "src/index.js", out: "lab" }],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  banner: { js: notice },
  write: !process.argv.includes("--check"),
});

if (process.argv.includes("--check")) {
  const stale = result.outputFiles.filter((file) => {
    try {
      return readFileSync(file.path, "utf8") !== file.text;
    } catch {
      return true;
    }
  });
  for (const file of stale) console.error(`${file.path} is not what src/ builds: run npm run build`);
  process.exit(stale.length ? 1 : 0);
}
