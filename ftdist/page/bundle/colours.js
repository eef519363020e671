// Each worker keeps one of eight colours, by its name: a worker that comes back has its own again.

const COLOURS = 8;
const given = new Map();
const names = new Map();

export function learn(workers) {
  for (const { id, name } of workers) {
    names.set(id, name);
    if (!given.has(name)) given.set(name, free());
  }
}

function free() {
  const used = new Array(COLOURS).fill(0);
  for (const colour of given.values()) used[colour] += 1;
  return used.indexOf(Math.min(...used));
}

export function colourOf(name) {
  return given.has(name) ? `var(--w${given.get(name)})` : "var(--none)";
}

export const nameOf = (id) => names.get(id) ?? "nobody";
