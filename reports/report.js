"use strict";
// Filter, search and fold. Everything is in the page already: without this script it can be read, only not searched.
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const query = document.getElementById("query"), family = document.getElementById("family");
  const shown = document.getElementById("shown"), nothing = document.getElementById("nothing"), unfold = document.getElementById("unfold");
  const groups = [...document.querySelectorAll("details.check")].map((element) => ({
    element, lists: null, total: element.querySelectorAll("li").length,
    number: element.querySelector(".number"), head: element.querySelector("summary").textContent.toLowerCase(),
  }));
  const PRINTED = 200, ROW = 25;

  // A list out of view is not laid out, so it is told how tall it will be, and one without a match is hidden whole.
  function fit(list, found) {
    list.element.hidden = found === 0;
    list.element.style.containIntrinsicHeight = `auto ${ROW * found}px`;
  }

  function search(group, words) {
    const all = words.every((word) => group.head.includes(word));
    if (all && !group.lists) return group.total;
    group.lists ??= [...group.element.querySelectorAll("ol")].map((element) => {
      const items = [...element.children];
      return { element, items, texts: items.map((item) => item.textContent.toLowerCase()) };
    });
    let total = 0;
    for (const list of group.lists) {
      let found = 0;
      list.items.forEach((item, position) => {
        const matches = all || words.every((word) => list.texts[position].includes(word) || group.head.includes(word));
        if (item.hidden === matches) item.hidden = !matches;
        found += matches;
      });
      fit(list, found);
      total += found;
    }
    return total;
  }

  function update() {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const severities = new Set([...form.querySelectorAll("[name=severity]:checked")].map((box) => box.value));
    let total = 0, all = 0;
    for (const group of groups) {
      all += group.total;
      const { severity, family: own } = group.element.dataset;
      const wanted = severities.has(severity) && (!family.value || family.value === own);
      const found = wanted ? search(group, words) : 0;
      group.element.hidden = found === 0;
      group.number.textContent = found === group.total || !wanted ? group.total.toLocaleString("en") : `${found.toLocaleString("en")} of ${group.total.toLocaleString("en")}`;
      total += found;
    }
    nothing.hidden = total > 0;
    shown.textContent = total === all ? `${all.toLocaleString("en")} findings` : `${total.toLocaleString("en")} of ${all.toLocaleString("en")} findings`;
  }

  let waiting = 0;
  query.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(update, 120); });
  form.addEventListener("change", update);
  form.addEventListener("submit", (event) => { event.preventDefault(); update(); });
  unfold.addEventListener("click", () => {
    const open = unfold.textContent === "Unfold all";
    for (const { element } of groups) element.open = open;
    unfold.textContent = open ? "Fold all" : "Unfold all";
  });
  function unfoldTarget() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.matches("details.check")) target.open = true;
  }
  addEventListener("hashchange", unfoldTarget);
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = groups.filter(({ element, total }) => !element.open && total <= PRINTED);
    for (const { element } of closed) element.open = true;
  });
  addEventListener("afterprint", () => { for (const { element } of closed) element.open = false; });
  form.hidden = false;
  unfoldTarget();
  update();
})();
