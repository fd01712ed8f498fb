/** Values of fields as they are sent: in a query, in a form, in a JSON document. */

export function pairs(entries) {
  const list = new URLSearchParams();
  for (const { name, values } of entries) for (const value of values) list.append(name, value);
  return list;
}

export function makeDocument(entries) {
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

export function asNumber(text) {
  const value = Number(text);
  return Number.isFinite(value) ? value : text; // the server reports what is wrong with it
}

export function parse(name, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${name} is not JSON: ${error.message}`);
  }
}
