// Faults of the page as it is laid out now, a sentence each: too wide, hard to read, no landmarks.
() => {
  const faults = [];
  const name = (e) =>
    e.tagName.toLowerCase() + (e.id ? "#" + e.id : [...e.classList].map((c) => "." + c).join(""));
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const clips = (e) => getComputedStyle(e).overflowX !== "visible";

  // Nothing reaches beyond the right edge but what scrolls inside a box of its own.
  const width = document.documentElement.clientWidth;
  const held = (e) => e && e !== document.body && (clips(e) || held(e.parentElement));
  if (document.documentElement.scrollWidth > width) {
    const out = [...document.body.querySelectorAll("*")].filter(
      (e) => shown(e) && e.getBoundingClientRect().right > width + 1 && !held(e.parentElement),
    );
    faults.push(`wider than the screen: ${out.slice(0, 3).map(name).join(", ")}`);
  }
  for (const image of document.images) {
    if (!shown(image)) continue;
    if (!image.complete || !image.naturalWidth) faults.push(`not loaded: ${name(image)}`);
    if (!image.hasAttribute("alt")) faults.push(`no alt: ${name(image)}`);
  }

  // WCAG 2.2, 1.4.3: 4.5 to 1, and 3 to 1 for large text.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = (top, below) => below.map((v, i) => top[3] * top[i] + (1 - top[3]) * v);
  const grounds = new Map();
  const ground = (e) => {
    if (!e) return rgba(matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#fff").slice(0, 3);
    if (!grounds.has(e)) {
      grounds.set(e, over(rgba(getComputedStyle(e).backgroundColor), ground(e.parentElement)));
    }
    return grounds.get(e);
  };
  const light = (rgb) =>
    rgb
      .map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0.05);
  const opacity = (e) => (e ? getComputedStyle(e).opacity * opacity(e.parentElement) : 1);
  const faint = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || e.closest("script, style, noscript") || !shown(e)) continue;
    const style = getComputedStyle(e);
    const behind = ground(e);
    const [r, g, b, alpha] = rgba(style.color);
    const text = over([r, g, b, alpha * opacity(e)], behind);
    const [low, high] = [light(text), light(behind)].sort((a, b) => a - b);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (high / low < (large ? 3 : 4.5)) faint.set(name(e), `${(high / low).toFixed(2)} "${node.data.trim().slice(0, 30)}"`);
  }
  for (const [what, how] of [...faint].slice(0, 4)) faults.push(`contrast of ${what} is ${how}`);

  // Landmarks and headings, for those who do not see the page.
  const count = (selector) => [...document.querySelectorAll(selector)].filter(shown).length;
  const once = { main: "main, [role=main]", h1: "h1" };
  for (const [what, selector] of Object.entries(once)) {
    if (count(selector) !== 1) faults.push(`${count(selector)} times ${what}`);
  }
  if (!matchMedia("print").matches) {
    // On a phone the theme hides the menu of some pages behind a button.
    const wanted = width > 600 ? ["header", "footer", "nav"] : ["header", "footer"];
    for (const what of wanted) if (!count(what)) faults.push(`no ${what}`);
    const navs = [...document.querySelectorAll("nav")].filter(shown);
    const labels = navs.map((e) => e.ariaLabel || document.getElementById(e.getAttribute("aria-labelledby"))?.innerText);
    if (navs.length > 1 && new Set(labels).size < navs.length) faults.push(`navs named ${labels.join(", ")}`);
  }
  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title) faults.push("no title");
  const levels = [...document.querySelectorAll("main :is(h1, h2, h3, h4, h5, h6)")].filter(shown).map((e) => +e.tagName[1]);
  levels.forEach((level, i) => i && level > levels[i - 1] + 1 && faults.push(`h${level} follows h${levels[i - 1]}`));
  for (const e of document.querySelectorAll("a[href], button")) {
    if (shown(e) && !e.textContent.trim() && !e.ariaLabel && !e.title && !e.querySelector("img[alt]:not([alt=''])")) {
      faults.push(`no name: ${name(e)}`);
    }
  }
  return faults;
}
