// Where the marks that `selector` finds below `root` are, and in which colours they are painted.
(root, selector) => {
  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour, share) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255 * share];
  };
  const opacity = element => {
    let product = 1;
    for (let at = element; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
    return product;
  };
  const paints = (mark, style) => mark instanceof SVGElement
    ? [[style.fill, style.fillOpacity], [parseFloat(style.strokeWidth) ? style.stroke : "none", style.strokeOpacity]]
    : [[style.backgroundColor, 1], [parseFloat(style.borderTopWidth) ? style.borderTopColor : "none", 1]];
  const marks = [...root.querySelectorAll(selector)]
    .filter(mark => mark.checkVisibility({opacityProperty: true, visibilityProperty: true}))
    .map(mark => {
      const {left, top, right, bottom} = mark.getBoundingClientRect();
      const seen = opacity(mark);
      return {
        name: mark.id || mark.getAttribute("class") || mark.tagName,
        box: {left, top, right, bottom},
        colours: paints(mark, getComputedStyle(mark))
          .filter(([paint]) => paint !== "none" && !paint.startsWith("url"))
          .map(([paint, share]) => rgba(paint, seen * Number(share))),
      };
    });
  return {marks, scroll: [scrollX, scrollY]};
}
