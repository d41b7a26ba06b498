/**
 * From time to the horizontal axis and back. Long stretches in which nothing decodes (a person is waited for, a crash
 * is recovered from) are compressed to a fixed share, so that two hours of waiting do not hide ten seconds of work.
 */

export interface Interval {
  from: number;
  to: number;
}

interface Piece extends Interval {
  /** Where the piece begins and ends on the axis, from 0 to 1. */
  left: number;
  right: number;
  compressed: boolean;
}

/** A gap is compressed when it is longer than both of these. */
const MIN_GAP_SECONDS = 5;
const MIN_GAP_SHARE = 0.2;
/** Share of the axis that one compressed gap keeps. */
const GAP_WIDTH = 0.045;

export class TimeScale {
  readonly from: number;
  readonly to: number;
  private readonly pieces: Piece[];

  constructor(busy: readonly Interval[], from: number, to: number) {
    this.from = from;
    this.to = Math.max(to, from + 1e-3);
    this.pieces = arrange(idle(busy, this.from, this.to), this.from, this.to);
  }

  /** Position on the axis, 0 to 1. */
  at(moment: number): number {
    const piece = this.pieces.find((one) => moment <= one.to) ?? this.pieces.at(-1)!;
    const share = (moment - piece.from) / (piece.to - piece.from);
    return piece.left + Math.min(1, Math.max(0, share)) * (piece.right - piece.left);
  }

  moment(position: number): number {
    const piece = this.pieces.find((one) => position <= one.right) ?? this.pieces.at(-1)!;
    const share = (position - piece.left) / (piece.right - piece.left);
    return piece.from + Math.min(1, Math.max(0, share)) * (piece.to - piece.from);
  }

  /** The compressed gaps, with their place on the axis. */
  get gaps(): { from: number; to: number; left: number; right: number }[] {
    return this.pieces.filter((piece) => piece.compressed);
  }

  /** Round moments for labels, about `count` of them, none inside a gap. */
  ticks(count: number, from = this.from, to = this.to): number[] {
    const open = this.pieces
      .filter((piece) => !piece.compressed)
      .reduce((sum, piece) => sum + Math.max(0, Math.min(piece.to, to) - Math.max(piece.from, from)), 0);
    const step = niceStep(open / Math.max(1, count));
    const ticks: number[] = [];
    for (
      let k = Math.ceil((from - this.from) / step);
      this.from + k * step <= to && ticks.length < 100;
      k++
    ) {
      const moment = this.from + k * step;
      const gap = this.pieces.find((piece) => piece.compressed && moment > piece.from && moment < piece.to);
      if (gap) k = Math.floor((gap.to - this.from) / step);
      else ticks.push(moment);
    }
    return ticks;
  }
}

/** The stretches between the busy intervals. */
function idle(busy: readonly Interval[], from: number, to: number): Interval[] {
  const gaps: Interval[] = [];
  let reached = from;
  for (const interval of [...busy].sort((a, b) => a.from - b.from)) {
    if (interval.from > reached) gaps.push({ from: reached, to: Math.min(interval.from, to) });
    reached = Math.max(reached, interval.to);
  }
  if (to > reached) gaps.push({ from: reached, to });
  return gaps;
}

function arrange(gaps: readonly Interval[], from: number, to: number): Piece[] {
  const long = gaps.filter(
    (gap) => gap.to - gap.from > MIN_GAP_SECONDS && gap.to - gap.from > MIN_GAP_SHARE * (to - from),
  );
  const kept = to - from - long.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const width = kept <= 0 ? 1 / long.length : GAP_WIDTH;
  const scale = kept <= 0 ? 0 : (1 - width * long.length) / kept;
  const pieces: Piece[] = [];
  let reached = from;
  let left = 0;
  const add = (until: number, size: number, compressed: boolean): void => {
    if (until <= reached) return;
    pieces.push({ from: reached, to: until, left, right: left + size, compressed });
    reached = until;
    left += size;
  };
  for (const gap of long) {
    add(gap.from, (gap.from - reached) * scale, false);
    add(gap.to, width, true);
  }
  add(to, (to - reached) * scale, false);
  return pieces;
}

/** The smallest of 1, 2, 5 times a power of ten (and of minutes and hours above) that is not below `raw`. */
export function niceStep(raw: number): number {
  const steps = [60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
  if (raw > 30) return steps.find((step) => step >= raw) ?? Math.ceil(raw / 86400) * 86400;
  const power = 10 ** Math.floor(Math.log10(Math.max(raw, 1e-6)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw * (1 - 1e-9))!;
}
