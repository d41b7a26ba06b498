/** What the canvas is given to draw: the visible graph, where it stands, and how each node looks. */

import { durations, isWork, type Phase, phaseAt } from "../model/analysis/phases";
import {
  type Branch,
  type GraphNode,
  isBlocked,
  type ReasoningGraph,
  severalModels,
} from "../model/journal/graph";
import type { VisibleGraph, VisibleNode } from "../model/layout/fold";
import type { Layout } from "../model/layout/layout";
import { shown } from "../model/text/unseen";
import { counted, median, seconds, tokens } from "../model/words";

export interface Scene {
  graph: ReasoningGraph;
  visible: VisibleGraph;
  layout: Layout;
  critical: ReadonlySet<string>;
  /** "SOURCE>TARGET" of the visible edges on the critical path. */
  lit: ReadonlySet<string>;
  cards: Map<string, Card>;
  /** The moment of the playhead, in Unix seconds; null shows how things stand. */
  moment: number | null;
  severalModels: boolean;
}

export type Tone = Phase | "done" | "failed" | "cancelled" | "person" | "ahead";

/** The words and colours of one node. */
export interface Card {
  node: VisibleNode;
  title: string;
  detail: string;
  right: string;
  tone: Tone;
  /** It is being worked on now. */
  live: boolean;
  critical: boolean;
  /** Shares of the micro-bar at its foot, against the longest node: queue, prefill, decode, blocked. */
  bar: [Phase, number][];
}

/** What is heard of a segment that is open, before the journal has it. */
export type Progress = (branch: string, segment: number) => { tokens: number; age: number } | null;

const nothing: Progress = () => null;

export function sceneOf(
  graph: ReasoningGraph,
  visible: VisibleGraph,
  layout: Layout,
  criticalPath: readonly string[],
  moment: number | null,
  progress: Progress = nothing,
): Scene {
  const critical = new Set(criticalPath);
  const lit = new Set<string>();
  for (let i = 1; i < criticalPath.length; i++) {
    lit.add(`${visible.home.get(criticalPath[i - 1]!)}>${visible.home.get(criticalPath[i]!)}`);
  }
  let longest = 0;
  for (const node of graph.nodes.values()) {
    if (isWork(node)) longest = Math.max(longest, (node.ended ?? graph.lastAt) - node.ready);
  }
  const cards = new Map<string, Card>();
  const votes = votesOf(graph);
  for (const node of visible.nodes)
    cards.set(node.id, cardOf(graph, node, critical, longest, moment, progress, votes));
  return { graph, visible, layout, critical, lit, cards, moment, severalModels: severalModels(graph) };
}

/** What each branch voted for, in short. */
function votesOf(graph: ReasoningGraph): Map<string, string> {
  const found = new Map<string, string>();
  for (const { answer, branches } of graph.votes.at(-1)?.classes ?? []) {
    const short = answer.trim().replace(/\s+/g, " ").slice(0, 40);
    for (const id of branches) found.set(id, `→ ${short}`);
  }
  return found;
}

function cardOf(
  graph: ReasoningGraph,
  node: VisibleNode,
  critical: ReadonlySet<string>,
  longest: number,
  moment: number | null,
  progress: Progress,
  votes: ReadonlyMap<string, string>,
): Card {
  const card: Card = {
    node,
    title: "",
    detail: "",
    right: "",
    tone: "done",
    live: false,
    critical: node.nodes.some((id) => critical.has(id)),
    bar: [],
  };
  if (node.kind === "stack") return stackCard(graph, card, moment);
  if (node.kind === "gate") return { ...card, title: "waits for a person", tone: "person", live: true };
  const branch = graph.branches.get(node.branch);
  const of = graph.nodes.get(node.nodes[0] ?? "");
  card.title = titleOf(branch, of, votes.get(node.branch) ?? "") || node.branch;
  card.detail = node.id;
  if (!of) return { ...card, tone: "ahead", right: branch && branch.after.length > 0 ? "waits" : "queued" };
  if (node.kind === "join" && node.nodes.length > 1) card.right = `×${node.nodes.length}`;
  Object.assign(card, standing(graph.nodes.get(node.nodes.at(-1)!) ?? of, moment));
  if (node.kind === "segment" || node.kind === "tool") {
    const told = card.live && moment === null ? progress(of.branch, of.ordinal) : null;
    card.right =
      card.tone === "ahead" ? "" : told ? growing(told) : card.live ? card.tone : `${tokens(of.tokens)} tok`;
    card.bar = barOf(of, moment ?? graph.lastAt, longest);
  }
  return card;
}

