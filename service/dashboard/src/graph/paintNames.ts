/** Names of nodes that are too small to hold them: beside the node, where nothing else stands, the telling ones first. */

import type { Box } from "../model/layout/layout";
import type { Bounds, View } from "./camera";
import type { Palette } from "./palette";
import type { Card, Scene } from "./scene";

/** On the screen, in pixels. */
const SIZE = 10;
const LETTERS = 18;
const LETTER_WIDTH = 5.6;
const CELL = 14;
const CELL_HEIGHT = 6;
/** More names than this are a texture, not a text. */
const MOST = 70;

export function farNames(
  context: CanvasRenderingContext2D,
  scene: Scene,
  boxes: ReadonlyMap<string, Box>,
  view: View,
  seen: Bounds,
  palette: Palette,
  selected: string | null,
): void {
  context.font = `${SIZE / view.zoom}px ${palette.sans}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3 / view.zoom;
  context.strokeStyle = palette.paper;
  const taken = new Set<string>();
  let named = 0;
  for (const card of tellingFirst(scene, selected)) {
    const box = boxes.get(card.node.id);
    if (!box || box.width === box.height || box.x > seen.right || box.x < seen.left) continue;
    if (box.y > seen.bottom || box.y < seen.top) continue;
    const text = nameOf(card);
    const right = box.x + Math.max(box.width / 2, 2 / view.zoom);
    const cells = cellsOf((right - seen.left) * view.zoom, (box.y - seen.top) * view.zoom, text.length);
    if (cells.some((cell) => taken.has(cell))) continue;
    for (const cell of cells) taken.add(cell);
    context.strokeText(text, right + 3 / view.zoom, box.y);
    context.fillStyle = card.tone === "failed" ? palette.failed : palette["ink-2"];
    context.fillText(text, right + 3 / view.zoom, box.y);
    named += 1;
    if (named >= MOST) return;
  }
}

function nameOf(card: Card): string {
  return card.title.length > LETTERS ? `${card.title.slice(0, LETTERS - 1).trimEnd()}…` : card.title;
}

const ranked = new WeakMap<Scene, Card[]>();

function tellingFirst(scene: Scene, selected: string | null): Card[] {
  const known = ranked.get(scene) ?? [...scene.cards.values()].sort((a, b) => weight(b) - weight(a));
  ranked.set(scene, known);
  const chosen = selected === null ? undefined : scene.cards.get(selected);
  return chosen ? [chosen, ...known] : known;
}

function weight(card: Card): number {
  return (card.tone === "failed" ? 4 : 0) + (card.critical ? 2 : 0) + (card.node.kind === "stack" ? 1 : 0);
}

/** The cells of a coarse grid that a name would cover. */
function cellsOf(x: number, y: number, letters: number): string[] {
  const rows = [y - SIZE / 2, y, y + SIZE / 2].map((at) => Math.floor(at / CELL_HEIGHT));
  const first = Math.floor(x / CELL);
  const last = Math.floor((x + letters * LETTER_WIDTH) / CELL);
  const columns = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return rows.flatMap((row) => columns.map((column) => `${row}:${column}`));
}
