/** A formula set by KaTeX, which builds elements and sets their styles one by one: no markup, as the page's policy asks. */

import katex from "katex";
import "katex/dist/katex.min.css";
import { useLayoutEffect, useRef, useState } from "react";
import { shown } from "../../model/text/unseen";

/** A longer one is shown as it was written. */
const LONGEST = 4000;
const OPTIONS = {
  output: "html",
  throwOnError: true,
  strict: "ignore",
  trust: false,
  maxSize: 20,
  maxExpand: 300,
} as const;

export default function Formula({ tex, display }: { tex: string; display: boolean }) {
  const place = useRef<HTMLSpanElement>(null);
  const [wrong, setWrong] = useState("");
  useLayoutEffect(() => {
    if (place.current) setWrong(set(place.current, tex, display));
  }, [tex, display]);
  if (wrong)
    return (
      <code className="formula-wrong" title={wrong}>
        {shown(tex)}
      </code>
    );
  return (
    <span className={display ? "formula display" : "formula"} role="math" aria-label={tex} ref={place} />
  );
}

/** Draws the formula; returns why it could not. */
function set(place: HTMLElement, tex: string, displayMode: boolean): string {
  if (tex.length > LONGEST) return `A formula of ${tex.length} characters is not drawn`;
  if (shown(tex) !== tex) return "It holds hidden characters";
  try {
    katex.render(tex, place, { ...OPTIONS, displayMode });
    return "";
  } catch (error) {
    // What a model wrote may be no formula, or nested too deeply.
    place.textContent = "";
    if (error instanceof katex.ParseError || error instanceof RangeError) return error.message;
    throw error;
  }
}
