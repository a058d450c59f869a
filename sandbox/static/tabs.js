// The dashboard's tabs, which are the front end's own: one is opened as a press would.

/**
 * Open a tab by its title.
 * @param {Element} inside anything within the dashboard; nothing happens where there is none
 */
export function openTab(inside, title) {
  const dashboard = inside.closest(".sandbox-dashboard");
  const tabs = [...(dashboard?.querySelectorAll(".lm-TabBar-tab") ?? [])];
  const tab = tabs.find((found) => found.textContent.trim() === title && found.getClientRects().length);
  if (!tab) return;
  const box = tab.getBoundingClientRect();
  const place = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  for (const kind of ["pointerdown", "pointerup"]) tab.dispatchEvent(new PointerEvent(kind, { ...place, bubbles: true }));
}
