import { element } from "./element.js";
import { showText } from "./json.js";

/** Shows a page in a frame without scripts, forms or navigation; its styles are added by script, because inline styles are blocked. */
export function showPage(place, text, address) {
  const frame = element("iframe", { title: "The page in the response" });
  frame.setAttribute("sandbox", "allow-same-origin"); // no allow-scripts: this page can access the frame, but no script runs in it
  const source = element("details", {}, element("summary", { textContent: "Source" }));
  showText(source, text);
  place.append(frame, source);
  // the Content-Security-Policy forbids inline styles and handlers: remove handlers, add styles by the CSSOM
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