/** Tokens so far, and the silence since, once there is any. */
export function growing({ tokens: count, age }: { tokens: number; age: number }): string {
  return age < 2.5 ? `${tokens(count)} tok` : `${tokens(count)} tok · ${seconds(age)} ago`;
}

/** A branch's first segment bears its label, the answer it voted for, or its role; the others begin as their text does. */
function titleOf(branch: Branch | undefined, node: GraphNode | undefined, voted: string): string {
  const isFirst = node === undefined || branch?.nodes[0] === node.id;
  const named = branch?.label || voted || branch?.role || "";
  if (isFirst && branch?.parent !== null) return shown(named);
  return shown(node?.text.slice(0, 60).trim().replace(/\s+/g, " ") || named);
}

function barOf(node: GraphNode, moment: number, longest: number): [Phase, number][] {
  if (longest <= 0 || moment < node.ready) return [];
  const spent = durations(
    node.ended !== null && node.ended <= moment ? node : { ...node, ended: null },
    moment,
  );
  return (["queue", "prefill", "decode"] as const).map((phase) => [phase, spent[phase] / longest]);
}

/** How a node stands at a moment: what it is doing, and whether it is doing it now. */
function standing(node: GraphNode, moment: number | null): { tone: Tone; live: boolean } {
  if (moment !== null) {
    const phase = phaseAt(node, moment);
    if (phase === null) return { tone: "ahead", live: false };
    if (phase !== "done") return { tone: phase, live: true };
  }
  if (node.status === "failed") return { tone: "failed", live: false };
  if (node.status === "aborted") return { tone: "cancelled", live: false };
  if (isBlocked(node)) return { tone: "blocked", live: true };
  if (node.status === "running") return { tone: "decode", live: true };
  return { tone: "done", live: false };
}

function stackCard(graph: ReasoningGraph, card: Card, moment: number | null): Card {
  const { branches } = card.node;
  const tally: Record<string, number> = {};
  for (const id of card.node.nodes) {
    const node = graph.nodes.get(id)!;
    if (!isWork(node)) continue;
    const { tone } = standing(node, moment);
    tally[tone] = (tally[tone] ?? 0) + 1;
  }
  const sizes = branches.map((id) => graph.branches.get(id)?.tokens ?? 0);
  const all = Object.values(tally).reduce((a, b) => a + b, 0);
  const busy = (tally.decode ?? 0) + (tally.prefill ?? 0) + (tally.queue ?? 0);
  card.title = `×${tokens(branches.length)}`;
  card.detail = `median ${tokens(Math.round(median(sizes)))}`;
  card.right = busy > 0 ? `${tokens(busy)} live` : "open";
  card.tone = busy > 0 ? "decode" : (tally.ahead ?? 0) === all && all > 0 ? "ahead" : "done";
  card.live = busy > 0;
  card.bar = (["queue", "prefill", "decode"] as const).map((phase) => [
    phase,
    (tally[phase] ?? 0) / Math.max(1, all),
  ]);
  return card;
}

/** What a screen reader, a tooltip and a test are told about a node. */
export function describe(scene: Scene, id: string): string {
  const card = scene.cards.get(id);
  if (!card) return "";
  const { node } = card;
  const path = card.critical ? ", on the critical path" : "";
  if (node.kind === "stack")
    return `${counted(node.branches.length, "branch")} folded, ${card.detail} tokens${path}. Enter opens them.`;
  if (node.kind === "gate") return "Waits for a person to decide";
  if (node.kind === "start") return "Start";
  if (node.kind === "answer") return `Answer${path}`;
  if (node.kind === "join") {
    return `${node.nodes.length > 1 ? counted(node.nodes.length, "join") : "Join"} of branch ${node.branch}${path}`;
  }
  const of = scene.graph.nodes.get(node.nodes[0] ?? "");
  const took = of?.ended ? `, ${seconds(of.ended - of.ready)}` : "";
  const by = scene.severalModels && of?.model ? `, by ${of.model}` : "";
  return `${card.title}, segment ${card.detail}, ${card.tone}, ${card.right}${took}${by}${path}`;
}
