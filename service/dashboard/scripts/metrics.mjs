// node scripts/metrics.mjs JOURNAL.json …  prints, per journal, what the dashboard computes from it, as one line of JSON.
// A journal is an array of events, or an object that has one under "events".
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const source = (name) => fileURLToPath(new URL(`../src/model/${name}`, import.meta.url));
const load = async (name) =>
  (await runnerImport(source(name), { configFile: false, logLevel: "error" })).module;
const { graphOf } = await load("journal/journal.ts");
const { measure } = await load("analysis/metrics.ts");

for (const path of process.argv.slice(2)) {
  const read = JSON.parse(readFileSync(path, "utf8"));
  const graph = graphOf(Array.isArray(read) ? read : read.events);
  const edges = graph.edges.map(({ source, target, kind }) => [source, target, kind]);
  const nodes = Object.fromEntries([...graph.nodes.values()].map(({ id, status }) => [id, status]));
  const branches = Object.fromEntries([...graph.branches.values()].map(({ id, status }) => [id, status]));
  console.log(JSON.stringify({ metrics: measure(graph), status: graph.status, nodes, branches, edges }));
}
