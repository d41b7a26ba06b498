/** An evaluation as its page shows it: points of a plot, and a matrix of tasks by policies. */

import type { ArmView, EvaluationView, TrialView } from "../../data/api.generated";
import { money, seconds, tokens } from "../words";

export interface Cost {
  name: "critical_path_tokens" | "total_tokens" | "wall_seconds" | "cost";
  short: string;
  long: string;
  tell: (value: number) => string;
}

/** What an accuracy is paid with. */
export const COSTS: readonly Cost[] = [
  { name: "critical_path_tokens", short: "T", long: "critical path T, tokens", tell: whole },
  { name: "total_tokens", short: "L", long: "all tokens L", tell: whole },
  { name: "wall_seconds", short: "Time", long: "wall clock", tell: seconds },
  { name: "cost", short: "Cost", long: "cost", tell: money },
];

function whole(value: number): string {
  return tokens(Math.round(value));
}

export interface Point {
  arm: ArmView;
  /** Both from 0 to 1, x along the cost. */
  x: number;
  y: number;
  best: boolean;
}

/** The judged policies as points; the dearest stands at 1. */
export function pointsOf(evaluation: EvaluationView, cost: Cost): Point[] {
  const arms = evaluation.reports.filter((arm) => arm.trials > 0);
  const most = Math.max(...arms.map((arm) => arm[cost.name]), 0) || 1;
  const best = new Set(evaluation.frontiers[cost.name] ?? []);
  return arms.map((arm) => ({
    arm,
    x: arm[cost.name] / most,
    y: arm.accuracy,
    best: best.has(arm.arm),
  }));
}

/** The points of the frontier, cheapest first. */
export function frontierOf(points: readonly Point[]): Point[] {
  return points.filter((point) => point.best).sort((a, b) => a.x - b.x || a.y - b.y);
}

export interface Row {
  task: string;
  question: string;
  answer: string | null;
  /** By policy, in the evaluation's order; null where nothing is judged yet. */
  trials: (TrialView | null)[];
  /** Some policies are right and some are wrong. */
  parts: boolean;
}

interface Task {
  id: string;
  question: string;
  answer: string | null;
}

export function rowsOf(evaluation: EvaluationView): Row[] {
  const found = new Map(evaluation.trials.map((trial) => [keyOf(trial.task, trial.arm), trial]));
  return (evaluation.design.tasks as Task[]).map((task) => {
    const trials = evaluation.arms.map((arm) => found.get(keyOf(task.id, arm)) ?? null);
    const rights = new Set(trials.flatMap((trial) => (trial ? [isRight(evaluation, trial)] : [])));
    return { task: task.id, question: task.question, answer: task.answer, trials, parts: rights.size > 1 };
  });
}

/** Whether it counts as right: a critical path beyond the limit does not. */
export function isRight(evaluation: EvaluationView, trial: TrialView): boolean {
  const limits = evaluation.design.limits as { critical_path_tokens?: number | null } | undefined;
  const longest = limits?.critical_path_tokens ?? Number.POSITIVE_INFINITY;
  return trial.score >= 1 && trial.critical_path_tokens <= longest;
}

function keyOf(task: string, arm: string): string {
  return JSON.stringify([task, arm]);
}

/** How far apart two policies may be, in words: percentage points. */
export function points(share: number): string {
  const value = Math.round(Math.abs(share) * 1000) / 10;
  return `${share > 0 ? "+" : share < 0 ? "−" : ""}${value}`;
}
