// One Tab stop for all the buttons of a region; arrows go from one to the next.

const MOVES = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

export class Roving {
  /**
   * @param {HTMLElement} root
   * @param {number} first which button is the stop before anybody was there; -1 is the last
   */
  constructor(root, first = 0) {
    this.root = root;
    this.place = first;
    this.key = null;
    root.addEventListener("focusin", (event) => this.settle(Math.max(0, this.stops.indexOf(event.target))));
    root.addEventListener("keydown", (event) => this.press(event));
  }

  get stops() {
    return [...this.root.querySelectorAll("button")];
  }

  /** Let the root contain something else.  The focus stays at the button that has the same data-key, or place. */
  fill(...children) {
    const { activeElement } = this.root.getRootNode();
    const hasFocus = activeElement !== this.root && this.root.contains(activeElement);
    this.root.replaceChildren(...children);
    const { stops } = this;
    const same = this.key === null ? -1 : stops.findIndex((stop) => stop.dataset.key === this.key);
    if (stops.length) this.settle(same < 0 ? Math.min(this.place, stops.length - 1) : same);
    if (hasFocus) stops.at(this.place)?.focus({ preventScroll: true });
  }

  /** From now on this is the stop. */
  settle(place) {
    const { stops } = this;
    this.place = place;
    this.key = place < 0 ? null : (stops[place]?.dataset.key ?? null);
    const stop = stops.at(place);
    for (const button of stops) button.tabIndex = button === stop ? 0 : -1;
  }

  press(event) {
    const { stops } = this;
    const step = MOVES[event.key];
    const here = stops.indexOf(event.target);
    if (!step || here < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    stops[Math.max(0, Math.min(stops.length - 1, here + step))].focus();
  }
}
