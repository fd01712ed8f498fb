"use strict";

// ---------------------------------------------------------------- finding a method as one types

const search = document.querySelector("form.search");
const box = document.getElementById("q");
const found = document.getElementById("found");
const tree = document.getElementById("tree");
let asked = 0;

async function find() {
  const query = box.value.trim();
  const turn = ++asked;
  if (!query) {
    found.hidden = true;
    tree.hidden = false;
    return;
  }
  const response = await fetch(`${search.dataset.find}?q=${encodeURIComponent(query)}`);
  const text = await response.text();
  if (turn !== asked || !response.ok) return; // a later letter was faster
  const page = new DOMParser().parseFromString(text, "text/html");
  found.replaceChildren(...page.body.childNodes);
  found.hidden = false;
  tree.hidden = true;
}

let waiting;
box.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(find, 120);
});

search.addEventListener("submit", (event) => {
  const first = found.hidden ? null : found.querySelector("a");
  if (first) {
    event.preventDefault();
    first.click();
  }
});

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.select();
    box.focus();
  } else if (event.key === "Escape" && event.target === box) {
    box.value = "";
    find();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    move(event);
  }
});

function move(event) {
  const list = found.hidden ? tree : found;
  const stops = [box, ...list.querySelectorAll("a")];
  const at = stops.indexOf(event.target);
  if (at < 0) return;
  const next = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

const here = tree.querySelector("[aria-current]");
if (here) {
  const side = document.querySelector("aside");
  const offset = here.getBoundingClientRect().top - side.getBoundingClientRect().top;
  if (offset > side.clientHeight * 0.8) side.scrollTop = offset - side.clientHeight / 2;
}

// ---------------------------------------------------------------- the call that a form describes

const form = document.getElementById("call");

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** What the fields hold: a list of {name, kind, where, values, files}; what was left empty is not in it. */
function collect() {
  const sent = [];
  for (const field of form.querySelectorAll(":scope > .field[data-name]")) {
    const { name, control, kind, where } = field.dataset;
    const input = field.querySelector("input, select, textarea");
    const entry = { name, kind, where, values: [], files: [] };
    if (isGroup(field) || "raw" in field.dataset) entry.values = [textOf(field)].filter((text) => text !== undefined);
    else if (control === "file") entry.files = [...input.files];
    else if (control === "checkbox") entry.values = [input.checked ? "true" : "false"];
    else if (control === "lines") entry.values = linesOf(input);
    else if (input.value !== "" || (control === "text" && "required" in field.dataset)) entry.values = [input.value];
    if (entry.values.length || entry.files.length) sent.push(entry);
  }
  const more = document.getElementById("more");
  for (const line of more ? more.value.split("\n") : []) {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(line) || [];
    if (name) sent.push({ name: name.trim(), kind: "string", where: "any", values: [value], files: [] });
  }
  return sent;
}

const isGroup = (field) => ["record", "list", "union"].includes(field.dataset.control);
const linesOf = (input) => input.value.split("\n").filter((line) => line !== "");

/** A record, a list or a union as JSON text; undefined where nothing of it was filled in and it may be left out. */
function textOf(field) {
  const raw = field.querySelector(":scope > textarea.raw");
  if (raw) return raw.value.trim() || undefined;
  const value = valueOf(field);
  if (value !== undefined) return JSON.stringify(value, null, 2);
  if (!("required" in field.dataset)) return undefined;
  return field.dataset.control === "list" ? "[]" : "{}";
}

/** The value of a field inside a record; undefined where it was left empty. */
function valueOf(field) {
  const { control, kind } = field.dataset;
  if (control === "record") return recordOf(field);
  if (control === "list") {
    const items = [...field.querySelectorAll(":scope > .items > .item > .field")].map((item) => valueOf(item) ?? emptyOf(item));
    return items.length ? items : undefined;
  }
  if (control === "union") return valueOf(field.querySelector(":scope > .option:not([hidden]) > .field"));
  const input = field.querySelector("input, select, textarea");
  if (control === "checkbox") {
    const isDefault = input.checked === "checked" in field.dataset;
    return isDefault && !("required" in field.dataset) ? undefined : input.checked;
  }
  if (control === "lines") return linesOf(input).length ? linesOf(input).map((line) => (kind === "numbers" ? asNumber(line) : line)) : undefined;
  if (input.value === "") return undefined;
  if (kind === "number") return asNumber(input.value);
  return kind === "json" ? parse(field.dataset.name || "a value", input.value) : input.value;
}

function emptyOf(field) {
  return { record: {}, list: [], union: {} }[field.dataset.control] ?? null;
}

function recordOf(field) {
  const object = {};
  for (const inner of field.querySelectorAll(":scope > .fields > .field")) {
    const value = valueOf(inner);
    if (value !== undefined) object[inner.dataset.name] = value;
  }
  return Object.keys(object).length ? object : undefined;
}

/** The buttons of lists, the choices of unions, and the JSON text of a record, one click away. */
function prepareGroups() {
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const field = button?.closest(".field");
    if (button?.matches(".add")) {
      const items = field.querySelector(":scope > .items");
      items.append(field.querySelector(":scope > template").content.cloneNode(true));
      addRemovers(field);
      items.lastElementChild.querySelector("input, select, textarea")?.focus();
    } else if (button?.matches(".remove")) {
      const add = button.closest(".items").parentElement.querySelector(":scope > .add");
      button.closest(".item").remove();
      add.focus();
    } else if (button?.matches(".as-json")) toggleJson(field, button);
    if (button) showCurl();
  });
  form.addEventListener("change", (event) => {
    if (!event.target.matches(".choice")) return;
    const options = event.target.parentElement.querySelectorAll(":scope > .option");
    options.forEach((option, index) => (option.hidden = index !== event.target.selectedIndex));
  });
  addRemovers(form);
  for (const field of form.querySelectorAll(":scope > fieldset.field")) {
    field.append(element("button", { type: "button", className: "as-json", textContent: "Edit as JSON" }));
  }
}

