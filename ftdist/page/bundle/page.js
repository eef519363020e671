// The stream of states: opened while the page is seen, closed while it is not.

import { learn } from "./colours.js";
import { byId, say } from "./elements.js";
import { showFigures } from "./figures.js";
import { showFrames } from "./frames.js";
import { showJobs } from "./jobs.js";
import { lost, showLines } from "./log.js";
import { showPlan } from "./plan.js";
import { showWorkers } from "./workers.js";
import "./pictures.js";

const PATIENCE_MS = 5000;
let about = null;
let stream = null;
let waiting = 0;

function link(kind, text) {
  byId("link").className = `link ${kind}`;
  say(byId("link"), text);
}

function showState(state) {
  learn(state.workers);
  showFigures(state, about);
  showJobs(state.jobs);
  showWorkers(state.workers, lost);
  showFrames(state.frames, about.input);
  say(byId("plan-text"), state.plan.text);
  showPlan(state);
}

function heard() {
  link("live", "live");
  clearTimeout(waiting);
  waiting = setTimeout(() => link("lost", "no answer"), PATIENCE_MS);
}

async function open() {
  try {
    const answer = await fetch("about", { cache: "no-store" });
    if (answer.status === 401) return location.reload();
    about = await answer.json();
  } catch {
    link("lost", "not there; trying again");
    setTimeout(() => stream === null && !document.hidden && open(), 2000);
    return;
  }
  introduce();
  stream = new EventSource("events");
  stream.addEventListener("state", (event) => { heard(); showState(JSON.parse(event.data)); });
  stream.addEventListener("log", (event) => { heard(); showLines(JSON.parse(event.data)); });
  stream.onerror = () => {
    clearTimeout(waiting);
    link("lost", "not there; trying again");
    close();
    setTimeout(() => stream === null && !document.hidden && open(), 2000);
  };
}

function close() {
  if (stream !== null) stream.close();
  stream = null;
}

function introduce() {
  const [height, width, channels] = about.input;
  document.title = `${about.model} – ftdist`;
  say(byId("model"), about.model);
  say(byId("foot"), `ftdist ${about.version} · ${about.model}, ${width}×${height}×${channels}, ${about.layers} layers`);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(waiting);
    close();
  } else if (stream === null) {
    open();
  }
});

open();
