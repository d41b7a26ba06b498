/** The live text of one job in this tab, apart from its journal, for it grows many times a second. */

import { type Draft, grow, type LiveText } from "../model/journal/draft";
import type { JournalEvent } from "../model/journal/events";

export class Drafts {
  private readonly drafts = new Map<string, Draft>();
  /** The last segment of each branch that has ended: its live text comes too late. */
  private readonly ended = new Map<string, number>();
  /** Grows with every change, for React. */
  version = 0;
  private readonly listeners = new Set<() => void>();
  private scheduled = false;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** The same object until it grows. */
  of(branch: string, segment: number): Draft | null {
    const draft = this.drafts.get(branch);
    return draft?.segment === segment ? draft : null;
  }

  /** Tokens of all segments that are open. */
  get tokens(): number {
    let sum = 0;
    for (const draft of this.drafts.values()) sum += draft.tokens;
    return sum;
  }

  /** Tokens of a branch's open segment. */
  tokensOf(branch: string): number {
    return this.drafts.get(branch)?.tokens ?? 0;
  }

  hear(news: LiveText): void {
    if (news.segment <= (this.ended.get(news.branch) ?? 0)) return;
    const grown = grow(this.drafts.get(news.branch), news, Date.now() / 1000);
    if (!grown || grown === this.drafts.get(news.branch)) return;
    this.drafts.set(news.branch, grown);
    this.version += 1;
    this.schedule();
  }

  /** What ended needs no draft: the journal has its text. */
  settle(events: readonly JournalEvent[]): void {
    for (const { kind, branch, payload } of events) {
      if (kind !== "SegmentFinished") continue;
      this.ended.set(branch, payload.segment);
      if ((this.drafts.get(branch)?.segment ?? Infinity) <= payload.segment) this.drafts.delete(branch);
    }
  }

  /** At most once per frame. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      for (const listener of this.listeners) listener();
    });
  }
}
