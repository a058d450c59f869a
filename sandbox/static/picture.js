// What concerns the picture and not the broker: freeze it, slow its motion down, show it as rows.

import { Panel } from "./panel.js";
import { html } from "./svg.js";

export class PictureButtons extends Panel {
  /** @param {HTMLElement} others a button that stands beside ours */
  constructor(root, player, ...others) {
    super(root, player, ["status"], { class: "sandbox-row sandbox-switch", role: "toolbar", "aria-label": "Picture" });
    const title = "the broker goes on (Space)";
    this.freeze = html("button", { type: "button", click: () => player.freeze(), title });
    this.slow = html("button", { type: "button", click: () => this.slower(), title: "each hop takes longer" }, "Slow motion");
    this.root.append(this.freeze, this.slow, ...others);
    this.draw();
  }

  slower() {
    this.player.slow = !this.player.slow;
    this.player.say("status");
  }

  draw() {
    this.freeze.textContent = this.player.following ? "Freeze picture" : "Follow";
    this.slow.setAttribute("aria-pressed", String(this.player.slow));
  }
}
