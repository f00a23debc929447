"""The style sheet of the page, and the script that sorts its tables.

The page can be read, and printed, without the script.
"""

from __future__ import annotations

CSS = """\
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fdfdfb; --soft: #5a5a62;
  --line: #d5d5d0; --card: #fff; --head: #f1f1ec; --link: #00509d; --good: #0b6b3a;
  --bad: #a3260d; --mute: #6b5900; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ea; --paper: #16171a; --soft: #a9a9b3;
  --line: #3a3b42; --head: #22242a; --link: #8ab8ff; --good: #6fd39b; --bad: #ff9a82;
  --mute: #e0c65a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1rem 4rem; max-width: 76rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .6rem 0; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line); }
p, li { max-width: 48rem; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; list-style: none; }
nav a { display: inline-block; padding: .25rem 0; }
.note { border-left: 4px solid var(--mute); padding: .1rem 0 .1rem .9rem; margin: 1rem 0; }
.figures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill,
  minmax(min(100%, 21rem), 1fr)); }
.maps { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill,
  minmax(min(100%, 11.5rem), 1fr)); }
figure { margin: 0; min-width: 0; }
figure img { display: block; width: 100%; height: auto; background: #fff;
  border: 1px solid var(--line); border-radius: 6px; }
figcaption { color: var(--soft); font-size: .85rem; margin: .3rem 0 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; margin: 1rem 0; }
.scroll:focus-visible { outline: 2px solid var(--link); }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums;
  min-width: 100%; }
th, td { text-align: left; padding: .4rem .7rem; border-top: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal; }
tr:first-child > * { border-top: 0; }
tbody tr:first-child > * { border-top: 1px solid var(--line); }
thead th { background: var(--head); vertical-align: bottom; min-width: 6rem; }
td.number { text-align: right; white-space: nowrap; }
td.text { min-width: 12rem; }
td.within, td.outside, td.no-power, td.not-measured { white-space: nowrap; }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0;
  padding: 0; text-align: left; cursor: pointer; }
th button::after { content: " \\2195"; color: var(--soft); }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.within { color: var(--good); font-weight: 600; }
.outside { color: var(--bad); font-weight: 600; }
.no-power, .not-measured { color: var(--mute); font-weight: 600; }
code { font-size: .9em; overflow-wrap: anywhere; }
dt { font-weight: 600; margin-top: .6rem; }
dd { margin: 0; max-width: 48rem; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; color: #000;
  background: #fff; } nav { display: none; } figure, tr, .note { break-inside: avoid; }
  h2 { break-after: avoid; } .scroll { overflow: visible; border: 0; } table { font-size: 7.5pt; }
  th, td { padding: .2rem .3rem; } td.text { min-width: 0; } th button::after { content: ""; }
  .figures { grid-template-columns: 1fr 1fr; } .maps { grid-template-columns: repeat(4, 1fr); } }
"""

SCRIPT = """\
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = Array.from(table.tHead.rows[0].cells), body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent.trim();
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = Array.from(body.rows);
      rows.sort((one, other) => {
        const a = key(one, column), b = key(other, column);
        if (typeof a === "number" && typeof b === "number") {
          if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
          return up ? a - b : b - a;
        }
        return up ? String(a).localeCompare(String(b)) : String(b).localeCompare(String(a));
      });
      body.append(...rows);
    });
  });
}
"""
