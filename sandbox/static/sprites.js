// The small signs, as Python draws them in its figures: one copy in each of its states, and its badges.

import { arc, colour, shape, svg, words } from "./svg.js";

const RING = 13.2;

/** Draws signs from the sprites that came from Python. */
export class Sprites {
  /** @param {Record<string, object[]>} sprites by name, each a list of outlines and texts around (0, 0) */
  constructor(sprites) {
    this.sprites = sprites;
  }

  /** One sign at a place. */
  at(name, x, y) {
    const group = svg("g", { class: `sandbox-${name}`, transform: `translate(${x} ${y})` });
    for (const part of this.sprites[name] ?? []) {
      group.append(part.text === undefined ? shape(part.d, part) : words(part.text, part.x, part.y, part));
    }
    return group;
  }

  /** One sign as a small picture of its own, in a line of text. */
  framed(name) {
    return svg("svg", { viewBox: "-9 -9 18 18", width: 18, height: 18, "aria-hidden": "true", class: "sandbox-sign" }, this.at(name, 0, 0));
  }

  /**
   * A copy of a message as a filled mark with the message's number: a circle, or a diamond once it died.
   * @param {number} message
   * @param {"alive"|"dead"|"lost"|"done"} meaning
   */
  token(message, x, y, meaning = "alive", isDiamond = false) {
    const sign = this.at(isDiamond ? `diamond_${meaning}` : `token_${meaning}`, x, y);
    sign.append(number(message, meaning === "alive" ? "on_alive" : "on_colour"));
    return sign;
  }

  /** A copy that waits in its lane, with the ring of its time to live, and its badges. */
  ready(seat, time, x, y) {
    const group = svg("g", { "data-copy": seat.copy, "data-message": seat.message });
    const expired = seat.expires !== null && seat.expires <= time;
    if (expired) group.append(svg("circle", { cx: x, cy: y, r: RING, fill: "none", stroke: colour("muted") }));
    else if (seat.expires !== null) group.append(this.ring(seat, time, x, y));
    group.append(this.token(seat.message, x, y, expired ? "dead" : "alive", seat.deaths > 0));
    if (expired) group.append(this.at("clock", x + 9, y - 9));
    group.append(...this.badges(seat, x, y));
    return group;
  }

  /** What is left of a time to live, draining clockwise from twelve o'clock. */
  ring(seat, time, x, y) {
    const gone = Math.min(0.97, Math.max(0, (time - seat.entered) / (seat.expires - seat.entered)));
    const ring = shape(arc(x, y, RING, 360 * gone, 359.9), { line: "ink", width: 2 });
    ring.classList.add("sandbox-ring");
    return ring;
  }

  /** A copy in somebody's hands; sealed until the callback has begun. */
  held(seat, x, y) {
    const group = svg("g", { "data-copy": seat.copy, "data-message": seat.message });
    group.append(this.token(seat.message, x, y, "alive", seat.deaths > 0));
    if (seat.consumer && !seat.handed) group.append(this.at("envelope", x + 8, y - 9.5));
    group.append(...this.badges(seat, x, y));
    return group;
  }

  /** The seat in the lane to which an unacked copy would return. */
  hollow(seat, x, y) {
    const group = this.at(seat.deaths ? "hollow_diamond" : "hollow", x, y);
    group.setAttribute("data-message", seat.message);
    group.append(number(seat.message, "muted"));
    return group;
  }

  /** Came back before (upper left); its priority (lower right); how often it died (lower left). */
  badges(seat, x, y) {
    const badges = [];
    if (seat.redelivered) badges.push(this.again(seat.redelivered, x - 8.5, y - 9.5));
    if (seat.priority) badges.push(this.priority(seat.priority, x + 8, y + 9.5));
    if (seat.deaths) badges.push(this.deaths(seat.deaths, x - 8, y + 9));
    return badges;
  }

  again(times, x, y) {
    const badge = this.at("again", x, y);
    if (times > 1) {
      const text = times < 10 ? String(times) : "9+";
      badge.append(words(text, 0.3, 3.2, { size: times < 10 ? 7.5 : 6, anchor: "middle", bold: true }));
    }
    return badge;
  }

  priority(value, x, y) {
    const text = String(value);
    const digits = Math.min(3, text.length);
    const [width, size] = [[11, 8], [16, 8], [17, 6.5]][digits - 1];
    const badge = this.at(`priority_${digits}`, x, y);
    badge.append(words(text, 5.5 - width / 2, size * 0.36, { size, anchor: "middle", bold: true }));
    return badge;
  }

  deaths(times, x, y) {
    const badge = this.at("deaths", x, y);
    const [text, y0, size] = times < 10 ? [String(times), 2.9, 8] : ["9+", 2.2, 6];
    badge.append(words(text, 0, y0, { size, anchor: "middle", bold: true }));
    return badge;
  }

  /** A message that comes back to its publisher: hollow, with a back arrow. */
  returned(message) {
    const sign = this.at("token_returned", 0, 0);
    sign.append(number(message, "ink"), this.at("return_arrow", 0, -13));
    return sign;
  }
}

/** The number of a message; from 1,000 on its last three digits, for more do not fit. */
function number(message, role) {
  const text = message < 1000 ? String(message) : String(message % 1000).padStart(3, "0");
  const size = text.length < 3 ? 11 : 8;
  return words(text, 0, size * 0.36, { size, role, anchor: "middle", bold: true });
}
