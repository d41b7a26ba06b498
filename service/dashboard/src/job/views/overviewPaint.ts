/** Draws the overview strip: stacked counts of segments per phase over time, and the critical path at the foot. */

import type { Palette } from "../../graph/palette";
import { isWork, type Phase, spansOf } from "../../model/analysis/phases";
import type { ReasoningGraph } from "../../model/journal/graph";
import type { TimeScale } from "../../model/layout/timeScale";

const STACK: readonly Phase[] = ["decode", "prefill", "queue"];
const BIN = 2;
const FOOT = 5;

export function paintOverview(
  canvas: HTMLCanvasElement,
  graph: ReasoningGraph,
  scale: TimeScale,
  critical: ReadonlySet<string>,
  palette: Palette,
  now: number,
): void {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);

  const bins = Math.max(1, Math.ceil(width / BIN));
  const counts = countsOf(graph, scale, bins, now);
  let most = 1;
  for (let i = 0; i < bins; i++)
    most = Math.max(
      most,
      STACK.reduce((sum, phase) => sum + counts[phase][i]!, 0),
    );
  const room = height - FOOT - 4;
  for (let i = 0; i < bins; i++) {
    let y = height - FOOT;
    for (const phase of STACK) {
      const tall = (counts[phase][i]! / most) * room;
      context.fillStyle = palette[phase];
      context.fillRect(i * BIN, y - tall, BIN, tall);
      y -= tall;
    }
  }
  for (const { left, right } of scale.gaps)
    hatch(context, left * width, (right - left) * width, height - FOOT, palette.blocked);
  context.fillStyle = palette.critical;
  for (const id of critical) {
    const node = graph.nodes.get(id);
    if (!node || !isWork(node)) continue;
    const from = scale.at(node.ready) * width;
    context.fillRect(
      from,
      height - FOOT + 1,
      Math.max(1, scale.at(node.ended ?? now) * width - from),
      FOOT - 2,
    );
  }
}

/** How many segments are in each phase, per bin: by differences, so that it is linear in nodes and bins. */
function countsOf(
  graph: ReasoningGraph,
  scale: TimeScale,
  bins: number,
  now: number,
): Record<Phase, Float64Array> {
  const empty = (): Float64Array => new Float64Array(bins + 1);
  const counts: Record<Phase, Float64Array> = {
    queue: empty(),
    prefill: empty(),
    decode: empty(),
    blocked: empty(),
  };
  for (const node of graph.nodes.values()) {
    if (!isWork(node)) continue;
    for (const { phase, from, to } of spansOf(node, now)) {
      const first = Math.min(bins - 1, Math.floor(scale.at(from) * bins));
      const last = Math.min(bins, Math.max(first + 1, Math.ceil(scale.at(to) * bins)));
      counts[phase][first]! += 1;
      counts[phase][last]! -= 1;
    }
  }
  for (const series of Object.values(counts)) for (let i = 1; i <= bins; i++) series[i]! += series[i - 1]!;
  return counts;
}

function hatch(
  context: CanvasRenderingContext2D,
  left: number,
  width: number,
  height: number,
  colour: string,
): void {
  context.save();
  context.beginPath();
  context.rect(left, 0, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let x = left - height; x < left + width; x += 6) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}
