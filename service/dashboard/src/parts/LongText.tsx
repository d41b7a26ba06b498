import { lazy, Suspense, useState, useSyncExternalStore } from "react";
import { headOf, isMarked } from "../model/text/markdown";
import { tokens } from "../model/words";
import { CopyButton } from "./CopyButton";
import { Shown } from "./Shown";

const FIRST = 4000;
const MORE = 40_000;
const Rendered = lazy(() => import("./markdown/Rendered"));

interface Props {
  text: string;
  mono?: boolean;
  first?: number;
  find?: string;
}

/** Text from outside (a model, a person): shown as it is, never as markup, and a page of it at a time. */
export function LongText({ text, mono, first = FIRST, find = "" }: Props) {
  const [limit, setLimit] = useState(first);
  const head = headOf(text, limit);
  return (
    <>
      <Plain text={head} mono={mono} find={find} cut={head.length < text.length} />
      <More left={text.length - head.length} show={() => setLimit(limit + MORE)} />
    </>
  );
}

/** Text that a model wrote to be read: its Markdown and its formulas drawn, or, by a switch, the text as it came. */
export function Prose({ text, first = FIRST, find = "" }: Omit<Props, "mono">) {
  const [limit, setLimit] = useState(first);
  const isRaw = useRaw();
  if (!isMarked(text)) return <LongText text={text} first={first} find={find} />;
  const head = headOf(text, limit);
  const plain = <Plain text={head} find={find} cut={head.length < text.length} />;
  return (
    <div className="prose">
      <div className="prose-tools">
        <button
          type="button"
          className="button small-button"
          aria-pressed={isRaw}
          title="Show all texts as they were written"
          onClick={() => raw.set(!isRaw)}
        >
          Raw
        </button>
        <CopyButton label="Copy" text={() => text} />
      </div>
      {isRaw ? (
        plain
      ) : (
        <Suspense fallback={plain}>
          <Rendered text={head} find={find} />
        </Suspense>
      )}
      <More left={text.length - head.length} show={() => setLimit(limit + MORE)} />
    </div>
  );
}

function Plain({ text, mono, find, cut }: { text: string; mono?: boolean; find: string; cut: boolean }) {
  return (
    <div className={mono ? "text mono" : "text"} dir="auto">
      <Shown text={text} find={find} />
      {cut && "…"}
    </div>
  );
}

function More({ left, show }: { left: number; show: () => void }) {
  if (left <= 0) return null;
  return (
    <button type="button" className="link-button" onClick={show}>
      Load more ({tokens(left)} characters left)
    </button>
  );
}

/** Text that is still being written: its end is what one looks at. */
export function GrowingText({ text }: { text: string }) {
  return (
    <div className="text growing" dir="auto" aria-busy="true">
      {text.length > FIRST && "…"}
      <Shown text={text.slice(-FIRST)} />
    </div>
  );
}

const KEY = "anabranch.raw";
const listeners = new Set<() => void>();

/** Whether texts are shown as they were written, on this machine. */
const raw = {
  get: (): boolean => localStorage.getItem(KEY) !== null,
  set: (on: boolean): void => {
    if (on) localStorage.setItem(KEY, "1");
    else localStorage.removeItem(KEY);
    for (const listener of listeners) listener();
  },
};

function useRaw(): boolean {
  const subscribe = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return useSyncExternalStore(subscribe, raw.get, () => false);
}
