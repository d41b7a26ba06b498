/** Two jobs side by side: branches are matched by their path through the forks, never by order or time. */

import { type Branch, comparePaths, type ReasoningGraph } from "../journal/graph";

export interface Pair {
  path: string;
  a: Branch | null;
  b: Branch | null;
  /** Tokens of b less those of a. */
  delta: number;
  /** The same text was written on both sides. */
  same: boolean;
}

export function pairs(a: ReasoningGraph, b: ReasoningGraph): Pair[] {
  const paths = new Set([...a.branches.keys(), ...b.branches.keys()]);
  return [...paths].sort(comparePaths).map((path) => {
    const left = a.branches.get(path) ?? null;
    const right = b.branches.get(path) ?? null;
    return {
      path,
      a: left,
      b: right,
      delta: (right?.tokens ?? 0) - (left?.tokens ?? 0),
      same: left !== null && right !== null && textOf(a, left) === textOf(b, right),
    };
  });
}

function textOf(graph: ReasoningGraph, branch: Branch): string {
  return readText(graph, branch.id);
}

export interface Attempt {
  node: string;
  /** Its number, where a branch was tried more than once. */
  attempt: number;
  broke: boolean;
  text: string;
}

/** What a branch wrote, attempt by attempt: those that broke off apart from what is read. */
export function attemptsOf(graph: ReasoningGraph, path: string): Attempt[] {
  const found: Attempt[] = [];
  for (const id of graph.branches.get(path)?.nodes ?? []) {
    const node = graph.nodes.get(id);
    if (!node || node.kind === "join") continue;
    const last = found.at(-1);
    const broke = node.status === "failed";
    if (last && last.attempt === node.attempt && last.broke === broke) last.text += node.text;
    else found.push({ node: id, attempt: node.attempt, broke, text: node.text });
  }
  return found;
}

/** What of a branch's text is read: without the attempts that broke off. */
export function readText(graph: ReasoningGraph, path: string): string {
  return attemptsOf(graph, path)
    .filter(({ broke }) => !broke)
    .map(({ text }) => text)
    .join("");
}

/** The first branch, by path, on which the two jobs part. */
export function parting(found: readonly Pair[]): Pair | undefined {
  return found.find((pair) => !pair.same && pair.path !== "0") ?? found.find((pair) => !pair.same);
}
