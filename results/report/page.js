"use strict";

// Sorting, filtering, cells as pages of their own, and, under clsweep serve, news. Without this script the page
// is complete, one section below another.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const controls = document.getElementById("controls");
const filter = document.getElementById("filter");
const scenario = document.getElementById("scenario");

// By the id of a table: the column it is sorted by, and whether the largest come first.
const orders = new Map();

// Sorting -----------------------------------------------------------------------------------------------------

// What a cell is sorted by: a number, a text, or null for what is undefined.
function keyOf(cell) {
  const key = cell.dataset.key;
  if (key !== undefined) return key === "" ? null : Number(key);
  const text = cell.textContent.trim();
  return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), undefined, { numeric: true });
}

// Undefined values come last either way, and equal ones keep the order that the page came with.
function arrange(table) {
  const order = orders.get(table.id);
  const rows = [...table.tBodies[0].rows].map((row) => ({
    row,
    place: Number(row.dataset.place),
    key: order ? keyOf(row.cells[order.column]) : 0,
  }));
  rows.sort((one, other) => {
    if (one.key === null || other.key === null) {
      return (one.key === null) - (other.key === null) || one.place - other.place;
    }
    const difference = compare(one.key, other.key);
    return (order && order.falling ? -difference : difference) || one.place - other.place;
  });
  table.tBodies[0].append(...rows.map(({ row }) => row));
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const sorted = order && order.column === column;
    head.setAttribute("aria-sort", sorted ? (order.falling ? "descending" : "ascending") : "none");
  });
}

// The first press sorts as the column is mostly read, the second the other way, the third as it was.
function press(table, column, fallingFirst) {
  const order = orders.get(table.id);
  if (!order || order.column !== column) orders.set(table.id, { column, falling: fallingFirst });
  else if (order.falling === fallingFirst) order.falling = !fallingFirst;
  else orders.delete(table.id);
  arrange(table);
}

function makeSortable(table) {
  [...table.tBodies[0].rows].forEach((row, place) => { row.dataset.place = place; });
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => press(table, column, "falling" in head.dataset));
    head.setAttribute("aria-sort", "none");
    head.append(button);
  });
  if (orders.has(table.id)) arrange(table);
}

// Filtering ---------------------------------------------------------------------------------------------------

function applyFilter() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let lines = 0;
  let shown = 0;
  for (const section of all(".scenario")) {
    const title = section.dataset.title;
    const chosen = scenario.value === "" || scenario.value === title;
    const matches = (row) => {
      const text = `${title} ${row.cells[0].textContent}`.toLowerCase();
      return chosen && words.every((word) => text.includes(word));
    };
    all("table.listing tbody tr", section).forEach((row) => { row.hidden = !matches(row); });
    const rows = all(".filtered tbody tr", section);
    const left = rows.filter((row) => !row.hidden).length;
    section.hidden = left === 0;
    lines += rows.length;
    shown += left;
  }
  document.getElementById("found").textContent = `${shown} of ${lines} lines`;
}

function listScenarios() {
  const chosen = scenario.value;
  const titles = all(".scenario").map((section) => section.dataset.title);
  scenario.replaceChildren(new Option("all", ""), ...titles.map((title) => new Option(title, title)));
  scenario.value = titles.includes(chosen) ? chosen : "";
}

// Cells as pages ----------------------------------------------------------------------------------------------

const target = () => document.getElementById(location.hash.slice(1));

// Show the cell that the address names alone, or else everything but the cells.
function showCell() {
  const cell = target() && target().closest(".cell");
  all(".cell.shown").forEach((other) => other.classList.remove("shown"));
  if (cell) {
    cell.classList.add("shown");
    setUp(cell);
  }
  document.body.classList.toggle("one-cell", Boolean(cell));
  return cell;
}

function moved() {
  const cell = showCell();
  const place = history.state && history.state.y;
  if (typeof place === "number") scrollTo(0, place);
  else if (cell) scrollTo(0, cell.offsetTop);
  else if (target()) target().scrollIntoView();
  if (cell) cell.focus({ preventScroll: true });
  reachScrolling();
}

