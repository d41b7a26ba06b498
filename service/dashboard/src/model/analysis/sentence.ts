/** Sentences of the story: lists of parts, of which those that name a branch can be clicked. */

import type { Branch } from "../journal/graph";
import { seconds, tokens } from "../words";
import type { Measure } from "./criticalPath";

export type Part = string | { branch: string };
export type Sentence = Part[];

const NAMED = 3;

/** "VERB: 0.1, 0.2, 0.3 and 4 more." */
export function named(verb: string, branches: readonly Branch[]): Sentence {
  return [`${verb}: `, ...listed(branches), "."];
}

export function listed(branches: readonly Branch[], told: (branch: Branch) => string = () => ""): Part[] {
  const parts = branches.slice(0, NAMED).flatMap((branch, i): Part[] => {
    const words = told(branch);
    return [...(i > 0 ? [", "] : []), { branch: branch.id }, ...(words ? [` ${words}`] : [])];
  });
  return branches.length > NAMED ? [...parts, ` and ${branches.length - NAMED} more`] : parts;
}

/** How much, in the measure of the critical path. */
export function amount(value: number, measure: Measure): string {
  return measure === "seconds" ? seconds(value) : `${tokens(value)} tokens`;
}

export function plain(sentence: Sentence): string {
  return sentence.map((part) => (typeof part === "string" ? part : part.branch)).join("");
}
