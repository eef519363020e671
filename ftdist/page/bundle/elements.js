// The few ways in which the page is changed: elements are made once, and then only told what is new.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function make(tag, traits = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(traits)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function draw(tag, traits = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(traits)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function trait(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

// Makes the children of a list those of `items`, in their order: made, filled and removed by key.
export function keep(list, items, keyOf, create, fill) {
  const there = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let at = list.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = there.get(key);
    if (child === undefined) {
      child = create(item);
      child.dataset.key = key;
    }
    there.delete(key);
    if (child === at) at = at.nextElementSibling;
    else list.insertBefore(child, at);
    fill(child, item);
  }
  for (const child of there.values()) child.remove();
}

export function meter(label) {
  const bar = make("i");
  return make("div", { class: "meter", role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, bar);
}

export function setMeter(element, part, text) {
  const shown = Math.max(0, Math.min(1, part));
  const width = `${(100 * shown).toFixed(1)}%`;
  const bar = element.firstElementChild;
  if (bar.style.width !== width) bar.style.width = width;
  trait(element, "aria-valuenow", Math.round(100 * shown));
  trait(element, "aria-valuetext", text);
  element.classList.toggle("over", part > 1);
}
