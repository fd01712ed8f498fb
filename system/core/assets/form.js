/** The form of a method: values of the fields, groups for records, lists and unions, validation errors of a response. */

import { element } from "./element.js";
import { asNumber, pairs, parse } from "./values.js";

export const form = document.getElementById("call");

/** The values of the fields: a list of {name, kind, where, values, files}, without empty fields. */
export function collect() {
  const sent = [];
  for (const field of form.querySelectorAll(":scope > .field[data-name]")) {
    const { name, control, kind, where } = field.dataset;
    const input = field.querySelector("input, select, textarea");
    const entry = { name, kind, where, values: [], files: [] };
    if (isGroup(field) || "raw" in field.dataset) entry.values = [textOf(field)].filter((text) => text !== undefined);
    else if (control === "file") entry.files = [...input.files];
    else if (control === "base64") entry.values = input.dataset.content ? [input.dataset.content] : [];
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

export const isGroup = (field) => ["record", "list", "union"].includes(field.dataset.control);
const linesOf = (input) => input.value.split("\n").filter((line) => line !== "");

/** A record, a list or a union as JSON text; undefined if it is optional and all of its fields are empty. */
function textOf(field) {
  const raw = field.querySelector(":scope > textarea.raw");
  if (raw) return raw.value.trim() || undefined;
  const value = valueOf(field);
  if (value !== undefined) return JSON.stringify(value, null, 2);
  if (!("required" in field.dataset)) return undefined;
  return JSON.stringify(emptyOf(field));
}

/** The value of a field inside a record; undefined if it is empty. */
function valueOf(field) {
  const { control, kind } = field.dataset;
  if (control === "record") return recordOf(field);
  if (control === "list") {
    const items = [...field.querySelectorAll(":scope > .items > .item > .field")].map((item) => valueOf(item) ?? emptyOf(item));
    return items.length ? items : undefined;
  }
  if (control === "union") {
    const value = valueOf(chosenOf(field));
    return value && { ...kindOf(field), ...value };
  }
  const input = field.querySelector("input, select, textarea");
  if (control === "checkbox") {
    const isDefault = input.checked === "checked" in field.dataset;
    return isDefault && !("required" in field.dataset) ? undefined : input.checked;
  }
  if (control === "lines") return linesOf(input).length ? linesOf(input).map((line) => (kind === "numbers" ? asNumber(line) : line)) : undefined;
  if (control === "base64") return input.dataset.content;
  if (input.value === "") return undefined;
  if (kind === "number") return asNumber(input.value);
  return kind === "json" ? parse(field.dataset.name || "a value", input.value) : input.value;
}

function emptyOf(field) {
  return { record: kindsIn, list: () => [], union: kindOf }[field.dataset.control]?.(field) ?? null;
}

const chosenOf = (union) => union.querySelector(":scope > .option:not([hidden]) > .field");
const fieldsOf = (record) => [...record.querySelectorAll(":scope > .fields > .field")];

/** What tells the chosen record of a union from the others: its fields that have one possible value. */
function kindOf(union) {
  const object = {};
  for (const inner of fieldsOf(chosenOf(union))) {
    const values = [...inner.querySelectorAll(":scope select > option")].map((option) => option.value).filter(Boolean);
    if (inner.dataset.control === "select" && values.length === 1) [object[inner.dataset.name]] = values;
  }
  return object;
}

/** The kinds of the unions that a record needs, where nothing was typed into them. */
function kindsIn(record) {
  const unions = fieldsOf(record).filter(({ dataset }) => dataset.control === "union" && "required" in dataset);
  return Object.fromEntries(unions.map((union) => [union.dataset.name, kindOf(union)]));
}

function recordOf(field) {
  const entries = fieldsOf(field).map((inner) => [inner.dataset.name, valueOf(inner)]);
  const typed = entries.filter(([, value]) => value !== undefined);
  return typed.length ? { ...kindsIn(field), ...Object.fromEntries(typed) } : undefined;
}

/** The buttons of lists, the choices of unions, and the button that edits a record as JSON text. */
export function prepareGroups(onChange) {
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
    if (button) onChange();
  });
  form.addEventListener("change", (event) => {
    if (event.target.closest(".field")?.dataset.control === "base64") readFile(event.target, onChange);
    if (!event.target.matches(".choice")) return;
    const options = event.target.parentElement.querySelectorAll(":scope > .option");
    options.forEach((option, index) => (option.hidden = index !== event.target.selectedIndex));
  });
  addRemovers(form);
  for (const field of form.querySelectorAll(":scope > fieldset.field")) {
    field.append(element("button", { type: "button", className: "as-json", textContent: "Edit as JSON" }));
  }
}

