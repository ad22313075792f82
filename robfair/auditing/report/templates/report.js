"use strict";
// A click on a column's title sorts the rows by it; another click turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const titles = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  titles.forEach((title, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => {
      const down = title.getAttribute("aria-sort") === "ascending";
      for (const other of titles) other.removeAttribute("aria-sort");
      title.setAttribute("aria-sort", down ? "descending" : "ascending");
      const isNumber = title.classList.contains("number");
      const key = (row) => row.cells[column].dataset.key;
      const compare = (a, b) => (isNumber ? Number(a) - Number(b) : a.localeCompare(b));
      const rows = [...body.rows].sort((r, s) => {
        const [a, b] = [key(r), key(s)];
        // What is not known stays at the end, whichever way the others go.
        if (a === "" || b === "") return (a === "") - (b === "");
        return down ? compare(b, a) : compare(a, b);
      });
      body.append(...rows);
    });
  });
}
