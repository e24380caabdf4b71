/* Looks at a gallery in a real Chromium: node check.mjs URL [SCREENSHOTS]
 *
 * Every kind of page, at the width of a phone and of a desk, dark and light, with scripts and without; then what a reader does:
 * keys, searching, liking, reading offline. What is wrong is printed, one line each, "KIND where: what", and the exit status is 1.
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

const looks = [];
for (const width of [390, 1440]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const javaScriptEnabled of [true, false]) looks.push({ width, colorScheme, javaScriptEnabled });
  }
}

try {
  const pages = await pagesOf(browser, base);
  let visits = 0;
  const tasks = looks.map((look) => async () => { visits += await visit(browser, base, pages, look, find, screenshots); });
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
