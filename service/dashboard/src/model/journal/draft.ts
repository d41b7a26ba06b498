/** What is being decoded, before the journal has it: live text, which the end of its segment replaces. */

/** Live text as the stream tells it: it stands at its places, and replaces whatever was told behind them. */
export interface LiveText {
  job: string;
  branch: string;
  segment: number;
  at: number;
  text: string;
  reasoning_at: number;
  reasoning: string;
  /** Decoded so far in this segment, as the engine counts; of those, thoughts. */
  tokens?: number;
  reasoning_tokens?: number;
}

/** One segment as far as it is known. */
export interface Draft {
  segment: number;
  text: string;
  thought: string;
  tokens: number;
  thoughtTokens: number;
  /** When the last of it was heard, in Unix seconds of this machine. */
  heardAt: number;
}

/** The draft with this news in it. News of an older segment, or behind a gap, changes nothing. */
export function grow(before: Draft | undefined, news: LiveText, now: number): Draft | undefined {
  if (before && news.segment < before.segment) return before;
  const same = before?.segment === news.segment ? before : undefined;
  const { text = "", thought = "" } = same ?? {};
  if (news.at > text.length || news.reasoning_at > thought.length) return before;
  return {
    segment: news.segment,
    text: text.slice(0, news.at) + news.text,
    thought: thought.slice(0, news.reasoning_at) + news.reasoning,
    tokens: news.tokens ?? same?.tokens ?? 0,
    thoughtTokens: news.reasoning_tokens ?? same?.thoughtTokens ?? 0,
    heardAt: now,
  };
}

/** How far a segment is that decodes, and for how many seconds nothing more was heard of it. */
export function progressOf(draft: Draft | null, now: number): { tokens: number; age: number } | null {
  return draft && { tokens: draft.tokens, age: Math.max(0, now - draft.heardAt) };
}
