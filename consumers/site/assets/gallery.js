const root = document.documentElement.dataset.root;
const field = document.querySelector("#q");
const send = document.querySelector("#send");
const random = document.querySelector("#random");

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.target.closest("input, textarea, select, video, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") {
    event.preventDefault();
    if (field) field.focus();
    else location.href = root + "search/";
    return;
  }
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = rel && document.querySelector(`main a[rel="${rel}"]`);
  if (link) link.click();
});

export const element = (name, attributes, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

export const card = (entry) => {
  const image = element("img", {
    src: root + entry.src, width: entry.width, height: entry.height, alt: "", loading: "lazy", decoding: "async",
  });
  if (entry.pixelated) image.className = "pixels";
  if (entry.tint) image.style.background = entry.tint;
  const label = element("span", { class: "label" }, element("span", { class: "title", dir: "auto" }, entry.title));
  if (entry.artist) label.append(element("span", { class: "artist", dir: "auto" }, entry.artist));
  const item = element("li", {}, element("a", { href: root + entry.href }, image, label));
  item.style.setProperty("--r", entry.ratio);
  return item;
};

if (send) {
  const link = document.querySelector("link[rel=canonical]").href;
  const copy = async () => {
    await navigator.clipboard.writeText(link);
    send.textContent = "Copied";
  };
  if (navigator.share) {
    send.textContent = "Share…";
    send.addEventListener("click", () => navigator.share({ title: document.title, url: link }).catch(() => {}));
    send.classList.add("ready");
  } else if (navigator.clipboard) {
    send.textContent = "Copy link";
    send.addEventListener("click", () => copy().catch(() => { send.textContent = "Copying was not allowed"; }));
    send.classList.add("ready");
  }
}

if (random) {
  const page = async (path) => {
    const answer = await fetch(root + path);
    if (answer.status === 404) return new Document();
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  };
  const works = (listing) => [...listing.querySelectorAll("main .grid a")].map((link) => link.getAttribute("href"));
  const below = (count) => Math.floor(Math.random() * count);

  /* Home shows what is on no page yet, and continues on the newest page it does not show. A page with empty places is
     chosen as often as a full one, so the place on it is drawn first and all is drawn again where nothing hangs there. */
  const choose = async () => {
    const home = await page("");
    const newest = works(home);
    const older = home.querySelector("main a[rel=next]");
    if (!older) return newest.at(below(newest.length));
    const size = Number(random.dataset.pageSize);
    const pages = Number(older.getAttribute("href").match(/(\d+)\/$/)[1]);
    for (let tries = 0; tries < 20; tries += 1) {
      const drawn = below(pages + Math.ceil(newest.length / size));
      const place = below(size);
      const found = drawn < pages
        ? works(await page(`page/${1 + drawn}/`))[place]
        : newest[(drawn - pages) * size + place];
      if (found) return found;
    }
    return newest[0];
  };

  random.textContent = "Choosing …";
  choose().then((href) => {
    if (href) location.replace(root + href.replace(/^(\.\.?\/)+/, ""));
    else random.textContent = "Nothing has been published here yet.";
  }).catch(() => { random.textContent = "The gallery could not be reached. Try again later."; });
}

if ("serviceWorker" in navigator && isSecureContext) {
  addEventListener("load", () => navigator.serviceWorker.register(root + "worker.js").catch(() => {}));
}
