// A list of lines, the newest last: its end stays in sight, unless somebody has scrolled away from it.

import { Roving } from "./roving.js";
import { html } from "./svg.js";

export class Lines {
  /** @param {string} name of the list, for those who hear it */
  constructor(name) {
    this.root = html("ol", { "aria-label": name });
    this.roving = new Roving(this.root, -1);
  }

  /** @param {...Node} lines instead of those that were there */
  fill(...lines) {
    const { scrollHeight, scrollTop, clientHeight } = this.root;
    const atEnd = scrollHeight - scrollTop - clientHeight < 30;
    this.roving.fill(...lines);
    this.root.scrollTop = atEnd ? this.root.scrollHeight : scrollTop;
  }

  /** Scroll the list, and never the page, until a line of it is seen. */
  reveal(line) {
    const [frame, box] = [this.root, line].map((element) => element.getBoundingClientRect());
    this.root.scrollTop += Math.min(0, box.top - frame.top) + Math.max(0, box.bottom - frame.bottom);
  }
}
