/** Nodes: cards for segments and stacks, small signs for start, join and answer; plain boxes from afar. */

import type { Box } from "../model/layout/layout";
import type { Bounds, View } from "./camera";
import { FAR } from "./paintEdges";
import { farNames } from "./paintNames";
import type { Palette } from "./palette";
import type { Card, Scene, Tone } from "./scene";

export interface Focus {
  selected: string | null;
  hovered: string | null;
  /** Visible nodes that hold search hits; null when nothing is searched. */
  hits: ReadonlySet<string> | null;
}

/** Below this zoom cards carry no words. */
const WORDS = 0.55;
/** Between FAR and WORDS they carry their name alone, at this size on the screen. */
const NAME_PIXELS = 9.5;
const TITLE = "600 11px ";
const DETAIL = "10px ";

export function paintNodes(
  context: CanvasRenderingContext2D,
  scene: Scene,
  boxes: ReadonlyMap<string, Box>,
  view: View,
  seen: Bounds,
  palette: Palette,
  focus: Focus,
  breath: number,
): void {
  for (const card of scene.cards.values()) {
    const box = boxes.get(card.node.id);
    if (!box || outside(box, seen)) continue;
    const dimmed = focus.hits !== null && !focus.hits.has(card.node.id);
    context.globalAlpha = dimmed ? 0.25 : 1;
    if (focus.hits !== null && !dimmed) halo(context, box, palette.mark, view, 7);
    if (view.zoom < FAR) far(context, card, box, view, palette);
    else if (box.width === box.height) sign(context, card, box, palette, view);
    else paintCard(context, card, box, view, palette, breath);
    const isSelected = focus.selected === card.node.id;
    if (isSelected || focus.hovered === card.node.id) ring(context, box, palette, view, isSelected);
  }
  context.globalAlpha = 1;
  if (view.zoom < FAR) farNames(context, scene, boxes, view, seen, palette, focus.selected);
}

function outside(box: Box, seen: Bounds): boolean {
  const w = box.width / 2;
  const h = box.height / 2;
  return box.x + w < seen.left || box.x - w > seen.right || box.y + h < seen.top || box.y - h > seen.bottom;
}

export function colourOf(card: Card, palette: Palette): string {
  const tones: Record<Tone, string> = {
    queue: palette.queue,
    prefill: palette.prefill,
    decode: palette.decode,
    blocked: palette.blocked,
    done: card.critical ? palette.critical : palette.fork,
    failed: palette.failed,
    cancelled: palette.blocked,
    person: palette.waiting,
    ahead: palette.line,
  };
  return tones[card.tone];
}

function far(context: CanvasRenderingContext2D, card: Card, box: Box, view: View, palette: Palette): void {
  const least = 2.5 / view.zoom;
  const width = Math.max(box.width, least);
  const height = Math.max(box.height, least);
  context.fillStyle = colourOf(card, palette);
  context.fillRect(box.x - width / 2, box.y - height / 2, width, height);
}

function paintCard(
  context: CanvasRenderingContext2D,
  card: Card,
  box: Box,
  view: View,
  palette: Palette,
  breath: number,
): void {
  const left = box.x - box.width / 2;
  const top = box.y - box.height / 2;
  const colour = colourOf(card, palette);
  if (card.node.kind === "stack") {
    for (const shift of [6, 3]) {
      outline(context, left + shift, top + shift, box.width, box.height);
      fillAndStroke(context, palette.card, palette["line-strong"], 1);
    }
  }
  outline(context, left, top, box.width, box.height);
  if (card.tone === "ahead" || card.tone === "cancelled") context.setLineDash([3, 3]);
  const isLit = card.critical && card.tone !== "ahead";
  const background = isLit && !card.live ? palette["critical-soft"] : palette.card;
  fillAndStroke(context, background, isLit ? palette.critical : palette["line-strong"], isLit ? 1.6 : 1);
  context.setLineDash([]);
  if (card.live) {
    const alpha = context.globalAlpha;
    context.globalAlpha = alpha * (0.1 + 0.16 * breath);
    context.fillStyle = colour;
    context.fill();
    context.globalAlpha = alpha;
  }
  band(context, left, top, box.height, colour);
  bar(context, card, left, top + box.height, box.width, palette);
  if (view.zoom >= WORDS) words(context, card, left, top, box.width, palette);
  else name(context, card, box, view, palette);
}

function name(context: CanvasRenderingContext2D, card: Card, box: Box, view: View, palette: Palette): void {
  context.font = `${NAME_PIXELS / view.zoom}px ${palette.sans}`;
  context.fillStyle =
    card.tone === "failed" ? palette.failed : card.tone === "ahead" ? palette["ink-3"] : palette["ink-2"];
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(shortened(context, card.title, box.width - 10), box.x + 2, box.y - 2);
}

function outline(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  context.beginPath();
  context.roundRect(x, y, width, height, 5);
}

function fillAndStroke(context: CanvasRenderingContext2D, fill: string, line: string, width: number): void {
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = line;
  context.lineWidth = width;
  context.stroke();
}

