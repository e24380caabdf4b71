/* Looks at a gallery in a real Chromium: node check.mjs URL [SCREENSHOTS]
 *
 * Every kind of page, at the width of a phone and of a desk, dark and light, with scripts and without (LOOKS=few: a dark phone and a
 * light desk); then what a reader does: keys, searching, liking, reading offline. What is wrong is printed, one line each, "KIND where: what", and the exit status is 1.
 * CHROMIUM names the program. The gallery is that of atelier_site::sample. */
import { chromium } from "playwright-core";

import { behaviour } from "./behaviour.mjs";
import { pagesOf, visit } from "./visits.mjs";

const [base, screenshots] = process.argv.slice(2);
if (!base?.endsWith("/") || !process.env.CHROMIUM) {
  console.error("usage: CHROMIUM=/usr/bin/chromium node check.mjs http://host:port/ [SCREENSHOTS]");
  process.exit(2);
}

/* Contexts that are open at the same time. */
const PARALLEL = 3;

const began = Date.now();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});

const findings = new Set();
const find = (kind, where, what) => findings.add(`${kind} ${where}: ${String(what).replace(/\s+/g, " ").slice(0, 400)}`);

const [phone, desk] = [390, 1440];
const look = (width, colorScheme, javaScriptEnabled = true) => ({ width, colorScheme, javaScriptEnabled });
const looks = [look(phone, "dark"), look(desk, "light")];
if (process.env.LOOKS !== "few") {
  looks.push(look(phone, "light"), look(desk, "dark"), look(phone, "light", false), look(desk, "dark", false));
}

try {
  const pages = await pagesOf(browser, base);
  let visits = 0;
  const tasks = looks.map((each) => async () => {
    const visited = await visit(browser, base, pages, each, find, screenshots);
    visits += visited;
  });
  tasks.push(() => behaviour(browser, base, pages, find));
  const work = async () => {
    for (let task = tasks.pop(); task; task = tasks.pop()) await task();
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  for (const finding of [...findings].sort()) console.log(finding);
  console.log(`${pages.length} pages, ${visits} visits, ${findings.size} findings, ${((Date.now() - began) / 1000).toFixed(1)} s, `
    + `Chromium ${browser.version()}`);
} finally {
  await browser.close();
}
process.exitCode = findings.size ? 1 : 0;
