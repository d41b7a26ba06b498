import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";
import { clock, seconds } from "../../model/words";
import { useJob } from "../JobContext";

/** The stretch of the time axis that the waterfall shows, as positions from 0 to 1 on the scale of the whole job. */
export interface TimeWindow {
  from: number;
  to: number;
  /** Where a moment stands in the window: 0 is its left end, 1 its right end. */
  position: (moment: number) => number;
  set: (from: number, to: number) => void;
  shift: (by: number) => void;
  zoom: (factor: number) => void;
  reset: () => void;
}

const NARROWEST = 0.002;
const WindowContext = createContext<{
  range: [number, number];
  setRange: (range: [number, number]) => void;
} | null>(null);

export function WindowProvider({ children }: { children: ReactNode }) {
  const [range, setRange] = useState<[number, number]>([0, 1]);
  const value = useMemo(() => ({ range, setRange }), [range]);
  return <WindowContext value={value}>{children}</WindowContext>;
}

export function useWindow(): TimeWindow {
  const { scale } = useJob();
  const { range, setRange } = useContext(WindowContext)!;
  const [from, to] = range;
  const set = (left: number, right: number): void => {
    const width = Math.min(1, Math.max(NARROWEST, right - left));
    const start = Math.min(1 - width, Math.max(0, left));
    setRange([start, start + width]);
  };
  return {
    from,
    to,
    position: (moment) => (scale.at(moment) - from) / (to - from),
    set,
    shift: (by) => set(from + by * (to - from), to + by * (to - from)),
    zoom: (factor) => {
      const middle = (from + to) / 2;
      const half = Math.min(0.5, ((to - from) * factor) / 2);
      set(middle - half, middle + half);
    },
    reset: () => setRange([0, 1]),
  };
}

/** Room that a label needs, in pixels. */
const LABEL = 64;

/** Labels of the time axis: seconds since the submission, and how long each compressed gap really is. */
export function TimeAxis({ window }: { window: TimeWindow }) {
  const { scale, graph } = useJob();
  const axis = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry!.contentRect.width));
    observer.observe(axis.current!);
    return () => observer.disconnect();
  }, []);
  const place = (moment: number): number => window.position(moment) * width;
  const gaps = scale.gaps
    .map(({ from, to }) => ({ from, to, at: (place(from) + place(to)) / 2 }))
    .filter(({ at }) => at > 0 && at < width);
  const ticks = scale.ticks(Math.max(2, width / 110), scale.moment(window.from), scale.moment(window.to));
  const isFine = ticks.length > 1 && ticks[1]! - ticks[0]! < 1;
  let taken = Number.NEGATIVE_INFINITY;
  const shown = ticks.filter((tick) => {
    const at = place(tick);
    const isHidden =
      at < taken ||
      at < 0 ||
      at > width - LABEL / 2 ||
      gaps.some((gap) => at > gap.at - LABEL && at < gap.at + LABEL / 2);
    if (!isHidden) taken = at + LABEL;
    return !isHidden;
  });
  return (
    <div className="time-axis" aria-hidden="true" ref={axis}>
      {shown.map((tick) => (
        <span key={tick} className="tick number" style={{ left: place(tick) }}>
          {clock(tick - graph.submittedAt, isFine)}
        </span>
      ))}
      {gaps.map(({ from, to, at }) => (
        <span key={from} className="gap-label number" style={{ left: at }}>
          {seconds(to - from)}
        </span>
      ))}
    </div>
  );
}
