// The workers: one card each. One that is gone stays for a while, so that its loss is seen.

import { byId, keep, make, meter, say, setMeter, show } from "./elements.js";
import { colourOf } from "./colours.js";
import { bytesPerSecond, counted, flops, layers, mib, percent } from "./words.js";

const GONE_MS = 60000;
const known = new Map();

export function showWorkers(workers, lost) {
  const now = Date.now();
  const here = new Set(workers.map((worker) => worker.name));
  for (const worker of workers) known.set(worker.name, { worker, gone: 0 });
  for (const [name, entry] of known) {
    if (here.has(name)) continue;
    if (!entry.gone) Object.assign(entry, { gone: now, why: lost.get(name) ?? "gone" });
    entry.why = lost.get(name) ?? entry.why;
    if (now - entry.gone > GONE_MS) known.delete(name);
  }
  const cards = [...known.values()].sort((a, b) => a.worker.name.localeCompare(b.worker.name, "en", { numeric: true }));
  keep(byId("workers"), cards, (card) => card.worker.name, create, fill);
  show(byId("no-workers"), cards.length === 0);
}

const FACTS = ["Speed", "Link", "Done", "Failed"];

function create({ worker }) {
  const card = make("li", { class: "worker" });
  card.style.setProperty("--tint", colourOf(worker.name));
  const facts = make("dl", { class: "facts" });
  for (const fact of FACTS) facts.append(make("div", {}, make("dt", {}, fact), make("dd")));
  card.append(
    make("div", { class: "top" }, make("h3", {}, worker.name), make("p", { class: "state" })),
    make("p", { class: "who" }),
    make("div", { class: "body" },
      make("p", { class: "row" }, make("span", {}, "Memory"), make("span")),
      meter(`Memory of ${worker.name}`),
      make("p", { class: "row" }, make("span", {}, "Share of a frame"), make("span")),
      meter(`Share of ${worker.name} in a frame`),
      facts,
      make("p", { class: "doing" }, make("span"), make("span"))),
  );
  return card;
}

function fill(card, { worker, gone, why }) {
  const find = (selector) => card.querySelectorAll(selector);
  card.classList.toggle("gone", gone > 0);
  const state = card.querySelector(".state");
  say(state, gone ? why : worker.state);
  state.classList.toggle("busy", !gone && worker.state.startsWith("running"));
  const who = [worker.address, worker.key && `key ${worker.key}`, worker.kernels, counted(worker.threads, "thread")];
  say(card.querySelector(".who"), who.filter(Boolean).join(" · "));
  const [memory, share] = find(".row span:last-child");
  const [memoryBar, shareBar] = find(".meter");
  say(memory, `${mib(worker.peak)} of ${mib(worker.budget)}`);
  setMeter(memoryBar, worker.budget ? worker.peak / worker.budget : 0, memory.textContent);
  say(share, percent(worker.share));
  setMeter(shareBar, worker.share, share.textContent);
  const [speed, link, done, failed] = find("dd");
  say(speed, flops(worker.flops));
  say(link, bytesPerSecond(worker.link) + (worker.shared ? " shared" : ""));
  say(done, worker.done.toLocaleString("en"));
  say(failed, worker.failed.toLocaleString("en"));
  const [first, second] = find(".doing span");
  const idle = worker.state.startsWith("running") ? "between two tasks" : "nothing to do";
  say(first, gone ? "" : task(worker.tasks[0]) || idle);
  say(second, gone || worker.tasks.length < 2 ? "" : `then ${task(worker.tasks[1])}`);
}

function task(found) {
  if (!found) return "";
  const tile = found.tiles > 1 ? `, tile ${found.tile} of ${found.tiles}` : "";
  return `frame ${found.frame}, ${layers(found.layers)}${tile}`;
}