/** Stores the content of a chosen file as base64 (RFC 4648). */
function readFile(input, onChange) {
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    input.dataset.content = reader.result.replace(/^[^,]*,/, "");
    onChange();
  });
  delete input.dataset.content;
  if (input.files.length) reader.readAsDataURL(input.files[0]);
}

function addRemovers(place) {
  for (const item of place.querySelectorAll(".item")) {
    if (item.querySelector(":scope > .remove")) continue;
    item.append(element("button", { type: "button", className: "remove", textContent: "Remove" }));
  }
}

export function toggleJson(field, button) {
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

/** Fills the fields from the address: ?limit=30. */
export function prefill() {
  const given = new URLSearchParams(location.search);
  for (const field of form.querySelectorAll(":scope > .field[data-name]")) {
    const { name, control } = field.dataset;
    const values = name === "q" ? [] : given.getAll(name); // q is the page's own search text
    const input = field.querySelector("input, select, textarea");
    if (!values.length || ["file", "base64"].includes(control)) continue;
    if (isGroup(field)) {
      toggleJson(field, field.querySelector(":scope > .as-json"));
      field.querySelector(":scope > textarea.raw").value = values[0];
    } else if (control === "checkbox") input.checked = values[0] === "true";
    else input.value = control === "lines" ? values.join("\n") : values[0];
  }
}

/** Puts the values into the address, so that a reload or a link keeps them; without files and passwords. */
export function remember() {
  const secret = [...form.querySelectorAll("[data-control=password]")].map((field) => field.dataset.name);
  const kept = ({ name, files }) => name !== "q" && !files.length && !secret.includes(name);
  const entries = form.querySelector("[data-control=base64]") ? [] : collect().filter(kept);
  const query = pairs(entries).toString();
  if (query.length < 2000) history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

export function clearFaults() {
  form.querySelectorAll(".fault").forEach((node) => node.remove());
  form.querySelectorAll("[aria-invalid]").forEach((node) => node.removeAttribute("aria-invalid"));
}

export function markFaults(problem) {
  for (const fault of Array.isArray(problem?.errors) ? problem.errors : []) {
    const field = fieldAt(String(fault.name).split("."));
    if (!field) continue;
    const input = field.querySelector("input, select, textarea");
    input?.setAttribute("aria-invalid", "true");
    const inner = field.matches("fieldset") ? field.querySelector(":scope > legend") : field.lastElementChild;
    inner.after(element("span", { className: "fault", textContent: fault.hint || fault.expected }));
  }
}

/** The field of a validation error: "corners.0.x" of a record that is the body, "drawing.corners.0.x" of another. */
function fieldAt(path) {
  const fields = [...form.querySelectorAll(":scope > .field[data-name]")];
  const named = fields.find((one) => one.dataset.name === path[0]);
  if (named) return descend(named, path.slice(1));
  const whole = fields.find((one) => one.dataset.kind === "body");
  return whole && descend(whole, path);
}

/** The field at a path inside another field; nothing if it belongs to a union member that is not selected. */
function descend(field, path) {
  for (const part of path) {
    let inner;
    if (field.dataset.control === "union") {
      const options = [...field.querySelectorAll(":scope > .option")];
      const has = (option) => option.querySelector(`:scope > .field > .fields > .field[data-name="${CSS.escape(part)}"]`);
      const chosen = options.find((one) => !one.hidden);
      if (!has(chosen) && options.some(has)) return undefined;
      field = chosen.firstElementChild;
    }
    const children = [...field.querySelectorAll(":scope > .fields > .field")];
    if (field.dataset.control === "record") inner = children.find((one) => one.dataset.name === part);
    if (field.dataset.control === "list") inner = field.querySelectorAll(":scope > .items > .item > .field")[part];
    if (inner) field = inner;
  }
  return field;
}
