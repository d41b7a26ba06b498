/** Edges: fork and join are told apart by colour and by their ends (a dot where it leaves, an arrow where it joins). */

import type { Route } from "../model/layout/layout";
import type { Bounds, View } from "./camera";
import type { Palette } from "./palette";
import type { Scene } from "./scene";

type Style = "next" | "fork" | "join" | "depends" | "ahead" | "lit";

/** Below this zoom edges are straight and have no ends. */
export const FAR = 0.35;

export function paintEdges(
  context: CanvasRenderingContext2D,
  scene: Scene,
  routes: readonly Route[],
  view: View,
  seen: Bounds,
  palette: Palette,
): void {
  const groups: Record<Style, Route[]> = { ahead: [], depends: [], next: [], join: [], fork: [], lit: [] };
  for (const route of routes) {
    if (route.x1 > seen.right || route.x2 < seen.left) continue;
    if (Math.min(route.y1, route.y2) > seen.bottom || Math.max(route.y1, route.y2) < seen.top) continue;
    groups[styleOf(scene, route)].push(route);
  }
  const thin = Math.max(0.6, Math.min(1.4, 1.4 * view.zoom)) / view.zoom;
  const isFar = view.zoom < FAR;
  const dash = (on: number, off: number): number[] => (isFar ? [] : [on, off]);
  // From very far thousands of lines would merge into a block of colour.
  context.globalAlpha = view.zoom < 0.1 ? 0.35 : 1;
  stroke(context, groups.ahead, palette.line, thin, dash(4, 4), isFar);
  stroke(context, groups.depends, palette["ink-3"], thin, dash(1.5, 4), isFar);
  stroke(context, groups.next, palette["line-strong"], thin * 1.3, [], isFar);
  stroke(context, groups.join, palette.join, thin, [], isFar);
  stroke(context, groups.fork, palette.fork, thin, [], isFar);
  context.globalAlpha = 1;
  stroke(context, groups.lit, palette["critical-soft"], Math.max(9, 5 / view.zoom), [], isFar);
  stroke(context, groups.lit, palette.critical, Math.max(2.2, 1.6 / view.zoom), [], isFar);
  if (isFar) return;
  ends(context, groups.fork, palette.fork, palette.paper);
  ends(context, groups.join, palette.join, palette.paper);
  ends(context, groups.lit, palette.critical, palette.paper);
}

function styleOf(scene: Scene, { edge }: Route): Style {
  if (edge.pending || scene.cards.get(edge.target)?.tone === "ahead") return "ahead";
  if (scene.lit.has(`${edge.source}>${edge.target}`)) return "lit";
  return edge.kind === "retry" ? "ahead" : edge.kind;
}

function stroke(
  context: CanvasRenderingContext2D,
  routes: readonly Route[],
  colour: string,
  width: number,
  dash: number[],
  isFar: boolean,
): void {
  if (routes.length === 0) return;
  context.beginPath();
  for (const { x1, y1, x2, y2, bend, bendEnd } of routes) {
    context.moveTo(x1, y1);
    if (y1 === y2) context.lineTo(x2, y2);
    else {
      const middle = (bend + bendEnd) / 2;
      context.lineTo(bend, y1);
      if (isFar) context.lineTo(bendEnd, y2);
      else context.bezierCurveTo(middle, y1, middle, y2, bendEnd, y2);
      context.lineTo(x2, y2);
    }
  }
  context.setLineDash(dash);
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
  context.setLineDash([]);
}

/** A ring where a fork leaves, an arrow head where a join arrives. */
function ends(
  context: CanvasRenderingContext2D,
  routes: readonly Route[],
  colour: string,
  inside: string,
): void {
  context.fillStyle = colour;
  context.beginPath();
  for (const { edge, x2, y2 } of routes) {
    if (edge.kind !== "join") continue;
    context.moveTo(x2, y2);
    context.lineTo(x2 - 6, y2 - 3.4);
    context.lineTo(x2 - 6, y2 + 3.4);
    context.closePath();
  }
  context.fill();
  context.beginPath();
  for (const { edge, x1, y1 } of routes) {
    if (edge.kind !== "fork") continue;
    context.moveTo(x1 + 3, y1);
    context.arc(x1, y1, 3, 0, 2 * Math.PI);
  }
  context.fillStyle = inside;
  context.fill();
  context.strokeStyle = colour;
  context.lineWidth = 1.4;
  context.stroke();
}
