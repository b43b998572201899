
"use strict";
// Sorts and filters the tables. The address keeps what is chosen, so that it
// can be sent: #sort=COLUMN, -COLUMN for the other way round, and
// #filter=WORDS are of the first table; others have their id and a dot before.
(() => {
  const tables = [];

  function value(row, column) {
    const cell = row.cells[column];
    const raw = cell.dataset.sort;
    if (raw !== undefined) return Number(raw);
    return cell.textContent.trim();
  }

  // Numbers come before text, and what is missing last.
  function compare(a, b, down) {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
    return down ? -order : order;
  }

  function enhance(table, first) {
    const t = {
      prefix: first ? "" : table.id + ".", table, body: table.tBodies[0],
      rows: [...table.tBodies[0].rows], heads: [...table.tHead.rows[0].cells], sort: "", filter: "",
    };
    t.heads.forEach((th) => {
      // The server sorts what is not all in the page.
      if (!("whole" in table.dataset)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = th.textContent;
      th.replaceChildren(button);
      th.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const name = th.dataset.column;
        t.sort = t.sort === name ? "-" + name : t.sort === "-" + name ? "" : name;
        arrange(t);
        remember();
      });
    });
    const bar = document.createElement("div");
    bar.className = "filter";
    const label = document.createElement("label");
    label.append("Filter rows ");
    t.input = document.createElement("input");
    t.input.type = "search";
    label.append(t.input);
    t.status = document.createElement("span");
    t.status.className = "status";
    t.status.setAttribute("role", "status");
    bar.append(label, t.status);
    bar.hidden = !first && t.rows.length < 8;
    table.parentElement.before(bar);
    t.input.addEventListener("input", () => {
      t.filter = t.input.value;
      arrange(t);
      remember();
    });
    tables.push(t);
  }

  function arrange(t) {
    const down = t.sort.startsWith("-");
    const name = down ? t.sort.slice(1) : t.sort;
    const column = t.heads.findIndex((th) => th.dataset.column === name && th.hasAttribute("aria-sort"));
    let rows = t.rows;
    t.heads.forEach((th) => th.hasAttribute("aria-sort") && th.setAttribute("aria-sort", "none"));
    if (column >= 0) {
      // Numbers go from the greatest, as procmon-report sorts them.
      const greatest = t.heads[column].classList.contains("n") || t.rows.some((r) => r.cells[column].dataset.sort !== undefined);
      const falling = greatest !== down;
      rows = t.rows.map((row) => [value(row, column), row]).sort((a, b) => compare(a[0], b[0], falling)).map((pair) => pair[1]);
      t.heads[column].setAttribute("aria-sort", falling ? "descending" : "ascending");
    }
    t.table.classList.toggle("sorted", column >= 0);
    const words = t.filter.toLowerCase().split(/\s+/).filter((w) => w !== "");
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((w) => text.includes(w));
      if (!row.hidden) shown++;
    }
    t.body.replaceChildren(...rows);
    t.status.textContent = words.length === 0 ? "" : shown + " of " + rows.length + " rows";
  }

  function remember() {
    const at = new URLSearchParams();
    for (const t of tables) {
      if (t.sort !== "") at.set(t.prefix + "sort", t.sort);
      if (t.filter !== "") at.set(t.prefix + "filter", t.filter);
    }
    const hash = at.toString();
    history.replaceState(null, "", hash === "" ? location.pathname + location.search : "#" + hash);
  }

  function recall() {
    const at = new URLSearchParams(location.hash.slice(1));
    for (const t of tables) {
      t.sort = at.get(t.prefix + "sort") ?? "";
      t.filter = at.get(t.prefix + "filter") ?? "";
      t.input.value = t.filter;
      arrange(t);
    }
  }

  document.querySelectorAll("table.data").forEach((table, i) => enhance(table, i === 0));
  window.addEventListener("hashchange", recall);
  recall();
})();
