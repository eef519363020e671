// The plan of one worker: its groups in the order in which they run, and the memory that each holds.

import { byId, draw, keep, make, say, show } from "./elements.js";
import { counted, layers, mib, seconds } from "./words.js";

const WIDEST = 960;
const NARROWEST = 280;
const HIGH = 256;
const LEFT = 64;
const TOP = 60;
const BASE = 226;
const LEAST = 3;
const MIB = 1 << 20;
let shown = "";
let chosen = null;
let latest = null; // what is drawn: a plan and its worker
let wide = 0; // and how wide

export async function showPlan(state) {
  const { number } = state.plan;
  const wanted = number ? `${number}/${chosen ?? 0}` : "";
  if (wanted === shown) return;
  shown = wanted;
  show(byId("choose-label"), Boolean(number));
  if (!number) {
    latest = null;
    byId("plan").replaceChildren();
    return;
  }
  try {
    const answer = await fetch(`plan?worker=${chosen ?? 0}`);
    if (!answer.ok) throw new Error(answer.statusText);
    const plan = await answer.json();
    fillChoice(plan);
    const worker = state.workers.find((each) => each.name === plan.workers[plan.worker].name);
    latest = [plan, worker];
    redraw();
  } catch {
    shown = "?";
  }
}

// As wide as there is room for, so that letters have their size on a phone, too.
function redraw() {
  const place = byId("plan");
  place.replaceChildren(make("div"));
  wide = drawnWidth(place.firstChild.clientWidth);
  place.replaceChildren(...drawn(...latest));
}

function drawnWidth(room) {
  return Math.max(NARROWEST, Math.min(WIDEST, Math.round(room)));
}

new ResizeObserver(([{ contentRect }]) => {
  if (latest && drawnWidth(contentRect.width) !== wide) redraw();
}).observe(byId("plan"));

function fillChoice(plan) {
  const select = byId("plan-worker");
  keep(select, plan.workers.map((worker, number) => ({ ...worker, number })), (each) => each.number,
    (each) => make("option", { value: each.number }),
    (option, each) => say(option, each.name));
  select.value = String(plan.worker);
}

byId("plan-worker").addEventListener("change", (event) => {
  chosen = Number(event.target.value);
});

function drawn(plan, worker) {
  const groups = plan.tiles.flatMap((tile) => tile.groups.map((group) => ({ ...group, stage: tile.stage, rows: tile.rows })));
  const total = groups.reduce((sum, group) => sum + group.seconds, 0);
  const base = worker ? worker.baseline : 0;
  const most = Math.max(...groups.map((group) => base + plan.resident + group.held));
  const limit = worker ? worker.budget : 0;
  const top = limit && limit < 3 * most ? Math.max(limit, most) : most * 1.15;
  const room = wide - LEFT - LEAST * groups.length;
  const high = (bytes) => (BASE - TOP) * (bytes / top);
  const svg = draw("svg", { viewBox: `0 0 ${wide} ${HIGH}`, role: "img", "aria-label": described(plan, groups, base) });
  for (const bytes of ticks(top)) {
    const y = BASE - high(bytes);
    svg.append(draw("line", { class: "grid", x1: LEFT, x2: wide, y1: y, y2: y }));
    svg.append(text(LEFT - 8, y + 4, bytes ? `${Math.round(bytes / MIB)} MiB` : "0", "end"));
  }
  let x = LEFT;
  let stage = 0;
  for (const group of groups) {
    const span = LEAST + room * (total ? group.seconds / total : 1 / groups.length);
    const place = { x, width: Math.max(1, span - 1) };
    svg.append(draw("rect", { class: "base", ...place, y: BASE - high(base), height: high(base) }));
    svg.append(draw("rect", { class: "weights", ...place, y: BASE - high(base + plan.resident), height: high(plan.resident) }));
    const maps = draw("rect", { class: "maps", ...place, y: BASE - high(base + plan.resident + group.held), height: high(group.held) });
    maps.append(draw("title", {}, sentence(group)));
    svg.append(maps);
    if (group.stage !== stage) {
      stage = group.stage;
      if (plan.stages > 1) {
        svg.append(draw("line", { class: "grid", x1: x, x2: x, y1: 4, y2: BASE + 18 }));
        svg.append(text(x + 4, 14, `stage ${stage}`));
      }
    }
    if (span > 46) svg.append(text(x + span / 2, TOP - 26, range(group.layers), "middle"));
    if (span > 60) svg.append(text(x + span / 2, BASE + 16, seconds(group.seconds), "middle"));
    x += span;
  }
  if (limit && limit <= top) {
    const y = BASE - high(limit);
    svg.append(draw("line", { class: "limit", x1: LEFT, x2: wide, y1: y, y2: y }));
    svg.append(text(wide, y - 5, `budget ${mib(limit)}`, "end"));
  }
  svg.append(text(LEFT - 8, TOP - 26, "layers", "end"), text(LEFT - 8, BASE + 16, "time", "end"));
  return [svg, legend(plan, groups)];
}

function text(x, y, words, anchor = "start") {
  return draw("text", { x, y, "text-anchor": anchor }, words);
}

function range([first, last]) {
  return first === last ? String(first) : `${first}–${last}`;
}

function ticks(top) {
  const mega = top / MIB;
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((each) => mega / each <= 5) ?? 10000;
  return Array.from({ length: Math.floor(mega / step) + 1 }, (_, number) => number * step * MIB);
}

function sentence(group) {
  const cut = group.whole ? "whole maps" : `${group.grid.join("×")}${group.slices > 1 ? `×${group.slices}` : ""} tiles${group.strip ? `, strips of ${group.strip} rows` : ""}`;
  const weights = group.weights ? `, weights ${mib(group.weights)}${group.streamed ? " streamed" : ""}` : "";
  const how = group.algorithm ? `, ${group.algorithm}` : "";
  return `${layers(group.layers)}: ${cut}${how}${weights}; ${mib(group.held)} of maps, ${seconds(group.seconds)}`;
}

function described(plan, groups, base) {
  const most = groups.reduce((one, other) => (one.held > other.held ? one : other));
  return `${counted(groups.length, "group")}; the most memory, ${mib(base + plan.resident + most.held)}, in ${layers(most.layers)}`;
}

function legend(plan, groups) {
  const chip = (kind, words) => [make("i", { class: `chip ${kind}` }), words];
  const traffic = plan.sent + plan.received ? ` ${mib(plan.sent + plan.received)} over links a frame.` : "";
  const left = plan.left ? ` ${counted(plan.left, "more tile")} like these.` : "";
  const streamed = groups.filter((group) => group.streamed).length;
  const how = streamed ? ` Weights of ${counted(streamed, "group")} are streamed.` : "";
  return make("figcaption", {},
    ...chip("base", "the process "), ...chip("weights", "weights "), ...chip("maps", "maps and buffers. "),
    `Predicted ${seconds(plan.seconds)} a frame, one every ${seconds(plan.period)} when many are in flight.${traffic}${how}${left}`);
}
