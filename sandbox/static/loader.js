// Loads the modules below, which import each other by name, in a place that knows one file only.

/** @type {Record<string, string>} the text of each module; those that are imported stand before those that import */
const MODULES = {};

async function load() {
  const urls = {};
  for (const [name, text] of Object.entries(MODULES)) {
    const linked = text.replace(/(from\s+")\.\/([\w.]+)"/g, (_, start, other) => `${start}${urls[other]}"`);
    urls[name] = URL.createObjectURL(new Blob([linked, `\n//# sourceURL=sandbox/${name}\n`], { type: "text/javascript" }));
  }
  const entry = await import(urls["index.js"]);
  for (const url of Object.values(urls)) URL.revokeObjectURL(url);
  return entry;
}

export default async () => {
  const { play } = await load();
  return { initialize: ({ model }) => play(model) };
};
