// Depth over time: one strip per queue, in the graph's order; the playhead is a line through all of them.

import { Panel } from "./panel.js";
import { clockTime, label, queueCounts, seconds, shown, thousands } from "./phrases.js";
import { playheadKeys } from "./playhead.js";
import { row, table } from "./rows.js";
import { html, round, shape, straight, svg, words } from "./svg.js";

const STRIP = 54; // px of one strip, with its name
const AREA = 30; // px of its area
const LEFT = 34;
const RIGHT = 12;
const MOST = 6;
const NARROW = 640; // px: below, one strip
const TICK = 9; // px from one tick on a baseline to the next, at least

export class Strips extends Panel {
  constructor(root, player, scale = 1) {
    super(root, player, ["frame", "status", "selected"], { class: "sandbox-strips" });
    this.scale = scale;
    this.hatch = `sandbox-hatch-${crypto.getRandomValues(new Uint32Array(1))[0]}`; // ids are the whole page's
    this.unit = null; // chosen by hand, or else by what shows more
    this.own = false;
    this.all = false;
    this.picture = svg("svg", { role: "group", "aria-label": "Depth of each queue" });
    this.line = svg("line", { stroke: "var(--sandbox-ink)", "stroke-width": 1.5 });
    this.slider = html("div", {
      class: "sandbox-slider",
      role: "slider",
      tabindex: "0",
      "aria-label": "Playhead",
      keydown: (event) => this.press(event),
    });
    this.tableRoot = html("div", { class: "sandbox-scroll", hidden: true });
    this.tools = html("div", { class: "sandbox-row sandbox-tools" });
    this.edge = html("p", { class: "sandbox-muted", hidden: true });
    this.root.append(this.tools, this.edge, html("div", { class: "sandbox-stack" }, this.picture, this.slider), this.tableRoot);
    this.makeTools();
    this.drag();
    this.ends.push(player.on("frame", () => this.x && this.movePlayhead())); // under a pressed pointer too
    this.sizes = new ResizeObserver(() => this.later());
    this.sizes.observe(this.root);
    this.looker = player.attach();
    this.draw();
  }

  end() {
    super.end();
    this.sizes.disconnect();
    this.looker.detach();
  }

  makeTools() {
    const toggle = (name, title, press) => {
      const button = html("button", { type: "button", "aria-pressed": "false", title }, name);
      button.addEventListener("click", () => {
        press();
        this.signature = "";
        this.draw();
      });
      this.tools.append(button);
      return button;
    };
    this.tools.append(html("span", { class: "sandbox-muted" }, "Depth"));
    this.unitButton = toggle("by event", "count events, or seconds of broker time", () => {
      this.unit = this.by === "event" ? "time" : "event";
    });
    this.ownButton = toggle("own scale", "each strip on its own scale", () => (this.own = !this.own));
    this.allButton = toggle("all queues", "all queues, or the six deepest", () => (this.all = !this.all));
    this.tableButton = toggle("table", "the numbers as a table", () => (this.tableRoot.hidden = !this.tableRoot.hidden));
  }

  // ---------------------------------------------------------------- drawing

  /** Event by event as long as all happened within a second of broker time. */
  get by() {
    if (this.unit) return this.unit;
    return this.player.now - this.start("time") < 1 ? "event" : "time";
  }

  start(by) {
    const firsts = [...this.player.depths.series.values()].map((points) => points[0]?.[by === "time" ? 1 : 0] ?? 0);
    return firsts.length ? Math.min(...firsts) : 0;
  }

  /** The queues of which there is something to show, in the graph's order. */
  known() {
    const { player } = this;
    const { series } = player.depths;
    const inGraph = (player.geometry()?.layout.nodes ?? []).filter((node) => node.kind === "queue").map((node) => node.name);
    const alive = (name) => player.shown?.queues.has(name);
    const has = (name) => series.has(name) && (alive(name) || series.get(name).length > 1);
    return [...new Set([...inGraph, ...series.keys()])].filter(has);
  }

  /** Of these queues those to show: all, or the deepest and the selected; in a narrow place only one. */
  chosen(names, isNarrow) {
    const { selection, depths } = this.player;
    const selected = selection?.startsWith("queue:") ? selection.slice("queue:".length) : null;
    if (isNarrow && names.includes(selected)) return [selected];
    if (!isNarrow && (names.length <= MOST || this.all)) return names;
    const deepest = [...names].sort((a, b) => depths.peak(b) - depths.peak(a)).slice(0, MOST);
    const some = names.filter((name) => name === selected || deepest.includes(name));
    return isNarrow ? some.slice(0, 1) : some;
  }

