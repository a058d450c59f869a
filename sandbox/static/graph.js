// The routing graph at the playhead, with messages moving through it.

import { emptiness } from "./empty.js";
import { FullName } from "./fullname.js";
import { Keys } from "./keys.js";
import { channel, consumer, hand, lane, measureIn } from "./lanes.js";
import { Motion } from "./motion.js";
import { isCut, nodeWords, shown } from "./phrases.js";
import { Publishers } from "./publishers.js";
import { Scene } from "./scene.js";
import { SEATS, consumerKey } from "./state.js";
import { html, svg } from "./svg.js";
import { edge, exchange, fold, publisher } from "./things.js";

const DRAWN = { publisher, exchange, queue: lane, consumer, hand, channel, fold };
const NARROW = 640; // px: below, the narrow layout
const NARROWEST = 560;

/** Draws into an element until it is told to end. */
export class Graph {
  /** @param {HTMLElement} root */
  constructor(root, player, scale = 1) {
    this.player = player;
    this.scale = scale;
    this.drawn = new Map();
    this.edges = svg("g", { class: "sandbox-edges" });
    this.nodes = svg("g", { class: "sandbox-nodes" });
    this.tokens = svg("g", { class: "sandbox-tokens", "aria-hidden": "true" });
    this.motion = new Motion(this.tokens, this);
    this.picture = svg("svg", { role: "group", "aria-label": "Routing graph" }, this.edges, this.nodes, this.tokens);
    this.empty = emptiness();
    this.publishers = new Publishers(player);
    this.root = html("div", { class: "sandbox-graph" }, this.publishers.root, this.picture, this.empty);
    root.append(this.root);
    this.fullName = new FullName(this.root);
    this.keys = new Keys(this, player);
    this.ends = [
      player.on("frame", () => this.draw()),
      player.on("beat", (beat) => this.motion.begin(beat, player.still.matches)),
      player.on("travel", (part) => this.motion.travel(part)),
      player.on("landed", () => this.motion.clear()),
      player.on("passed", (row) => this.motion.flash(row)),
    ];
    this.isNarrow = false;
    this.looker = player.attach();
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(this.root);
  }

  end() {
    for (const end of this.ends) end();
    this.sizes.disconnect();
    clearInterval(this.ticking);
    this.looker.detach();
    this.ends = [];
  }

  /** The width has changed: narrow or wide.  What is drawn stays where it can, and with it the focus. */
  fit() {
    const width = this.root.clientWidth;
    if (!width) return;
    measureIn(this.root);
    const narrow = width < NARROW;
    if (narrow !== this.isNarrow) {
      this.isNarrow = narrow;
      this.looker.narrow(narrow);
    }
    this.draw();
  }

  get geometry() {
    return this.player.geometry(this.isNarrow);
  }

  draw() {
    const { player } = this;
    if (!player.shown || !this.root.clientWidth) return;
    const scene = new Scene(player, this.isNarrow);
    const { layout } = scene.geometry;
    const width = Math.max(layout.width, scene.isNarrow ? 0 : NARROWEST);
    const nodes = layout.nodes.filter((node) => this.drawable(node, scene));
    this.picture.setAttribute("viewBox", `0 0 ${width} ${layout.height}`);
    this.picture.setAttribute("width", width * this.scale);
    this.picture.style.display = nodes.length ? "" : "none";
    this.empty.hidden = nodes.length > 0;
    this.drawEdges(layout.edges, scene);
    this.drawNodes(nodes, scene);
    this.publishers.draw(scene.isNarrow ? [...scene.state.publishers.values()] : []);
    this.light(scene);
    this.tick(scene);
  }

  drawEdges(edges, scene) {
    const seen = new Set();
    edges.forEach((line, index) => {
      const known = (id) => !id || this.drawable(scene.geometry.nodes.get(id), scene);
      const bindings = line.bindings ?? [];
      const isThere = known(line.source) && known(line.target) && (!bindings.length || bindings.some((id) => scene.state.bindings.has(id)));
      if (!isThere) return;
      const key = `edge:${index}`;
      seen.add(key);
      const { rate, taken } = scene.traffic(line);
      this.put(key, this.edges, JSON.stringify([line, rate, taken > 0]), () => edge(line, scene));
      this.drawn.get(key).edge = line;
    });
    this.sweep(this.edges, seen);
  }

