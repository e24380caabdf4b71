/* What a reader does. */

export const behaviour = async (browser, base, pages, find) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, serviceWorkers: "block" });
  const path = (name) => base + (pages.find((page) => page.name === name)?.path ?? "");
  for (const [kind, act] of [["keyboard", keys], ["focus", focus], ["search", search], ["random", random], ["likes", likes]]) {
    const page = await context.newPage();
    await act(page, path, (what) => find(kind, "at the desk", what)).catch((error) => find(kind, "at the desk", error));
    await page.close();
  }
  await context.close();
  await offline(browser, path, (what) => find("offline", "at the desk", what)).catch((error) => find("offline", "at the desk", error));
};

const PATIENCE = { timeout: 3_000 };

const keys = async (page, path, wrong) => {
  for (const name of ["archive", "artwork"]) {
    for (const [key, rel] of [["ArrowRight", "next"], ["ArrowLeft", "prev"]]) {
      await page.goto(path(name));
      const link = page.locator(`main a[rel=${rel}]`);
      if (!(await link.count())) continue;
      const target = await link.evaluate((found) => found.href);
      await page.keyboard.press(key);
      await page.waitForURL(target, PATIENCE).catch(() => wrong(`${key} on ${name} does not lead to ${target}`));
    }
  }
  await page.goto(path("home"));
  await page.keyboard.press("/");
  await page.waitForURL(`${path("home")}search/`, PATIENCE).catch(() => wrong("/ does not lead to the search"));
  await page.locator("#q:focus").waitFor(PATIENCE).catch(() => wrong("the search is not ready to be typed into"));
};

/* Where the keyboard is can be seen, as far as one goes with it. */
const focus = async (page, path, wrong) => {
  for (const name of ["home", "artwork", "search"]) {
    // Without a query: what is being found takes the place of what the keyboard is at.
    await page.goto(path(name).split("?")[0], { waitUntil: "networkidle" });
    let seen = 0;
    for (let step = 0; step < 25; step += 1) {
      // The search is ready to be typed into from the start.
      if (step > 0 || name !== "search") await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        const isOutlined = (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
        const isInView = box.width > 0 && box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
        return { html: element.outerHTML.slice(0, 100), isOutlined, isInView };
      });
      if (!at) break;
      seen += 1;
      if (!at.isOutlined || !at.isInView) wrong(`${name}: it cannot be seen that the keyboard is at ${at.html}`);
    }
    if (!seen) wrong(`${name}: the keyboard leads nowhere`);
  }
};

const search = async (page, path, wrong) => {
  await page.goto(path("search").split("?")[0]);
  await page.locator("#q").fill("harbour", PATIENCE);
  const found = page.locator("#results li");
  await found.first().waitFor(PATIENCE).catch(() => wrong("nothing is found"));
  const many = await found.count();
  await page.locator("#q").fill("harbour wordthatisnowhere");
  await page.waitForFunction((before) => document.querySelectorAll("#results li").length < before, many, PATIENCE)
    .catch(() => wrong("what does not match is found, too"));
};

const random = async (page, path, wrong) => {
  await page.goto(path("random"));
  await page.waitForURL(/\/artworks\/[^/]+\/$/, PATIENCE).catch(() => wrong("no work is chosen"));
};

const likes = async (page, path, wrong) => {
  await page.goto(path("artwork"));
  const heart = page.getByRole("button", { name: "Like", exact: true });
  await heart.click(PATIENCE);
  if (!(await page.getByRole("button", { name: "Like", pressed: true, exact: true }).count())) wrong("the heart does not tell");
  await page.goto(path("likes"));
  const kept = page.locator("#likes a");
  await kept.first().waitFor(PATIENCE).catch(() => wrong("what is liked is not kept"));
  if ((await kept.first().evaluate((link) => link.href)) !== path("artwork")) wrong("another work is kept");
  await kept.first().click();
  await heart.click(PATIENCE);
  await page.goto(path("likes"));
  if (await kept.count()) wrong("what is liked no more is kept");
};

/* What was seen once can be read without a network, and what was not leads home. */
const offline = async (browser, path, wrong) => {
  const context = await browser.newContext({ serviceWorkers: "allow" });
  const page = await context.newPage();
  await page.goto(path("home"));
  const isReady = await page.evaluate((patience) => Promise.race([
    navigator.serviceWorker.ready.then(() => true),
    new Promise((done) => setTimeout(done, patience, false)),
  ]), PATIENCE.timeout);
  if (!isReady) {
    wrong("nothing is kept for reading offline");
    await context.close();
    return;
  }
  for (const name of ["home", "artwork", "search"]) await page.goto(path(name), { waitUntil: "networkidle" });
  await context.setOffline(true);
  for (const name of ["home", "artwork", "search"]) {
    await page.goto(path(name));
    if (!(await page.locator("main h1").count())) wrong(`${name} cannot be read`);
    const styled = await page.evaluate(() => [...document.styleSheets].some((sheet) => sheet.cssRules.length > 0));
    if (!styled) wrong(`${name} has lost its look`);
  }
  await page.goto(path("artwork"));
  await page.waitForFunction(() => document.querySelector("main img")?.naturalWidth > 0, null, PATIENCE)
    .catch(() => wrong("the picture is lost"));
  await page.goto(path("about"));
  if (page.url() !== path("home")) wrong(`what was never seen leads to ${page.url()}`);
  await context.close();
};
