/** A call as code: each maker takes {verb, url, headers, body, parts} with a whole URL and a text body. */

const asShell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const asText = (text) => JSON.stringify(String(text).toWellFormed()); // a literal of JavaScript and of Python
const asPhp = (text) => `'${String(text).replace(/[\\']/g, "\\$&")}'`;

function curl({ verb, url, headers, body, parts }) {
  const words = ["curl"];
  const hasBody = body !== undefined || parts.length > 0;
  if (verb !== (hasBody ? "POST" : "GET")) words.push("-X", verb);
  for (const [name, value] of Object.entries(headers)) words.push("-H", asShell(`${name}: ${value}`));
  for (const { name, values, files } of parts) {
    for (const value of values) words.push("--form-string", asShell(`${name}=${value}`));
    for (const file of files) words.push("-F", asShell(`${name}=@${file.name}`));
  }
  if (!parts.length && hasBody) words.push("--data-raw", asShell(body));
  words.push(asShell(url));
  return words.join(" ");
}

const lines = (entries, indent) => entries.map((entry) => `${indent}${entry},\n`).join("");

function python({ verb, url, headers, body, parts }) {
  const fields = parts.filter(({ values }) => values.length);
  const files = parts.flatMap(({ name, files }) => files.map((file) => [name, file.name]));
  const given = [asText(verb), asText(url)];
  if (Object.keys(headers).length) given.push(`headers=${JSON.stringify(headers)}`);
  if (fields.length) {
    given.push(`data={${fields.map(({ name, values }) => `${asText(name)}: [${values.map(asText).join(", ")}]`).join(", ")}}`);
  }
  if (files.length) given.push(`files=[${files.map(([name, file]) => `(${asText(name)}, open(${asText(file)}, "rb"))`).join(", ")}]`);
  if (!parts.length && body !== undefined) given.push(`content=${asText(body)}`);
  return `import httpx\n\nresponse = httpx.request(\n${lines(given, "    ")})\nprint(response.text)`;
}

function javascript({ verb, url, headers, body, parts }) {
  const options = [];
  let before = "";
  if (verb !== "GET") options.push(`method: ${asText(verb)}`);
  if (Object.keys(headers).length) options.push(`headers: ${JSON.stringify(headers)}`);
  if (parts.length) {
    before = 'import { openAsBlob } from "node:fs"; // in a page: the files of an <input type="file">\n\nconst body = new FormData();\n';
    for (const { name, values, files } of parts) {
      for (const value of values) before += `body.append(${asText(name)}, ${asText(value)});\n`;
      for (const file of files) before += `body.append(${asText(name)}, await openAsBlob(${asText(file.name)}), ${asText(file.name)});\n`;
    }
    options.push("body");
  } else if (body !== undefined) options.push(`body: ${asText(body)}`);
  const given = options.length ? `, {\n${lines(options, "  ")}}` : "";
  return `${before}const response = await fetch(${asText(url)}${given});\nconsole.log(await response.text());`;
}

function php({ verb, url, headers, body, parts }) {
  const options = ["CURLOPT_RETURNTRANSFER => true"];
  let before = "";
  if (verb !== "GET") options.push(`CURLOPT_CUSTOMREQUEST => ${asPhp(verb)}`);
  const named = Object.entries(headers).map(([name, value]) => asPhp(`${name}: ${value}`));
  const names = parts.flatMap(({ name, values, files }) => [...values, ...files].map(() => name));
  if (new Set(names).size < names.length) {
    // keys of a PHP array are unique, so the body is built as text
    before = PHP_PARTS + parts.map(phpParts).join("") + '$body .= "--$boundary--\\r\\n";\n';
    named.push('"Content-Type: multipart/form-data; boundary=$boundary"');
    options.push("CURLOPT_POSTFIELDS => $body");
  } else if (parts.length) {
    const fields = parts.flatMap(({ name, values, files }) => [
      ...values.map((value) => `${asPhp(name)} => ${asPhp(value)}`),
      ...files.map((file) => `${asPhp(name)} => new CURLFile(${asPhp(file.name)})`),
    ]);
    options.push(`CURLOPT_POSTFIELDS => [${fields.join(", ")}]`);
  } else if (body !== undefined) options.push(`CURLOPT_POSTFIELDS => ${asPhp(body)}`);
  if (named.length) options.push(`CURLOPT_HTTPHEADER => [${named.join(", ")}]`);
  return `<?php\n${before}$call = curl_init(${asPhp(url)});\ncurl_setopt_array($call, [\n${lines(options, "    ")}]);\necho curl_exec($call);`;
}

const PHP_PARTS = `$boundary = bin2hex(random_bytes(16));
$body = '';
$part = fn ($head, $content) => "--$boundary\\r\\nContent-Disposition: form-data; $head\\r\\n\\r\\n$content\\r\\n";
`;

/** The parts of a name, escaped as browsers do: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data */
function phpParts({ name, values, files }) {
  const quoted = (text) => `"${text.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22")}"`;
  const head = `name=${quoted(name)}`;
  const made = values.map((value) => `$body .= $part(${asPhp(head)}, ${asPhp(value)});\n`);
  for (const file of files) made.push(`$body .= $part(${asPhp(`${head}; filename=${quoted(file.name)}`)}, file_get_contents(${asPhp(file.name)}));\n`);
  return made.join("");
}

function command({ verb, url, headers, body, parts }) {
  const { pathname, search } = new URL(url);
  const words = ["python", "kernkoa.py", "call", asShell(pathname + search)];
  const type = headers["Content-Type"] ?? "";
  const others = Object.entries(headers).filter(([name]) => name !== "Content-Type" || !type.endsWith("/json"));
  for (const [name, value] of others) words.push("-H", asShell(`${name}: ${value}`));
  if (parts.length) {
    for (const { name, values, files } of parts) {
      for (const value of values) words.push(asShell(`${name}=${value.replace(/^@/, "@@")}`));
      for (const file of files) words.push(asShell(`${name}=@${file.name}`));
    }
  } else if (type.endsWith("/json")) words.push("--json", asShell(body));
  else if (type === "application/x-www-form-urlencoded") {
    for (const [name, value] of new URLSearchParams(body)) words.push(asShell(`${name}=${value.replace(/^@/, "@@")}`));
  } else if (body !== undefined) return `The command sends forms, files and JSON; this is ${type || "a body without a type"}.`;
  if (verb !== (body !== undefined || parts.length ? "POST" : "GET") || (verb === "POST" && !type.endsWith("/json"))) words.push("--verb", verb);
  return words.join(" ");
}

export const LANGUAGES = { curl, Python: python, JavaScript: javascript, PHP: php, "kernkoa.py": command };
