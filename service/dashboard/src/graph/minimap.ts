/** The whole graph in a corner: drawn once per layout, then copied; the frame shows what is on the screen. */

import type { Layout } from "../model/layout/layout";
import { type Bounds, fitting, type Size, type View } from "./camera";
import { colourOf } from "./paintNodes";
import type { Palette } from "./palette";
import type { Scene } from "./scene";

const MOST: Size = { width: 180, height: 96 };
const MARGIN = 10;

export class Minimap {
  private picture: OffscreenCanvas | null = null;
  private view: View = { x: 0, y: 0, zoom: 1 };
  private size: Size = MOST;

  draw(scene: Scene, palette: Palette, ratio: number): void {
    const bounds = boundsOf(scene.layout);
    const slim = (bounds.bottom - bounds.top) / Math.max(1, bounds.right - bounds.left);
    this.size = { width: MOST.width, height: Math.min(MOST.height, Math.max(28, MOST.width * slim)) };
    this.view = fitting(bounds, this.size, 6);
    this.picture = new OffscreenCanvas(
      Math.ceil(this.size.width * ratio),
      Math.ceil(this.size.height * ratio),
    );
    const context = this.picture.getContext("2d")!;
    context.scale(ratio, ratio);
    context.fillStyle = palette.card;
    context.fillRect(0, 0, this.size.width, this.size.height);
    const { x, y, zoom } = this.view;
    for (const card of scene.cards.values()) {
      const box = scene.layout.boxes.get(card.node.id)!;
      context.fillStyle = card.critical ? palette.critical : colourOf(card, palette);
      const width = Math.max(1.4, box.width * zoom);
      const height = Math.max(1.2, box.height * zoom);
      context.fillRect(box.x * zoom + x - width / 2, box.y * zoom + y - height / 2, width, height);
    }
  }

  /** Copies the picture into the corner, unless all of the graph is on the screen anyway. */
  show(context: CanvasRenderingContext2D, scene: Scene, seen: Bounds, screen: Size, palette: Palette): void {
    if (!this.picture || !this.isShown(scene, seen, screen)) return;
    const { left, top } = this.corner(screen);
    context.drawImage(this.picture, left, top, this.size.width, this.size.height);
    context.strokeStyle = palette["line-strong"];
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, top + 0.5, this.size.width - 1, this.size.height - 1);
    const { x, y, zoom } = this.view;
    const fit = (value: number, most: number): number => Math.min(most, Math.max(0, value));
    const x1 = fit(seen.left * zoom + x, this.size.width);
    const x2 = fit(seen.right * zoom + x, this.size.width);
    const y1 = fit(seen.top * zoom + y, this.size.height);
    const y2 = fit(seen.bottom * zoom + y, this.size.height);
    context.strokeStyle = palette.accent;
    context.lineWidth = 1.5;
    context.strokeRect(left + x1, top + y1, Math.max(3, x2 - x1), Math.max(3, y2 - y1));
  }

  /** The world's point under this point of the screen, if the minimap is there. */
  at(px: number, py: number, scene: Scene, seen: Bounds, screen: Size): { x: number; y: number } | null {
    if (!this.isShown(scene, seen, screen)) return null;
    const { left, top } = this.corner(screen);
    if (px < left || px > left + this.size.width || py < top || py > top + this.size.height) return null;
    return { x: (px - left - this.view.x) / this.view.zoom, y: (py - top - this.view.y) / this.view.zoom };
  }

  private isShown(scene: Scene, seen: Bounds, screen: Size): boolean {
    const all = boundsOf(scene.layout);
    const isAllSeen =
      seen.left <= all.left && seen.right >= all.right && seen.top <= all.top && seen.bottom >= all.bottom;
    return !isAllSeen && screen.width > 480;
  }

  private corner(screen: Size): { left: number; top: number } {
    return { left: screen.width - this.size.width - MARGIN, top: screen.height - this.size.height - MARGIN };
  }
}

export function boundsOf({ left, right, top, bottom }: Layout): Bounds {
  return { left, right, top, bottom };
}
