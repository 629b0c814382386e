"use strict";
// Tables by DataTables. A cell is an element or a text, never markup; what it is sorted and searched by is given apart.

const NOTHING = Number.NEGATIVE_INFINITY; // sorted below all numbers

function column(heading, show, order, more) {
  // `show` makes a row's element or text, `order` what it is sorted by: null goes below all numbers.
  return {
    heading,
    data: null,
    type: "num",
    searchable: false,
    orderable: Boolean(order),
    render: (_, type, row) => {
      if (type === "display") return show(row);
      const value = order ? order(row) : "";
      return value === null || value === undefined ? NOTHING : value;
    },
    ...more,
  };
}

function table(parent, columns, rows, options) {
  const element = h("table", { class: "display compact", "aria-label": options.label });
  parent.append(element);
  const made = new DataTable(element, {
    data: rows,
    columns: columns.map((one) => ({ ...one, title: "" })),
    autoWidth: false,
    order: [],
    orderMulti: false,
    deferRender: true,
    pageLength: 50,
    lengthMenu: [25, 50, 100, 500],
    layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: "paging" },
    language: { emptyTable: "Nothing here.", zeroRecords: "Nothing matches the filters.", info: "_START_ to _END_ of _TOTAL_", infoFiltered: "(of _MAX_)", infoEmpty: "0 of 0" },
    ...options.more,
  });
  columns.forEach((one, place) => {
    const title = made.column(place).header().querySelector(".dt-column-title") || made.column(place).header();
    title.replaceChildren(one.heading);
  });
  return made;
}