// Where the reader was is kept with the page that is left, for the way back.
document.addEventListener("click", (event) => {
  if (event.target.closest("a[href^='#']")) history.replaceState({ y: scrollY }, "");
});
addEventListener("hashchange", moved);

// Small things ------------------------------------------------------------------------------------------------

// What is too wide for the screen can be scrolled with the keyboard too.
function reachScrolling() {
  for (const box of all(".scroll")) {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", box.dataset.label);
    } else {
      ["tabindex", "role", "aria-label"].forEach((name) => box.removeAttribute(name));
    }
  }
}

function makeCopied(box) {
  const button = document.createElement("button");
  const text = box.querySelector("pre");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  box.append(button);
}

// On paper everything is open: where the style cannot say so, the script does.
if (!CSS.supports("selector(::details-content)")) {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    opened.forEach((each) => { each.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((each) => { each.open = false; }));
}

// Each table once; those of a cell when it is first shown, since a page may have hundreds.
function setUp(part) {
  const waits = (table) => table.tHead.querySelector("button") || table.closest(".cell:not(.shown)");
  all("table.listing", part).filter((table) => !waits(table)).forEach(makeSortable);
  all(".copied:not(:has(button))", part).forEach(makeCopied);
}

// News, under clsweep serve -----------------------------------------------------------------------------------

const EVERY_MS = 2000;
const parts = () => all("[data-part]");
const sources = new Map(parts().map((part) => [part.id, part.innerHTML]));
let version = null;

// How to find the element again once its part is made anew.
function nameOf(element) {
  const head = element.closest("th");
  if (head && element.closest("table.listing")) {
    return `#${CSS.escape(element.closest("table").id)} thead th:nth-child(${head.cellIndex + 1}) button`;
  }
  if (element.matches("summary")) return `#${CSS.escape(element.parentElement.id)} > summary`;
  if (element.id) return `#${CSS.escape(element.id)}`;
  return element.matches("a") ? `a[href="${CSS.escape(element.getAttribute("href"))}"]` : null;
}

function renew(part, html) {
  const open = new Map(all("details[id]", part).map((each) => [each.id, each.open]));
  const aside = all(".scroll", part).map((box) => [box.dataset.label, box.scrollLeft]);
  const focus = part.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  part.innerHTML = html;
  for (const each of all("details[id]", part)) each.open = open.get(each.id) ?? each.open;
  setUp(part);
  const left = new Map(aside.filter(([, x]) => x > 0));
  for (const box of all(".scroll", part)) box.scrollLeft = left.get(box.dataset.label) ?? 0;
  if (focus) part.querySelector(focus)?.focus({ preventScroll: true });
}

function take(text) {
  const next = new DOMParser().parseFromString(text, "text/html");
  const y = scrollY;
  for (const part of parts()) {
    const html = next.getElementById(part.id)?.innerHTML;
    if (html === undefined || html === sources.get(part.id)) continue;
    sources.set(part.id, html);
    renew(part, html);
  }
  listScenarios();
  applyFilter();
  showCell();
  reachScrolling();
  scrollTo(0, y);
}

async function ask() {
  const connection = document.getElementById("connection");
  if (document.visibilityState === "visible") {
    try {
      const headers = version ? { "If-None-Match": version } : {};
      const answer = await fetch(location.pathname, { headers, cache: "no-store" });
      if (answer.status === 200) {
        version = answer.headers.get("ETag");
        take(await answer.text());
      }
      connection.textContent = "";
    } catch {
      connection.textContent ||= `No answer from clsweep serve since ${new Date().toLocaleTimeString()}.`;
    }
  }
  setTimeout(ask, EVERY_MS);
}

// -------------------------------------------------------------------------------------------------------------

document.body.classList.add("scripted");
setUp(document);
controls.hidden = false;
controls.addEventListener("submit", (event) => event.preventDefault());
controls.addEventListener("input", applyFilter);
controls.addEventListener("change", applyFilter);
listScenarios();
applyFilter();
addEventListener("resize", reachScrolling);
document.addEventListener("toggle", reachScrolling, true);
moved();
if ("live" in document.body.dataset) ask();
