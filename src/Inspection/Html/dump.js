
for (const section of document.querySelectorAll("section")) {
  let kept = null;
  const cols = section.querySelector(".cols");
  const show = (line, scroll) => {
    for (const on of section.querySelectorAll(".l.on")) on.classList.remove("on");
    cols.classList.toggle("dim", !!line);
    if (!line) return;
    const key = line.dataset.k;
    const height = line.getBoundingClientRect().top;
    for (const list of section.querySelectorAll(".list")) {
      const same = list.querySelectorAll(`.l[data-k="${key}"]`);
      for (const l of same) l.classList.add("on");
      if (scroll && same.length && !list.contains(line)) list.scrollTop += same[0].getBoundingClientRect().top - height;
    }
  };
  section.addEventListener("mouseover", e => { if (!kept) { const l = e.target.closest(".l[data-k]"); if (l) show(l, true); } });
  cols.addEventListener("mouseleave", () => { if (!kept) show(null); });
  section.addEventListener("click", e => {
    const l = e.target.closest(".l[data-k]");
    kept = l && kept !== l ? l : null;
    show(l && kept ? l : null, true);
  });
}
const wanted = new URLSearchParams(location.search).get("at");
if (wanted) document.querySelector(`.guest .l[data-k="${CSS.escape(wanted)}"]`)?.click();