function addRemovers(place) {
  for (const item of place.querySelectorAll(".item")) {
    if (item.querySelector(":scope > .remove")) continue;
    item.append(element("button", { type: "button", className: "remove", textContent: "Remove" }));
  }
}

function toggleJson(field, button) {
  const raw = field.querySelector(":scope > textarea.raw");
  const parts = [...field.children].filter((node) => node !== button && !node.matches("legend, .words, template"));
  if (raw) {
    raw.remove();
    parts.filter((node) => node !== raw).forEach((node) => node.removeAttribute("data-folded"));
    button.textContent = "Edit as JSON";
    return;
  }
  const text = element("textarea", { className: "raw", rows: 8, spellcheck: false, value: textOf(field) ?? "" });
  text.setAttribute("aria-label", `${field.dataset.name} as JSON`);
  parts.forEach((node) => node.setAttribute("data-folded", ""));
  button.before(text);
  button.textContent = "Edit its fields";
  text.focus();
}

/** The request of a way to send it: {verb, url, headers, body, parts}. Throws for text that is no JSON. */
function build() {
  const [verb, encoding] = document.getElementById("way").value.split(" ");
  const all = collect();
  const names = [...form.dataset.url.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const entries = all.filter((entry) => !names.includes(entry.name));
  const url = form.dataset.url.replace(/\{(\w+)\}/g, (_, name) => {
    const sent = all.find((entry) => entry.name === name);
    return sent ? sent.values.map(encodeURIComponent).join("/") : "";
  });
  const inQuery = entries.filter((entry) => encoding === "query" || entry.where === "query");
  const inBody = entries.filter((entry) => !inQuery.includes(entry));
  const query = pairs(inQuery).toString();
  const made = { verb, url: url + (query ? `?${query}` : ""), headers: {}, body: undefined, parts: [] };
  if (encoding === "json") {
    made.headers["Content-Type"] = "application/json";
    made.body = JSON.stringify(makeDocument(inBody));
  } else if (inBody.some((entry) => entry.files.length)) {
    made.body = new FormData();
    made.parts = inBody;
    for (const { name, values, files } of inBody) {
      for (const value of [...values, ...files]) made.body.append(name, value);
    }
  } else if (encoding === "form" && inBody.length) {
    made.body = pairs(inBody);
  }
  return made;
}

function pairs(entries) {
  const list = new URLSearchParams();
  for (const { name, values } of entries) for (const value of values) list.append(name, value);
  return list;
}

function makeDocument(entries) {
  const object = {};
  let whole;
  for (const { name, kind, values } of entries) {
    if (kind === "body") whole = parse(name, values[0]);
    else if (kind === "strings") object[name] = values;
    else if (kind === "numbers") object[name] = values.map(asNumber);
    else if (kind === "number") object[name] = asNumber(values[0]);
    else if (kind === "boolean") object[name] = values[0] === "true";
    else object[name] = kind === "json" ? parse(name, values[0]) : values[0];
  }
  const merges = whole && typeof whole === "object" && !Array.isArray(whole);
  return merges ? { ...object, ...whole } : whole === undefined ? object : whole;
}

function asNumber(text) {
  const value = Number(text);
  return Number.isFinite(value) ? value : text; // the method says what is wrong with it
}

function parse(name, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${name} is no JSON: ${error.message}`);
  }
}

// ---------------------------------------------------------------- the address of this page has the values

/** Fills the fields from the address: ?limit=30. */
function prefill() {
  const given = new URLSearchParams(location.search);
  for (const field of form.querySelectorAll(":scope > .field[data-name]")) {
    const { name, control } = field.dataset;
    const values = name === "q" ? [] : given.getAll(name); // q is what the page itself searches for
    const input = field.querySelector("input, select, textarea");
    if (!values.length || control === "file") continue;
    if (isGroup(field)) {
      toggleJson(field, field.querySelector(":scope > .as-json"));
      field.querySelector(":scope > textarea.raw").value = values[0];
    } else if (control === "checkbox") input.checked = values[0] === "true";
    else input.value = control === "lines" ? values.join("\n") : values[0];
  }
}

/** Puts the values into the address, so that a reload or a link has them; no files and no passwords. */
function remember() {
  const secret = [...form.querySelectorAll("[data-control=password]")].map((field) => field.dataset.name);
  const entries = collect().filter(({ name, files }) => name !== "q" && !files.length && !secret.includes(name));
  const query = pairs(entries).toString();
  if (query.length < 2000) history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

// ---------------------------------------------------------------- the same as a line for a shell

function quote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function curlOf({ verb, url, headers, body, parts }) {
  const words = ["curl"];
  const hasBody = body !== undefined;
  if (verb !== (hasBody ? "POST" : "GET")) words.push("-X", verb);
  for (const [name, value] of Object.entries(headers)) words.push("-H", quote(`${name}: ${value}`));
  if (parts.length) {
    for (const { name, values, files } of parts) {
      for (const value of values) words.push("--form-string", quote(`${name}=${value}`));
      for (const file of files) words.push("-F", quote(`${name}=@${file.name}`));
    }
  } else if (hasBody) words.push("-d", quote(String(body)));
  words.push(quote(new URL(url, location.href).href));
  return words.join(" ");
}

function showCurl() {
  const code = document.getElementById("curl");
  try {
    code.textContent = curlOf(build());
  } catch (error) {
    code.textContent = error.message;
  }
}

async function copy() {
  const button = document.getElementById("copy");
  try {
    await navigator.clipboard.writeText(document.getElementById("curl").textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(document.getElementById("curl"));
    button.textContent = "Selected: copy it with the keyboard";
  }
  setTimeout(() => (button.textContent = "Copy"), 2500);
}

// ---------------------------------------------------------------- running it

let running;

async function run(event) {
  event.preventDefault();
  clearFaults();
  const stop = document.getElementById("stop");
  running?.abort();
  running = new AbortController();
  const answer = document.getElementById("answer");
  answer.hidden = false;
  answer.setAttribute("aria-busy", "true");
  stop.hidden = false;
  const begun = performance.now();
  try {
    const { verb, url, headers, body } = build();
    remember();
    headers.Accept = "application/json, */*;q=0.9";
    const response = await fetch(url, { method: verb, headers, body, signal: running.signal });
    const content = await response.blob();
    await showAnswer(response, content, performance.now() - begun);
  } catch (error) {
    const words = error.name === "AbortError" ? "Stopped." : `There is no answer: ${error.message}`;
    document.getElementById("status").textContent = words;
    document.getElementById("headers").hidden = true;
    document.getElementById("shown").replaceChildren();
  }
  stop.hidden = true;
  answer.removeAttribute("aria-busy");
  const fault = form.querySelector("[aria-invalid]");
  if (fault) fault.focus();
  else answer.scrollIntoView({ block: "nearest" });
}

async function showAnswer(response, content, milliseconds) {
  const status = document.getElementById("status");
  const badge = element("b", { textContent: `${response.status} ${response.statusText}`.trim() });
  badge.className = response.ok ? "good" : "bad";
  const type = response.headers.get("Content-Type") || "";
  const told = ` · ${milliseconds.toFixed(0)} ms · ${size(content.size)}${type ? ` · ${type}` : ""}`;
  status.replaceChildren(badge, told);
  if (response.redirected) status.append(` · led on to ${new URL(response.url).pathname}`);
  const headers = document.getElementById("headers");
  headers.hidden = false;
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`);
  headers.querySelector("pre").textContent = lines.join("\n");
  await showContent(response, content, type.split(";")[0].trim());
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}

