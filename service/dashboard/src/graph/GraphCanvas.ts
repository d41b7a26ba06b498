/**
 * The graph on a canvas: owns the camera and the animation of changes, turns pointers into wishes. Knows no React.
 * A new layout moves nodes from where they were; the view keeps still around what the user looks at, or keeps fitting
 * the whole graph as long as the user has not moved it.
 */

import type { Box, Layout, Route } from "../model/layout/layout";
import { between, Camera, ease, fitting, type Size, type View } from "./camera";
import { boundsOf, Minimap } from "./minimap";
import { paintEdges } from "./paintEdges";
import { type Focus, paintNodes } from "./paintNodes";
import { type Palette, readPalette } from "./palette";
import { attachPointers, type Pointed, type Wishes } from "./pointers";
import type { Scene } from "./scene";

const MOVE_MS = 280;
/** More nodes than this change place at once. */
const MOST_MOVING = 2000;
/** More nodes than this do not breathe. */
const MOST_BREATHING = 1500;
const MARGIN = 36;

export class GraphCanvas implements Pointed {
  readonly camera = new Camera();
  size: Size = { width: 0, height: 0 };
  scene: Scene | null = null;
  focus: Focus = { selected: null, hovered: null, hits: null };
  readonly minimap = new Minimap();
  private palette: Palette;
  private readonly context: CanvasRenderingContext2D;
  private readonly detach: () => void;
  private isFitting = true;
  private move: { from: View; to: View; boxes: Map<string, Box>; begun: number } | null = null;
  private frame = 0;
  private breathing: ReturnType<typeof setTimeout> | undefined;
  private readonly still = window.matchMedia("(prefers-reduced-motion: reduce)");
  /** Milliseconds that the last drawing took. */
  cost = 0;

