// Frames on their way: each a small map whose bands have the colour of the worker that has them.

import { byId, draw, keep, make, say, show, trait } from "./elements.js";
import { colourOf, nameOf } from "./colours.js";
import { layers } from "./words.js";

const WIDE = 160;
const LINGER_MS = 1500;
let seen = 0;
const WORDS = ["waits for inputs", "waits for its worker", "is being computed", "is done"];
const OPACITY = [0.16, 0.28, 0.62, 1];

export function showFrames(frames, input) {
  const now = Date.now();
  if (frames.length) seen = now;
  else if (now - seen < LINGER_MS) return; // between two frames the list does not come and go
  const [height, width] = input;
  const high = Math.max(40, Math.min(200, Math.round((WIDE * height) / width)));
  keep(byId("frames"), frames, (frame) => `${frame.job}/${frame.frame}`, () => create(high), (item, frame) => fill(item, frame, high));
  show(byId("no-frames"), frames.length === 0);
}

function create(high) {
  const map = draw("svg", { viewBox: `0 0 ${WIDE} ${high}`, role: "img" });
  return make("li", { class: "frame" }, map, make("p", {}, make("b"), make("span")));
}

function fill(item, frame, high) {
  const map = item.firstElementChild;
  while (map.childElementCount > frame.tiles.length) map.lastElementChild.remove();
  while (map.childElementCount < frame.tiles.length) map.append(draw("rect"));
  frame.tiles.forEach(([worker, state, top, bottom, left, right], number) => {
    const tile = map.children[number];
    trait(tile, "x", left * WIDE);
    trait(tile, "y", top * high);
    trait(tile, "width", (right - left) * WIDE);
    trait(tile, "height", (bottom - top) * high);
    const colour = worker ? colourOf(nameOf(worker)) : "var(--none)";
    if (tile.style.fill !== colour) tile.style.fill = colour;
    trait(tile, "fill-opacity", OPACITY[state]);
  });
  const [title, rest] = item.querySelectorAll("b, span");
  say(title, `Frame ${frame.frame}`);
  say(rest, `, stage ${frame.stage} of ${frame.stages}, ${layers(frame.layers)}`);
  trait(map, "aria-label", described(frame));
}

function described(frame) {
  const bands = frame.tiles.map(([worker, state], number) => `band ${number + 1} ${WORDS[state]}${worker ? ` (${nameOf(worker)})` : ""}`);
  return `Frame ${frame.frame} of ${frame.job}: ${bands.slice(0, 8).join(", ")}`;
}