const LONGEST_TEXT = 200000;

async function showContent(response, content, type) {
  const shown = document.getElementById("shown");
  shown.replaceChildren();
  if (!content.size) return;
  const disposition = response.headers.get("Content-Disposition") || "";
  const isDownload = disposition.startsWith("attachment");
  if (!isDownload && type.startsWith("image/")) {
    shown.append(element("img", { src: URL.createObjectURL(content), alt: "The picture that was answered" }));
  } else if (!isDownload && /[/+]json$/.test(type)) {
    const text = await content.text();
    try {
      const value = JSON.parse(text);
      if (value?.type === "task" && value.url) return followTask(shown, value);
      shown.append(showValue(value));
      markFaults(value);
    } catch {
      showText(shown, text);
    }
  } else if (!isDownload && type === "text/html") {
    showPage(shown, await content.text(), response.url);
  } else if (!isDownload && type.startsWith("text/")) {
    showText(shown, await content.text());
  }
  const [, name] = /filename="?([^";]+)/.exec(disposition) || [];
  const link = element("a", { href: URL.createObjectURL(content), download: name || "answer" });
  link.textContent = isDownload ? `Save ${name || "the file"} (${size(content.size)})` : "Save the answer";
  shown.append(element("p", { className: "quiet" }, link));
}

