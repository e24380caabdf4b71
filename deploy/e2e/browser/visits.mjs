/* What can be said of a page by looking at it. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/* Of HTML, style sheets and scripts. */
const HOME_BYTES = 100_000;
const NOT_THERE = "nowhere/at/all";

/* One page of each kind. */
export const pagesOf = async (browser, base) => {
  const page = await browser.newPage();
  const first = async (path, selector) => {
    await page.goto(base + path);
    const found = page.locator(selector).first();
    return (await found.count()) ? (await found.evaluate((link) => link.href)).slice(base.length) : null;
  };
  const pages = [
    ["home", ""],
    ["archive", "page/1/"],
    ["artwork", await first("", "main .grid a")],
    ["pixels", await first("", "main .grid a:has(.pixels)")],
    ["everything", await richest(page, base)],
    ["tags", "tags/"],
    ["tag", await first("tags/", "main .index a")],
    ["search", "search/?q=harbour"],
    ["likes", "likes/"],
    ["about", "about/"],
    ["random", "random/"],
    ["404", NOT_THERE],
  ];
  await page.close();
  return pages.map(([name, path]) => ({ name, path })).filter(({ path }) => path !== null);
};

/* The work with the longest page has most of what there can be. */
const richest = async (page, base) => {
  await page.goto(base);
  return page.evaluate(async (root) => {
    const links = [...document.querySelectorAll("main .grid a")].map((link) => link.href);
    const sized = await Promise.all(links.map(async (href) => [(await (await fetch(href)).text()).length, href]));
    return sized.sort(([a], [b]) => b - a)[0][1].slice(root.length);
  }, base);
};

/* Every page in one look: {width, colorScheme, javaScriptEnabled}. Answers how many were visited. */
export const visit = async (browser, base, pages, look, find, screenshots) => {
  const { width, colorScheme, javaScriptEnabled } = look;
  const context = await browser.newContext({
    colorScheme, javaScriptEnabled, viewport: { width, height: width < 600 ? 844 : 900 }, serviceWorkers: "block",
  });
  const described = `${width}px ${colorScheme}${javaScriptEnabled ? "" : " without scripts"}`;
  context.setDefaultTimeout(15_000);
  if (javaScriptEnabled) await context.addInitScript(watchShifts);
  for (const { name, path } of pages) {
    const page = await context.newPage();
    const where = `${name} (${described})`;
    const loaded = [];
    watch(page, base, where, loaded, find);
    await page.goto(base + path, { waitUntil: "load" });
    if (javaScriptEnabled) await ready(page, name);
    await scroll(page);
    await pictures(page, javaScriptEnabled);
    await measure(page, where, width, find);
    if (javaScriptEnabled) {
      // It is a script itself.
      await accessible(page, where, find);
      await shifts(page, where, find);
    }
    if (name === "home") await weigh(loaded, where, find);
    if (screenshots && javaScriptEnabled) {
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: `${screenshots}/${name}-${width}-${colorScheme}.png` });
    }
    await page.close();
  }
  await context.close();
  return pages.length;
};

/* What comes later by itself. That it comes at all is asked elsewhere. */
const ready = async (page, name) => {
  const later = { timeout: 5_000 };
  if (name === "search") await page.locator("#results li").first().waitFor(later).catch(() => {});
  if (name === "random") await page.waitForURL(/\/artworks\//, later).catch(() => {});
};

const pictures = async (page, javaScriptEnabled) => {
  if (!javaScriptEnabled) await page.waitForLoadState("networkidle");
  else await page.waitForFunction(() => [...document.images].every((image) => image.complete));
};

const watch = (page, base, where, loaded, find) => {
  const isExpected = (url) => url === base + NOT_THERE;
  page.on("console", (message) => {
    if (message.type() === "error" && !isExpected(message.location().url)) find("console", where, message.text());
  });
  page.on("pageerror", (error) => find("console", where, error));
  page.on("request", (request) => {
    const url = request.url();
    if (/^https?:/.test(url) && !url.startsWith(base)) find("origin", where, url);
  });
  page.on("requestfailed", (request) => {
    // A page that leads on leaves its own requests behind.
    if (request.failure()?.errorText !== "net::ERR_ABORTED") find("request", where, `${request.url()} ${request.failure()?.errorText}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400 && !isExpected(response.url())) find("request", where, `${response.url()} ${response.status()}`);
    loaded.push(response);
  });
};

/* In the page, before anything else. A busy machine paints a page in the middle of its text, and what is half there moves as the
 * rest comes: it is shown when its text is whole, which is before its scripts run and its pictures come. */
const watchShifts = () => {
  window.shifts = [];
  const hide = () => { document.documentElement.style.visibility = "hidden"; };
  if (document.documentElement) hide();
  else new MutationObserver((_, observer) => { hide(); observer.disconnect(); }).observe(document, { childList: true });
  document.addEventListener("readystatechange", () => {
    if (document.readyState === "interactive") document.documentElement.style.visibility = "";
  });
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries()) {
      if (hadRecentInput || value === 0) continue;
      const moved = sources.map(({ node }) => node?.nodeType === 1 ? node.outerHTML.slice(0, 80) : node?.nodeName);
      window.shifts.push(`${value.toFixed(4)} ${moved.join(", ")}`);
    }
  }).observe({ type: "layout-shift", buffered: true });
};

const shifts = async (page, where, find) => {
  for (const shift of await page.evaluate(() => window.shifts)) find("shift", where, shift);
};

/* To the end and back, by the window's height, as long as it takes what comes into view to be laid out. */
const scroll = async (page) => {
  const heights = await page.evaluate(() => [innerHeight, document.documentElement.scrollHeight]);
  for (let top = 0; top < heights[1]; top += heights[0]) {
    await page.evaluate((to) => scrollTo(0, to), top);
    await page.screenshot({ clip: { x: 0, y: 0, width: 1, height: 1 } });
  }
};

const measure = async (page, where, width, find) => {
  const seen = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    broken: [...document.images].filter((image) => image.complete && !image.naturalWidth).map((image) => image.src),
    pixels: [...document.querySelectorAll("img.pixels")].map((image) => getComputedStyle(image).imageRendering),
  }));
  if (seen.wide > width) find("overflow", where, `${seen.wide} pixels wide`);
  for (const src of seen.broken) find("request", where, `${src} is no picture`);
  if (where.startsWith("pixels") && !seen.pixels.length) find("pixels", where, "nothing is shown as pixel art");
  for (const rendering of seen.pixels.filter((found) => found !== "pixelated")) find("pixels", where, `image-rendering is ${rendering}`);
};

const accessible = async (page, where, find) => {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, nodes } of violations) {
    if (impact !== "serious" && impact !== "critical") continue;
    find("axe", where, `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(" ")}`);
  }
};

const weigh = async (loaded, where, find) => {
  let bytes = 0;
  for (const response of loaded) {
    if (!["document", "stylesheet", "script", "font"].includes(response.request().resourceType())) continue;
    bytes += (await response.request().sizes()).responseBodySize;
  }
  if (bytes >= HOME_BYTES) find("weight", where, `${bytes} bytes before pictures`);
};
