// Jobs, with what is left of them.

import { byId, keep, make, meter, say, setMeter, show } from "./elements.js";
import { counted, seconds } from "./words.js";

export function showJobs(jobs) {
  keep(byId("jobs"), jobs, (job) => job.name, create, fill);
  show(byId("no-jobs"), jobs.length === 0);
}

function create(job) {
  const head = make("div", { class: "job-head" }, make("strong", {}, job.name), make("span", { class: "who" }), make("span", { class: "far" }));
  return make("li", { class: "job" }, head, meter(`Progress of ${job.name}`), make("p", { class: "note" }));
}

function fill(item, job) {
  const part = job.frames ? job.finished / job.frames : 0; // 0 frames: nobody knows how many
  const all = counted(job.frames || job.finished, "frame");
  const far = job.frames ? `${job.finished.toLocaleString("en")} of ${all}` : all;
  const left = job.left > 0 ? `, ${seconds(job.left)} left` : "";
  say(item.querySelector(".far"), far + left);
  say(item.querySelector(".who"), [job.key, job.address].filter(Boolean).join(" · "));
  show(item.querySelector(".meter"), job.frames > 0);
  setMeter(item.querySelector(".meter"), part, far);
  const sent = job.bytes ? ` and ${(job.bytes / 1e6).toFixed(2)} MB` : "";
  const each = job.each > 0 ? `${seconds(job.each)}${sent} a frame` : "";
  say(item.querySelector(".note"), [each, job.text].filter(Boolean).join(" · "));
}
