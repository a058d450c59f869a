// SVG and HTML elements, made by name and never from text: names and bodies are strangers' and stay characters.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An SVG element.  A child that is a string becomes text.
 * @param {string} name
 * @param {Record<string, string|number|null|undefined>} [attributes] null leaves one out
 * @param {...(Node|string|null)} children
 * @returns {any}
 */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/**
 * An HTML element, as `svg`.  An attribute that is a function listens: {click: …}.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...(Node|string|null)} children
 * @returns {any}
 */
export function html(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A role of the palette as a colour. */
export const colour = (role) => (role ? `var(--sandbox-${role.replace("_", "-")})` : "none");

/** One line of text; `anchor` says which end of it is at x. */
export function words(text, x, y, { size = 11, role = "ink", anchor = "start", bold = false } = {}) {
  return svg(
    "text",
    {
      x: round(x),
      y: round(y),
      "font-size": size,
      "font-weight": bold ? 700 : null,
      "text-anchor": anchor,
      fill: colour(role),
    },
    text,
  );
}

/** An outline, filled or drawn as a line, or both, in the palette's roles. */
export function shape(d, { fill = "", line = "", width = 1.5, dash = null, ends = "butt" } = {}) {
  return svg("path", {
    d,
    fill: colour(fill),
    stroke: colour(line),
    "stroke-width": line ? width : null,
    "stroke-dasharray": dash && dash.join(" "),
    "stroke-linecap": ends,
    "stroke-linejoin": "round",
  });
}

/** Straight through all points. */
export function straight(points, closed = false) {
  return points.map(([x, y], index) => `${index ? "L" : "M"}${round(x)} ${round(y)}`).join("") + (closed ? "Z" : "");
}

/** From point to point, with corners rounded as far as there is room. */
export function rounded(points, radius = 12) {
  let d = `M${round(points[0][0])} ${round(points[0][1])}`;
  for (let index = 1; index < points.length - 1; index += 1) {
    const [before, corner, after] = points.slice(index - 1, index + 2);
    const room = Math.min(radius, distance(before, corner) / 2, distance(corner, after) / 2);
    const [ax, ay] = towards(corner, before, room);
    const [bx, by] = towards(corner, after, room);
    d += `L${round(ax)} ${round(ay)}Q${round(corner[0])} ${round(corner[1])} ${round(bx)} ${round(by)}`;
  }
  const [x, y] = points.at(-1);
  return `${d}L${round(x)} ${round(y)}`;
}

/** A rectangle with round corners. */
export function box(x, y, width, height, radius = 0) {
  const r = Math.max(0, Math.min(radius, width / 2, height / 2));
  const [w, h] = [round(width - 2 * r), round(height - 2 * r)];
  const turn = (dx, dy) => (r ? `a${r} ${r} 0 0 1 ${dx} ${dy}` : "");
  return `M${round(x + r)} ${round(y)}h${w}${turn(r, r)}v${h}${turn(-r, r)}h${-w}${turn(-r, -r)}v${-h}${turn(r, -r)}Z`;
}

/** A circle. */
export function circle(x, y, radius) {
  return `M${round(x - radius)} ${round(y)}a${radius} ${radius} 0 1 1 ${2 * radius} 0a${radius} ${radius} 0 1 1 ${-2 * radius} 0Z`;
}

/** Clockwise around (x, y), in degrees from twelve o'clock; less than a full turn. */
export function arc(x, y, radius, start, end) {
  const at = (degrees) => {
    const angle = (degrees * Math.PI) / 180;
    return `${round(x + radius * Math.sin(angle))} ${round(y - radius * Math.cos(angle))}`;
  };
  return `M${at(start)}A${radius} ${radius} 0 ${end - start > 180 ? 1 : 0} 1 ${at(end)}`;
}

/** To a hundredth of a px. */
export const round = (number) => Math.round(number * 100) / 100;

const distance = (a, b) => Math.hypot(b[0] - a[0], b[1] - a[1]);

function towards(start, end, length) {
  const part = length / (distance(start, end) || 1);
  return [start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part];
}
