// The whole name of a thing of which the picture shows a part, while the keyboard is there.

import { html } from "./svg.js";

export class FullName {
  /** @param {HTMLElement} root what the picture scrolls in */
  constructor(root) {
    this.frame = root;
    this.root = html("div", { class: "sandbox-full", "aria-hidden": "true", hidden: true }); // the node says it itself
    root.append(this.root);
  }

  /** @param {SVGGElement} group where the thing is drawn */
  show(group, name) {
    if (!group.matches(":focus-visible")) return;
    this.group = group;
    this.root.replaceChildren(html("bdi", {}, name));
    this.root.hidden = false;
    this.place();
  }

  place() {
    const [frame, box, own] = [this.frame, this.group, this.root].map((element) => element.getBoundingClientRect());
    const left = Math.max(0, Math.min(box.left - frame.left, frame.width - own.width));
    this.root.style.left = `${left + this.frame.scrollLeft}px`;
    this.root.style.top = `${Math.max(0, box.top - frame.top)}px`;
  }

  hide() {
    this.group = null;
    this.root.hidden = true;
  }

  /** The picture was drawn anew, and the thing may have moved, or gone. */
  follow() {
    if (!this.group) return;
    if (this.group.isConnected) this.place();
    else this.hide();
  }
}
