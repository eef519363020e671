// The last pictures with what was found on them: asked for only while they are shown.

import { byId, draw, keep, make, say, show } from "./elements.js";
import { seconds } from "./words.js";

const EVERY_MS = 2500;
let on = false;
let timer = 0;

const button = byId("show-pictures");
button.addEventListener("click", () => {
  on = !on;
  button.setAttribute("aria-pressed", String(on));
  say(button, on ? "Hide pictures" : "Show pictures");
  clearTimeout(timer);
  if (on) look();
  else keep(byId("pictures"), [], () => "", make, () => {});
  tell(0);
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (on && !document.hidden) look();
});

function tell(count) {
  const note = byId("no-pictures");
  show(note, count === 0);
  say(note, on ? "The next frame that is finished is shown here." : "Pictures are fetched only while they are shown.");
}

async function look() {
  try {
    const answer = await fetch("pictures");
    const found = await answer.json();
    if (on) {
      keep(byId("pictures"), found, (each) => `${each.n}/${each.job}/${each.frame}`, create, () => {});
      tell(found.length);
    }
  } catch {
    // the stream says that nobody is there
  }
  if (on && !document.hidden) timer = setTimeout(look, EVERY_MS);
}

function create(picture) {
  const { width, height, boxes, points, words } = picture;
  const labels = boxes.map((each) => `${each.label} ${Math.round(100 * each.score)}%`);
  const found = labels.length ? summed(boxes) : words.join(", ") || (points.length ? `${points.length} points` : "nothing found");
  const image = make("img", { src: `picture?n=${picture.n}`, width, height, alt: `Frame ${picture.frame}: ${labels.slice(0, 12).join(", ") || found}` });
  const over = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (const each of boxes) {
    const [x, y] = each.box;
    const [wide, high] = each.size;
    const place = { x: x * width, y: y * height, width: wide * width, height: high * height, rx: 2 };
    const box = draw("rect", place);
    box.style.setProperty("--box", `var(--b${each.number % 8})`);
    box.append(draw("title", {}, `${each.label} ${Math.round(100 * each.score)}%`));
    over.append(draw("rect", { class: "under", ...place }), box);
  }
  for (const [x, y] of points) {
    const point = draw("circle", { cx: x * width, cy: y * height, r: Math.max(2, width / 120) });
    point.style.setProperty("--box", "var(--b4)");
    over.append(point);
  }
  const caption = make("figcaption", {}, make("b", {}, `Frame ${picture.frame}`), ` in ${seconds(picture.seconds)} · ${found}`);
  return make("figure", {}, make("div", { class: "image" }, image, over), caption);
}

function summed(boxes) {
  const counts = new Map();
  for (const { label } of boxes) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].map(([label, count]) => (count > 1 ? `${count} × ${label}` : label)).join(", ");
}