function showText(place, text) {
  const cut = text.length > LONGEST_TEXT;
  place.append(element("pre", { className: "source", tabIndex: 0, textContent: text.slice(0, LONGEST_TEXT) }));
  if (cut) place.append(element("p", { className: "quiet", textContent: "It goes on: save it to see all." }));
}

/** A page in a frame without scripts, forms or a way out; its own styles are put in by hand, as no inline one runs. */
function showPage(place, text, address) {
  const frame = element("iframe", { title: "The page that was answered" });
  frame.setAttribute("sandbox", "allow-same-origin"); // without allow-scripts: this page reaches in, nothing runs
  const source = element("details", {}, element("summary", { textContent: "Source" }));
  showText(source, text);
  place.append(frame, source);
  // the policy of this page is against styles and handlers in the text: handlers go, styles go in by the CSSOM
  const sheets = [];
  const bare = text.replace(/<style\b[^>]*>([\s\S]*?)<\/style>/gi, (_, css) => {
    sheets.push(css);
    return "";
  });
  const tame = bare.replace(/<[a-z][^>]*>/gi, (tag) => tag.replace(/\s(style|on\w+)\s*=/gi, " data-koa-$1="));
  const page = new DOMParser().parseFromString(tame, "text/html");
  const inside = frame.contentDocument;
  page.querySelectorAll("script, style, base, meta, iframe, object, embed").forEach((node) => node.remove());
  for (const node of page.querySelectorAll("[src], link[href]")) {
    const name = node.hasAttribute("src") ? "src" : "href";
    node.setAttribute(name, new URL(node.getAttribute(name), address).href);
  }
  inside.head.replaceChildren(...page.head.children);
  inside.body.replaceWith(inside.adoptNode(page.body));
  for (const node of inside.querySelectorAll("[data-koa-style]")) {
    node.style.cssText = node.getAttribute("data-koa-style");
  }
  inside.adoptedStyleSheets = sheets.map((css) => {
    const sheet = new frame.contentWindow.CSSStyleSheet();
    sheet.replaceSync(css);
    return sheet;
  });
  frame.height = Math.min(Math.max(inside.documentElement.scrollHeight + 4, 80), 600);
}

