// Fails when the first load (what index.html asks for, and all that imports at once) is larger than the limit, gzip.
// Lists, comparison, policies and the form are loaded when they are opened; they are shown beside it.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const LIMIT = 120_000;
const root = fileURLToPath(new URL("../static/", import.meta.url));
const names = readdirSync(`${root}assets`).filter((name) => /\.(js|css)$/.test(name));
const text = Object.fromEntries(names.map((name) => [name, readFileSync(`${root}assets/${name}`, "utf8")]));
const size = (files) => files.reduce((sum, name) => sum + gzipSync(text[name], { level: 9 }).length, 0);
const kilo = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

const page = readFileSync(`${root}index.html`, "utf8");
const first = new Set(names.filter((name) => page.includes(name)));
for (const name of first) {
  const imported = [...text[name].matchAll(/(?:from|import)\s*["'`]\.\/([^"'`]+)["'`]/g)];
  for (const [, next] of imported) if (next in text) first.add(next);
}
const loaded = size([...first]);
console.log(
  `bundle, gzip: ${kilo(loaded)} of ${kilo(LIMIT)} at first, ${kilo(size(names) - loaded)} when opened`,
);
if (loaded > LIMIT) {
  for (const name of first) console.error(`  ${name}: ${kilo(size([name]))}`);
  process.exit(1);
}
