// Pages work without this. With it, covers that are still on their way replace their placeholders
// when they arrive, filters apply at once, and a few keys work.
"use strict";
(() => {
  const AT_ONCE = 4; // polls under way: two of the browser's six connections stay free for pictures
  const GIVE_UP_MS = 5 * 60 * 1000;
  const WAIT_MAX_MS = 30 * 1000;
  const MARGIN = "50px";
  const COVERS = ".album-cover img[data-original-src]:not([data-original-src=''])";
  const STATE = "X-VinylVault-Placeholder";

  // ---- Covers on their way ----

  const waiting = new Map(); // img -> { src, since, tries, due }
  let polling = 0;
  let timer = 0;
  const inView = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? inView.add(entry.target) : inView.delete(entry.target);
    pump();
  }, { rootMargin: MARGIN });

  // An image cannot read its headers; but a placeholder has a length that covers hardly ever have.
  function mayStandIn(img) {
    const entry = performance.getEntriesByName(img.currentSrc || img.src).pop();
    if (!entry || !entry.encodedBodySize) return true;
    return entry.encodedBodySize === Number(document.body.dataset[`placeholder${img.dataset.sizeType === "detail" ? "Detail" : "Thumbnails"}`]);
  }

  function frame(img) {
    return img.closest(".album-cover");
  }

  function wait(img) {
    if (waiting.has(img)) return;
    waiting.set(img, { src: img.src.split("#")[0], since: Date.now(), tries: 0, due: 0 });
    watcher.observe(img);
  }

  function settle(img, name, title) {
    waiting.delete(img);
    inView.delete(img);
    watcher.unobserve(img);
    frame(img).classList.remove("is-pending");
    if (name) frame(img).classList.add(name);
    if (title) img.title = title;
  }

  function pump() {
    clearTimeout(timer);
    if (document.hidden) return;
    const now = Date.now();
    let next = Infinity;
    for (const [img, state] of waiting) {
      if (polling >= AT_ONCE) return; // whoever ends pumps again
      if (!inView.has(img) || state.busy) continue;
      if (state.due <= now) poll(img, state);
      else next = Math.min(next, state.due);
    }
    if (next < Infinity) timer = setTimeout(pump, next - now);
  }

  async function poll(img, state) {
    state.busy = true;
    polling++;
    try {
      // "reload" asks the server and remembers a cover, while a placeholder forbids it: so the
      // answer that ends the wait is the one the picture is shown from.
      const answer = await fetch(state.src, { cache: "reload" });
      await answer.arrayBuffer();
      const placeholder = answer.headers.get(STATE);
      if (answer.status === 404) settle(img, "is-missing", "This cover is not known");
      else if (!answer.ok || placeholder === "pending") later(img, state, answer);
      else if (placeholder === "absent") settle(img, "is-missing", "There is no cover at the source");
      else if (placeholder) settle(img, "is-missing", "This cover could not be fetched; it will be tried again later");
      else show(img, state);
    } catch {
      later(img, state);
    } finally {
      state.busy = false;
      polling--;
      pump();
    }
  }

  function later(img, state, answer) {
    if (Date.now() - state.since > GIVE_UP_MS) {
      settle(img, "is-missing", "This cover is still on its way: reload the page later");
      return;
    }
    frame(img).classList.add("is-pending");
    const asked = Math.max(1, Number(answer && answer.headers.get("Retry-After")) || 1) * 1000;
    state.due = Date.now() + Math.min(WAIT_MAX_MS, asked * 1.5 ** state.tries++);
  }

  // A fragment makes it another picture to the page and the same one to the HTTP cache: a document
  // may otherwise show again what it once showed under an address.
  function show(img, state) {
    const fresh = `${state.src}#${state.tries + 1}`;
    img.addEventListener("load", () => settle(img, state.tries ? "has-arrived" : ""), { once: true });
    waiting.delete(img);
    img.src = fresh;
  }

  function inspect(img) {
    if (img.matches(COVERS) && !img.src.includes("#") && mayStandIn(img)) wait(img);
  }

  // "load" does not bubble, but it can be captured; this also serves pictures that load lazily.
  document.addEventListener("load", (event) => event.target instanceof HTMLImageElement && inspect(event.target), true);
  document.addEventListener("error", (event) => {
    const img = event.target;
    if (!(img instanceof HTMLImageElement) || !img.matches(COVERS)) return;
    // What the server says is a cover and the browser cannot show will not get better by asking.
    if (img.src.includes("#")) settle(img, "is-missing", "This cover cannot be shown");
    else wait(img);
  }, true);
  document.addEventListener("visibilitychange", pump);
  performance.setResourceTimingBufferSize?.(1000);
  for (const img of document.querySelectorAll(COVERS)) if (img.complete) inspect(img);

  // ---- window.VinylVault ----

  async function post(address, body) {
    const answer = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(said.error || `${answer.status} ${answer.statusText}`);
    return said;
  }

  window.VinylVault = {
    // Asks the server to fetch every cover of this page; the job it answers with.
    preloadCurrentPageImages() {
      const urls = [...document.querySelectorAll(COVERS)].map((img) => img.dataset.originalSrc);
      if (!urls.length) return Promise.resolve({ success: true, accepted: 0, total: 0, rejected: [] });
      return post("/api/cache/preload", { urls: [...new Set(urls)] });
    },
    // The cache's numbers; null when the server does not answer.
    async getCacheStats() {
      try {
        const answer = await fetch("/api/cache/stats", { cache: "no-store" });
        return answer.ok ? await answer.json() : null;
      } catch {
        return null;
      }
    },
    // Empties the cache of renditions; what was removed.
    clearImageCache() {
      return post("/api/cache/clear", {});
    },
  };

  // ---- The page's controls ----

  const finder = document.querySelector(".finder");
  if (finder) {
    finder.addEventListener("change", (event) => {
      if (event.target.name === "sort") finder.elements.order.value = "";
      if (event.target.matches("select")) finder.requestSubmit();
    });
    // Short addresses: what is empty or usual need not be said.
    finder.addEventListener("submit", () => {
      for (const field of finder.elements) if (!field.value || field.name === "sort" && field.value === "artist") field.disabled = true;
    });
    // Coming back by the browser's button finds the controls usable.
    window.addEventListener("pageshow", () => {
      for (const field of finder.elements) field.disabled = false;
    });
  }

  const back = document.querySelector("[data-back]");
  if (back && document.referrer.startsWith(`${location.origin}/?`)) back.href = document.referrer;

  for (const part of document.querySelectorAll("[data-needs-script]")) part.hidden = false;
  const clear = document.querySelector("[data-action=clear]");
  clear?.addEventListener("click", async () => {
    const outcome = document.querySelector("[data-outcome]");
    if (!confirm("Remove every kept cover? They are fetched again when somebody looks at them.")) return;
    clear.disabled = true;
    try {
      const said = await window.VinylVault.clearImageCache();
      outcome.textContent = said.message || "The cache is empty.";
    } catch (error) {
      outcome.textContent = error.message;
    }
    clear.disabled = false;
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const search = document.querySelector("#q");
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const follow = (selector) => document.querySelector(selector)?.click();
    if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape") follow("[data-back]");
    else if (event.key === "r") location.assign("/random");
    else if (event.key === "ArrowLeft") follow("a[rel=prev]");
    else if (event.key === "ArrowRight") follow("a[rel=next]");
  });
})();
