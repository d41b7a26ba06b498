import { counted } from "../model/words";
import { GrowingText, Prose } from "./LongText";

interface Props {
  text: string;
  tokens: number;
  find?: string;
  /** It is being thought now: unfolded, for there is nothing else to read. */
  live?: boolean;
}

/** What a model thought before it wrote: folded, and counted. */
export function Thoughts({ text, tokens, find, live = false }: Props) {
  if (text === "" && tokens === 0) return null;
  const count = tokens > 0 ? counted(tokens, "token") : counted(text.length, "character");
  return (
    <details className="thoughts" open={live}>
      <summary className="small">
        {live ? "Thinking" : "Thoughts"}, {count}
      </summary>
      {live && <GrowingText text={text} />}
      {!live && text && <Prose text={text} first={1200} find={find} />}
      {!live && !text && <p className="faint">Their text was not told.</p>}
    </details>
  );
}