  draw() {
    const { player } = this;
    const width = this.root.clientWidth / this.scale;
    if (!player.shown || !width) return;
    const isNarrow = width < NARROW;
    const known = this.known();
    this.names = this.chosen(known, isNarrow);
    const by = this.by;
    const now = by === "event" ? player.last : Math.max(player.now, player.shown.time);
    const start = this.start(by);
    // The last step is to be seen too: an event lasts until the next one would come.
    const end = by === "event" ? Math.max(now, start) + 1 : now + Math.max(0.001, (now - start) / 50);
    this.x = { by, start, now, end, left: LEFT, width: width - LEFT - RIGHT };
    this.height = this.names.length * STRIP + 26;
    this.ownButton.setAttribute("aria-pressed", String(this.own));
    this.allButton.setAttribute("aria-pressed", String(this.all));
    this.allButton.hidden = isNarrow || known.length <= MOST;
    this.unitButton.textContent = by === "event" ? "by event" : "by time";
    this.tableButton.setAttribute("aria-pressed", String(!this.tableRoot.hidden));
    this.edge.hidden = !(player.first > 1);
    this.edge.textContent = `events before ${thousands(player.first)} are forgotten`;
    this.picture.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.picture.setAttribute("width", width * this.scale);
    const series = this.names.map((name) => player.depths.series.get(name));
    const signature = JSON.stringify([width, this.x, this.own, this.names, series.map((points) => [points.length, points.at(-1)]), this.names.map((name) => queueCounts(this.now(name)))]);
    if (signature !== this.signature) {
      this.signature = signature;
      this.picture.replaceChildren(...this.strips(), ...this.axis(), this.line);
    }
    this.movePlayhead();
    if (!this.tableRoot.hidden) this.drawTable();
  }

  strips() {
    if (!this.names.length) return [words("No queue yet", LEFT, 20, { role: "muted" })];
    const peaks = this.names.map((name) => Math.max(1, this.player.depths.peak(name)));
    const deepest = Math.max(...peaks);
    const torn = this.player.first > 1 ? [this.torn()] : [];
    return [pattern(this.hatch), ...this.names.flatMap((name, index) => this.strip(name, index, this.own ? peaks[index] : deepest)), ...torn];
  }

  strip(name, index, peak) {
    const base = index * STRIP + 18 + AREA;
    const points = this.player.depths.series.get(name);
    const y = (count) => round(base - (AREA * Math.min(count, peak)) / peak);
    const limit = this.player.shown.queues.get(name)?.options.max_length ?? null;
    const right = LEFT + this.x.width;
    const parts = [
      shape(this.area(points, base, (point) => y(point[2])), { fill: "alive" }),
      svg("path", { d: this.between(points, (point) => y(point[2]), (point) => y(point[2] + point[3])), fill: `url(#${this.hatch})` }),
      shape(this.steps(points, (point) => y(point[2] + point[3])), { line: "ink", width: 1.1 }),
      shape(straight([[LEFT, base], [right, base]]), { line: "edge", width: 0.8 }),
      words(label(name), LEFT + 4, base - AREA - 6, { size: 12, bold: true }),
      words(queueCounts(this.now(name)), right - 6, base - AREA - 6, { role: "muted", anchor: "end" }),
      words("0", LEFT - 6, base + 2, { role: "muted", anchor: "end" }),
      words(thousands(peak), LEFT - 6, base - AREA + 6, { role: "muted", anchor: "end" }),
    ];
    if (limit !== null && limit <= peak) parts.push(shape(straight([[LEFT, y(limit)], [right, y(limit)]]), { line: "ink", width: 1, dash: [4, 3] }));
    let before = -Infinity;
    for (const mark of this.player.depths.marks.get(name) ?? []) {
      const x = round(this.place(mark));
      if (x < before + TICK || x < LEFT) continue; // closer together they would be a smear
      parts.push(this.player.sprites.at(mark[2] === "cross" ? "cross" : "small_diamond", x, base));
      before = x;
    }
    return parts;
  }

  /** How deep a queue is at the playhead, or was at its end. */
  now(name) {
    const { serial, queues } = this.player.shown;
    const point = this.player.depths.series.get(name).findLast((found) => found[0] <= serial) ?? [0, 0, 0, 0];
    return queues.get(name) ?? { ready: point[2], unacked: point[3] };
  }

  /** The x of a moment: of a point, which begins with its serial and its time. */
  place([serial, time]) {
    const value = this.x.by === "event" ? serial : time;
    return this.x.left + (this.x.width * (value - this.x.start)) / (this.x.end - this.x.start);
  }

