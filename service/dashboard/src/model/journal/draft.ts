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
}

/** The draft with this news in it. News of an older segment, or behind a gap, changes nothing. */
export function grow(before: Draft | undefined, news: LiveText): Draft | undefined {
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
  };
}