  constructor(
    readonly canvas: HTMLCanvasElement,
    readonly wishes: Wishes,
  ) {
    this.context = canvas.getContext("2d", { alpha: false })!;
    this.palette = readPalette(canvas.parentElement!);
    this.detach = attachPointers(this);
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.breathing);
    this.detach();
  }

  setSize(size: Size): void {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(size.width * ratio));
    this.canvas.height = Math.max(1, Math.round(size.height * ratio));
    const isFirst = this.size.width === 0;
    const dx = (size.width - this.size.width) / 2;
    this.size = size;
    if (this.isFitting) this.fit(false);
    else if (!isFirst) this.camera.pan(dx, 0);
    this.draw();
  }

  setScene(scene: Scene): void {
    const before = this.scene;
    const boxes = before && this.shownBoxes();
    this.scene = scene;
    this.minimap.draw(scene, this.palette, window.devicePixelRatio || 1);
    if (!before || before.layout !== scene.layout) this.rearrange(before?.layout ?? null, boxes);
    this.invalidate();
  }

  setFocus(focus: Partial<Focus>): void {
    this.focus = { ...this.focus, ...focus };
    this.invalidate();
  }

  recolour(): void {
    this.palette = readPalette(this.canvas.parentElement!);
    if (this.scene) this.minimap.draw(this.scene, this.palette, window.devicePixelRatio || 1);
    this.invalidate();
  }

  /** Show all of the graph, and keep doing so while it grows. */
  fit(animated = true): void {
    this.isFitting = true;
    if (!this.scene || this.size.width === 0) return;
    this.glide(this.fittingView(this.scene.layout), animated);
  }

  /** From here on the view is the user's. */
  take(): void {
    this.isFitting = false;
    this.move = null;
  }

  zoom(factor: number): void {
    this.take();
    this.camera.zoomAt(this.size.width / 2, this.size.height / 2, factor);
    this.invalidate();
  }

  pan(dx: number, dy: number): void {
    this.take();
    this.camera.pan(dx, dy);
    this.invalidate();
  }

  /** Bring a node into view if it is not, at a zoom at which it can be read. */
  reveal(id: string): void {
    const box = this.scene?.layout.boxes.get(id);
    if (!box || this.size.width === 0) return;
    const { x, y } = this.camera.toScreen(box.x, box.y);
    const isSeen = x > 60 && y > 30 && x < this.size.width - 60 && y < this.size.height - 30;
    if (isSeen && this.camera.zoom > 0.3) return;
    this.isFitting = false;
    const zoom = Math.max(this.camera.zoom, 0.7);
    this.glide({ zoom, x: this.size.width / 2 - box.x * zoom, y: this.size.height / 2 - box.y * zoom }, true);
  }

  /** Whether nodes or the view are on their way. */
  get isMoving(): boolean {
    return this.move !== null;
  }

  /** Where a node is on the screen, in pixels of the page: for tests, and for whatever is anchored to a node. */
  screenPosition(id: string): { x: number; y: number } | null {
    const box = this.shownBoxes().get(this.scene?.visible.home.get(id) ?? id);
    if (!box) return null;
    const { left, top } = this.canvas.getBoundingClientRect();
    const { x, y } = this.camera.toScreen(box.x, box.y);
    return { x: left + x, y: top + y };
  }

  /** The node drawn at a point of the canvas: where it is seen now, also while it is on its way. */
  nodeAt(px: number, py: number): string | null {
    const { x, y } = this.camera.toWorld(px, py);
    const slack = Math.max(3, 5 / this.camera.zoom);
    let nearest: string | null = null;
    let distance = Number.POSITIVE_INFINITY;
    for (const [id, box] of this.shownBoxes()) {
      const dx = Math.max(0, Math.abs(x - box.x) - box.width / 2);
      const dy = Math.max(0, Math.abs(y - box.y) - box.height / 2);
      if (dx > slack || dy > slack || dx + dy >= distance) continue;
      nearest = id;
      distance = dx + dy;
    }
    return nearest;
  }

  invalidate(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.draw());
  }

  // -- changes of the layout

  private rearrange(before: Layout | null, boxes: Map<string, Box> | null): void {
    const scene = this.scene!;
    if (this.size.width === 0) return;
    const animated = before !== null && scene.layout.boxes.size < MOST_MOVING && !this.still.matches;
    const to = this.isFitting ? this.fittingView(scene.layout) : this.anchored(before, scene.layout);
    this.glide(to, animated, animated && boxes ? boxes : new Map());
  }

  private fittingView(layout: Layout): View {
    return fitting(boundsOf(layout), this.size, MARGIN);
  }

  /** The view in which the node nearest to the middle (or the selected one) has not moved on the screen. */
  private anchored(before: Layout | null, after: Layout): View {
    const view = { x: this.camera.x, y: this.camera.y, zoom: this.camera.zoom };
    const anchor = before && this.anchorOf(before, after);
    const [old, now] = [before?.boxes.get(anchor ?? ""), after.boxes.get(anchor ?? "")];
    if (!old || !now) return view;
    return {
      zoom: view.zoom,
      x: view.x + (old.x - now.x) * view.zoom,
      y: view.y + (old.y - now.y) * view.zoom,
    };
  }

  private anchorOf(before: Layout, after: Layout): string | null {
    const { selected } = this.focus;
    if (selected !== null && before.boxes.has(selected) && after.boxes.has(selected)) return selected;
    const middle = this.camera.toWorld(this.size.width / 2, this.size.height / 2);
    let nearest: string | null = null;
    let distance = Number.POSITIVE_INFINITY;
    for (const [id, box] of before.boxes) {
      const apart = Math.hypot(box.x - middle.x, box.y - middle.y);
      if (apart < distance && after.boxes.has(id)) [nearest, distance] = [id, apart];
    }
    return nearest;
  }

  private glide(to: View, animated: boolean, boxes = new Map<string, Box>()): void {
    if (!animated || this.still.matches) {
      this.move = null;
      this.camera.set(to);
    } else {
      this.move = {
        from: { x: this.camera.x, y: this.camera.y, zoom: this.camera.zoom },
        to,
        boxes,
        begun: performance.now(),
      };
    }
    this.invalidate();
  }

  /** The boxes as they are drawn now: on their way, if they move. */
  private shownBoxes(): Map<string, Box> {
    const boxes = this.scene?.layout.boxes ?? new Map<string, Box>();
    if (!this.move || this.move.boxes.size === 0) return boxes;
    const t = this.progress();
    const shown = new Map<string, Box>();
    for (const [id, box] of boxes) {
      const old = this.move.boxes.get(id);
      shown.set(id, old ? { ...box, x: old.x + (box.x - old.x) * t, y: old.y + (box.y - old.y) * t } : box);
    }
    return shown;
  }

  private progress(): number {
    return this.move ? ease(Math.min(1, (performance.now() - this.move.begun) / MOVE_MS)) : 1;
  }

  // -- drawing

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.scene || this.size.width === 0) return;
    const begun = performance.now();
    const t = this.progress();
    if (this.move) this.camera.set(between(this.move.from, this.move.to, t));
    const boxes = this.shownBoxes();
    const routes =
      boxes === this.scene.layout.boxes ? this.scene.layout.routes : moved(this.scene.layout, boxes);
    this.paint(boxes, routes);
    if (this.move && t >= 1) this.move = null;
    if (this.move) this.invalidate();
    else this.breathe();
    this.cost = performance.now() - begun;
  }

  private paint(boxes: ReadonlyMap<string, Box>, routes: readonly Route[]): void {
    const { context, palette, camera, size } = this;
    const scene = this.scene!;
    const ratio = window.devicePixelRatio || 1;
    const seen = camera.seen(size);
    context.resetTransform();
    context.fillStyle = palette.paper;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(ratio * camera.zoom, 0, 0, ratio * camera.zoom, ratio * camera.x, ratio * camera.y);
    paintEdges(context, scene, routes, camera, seen, palette);
    const breath = 0.5 + 0.5 * Math.sin(performance.now() / 420);
    paintNodes(context, scene, boxes, camera, seen, palette, this.focus, this.still.matches ? 0.5 : breath);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.minimap.show(context, scene, seen, size, palette);
  }

  /** Redraw now and then while something is being worked on. */
  private breathe(): void {
    clearTimeout(this.breathing);
    const { cards } = this.scene!;
    if (cards.size > MOST_BREATHING || this.still.matches) return;
    for (const card of cards.values()) {
      if (!card.live) continue;
      this.breathing = setTimeout(() => this.invalidate(), 70);
      return;
    }
  }
}

/** The routes between boxes that are on their way. */
function moved(layout: Layout, boxes: ReadonlyMap<string, Box>): Route[] {
  return layout.routes.map((route) => {
    const from = boxes.get(route.edge.source)!;
    const to = boxes.get(route.edge.target)!;
    const x1 = from.x + from.width / 2;
    const x2 = to.x - to.width / 2;
    const clamp = (x: number): number => Math.min(Math.max(x, x1), Math.max(x1, x2));
    return {
      edge: route.edge,
      x1,
      y1: from.y,
      x2,
      y2: to.y,
      bend: clamp(route.bend),
      bendEnd: clamp(route.bendEnd),
    };
  });
}