  corners(points, height) {
    const corners = [];
    points.forEach((point, index) => {
      const x = round(this.place(point));
      if (index) corners.push([x, height(points[index - 1])]);
      corners.push([x, height(point)]);
    });
    corners.push([LEFT + this.x.width, height(points.at(-1))]);
    return corners;
  }

  steps(points, height) {
    return straight(this.corners(points, height));
  }

  area(points, base, height) {
    const corners = this.corners(points, height);
    return straight([[corners[0][0], base], ...corners, [corners.at(-1)[0], base]], true);
  }

  between(points, low, high) {
    return straight([...this.corners(points, high), ...this.corners(points, low).reverse()], true);
  }

  axis() {
    const y = this.height - 8;
    if (!this.names.length) return [];
    const { by, start, now: end } = this.x;
    const name = by === "event" ? "event" : "broker time";
    const show = (value) => (by === "event" ? thousands(Math.round(value)) : seconds(Math.round(value * 10) / 10));
    const right = LEFT + this.x.width;
    return [
      words(show(start), LEFT, y, { role: "muted" }),
      words(name, LEFT + this.x.width / 2, y, { anchor: "middle" }),
      words(show(end), right, y, { role: "muted", anchor: "end" }),
    ];
  }

  /** The beginning is forgotten: a torn edge. */
  torn() {
    const corners = [];
    for (let y = 6; y < this.height - 20; y += 6) corners.push([LEFT + ((y / 6) % 2 ? 3 : -3), y]);
    return shape(straight(corners), { line: "edge", width: 1.2 });
  }

  drawTable() {
    const rows = this.names.map((name) => {
      const { ready, unacked } = this.now(name);
      return row([shown(name), thousands(ready), thousands(unacked), thousands(this.player.depths.peak(name))]);
    });
    this.tableRoot.replaceChildren(table(["queue", "ready", "unacked", "at most"], rows));
  }

  // ---------------------------------------------------------------- the playhead

  movePlayhead() {
    const { player } = this;
    const { serial } = player.shown;
    const isLive = serial >= player.last;
    const right = LEFT + this.x.width;
    const x = isLive ? right : round(Math.max(LEFT, Math.min(right, this.place([serial + 1, player.playheadTime]))));
    for (const [key, value] of Object.entries({ x1: x, x2: x, y1: 2, y2: this.height - 22 })) this.line.setAttribute(key, value);
    this.slider.style.left = `${x * this.scale - 12}px`;
    this.slider.setAttribute("aria-valuemin", String(Math.max(0, player.first - 1)));
    this.slider.setAttribute("aria-valuemax", String(player.last));
    this.slider.setAttribute("aria-valuenow", String(serial));
    this.slider.setAttribute("aria-valuetext", `event ${serial} of ${player.last}, ${clockTime(player.shown.time)}`);
  }

  /** The event at an x: the last one that had happened there. */
  serialAt(x) {
    const { by, start, end, left, width } = this.x;
    const value = start + ((x - left) / width) * (end - start);
    if (by === "event") return Math.floor(value);
    if (value >= this.x.now) return this.player.last;
    let serial = this.player.first - 1;
    for (const points of this.player.depths.series.values()) {
      for (const point of points) {
        if (point[1] > value) break;
        serial = Math.max(serial, point[0]);
      }
    }
    return serial;
  }

  drag() {
    const move = (event) => {
      const x = (event.clientX - this.picture.getBoundingClientRect().left) / this.scale;
      const serial = this.serialAt(x);
      if (serial >= this.player.last) this.player.follow();
      else this.player.seek(Math.max(this.player.first - 1, serial));
    };
    for (const target of [this.picture, this.slider]) {
      target.addEventListener("pointerdown", (event) => {
        target.setPointerCapture(event.pointerId);
        target.addEventListener("pointermove", move);
        move(event);
      });
      for (const kind of ["pointerup", "pointercancel"]) target.addEventListener(kind, () => target.removeEventListener("pointermove", move));
    }
  }

  press(event) {
    const { player } = this;
    const moves = {
      ArrowRight: () => player.step(1),
      ArrowLeft: () => player.step(-1),
      ...playheadKeys(player),
    };
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey || !moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  }
}

/** The hatch of what is unacked. */
function pattern(id) {
  const stripe = svg("path", { d: "M-1 7L7 -1M5 9L9 5", stroke: "var(--sandbox-alive)", "stroke-width": 1.6 });
  const ground = svg("rect", { width: 8, height: 8, fill: "var(--sandbox-page)" });
  return svg("defs", {}, svg("pattern", { id, width: 8, height: 8, patternUnits: "userSpaceOnUse" }, ground, stripe));
}
