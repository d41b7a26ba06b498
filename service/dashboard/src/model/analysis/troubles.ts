/** What a reader should know beside the time: a narrow vote, waste, retries, failures, budgets. */

import type { Branch, GraphNode, ReasoningGraph, Vote } from "../journal/graph";
import { shown } from "../text/unseen";
import { counted, percent, seconds, tokens } from "../words";
import { wastedNodes } from "./metrics";
import { listed, named, type Part, type Sentence } from "./sentence";

/** So much waste is told. */
const TELLING_WASTE = 0.3;
const ANSWER_LETTERS = 60;

export function troubles(graph: ReasoningGraph): Sentence[] {
  const branches = [...graph.branches.values()];
  const sentences: Sentence[] = [...narrowVote(graph), ...waste(graph), ...retries(graph, branches)];
  const failed = branches.filter((branch) => branch.status === "failed" && branch.parent !== null);
  if (failed.length > 0) sentences.push(named("Failed", failed));
  if (graph.claims > 1)
    sentences.push([
      `The organizer was lost ${graph.claims === 2 ? "once" : `${graph.claims - 1} times`}; the journal carried on.`,
    ]);
  for (const { resource, limit, spent } of graph.windUps.slice(0, 1))
    sentences.push([
      `Asked to answer soon: ${Math.round(spent)} of its ${Math.round(limit)} ${resource} were spent.`,
    ]);
  if (graph.exceeded.length > 0)
    sentences.push([`A budget ran out: ${[...new Set(graph.exceeded)].join(", ")}.`]);
  if (graph.answer?.forced) sentences.push(["The answer was given early, from what there was."]);
  if (graph.answer?.truncated) sentences.push(["A limit of tokens cut the answer's text."]);
  return sentences;
}

/** Whether one in ten votes (one vote at least), given to the runner-up instead, would tie it with the winner. */
export function isNarrow({ classes, winner }: Vote): boolean {
  const [first, second] = [...classes].sort((a, b) => b.weight - a.weight);
  if (winner === null || !first || !second) return false;
  const all = classes.reduce((sum, one) => sum + one.weight, 0);
  const voters = classes.reduce((sum, one) => sum + one.branches.length, 0);
  return first.weight - second.weight <= 2 * Math.max(all / Math.max(1, voters), all / 10);
}

function narrowVote(graph: ReasoningGraph): Sentence[] {
  const vote = graph.votes.at(-1);
  if (!vote || !isNarrow(vote)) return [];
  const ranked = [...vote.classes].sort((a, b) => b.weight - a.weight);
  const counts = ranked.slice(0, 5).map((one) => weighed(one.weight));
  const tie = vote.tie ? `; the tie was broken by ${vote.tie}` : "";
  return [
    [
      `A narrow vote, ${counts.join(" : ")}${ranked.length > 5 ? " : …" : ""}: ${answerOf(vote.winner ?? "")} ` +
        `against ${answerOf(ranked.find((one) => one.answer !== vote.winner)?.answer ?? "")}${tie}.`,
    ],
  ];
}

/** A weight as people count: votes are whole, scores are not. */
export function weighed(weight: number): string {
  return Number.isInteger(weight) ? tokens(weight) : weight.toFixed(2);
}

function answerOf(answer: string): string {
  const line = shown(answer.trim().replace(/\s+/g, " "));
  return `“${line.length > ANSWER_LETTERS ? `${line.slice(0, ANSWER_LETTERS)}…` : line}”`;
}

/** Why tokens were not used, by what became of their branch. */
const FATES: readonly [string, (branch: Branch, node: GraphNode) => boolean][] = [
  ["retried", (_, node) => node.status === "failed"],
  ["pruned", (branch) => branch.pruned !== ""],
  ["cancelled", (branch) => branch.status === "cancelled"],
  ["failed", (branch) => branch.status === "failed"],
  ["unused", () => true],
];

function waste(graph: ReasoningGraph): Sentence[] {
  const nodes = wastedNodes(graph);
  let all = 0;
  for (const node of graph.nodes.values()) all += node.tokens;
  const wasted = nodes.reduce((sum, node) => sum + node.tokens, 0);
  if (wasted < TELLING_WASTE * all || wasted === 0) return [];
  const parts: Part[] = [
    `${percent(wasted / all)} of the tokens were waste, ${tokens(wasted)} of ${tokens(all)}: `,
  ];
  let first = true;
  for (const [fate, of] of fatesOf(graph, nodes)) {
    const lost = [...of.values()].reduce((a, b) => a + b, 0);
    if (lost === 0) continue;
    const most = [...of].sort((a, b) => b[1] - a[1]).map(([branch]) => branch);
    parts.push(
      `${first ? "" : "; "}${tokens(lost)} in ${counted(of.size, `${fate} branch`)} (`,
      ...listed(most),
      ")",
    );
    first = false;
  }
  return [[...parts, "."]];
}

function fatesOf(graph: ReasoningGraph, nodes: readonly GraphNode[]): Map<string, Map<Branch, number>> {
  const found = new Map<string, Map<Branch, number>>(FATES.map(([fate]) => [fate, new Map()]));
  for (const node of nodes) {
    const branch = graph.branches.get(node.branch);
    if (!branch || node.tokens === 0) continue;
    const fate = FATES.find(([, holds]) => holds(branch, node))![0];
    const of = found.get(fate)!;
    of.set(branch, (of.get(branch) ?? 0) + node.tokens);
  }
  return found;
}

/** Which branches were tried again, why, and what was lost by it. */
function retries(graph: ReasoningGraph, branches: readonly Branch[]): Sentence[] {
  const retried = branches.filter((branch) => branch.attempts > 1);
  if (retried.length === 0) return [];
  const told = (branch: Branch): string => {
    const lost = branch.nodes.map((id) => graph.nodes.get(id)!).filter((node) => node.status === "failed");
    const sum = (of: (node: GraphNode) => number): number => lost.reduce((all, node) => all + of(node), 0);
    const decoded = sum((node) => node.tokens);
    const time = sum((node) => node.seconds);
    const causes = [...new Set(branch.retries)].join(", ");
    const price = decoded > 0 || time > 0 ? `; ${tokens(decoded)} tokens and ${seconds(time)} lost` : "";
    return `(attempt ${branch.attempts} after ${causes || "a fault"}${price})`;
  };
  return [["Retried: ", ...listed(retried, told), "."]];
}
