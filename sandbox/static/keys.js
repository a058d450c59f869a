// One Tab stop for the whole graph: arrows follow the messages, and a few letters move the playhead.

import { isCut, shown } from "./phrases.js";
import { playheadKeys } from "./playhead.js";
import { html } from "./svg.js";
import { openTab } from "./tabs.js";

const HELP = [
  ["Right, Left", "follow the message downstream, upstream"],
  ["Down, Up", "to the node below, above"],
  ["Enter", "inspect"],
  ["Esc", "clear the selection"],
  [". ,", "next event, previous event"],
  ["Page Down, Page Up", "ten events on, back"],
  ["Home, End", "the first event, live"],
  ["Space", "freeze the picture, or follow"],
  ["?", "this list"],
];

export class Keys {
  constructor(graph, player) {
    this.graph = graph;
    this.player = player;
    this.current = null;
    const { root } = graph;
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    root.addEventListener("keydown", (event) => this.press(event));
    graph.picture.addEventListener("click", (event) => {
      if (!event.target.closest("[data-node]")) player.selection && player.select(player.selection);
    });
  }

  /** A node's group can be focused and pressed. */
  adopt(group, node) {
    group.setAttribute("data-node", node.id);
    group.setAttribute("role", "button");
    group.setAttribute("tabindex", "-1");
    const { fullName } = this.graph;
    group.addEventListener("focus", () => {
      this.focusOn(node.id);
      if (isCut(node)) fullName.show(group, shown(node.name));
    });
    group.addEventListener("blur", () => fullName.hide());
    group.addEventListener("click", (event) => this.choose(node.id, event.target));
  }

  /** After drawing: exactly one node is the Tab stop. */
  settle(nodes) {
    this.order = nodes.map((node) => node.id);
    if (!this.order.includes(this.current)) this.current = this.order[0] ?? null;
    for (const [key, { group }] of this.graph.drawn) {
      if (group.hasAttribute("data-node")) group.setAttribute("tabindex", key === this.current ? "0" : "-1");
    }
  }

  focusOn(id) {
    this.current = id;
    this.settle(this.order.map((found) => ({ id: found })));
  }

  choose(id, target) {
    this.focusOn(id);
    const message = target?.closest("[data-message]")?.getAttribute("data-message");
    if (message) this.player.select(`message:${message}`);
    else if (id.startsWith("fold:")) this.player.say("unfold", id);
    else this.player.select(id);
    if (this.player.selection) openTab(this.graph.root, "Inspector"); // where it does not stand beside
  }

  press(event) {
    const { player } = this;
    const moves = {
      ArrowRight: () => this.walk("out", "target"),
      ArrowLeft: () => this.walk("into", "source"),
      ArrowDown: () => this.sibling(1),
      ArrowUp: () => this.sibling(-1),
      Enter: () => this.current && this.choose(this.current, null),
      Escape: () => player.selection && player.select(player.selection),
      "?": () => this.showHelp(),
      ...playheadKeys(player),
    };
    event.stopPropagation(); // or the notebook would take the key for a command of its own
    if (event.ctrlKey || event.metaKey || event.altKey || !moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  }

  walk(edges, end) {
    const found = (this.graph.geometry[edges].get(this.current) ?? []).map((edge) => edge[end]);
    this.focus(found.find((id) => this.order.includes(id)));
  }

  /** The next node of the same kind. */
  sibling(step) {
    const kind = this.current?.split(":")[0];
    const same = this.order.filter((id) => id.split(":")[0] === kind);
    this.focus(same[same.indexOf(this.current) + step]);
  }

  focus(id) {
    const part = id && this.graph.drawn.get(id);
    if (!part) return;
    this.focusOn(id);
    part.group.focus();
  }

  /** The list of keys has the focus until it is closed. */
  showHelp() {
    const rows = HELP.flatMap(([keys, what]) => [html("dt", {}, html("kbd", {}, keys)), html("dd", {}, what)]);
    const close = () => {
      help.remove();
      this.focus(this.current);
    };
    const press = (event) => {
      event.stopPropagation();
      if (event.key === "Escape" || event.key === "?") close();
    };
    const button = html("button", { type: "button", click: close }, "Close");
    const help = html(
      "div",
      { class: "sandbox-help", role: "dialog", "aria-label": "Keys", "data-lm-suppress-shortcuts": "true", keydown: press },
      html("dl", {}, ...rows),
      button,
    );
    this.graph.root.parentElement.append(help); // the graph itself may be cut where it scrolls
    button.focus();
  }
}