function band(
  context: CanvasRenderingContext2D,
  left: number,
  top: number,
  height: number,
  colour: string,
): void {
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(left, top, 4, height, [5, 0, 0, 5]);
  context.fill();
}

/** Where its time went, to the scale of the longest node. */
function bar(
  context: CanvasRenderingContext2D,
  card: Card,
  left: number,
  bottom: number,
  width: number,
  palette: Palette,
): void {
  let x = left + 8;
  for (const [phase, share] of card.bar) {
    const length = share * (width - 14);
    context.fillStyle = palette[phase];
    context.fillRect(x, bottom - 5, length, 2.5);
    x += length;
  }
}

function words(
  context: CanvasRenderingContext2D,
  card: Card,
  left: number,
  top: number,
  width: number,
  palette: Palette,
): void {
  const faint = card.tone === "ahead" || card.tone === "cancelled";
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.font = TITLE + palette.sans;
  context.fillStyle = card.tone === "failed" ? palette.failed : faint ? palette["ink-3"] : palette.ink;
  const title = card.tone === "failed" ? `✕ ${card.title}` : card.title;
  context.fillText(shortened(context, title, width - 16), left + 9, top + 13);
  context.font = DETAIL + palette.sans;
  context.fillStyle = palette["ink-3"];
  context.textAlign = "right";
  context.fillText(card.right, left + width - 7, top + 25.5);
  const room = width - 22 - context.measureText(card.right).width;
  context.textAlign = "left";
  context.font = DETAIL + palette.mono;
  context.fillText(shortened(context, card.detail, room), left + 9, top + 25.5);
}

const shortenedOnce = new Map<string, string>();

function shortened(context: CanvasRenderingContext2D, text: string, room: number): string {
  const key = `${context.font}|${Math.round(room)}|${text}`;
  const known = shortenedOnce.get(key);
  if (known !== undefined) return known;
  if (shortenedOnce.size > 20_000) shortenedOnce.clear();
  let kept = text.slice(0, 60);
  const isCut = (): boolean => kept.length < text.length;
  while (kept.length > 0 && context.measureText(kept + (isCut() ? "…" : "")).width > room)
    kept = kept.slice(0, -1);
  const result = isCut() ? `${kept.trimEnd()}…` : kept;
  shortenedOnce.set(key, result);
  return result;
}

/** Start: a dot. Join: a diamond. Answer: a ringed disc. A person who is waited for: two bars. */
function sign(context: CanvasRenderingContext2D, card: Card, box: Box, palette: Palette, view: View): void {
  const { x, y } = box;
  const r = box.width / 2;
  const isGate = card.node.kind === "gate";
  const isAhead = card.tone === "ahead";
  const colour = isGate
    ? palette.waiting
    : isAhead
      ? palette["line-strong"]
      : card.critical
        ? palette.critical
        : palette["ink-3"];
  context.lineWidth = 1.6;
  context.strokeStyle = colour;
  context.fillStyle = palette.card;
  context.beginPath();
  if (card.node.kind === "join") {
    context.moveTo(x - r, y);
    context.lineTo(x, y - r);
    context.lineTo(x + r, y);
    context.lineTo(x, y + r);
    context.closePath();
    if (card.tone === "blocked") context.fillStyle = palette.blocked;
    if (isAhead) context.setLineDash([2, 2]);
  } else context.arc(x, y, card.node.kind === "start" ? r * 0.7 : r, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
  context.setLineDash([]);
  if (isGate) {
    context.fillStyle = colour;
    context.fillRect(x - 3.5, y - 3.5, 2.4, 7);
    context.fillRect(x + 1.1, y - 3.5, 2.4, 7);
  } else if (card.node.kind !== "join") {
    context.beginPath();
    context.arc(x, y, card.node.kind === "start" ? r * 0.3 : r * 0.55, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
  }
  if (view.zoom < WORDS) return;
  context.font = DETAIL + palette.sans;
  context.fillStyle = palette["ink-3"];
  context.textAlign = "center";
  const label = isGate ? card.title : card.node.kind === "join" ? card.right : card.node.kind;
  context.fillText(label, x, y + r + 11);
}

function halo(context: CanvasRenderingContext2D, box: Box, colour: string, view: View, size: number): void {
  const pad = Math.max(size, 3 / view.zoom);
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(
    box.x - box.width / 2 - pad,
    box.y - box.height / 2 - pad,
    box.width + 2 * pad,
    box.height + 2 * pad,
    pad + 4,
  );
  context.fill();
}

function ring(
  context: CanvasRenderingContext2D,
  box: Box,
  palette: Palette,
  view: View,
  strong: boolean,
): void {
  const pad = Math.max(3.5, 2.5 / view.zoom);
  context.strokeStyle = strong ? palette.accent : palette["ink-3"];
  context.lineWidth = (strong ? 2.4 : 1.2) / Math.min(1, view.zoom);
  context.beginPath();
  context.roundRect(
    box.x - box.width / 2 - pad,
    box.y - box.height / 2 - pad,
    box.width + 2 * pad,
    box.height + 2 * pad,
    7,
  );
  context.stroke();
}
