// Publishers as chips in a line, where there is no room for them in the picture.

import { label, publisherNotes } from "./phrases.js";
import { html } from "./svg.js";

export class Publishers {
  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    this.root = html("div", { class: "sandbox-row sandbox-publishers", hidden: true });
  }

  /** @param {any[]} publishers of a state */
  draw(publishers) {
    this.root.hidden = !publishers.length;
    const signature = JSON.stringify(publishers);
    if (this.signature === signature) return;
    this.signature = signature;
    this.root.replaceChildren(...publishers.map((publisher) => this.chip(publisher)));
  }

  chip(publisher) {
    const choose = () => this.player.select(`publisher:${publisher.name}`);
    const name = html("strong", {}, html("bdi", {}, label(publisher.name)));
    return html("button", { type: "button", click: choose }, name, ` ${publisherNotes(publisher).join(", ")}`);
  }
}
