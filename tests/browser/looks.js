// What a reader sees in `root`: of its texts, where their ink is, what cuts it off, and its colour;
// of the marks that `selector` finds, where they are, and their colours.
(root, selector) => {
  const UNSEEN = "defs, symbol, clipPath, mask, marker, pattern, title, desc, metadata, style, script, option";
  const UNASSIGNED = "\u0378"; // no font has it: it shows what stands for a missing letter
  const pen = Object.assign(document.createElement("canvas"), {width: 64, height: 64})
    .getContext("2d", {willReadFrequently: true});

  // Red, green and blue to 255, and alpha to 1, of which the element shows no more than `share`.
  const rgba = (colour, share) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255 * share];
  };

  const drawings = new Map();
  const drawn = (character, font) => {
    const key = font + character;
    if (!drawings.has(key)) {
      pen.clearRect(0, 0, 64, 64);
      pen.font = font.replace(/[\d.]+px/, "32px");
      pen.fillStyle = "black";
      pen.fillText(character, 16, 44);
      drawings.set(key, pen.getImageData(0, 0, 64, 64).data.join());
    }
    return drawings.get(key);
  };

  const box = ({left, top, right, bottom}) => ({left, top, right, bottom});

  const placed = svg => Object.fromEntries(
    ["x", "y", "width", "height"].map(side => [side, svg[side].animVal.value]));

  // A box in an element's own coordinates, on the screen.
  const onScreen = (matrix, {x, y, width, height}) => {
    const corners = [[x, y], [x + width, y], [x, y + height], [x + width, y + height]]
      .map(([across, down]) => new DOMPoint(across, down).matrixTransform(matrix));
    const [xs, ys] = [corners.map(corner => corner.x), corners.map(corner => corner.y)];
    return {left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys)};
  };

  const union = boxes => ({
    left: Math.min(...boxes.map(each => each.left)),
    top: Math.min(...boxes.map(each => each.top)),
    right: Math.max(...boxes.map(each => each.right)),
    bottom: Math.max(...boxes.map(each => each.bottom)),
  });

  // The boxes outside of which an element's ancestors show nothing of it; what the body has is the window's.
  const windows = element => {
    const found = [];
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      const named = /^url\("#(.*)"\)/.exec(style.clipPath);
      const path = named && document.getElementById(named[1]);
      if (path) {
        const relative = path.clipPathUnits.baseVal === SVGUnitTypes.SVG_UNIT_TYPE_OBJECTBOUNDINGBOX;
        const {x, y, width, height} = at.getBBox();
        const matrix = DOMMatrix.fromMatrix(at.getScreenCTM());
        if (relative) matrix.multiplySelf(new DOMMatrix([width, 0, 0, height, x, y]));
        found.push({scrolls: false, ...union([...path.children].map(shape => onScreen(matrix, shape.getBBox())))});
      }
      if (style.overflowX === "visible") continue;
      if (at instanceof SVGElement ? !(at instanceof SVGSVGElement) : style.display === "inline") continue;
      const scrolls = ["auto", "scroll"].some(way => [style.overflowX, style.overflowY].includes(way));
      const frame = at.ownerSVGElement
        ? onScreen(at.parentElement.getScreenCTM(), placed(at))
        : box(at.getBoundingClientRect());
      found.push({scrolls, ends: style.textOverflow === "ellipsis" && Boolean(at.title), ...frame});
    }
    return found;
  };

  // The lines of a text without the empty room that a font keeps above and below its letters.
  const ink = (node, element, font) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    pen.font = font;
    const size = pen.measureText(node.data.trim());
    const {fontBoundingBoxAscent: ascent, fontBoundingBoxDescent: descent} = size;
    const matrix = element.getScreenCTM?.() ?? new DOMMatrix();
    const upright = Math.abs(matrix.b) < 1e-6 && Math.abs(matrix.c) < 1e-6;
    return [...range.getClientRects()].filter(line => line.width > 0).map(line => {
      if (!upright) return box(line);
      const unit = line.height / (ascent + descent);
      return {
        left: line.left,
        right: line.right,
        top: line.top + unit * (ascent - size.actualBoundingBoxAscent),
        bottom: line.top + unit * (ascent + size.actualBoundingBoxDescent),
      };
    });
  };

  const opacity = element => {
    let product = 1;
    for (let at = element; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
    return product;
  };

  const outside = (line, frame) => Math.max(
    frame.left - line.left, frame.top - line.top, line.right - frame.right, line.bottom - frame.bottom);
  const apart = (line, frame) => line.right <= frame.left || line.left >= frame.right
    || line.bottom <= frame.top || line.top >= frame.bottom;

  const texts = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    const words = node.data.trim().replace(/\s+/g, " ");
    if (!words || element.closest(UNSEEN)) continue;
    if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const style = getComputedStyle(element);
    const font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const frames = windows(element);
    // Words for screen readers alone stand in a window of one pixel.
    if (frames.some(frame => frame.right - frame.left <= 1 || frame.bottom - frame.top <= 1)) continue;
    const lines = ink(node, element, font)
      .filter(line => !frames.some(frame => frame.scrolls && apart(line, frame)));
    if (!lines.length) continue;
    const drawing = element instanceof SVGElement;
    const paint = drawing ? style.fill : style.color;
    const share = opacity(element) * (drawing ? Number(style.fillOpacity) : 1);
    const halo = drawing && style.stroke !== "none" && style.paintOrder.startsWith("stroke");
    texts.push({
      words,
      lines,
      colour: rgba(paint === "none" ? "transparent" : paint, share),
      halo: halo ? rgba(style.stroke, 1) : null,
      cut: Math.max(0, ...lines.flatMap(line => frames
        .filter(frame => !frame.scrolls && !frame.ends)
        .map(frame => outside(line, frame)))),
      missing: [...new Set(words)].filter(each => each.trim() && drawn(each, font) === drawn(UNASSIGNED, font)),
      idle: Boolean(element.closest(":disabled, [aria-disabled=true]")),
    });
  }

  const paints = mark => {
    const style = getComputedStyle(mark);
    const both = mark instanceof SVGElement
      ? [[style.fill, style.fillOpacity], [style.stroke, style.strokeOpacity]]
      : [[style.backgroundColor, 1], [parseFloat(style.borderTopWidth) ? style.borderTopColor : "none", 1]];
    return both.filter(([paint]) => paint !== "none" && !paint.startsWith("url"));
  };
  const marks = [...root.querySelectorAll(selector)]
    .filter(mark => mark.checkVisibility({opacityProperty: true, visibilityProperty: true}))
    .map(mark => ({
      name: mark.id || mark.getAttribute("class") || mark.tagName,
      lines: [box(mark.getBoundingClientRect())],
      colours: paints(mark).map(([paint, share]) => rgba(paint, opacity(mark) * Number(share))),
    }));

  return {texts, marks, scroll: [scrollX, scrollY]};
}
