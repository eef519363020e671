// The figures at the top. Rates are those of the last few seconds, from what the totals grew by.

import { byId, draw, say, trait } from "./elements.js";
import { bytesPerSecond, counted, mib, perSecond } from "./words.js";

const WINDOW_S = 5;
const SPARK_S = 120;
const STEP_S = 2;
const past = [];
const rates = [];

export function showFigures(state, about) {
  const { totals, now } = state;
  if (past.length && now < past[past.length - 1].now) past.length = rates.length = 0;
  past.push({ now, frames: totals.frames, bytes: totals.sent_bytes + totals.received_bytes });
  while (past.length > 2 && past[1].now <= now - WINDOW_S) past.shift();
  const first = past[0];
  const span = now - first.now;
  const frames = span > 0 ? (totals.frames - first.frames) / span : 0;
  const bytes = span > 0 ? (totals.sent_bytes + totals.received_bytes - first.bytes) / span : 0;
  rate(frames);
  spark(now, frames);
  say(byId("worker-count"), String(state.workers.length));
  const running = state.workers.filter((worker) => worker.state.startsWith("running")).length;
  const lost = totals.lost ? `, ${totals.lost} lost so far` : "";
  say(byId("worker-note"), `${running} running${lost}`);
  say(byId("frame-count"), totals.frames.toLocaleString("en"));
  const again = totals.moved_tasks ? `, ${counted(totals.moved_tasks, "task")} moved` : "";
  say(byId("frame-note"), `${state.inFlight} on their way${again}`);
  say(byId("link-rate"), bytes > 0 ? bytesPerSecond(bytes) : "0");
  say(byId("link-note"), `${mib(totals.sent_bytes + totals.received_bytes)} in all`);
  say(byId("memory"), mib(state.peak));
  say(byId("memory-note"), `peak, of ${mib(about.budget)}`);
}

function rate(frames) {
  say(byId("rate"), perSecond(frames));
}

function spark(now, frames) {
  const last = rates[rates.length - 1];
  if (last && now - last[0] < STEP_S) last[1] = Math.max(last[1], frames);
  else rates.push([now, frames]);
  while (rates.length && rates[0][0] < now - SPARK_S) rates.shift();
  const most = Math.max(1e-9, ...rates.map(([, value]) => value));
  const points = rates.map(([when, value]) => `${(240 * (1 - (now - when) / SPARK_S)).toFixed(1)},${(46 - 40 * (value / most)).toFixed(1)}`);
  const element = byId("spark");
  if (!element.childElementCount) element.append(draw("path", { class: "area" }), draw("path", { class: "stroke" }));
  const [area, stroke] = element.children;
  if (points.length < 2) return;
  const line = `M${points.join("L")}`;
  trait(stroke, "d", line);
  trait(area, "d", `${line}L240,48L${points[0].split(",")[0]},48Z`);
}
