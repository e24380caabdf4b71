/* What a reader likes is kept in their browser and told to nobody. */
import { card } from "./gallery.js";

const LIMIT = 1000;
const root = document.documentElement.dataset.root;
/* Galleries of one server keep theirs apart. */
const KEY = `likes ${new URL(root, location).pathname}`;
const heart = document.querySelector(".heart");
const list = document.querySelector("#likes");

const read = () => {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(kept) ? kept.filter((entry) => typeof entry?.href === "string") : [];
  } catch {
    return [];
  }
};

const write = (likes) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(likes.slice(0, LIMIT)));
  } catch { /* Full or forbidden: what is read next is what was kept. */ }
};

const others = (href) => read().filter((entry) => entry.href !== href);

if (heart) {
  const work = JSON.parse(heart.dataset.card);
  const show = () => heart.setAttribute("aria-pressed", read().some((entry) => entry.href === work.href));
  heart.addEventListener("click", () => {
    const liked = heart.getAttribute("aria-pressed") === "true";
    write(liked ? others(work.href) : [work, ...others(work.href)]);
    show();
  });
  show();
  /* The title or the picture may be another by now. */
  write(read().map((entry) => (entry.href === work.href ? work : entry)));
  heart.classList.add("ready");
}

if (list) {
  const status = document.querySelector("#liked");
  const show = () => {
    const likes = read();
    list.replaceChildren(...likes.map(card));
    status.textContent = likes.length === 0 ? "Nothing yet. The heart beside a work keeps it here, in this browser alone."
      : `${likes.length} ${likes.length === 1 ? "work" : "works"}, kept in this browser alone`;
  };
  /* A work that is shown no more takes its picture with it. */
  list.addEventListener("error", async (event) => {
    const href = event.target.closest("a").getAttribute("href");
    const answer = await fetch(href, { method: "HEAD" }).catch(() => null);
    if (answer?.status !== 404) return;
    write(others(href.slice(root.length)));
    show();
  }, true);
  addEventListener("storage", show);
  show();
}
