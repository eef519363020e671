// The log, newest first, and what of it is said aloud: losses, joins, and jobs that end.

import { byId, make, say } from "./elements.js";
import { clock } from "./words.js";

const KEPT = 200;
const ALOUD = new Set(["worker-lost", "worker-joined", "job-done", "job-failed", "no-plan"]);
const CLASSES = { "worker-joined": "joined", "job-done": "done" };
let last = 0;

export const lost = new Map();

export function showLines(lines) {
  const list = byId("log");
  const fresh = lines.filter((line) => line.n > last);
  if (!fresh.length && lines.length && lines[lines.length - 1].n < last) last = 0; // it began anew
  for (const line of fresh) {
    last = line.n;
    const time = make("time", { datetime: new Date(line.time * 1000).toISOString() }, clock(line.time));
    list.prepend(make("li", { class: `${line.level} ${CLASSES[line.event] ?? ""}`.trim() }, time, make("span", {}, line.text)));
    const found = /^worker (\S+): (.*)$/.exec(line.text);
    if (found && line.event === "worker-lost") lost.set(found[1], found[2]);
  }
  while (list.childElementCount > KEPT) list.lastElementChild.remove();
  const aloud = fresh.filter((line) => ALOUD.has(line.event));
  if (aloud.length) say(byId("announce"), aloud.map((line) => line.text).join(". "));
}