  drawNodes(nodes, scene) {
    const seen = new Set();
    let before = null; // what is read out goes from left to right, and from above to below
    for (const node of nodes) {
      seen.add(node.id);
      const isNew = this.put(node.id, this.nodes, facts(node, scene), () => [...DRAWN[node.kind](node, scene), ...title(node)]);
      const { group } = this.drawn.get(node.id);
      if (isNew) {
        this.keys.adopt(group, node);
        this.nodes.insertBefore(group, before ? before.nextSibling : this.nodes.firstChild);
      }
      before = group;
      group.setAttribute("aria-label", nodeWords(node, scene.state, scene.time));
    }
    this.sweep(this.nodes, seen);
    this.keys.settle(nodes);
    this.fullName.follow();
  }

  drawable(node, scene) {
    return exists(node, scene.state) || isComing(node, this.player.beat);
  }

  /** Draw a part anew if what it shows has changed; its group stays, and with it the focus. */
  put(key, layer, signature, draw) {
    let part = this.drawn.get(key);
    const isNew = !part?.group.isConnected;
    if (isNew) {
      part = { group: svg("g", {}), signature: "" };
      this.drawn.set(key, part);
    }
    if (part.group.parentNode !== layer) layer.append(part.group);
    if (part.signature !== signature) {
      part.signature = signature;
      part.group.replaceChildren(...draw());
    }
    return isNew;
  }

  sweep(layer, seen) {
    for (const [key, { group }] of this.drawn) {
      if (group.parentNode === layer && !seen.has(key)) {
        group.remove();
        this.drawn.delete(key);
      }
    }
  }

  /** What belongs to the selection stays, the rest is dimmed. */
  light(scene) {
    const { lit } = scene;
    const message = this.player.selection?.startsWith("message:") ? this.player.selection.slice(8) : null;
    for (const [key, { group, edge: line }] of this.drawn) {
      group.classList.toggle("sandbox-dim", lit !== null && !lit.has(line ?? key));
      group.classList.toggle("sandbox-selected", key === this.player.selection);
    }
    const { chosen } = this.player;
    for (const mark of this.nodes.querySelectorAll("[data-message]")) {
      const number = mark.getAttribute("data-message");
      mark.classList.toggle("sandbox-lit", number === message || Boolean(chosen?.has(Number(number))));
    }
  }

  /** Under the wall clock the rings drain while one looks. */
  tick(scene) {
    const drains = this.player.clock.kind === "wall" && !this.player.inThePast && this.nodes.querySelector(".sandbox-ring");
    if (drains && !this.ticking) this.ticking = setInterval(() => this.draw(), 250);
    if (!drains && this.ticking) {
      clearInterval(this.ticking);
      this.ticking = null;
    }
  }
}

function exists(node, state) {
  switch (node?.kind) {
    case "publisher":
      return state.publishers.has(node.name);
    case "exchange":
      return state.exchanges.has(node.name) || (!node.name && leadsToDefault(state));
    case "queue":
      return state.queues.has(node.name);
    case "consumer":
      return state.consumers.has(consumerKey(node.channel, node.name));
    case "hand":
    case "channel":
      return state.channels.has(node.channel);
    default:
      return node !== undefined;
  }
}

/** Whether dead letters may go to the default exchange, which then stands there before it was ever used. */
const leadsToDefault = (state) => [...state.queues.values()].some((queue) => queue.options.dead_letter_exchange === "");

/** The name of a thing in full, for a pointer that rests on it. */
const title = (node) => (isCut(node) ? [svg("title", {}, shown(node.name))] : []);

/** A publisher whose first message is on its way. */
const isComing = (node, beat) =>
  node?.kind === "publisher" && beat?.rows[0][2] === "published" && beat.rows[0][5][1] === node.name;

/** What a node's picture depends on, as text. */
function facts(node, scene) {
  const { state, time, lifted } = scene;
  const held = (tag) => state.heldBy(node.channel, tag, SEATS);
  const flying = (seats) => seats.filter((seat) => lifted.has(seat.copy)).map((seat) => [seat.copy, scene.returning.has(seat.copy)]);
  const parts = [node, scene.flow, scene.isNarrow];
  switch (node.kind) {
    case "queue": {
      const { options, ready, unacked } = state.queues.get(node.name);
      const seats = state.seatsOf(node.name, SEATS);
      const ticks = seats.some((seat) => seat.expires !== null) ? time : 0;
      parts.push(options, ready, unacked, seats, ticks, flying(seats), scene.flow ? scene.deepest : 0);
      break;
    }
    case "consumer":
      parts.push(state.consumers.get(consumerKey(node.channel, node.name)), held(node.name), flying(held(node.name)));
      break;
    case "hand":
      parts.push(held(""), flying(held("")));
      break;
    case "exchange":
      parts.push(state.exchanges.get(node.name));
      break;
    case "publisher":
      parts.push(state.publishers.get(node.name));
      break;
    default:
  }
  return JSON.stringify(parts, (key, value) => (key === "header" ? undefined : value));
}