/** A value as what it is: a table for records of one kind, a picture or a link for an address, else JSON. */
function showValue(value) {
  const box = element("div", { className: "value" });
  const rows = Array.isArray(value) && value.length > 1 && value.every(isFlat) ? value : null;
  if (typeof value === "string" && isAddress(value)) box.append(showAddress(value));
  else if (typeof value === "string" && value.includes("\n")) showText(box, value);
  else if (rows && new Set(rows.map((row) => Object.keys(row).join("\n"))).size === 1) box.append(showTable(rows));
  else box.append(element("div", { className: "json" }, jsonNode(value, 0)));
  return box;
}

function isFlat(value) {
  const isRecord = value !== null && typeof value === "object" && !Array.isArray(value);
  return isRecord && Object.values(value).every((inner) => inner === null || typeof inner !== "object");
}

function isAddress(text) {
  return /^(https?:\/\/|\/(?!\/))[^\s"<>\\]+$/.test(text);
}

function showAddress(text) {
  const link = element("a", { href: text, textContent: text });
  if (!/\.(png|jpe?g|gif|webp|svg)$/i.test(text) || !text.startsWith("/")) return link;
  return element("figure", {}, element("img", { src: text, alt: "" }), element("figcaption", {}, link));
}

function showTable(rows) {
  const names = Object.keys(rows[0]);
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col", textContent: name })));
  const lines = rows.slice(0, 1000).map((row) =>
    element("tr", {}, ...names.map((name) => element("td", {}, jsonNode(row[name], 0)))),
  );
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
  const box = element("div", { className: "wide", tabIndex: 0 }, table);
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", `Table of ${rows.length} rows`);
  if (rows.length > lines.length) box.append(element("p", { textContent: `and ${rows.length - lines.length} more` }));
  return box;
}

// ---------------------------------------------------------------- a task, from its start to its result

/** Shows how a task goes until it has ended or another call is made. */
async function followTask(place, task) {
  const address = new URL(task.url, location.href).pathname;
  const link = element("a", { href: address, textContent: "Its own page" });
  const cancel = element("button", { type: "button", textContent: "Cancel" });
  const word = element("p", { className: "task-word" });
  const progress = element("progress", { max: 1 });
  progress.setAttribute("aria-label", "Progress");
  const more = element("div");
  place.replaceChildren(word, progress, more, element("p", {}, cancel, " ", link));
  cancel.addEventListener("click", () => fetch(address, { method: "DELETE" }));
  const turn = running;
  let tag = "";
  let ended = false;
  while (!ended && turn === running && !turn.signal.aborted) {
    const headers = { Accept: "application/json", ...(tag && { "If-None-Match": tag }) };
    const response = await fetch(`${address}?wait=10`, { headers, cache: "no-store", signal: turn.signal });
    if (response.status === 304) continue;
    tag = response.headers.get("ETag") || "";
    if (!response.ok) throw new Error(`its status answers ${response.status}`);
    ended = showTask(await response.json(), { word, progress, more });
  }
  progress.remove();
  cancel.remove();
}

const TASK_WORDS = { PENDING: "Queued", SUCCESS: "Done", FAILURE: "Failed", REVOKED: "Cancelled", RETRY: "Waiting to try again" };

function showTask(told, { word, progress, more }) {
  const meta = told.state && typeof told.state === "object" ? told.state : {};
  word.textContent = [TASK_WORDS[told.status] || "Running", meta.title || meta.text].filter(Boolean).join(": ");
  const [done, total] = "percent" in meta ? [meta.percent, 100] : [meta.done ?? meta.number ?? meta.current, meta.total];
  if (Number.isFinite(done / total)) progress.value = done / total;
  else progress.removeAttribute("value");
  const parts = [];
  if (told.status === "SUCCESS") parts.push(showValue(told.data));
  else if (Object.keys(meta).length) parts.push(element("div", { className: "json" }, jsonNode(meta, 0)));
  if (told.error) {
    parts.push(element("p", { className: "fault", textContent: `${told.error.type}: ${told.error.message}` }));
    if (told.error.traceback) parts.push(element("pre", { className: "source", tabIndex: 0, textContent: told.error.traceback }));
  }
  if (told.log) parts.push(element("pre", { className: "source", tabIndex: 0, textContent: [].concat(told.log).join("\n") }));
  more.replaceChildren(...parts);
  return ["SUCCESS", "FAILURE", "REVOKED"].includes(told.status);
}

/** A value of JSON, folded where it is large or deep; what is folded is made when it is opened. */
function jsonNode(value, depth) {
  if (value === null || typeof value !== "object") {
    const kind = value === null ? "null" : typeof value;
    const text = JSON.stringify(value);
    const isLink = kind === "string" && isAddress(value);
    return element("span", { className: kind }, isLink ? element("a", { href: value, textContent: text }) : text);
  }
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  if (!entries.length) return element("span", { className: "empty", textContent: isList ? "[]" : "{}" });
  const words = isList ? `[${entries.length}]` : `{${entries.length}}`;
  const node = element("details", {}, element("summary", { textContent: words }));
  let isMade = false;
  const make = () => {
    if (isMade) return;
    isMade = true;
    const list = element("ul");
    for (const [key, inner] of entries.slice(0, 1000)) {
      const name = element("span", { className: isList ? "index" : "key", textContent: isList ? key : JSON.stringify(key) });
      list.append(element("li", {}, name, ": ", jsonNode(inner, depth + 1)));
    }
    if (entries.length > 1000) list.append(element("li", { textContent: `and ${entries.length - 1000} more` }));
    node.append(list);
  };
  node.addEventListener("toggle", () => node.open && make());
  if (depth < 2 || (depth < 4 && entries.length < 20)) {
    make();
    node.open = true;
  }
  return node;
}

// ---------------------------------------------------------------- what was wrong with which field

function clearFaults() {
  form.querySelectorAll(".fault").forEach((node) => node.remove());
  form.querySelectorAll("[aria-invalid]").forEach((node) => node.removeAttribute("aria-invalid"));
}

function markFaults(problem) {
  for (const fault of Array.isArray(problem?.errors) ? problem.errors : []) {
    const field = fieldAt(String(fault.name).split("."));
    if (!field) continue;
    const input = field.querySelector("input, select, textarea");
    input?.setAttribute("aria-invalid", "true");
    const inner = field.matches("fieldset") ? field.querySelector(":scope > legend") : field.lastElementChild;
    inner.after(element("span", { className: "fault", textContent: fault.hint || fault.expected }));
  }
}

/** The field that a fault is about: "corners.0.x" of a record that is the body, "drawing.corners.0.x" of another. */
function fieldAt(path) {
  const fields = [...form.querySelectorAll(":scope > .field[data-name]")];
  const named = fields.find((one) => one.dataset.name === path[0]);
  if (named) return descend(named, path.slice(1));
  const whole = fields.find((one) => one.dataset.kind === "body");
  return whole && descend(whole, path);
}

function descend(field, path) {
  for (const part of path) {
    let inner;
    if (field.dataset.control === "union") field = field.querySelector(":scope > .option:not([hidden]) > .field");
    const children = [...field.querySelectorAll(":scope > .fields > .field")];
    if (field.dataset.control === "record") inner = children.find((one) => one.dataset.name === part);
    if (field.dataset.control === "list") inner = field.querySelectorAll(":scope > .items > .item > .field")[part];
    if (inner) field = inner;
  }
  return field;
}

if (form) {
  prepareGroups();
  prefill();
  form.addEventListener("submit", run);
  form.addEventListener("input", showCurl);
  form.addEventListener("change", showCurl);
  document.getElementById("copy").addEventListener("click", copy);
  document.getElementById("stop").addEventListener("click", () => running?.abort());
  document.getElementById("way").dataset.ready = "yes";
  showCurl();
}
document.documentElement.dataset.ready = "yes";
