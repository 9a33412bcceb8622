"use strict";
(() => {
  const root = document.documentElement;
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const phone = () => window.innerWidth < 640;
  const state = window.tradectlReport = { drawn: 0, charts: Object.keys(specs).length, errors: [] };

  /* --- theme: what the system prefers until the reader says otherwise */
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("tradectl-theme"); } catch (_) { /* a file without storage */ }
  const setTheme = (name) => { root.dataset.theme = name; };
  setTheme(chosen || (dark.matches ? "dark" : "light"));
  const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const resolved = (value) => {
    if (typeof value === "string" && value.startsWith("@")) {
      if (value === "@diverging") return [[0, colour("low")], [0.5, colour("mid")], [1, colour("high")]];
      return colour(value.slice(1));
    }
    if (Array.isArray(value)) return value.map(resolved);
    if (value && typeof value === "object" && !ArrayBuffer.isView(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolved(inner)]));
    }
    return value;
  };

  /* --- packed series: bytes to numbers, then only what a screen can show */
  const bytes = (text, Kind) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const unpack = (p) => {
    if (p.t instanceof Uint32Array) return;
    p.t = bytes(p.t, Uint32Array);
    p.y = bytes(p.y, Float32Array);
    if (p.c) p.c = bytes(p.c, Float32Array);
  };
  const place = (p, ms) => {  /* first point at or after a time */
    const wanted = (ms - p.t0) / p.q;
    let low = 0, high = p.t.length;
    while (low < high) { const at = (low + high) >> 1; if (p.t[at] < wanted) low = at + 1; else high = at; }
    return low;
  };
  const shown = (one, id) => {
    const p = one.packed, range = ranges[id];
    unpack(p);
    const from = range ? Math.max(place(p, range[0]) - 1, 0) : 0;
    const to = range ? Math.min(place(p, range[1]) + 1, p.t.length) : p.t.length;
    if (p.c) return gathered(p, from, to, Math.max(tick(id) * MARK_PX, 1));
    const at = extremes(p.y, from, to);
    return { x: at.map((k) => p.t0 + p.t[k] * p.q), y: at.map((k) => p.y0 + p.y[k]) };
  };
  const MOST_POINTS = 3000, MARK_PX = 14;
  const span = (id) => {  /* first and last moment of a chart over time, ms; null: it shows no time */
    const packed = specs[id].traces.flatMap((one) => one.packed && one.packed.n ? [one.packed] : []);
    packed.forEach(unpack);
    const start = Math.min(...packed.map((p) => p.t0)), end = Math.max(...packed.map((p) => p.t0 + p.t[p.n - 1] * p.q));
    return end > start ? [start - (end - start) / 100, end + (end - start) / 100] : null;
  };
  const tick = (id) => {  /* ms that a pixel of a chart stands for */
    const [start, end] = ranges[id] || span(id) || [0, 1];
    return (end - start) / Math.max(document.getElementById(id).clientWidth - 60, 60);
  };
  /* what is closer together than a mark is wide shares one, at its mean by quantity; which ones do so is the same
     wherever a chart of this width is looked at */
  const gathered = (p, from, to, width) => {
    const made = { x: [], y: [], customdata: [], size: [] };
    for (let k = 0, first; k < to; ) {
      let n = 0, qty = 0, worth = 0;
      for (first = k; k < p.t.length && (p.t[k] - p.t[first]) * p.q < width; k++) {
        n += 1; qty += p.c[k]; worth += p.c[k] * p.y[k];
      }
      if (k <= from) continue;
      const price = p.y0 + worth / qty;
      made.x.push(p.t0 + p.t[first] * p.q);
      made.y.push(price);
      made.size.push(n === 1 ? 11 : n < 8 ? 13 : 15);
      made.customdata.push((n === 1 ? "" : `${WRITE.count(n)} orders from here on, in all<br>`) + `${WRITE.price(price)} × ${WRITE.price(qty)}`);
    }
    return made;
  };
  const extremes = (y, from, to) => {
    const n = to - from, at = [];
    if (n <= MOST_POINTS) { for (let k = from; k < to; k++) at.push(k); return at; }
    const bins = MOST_POINTS / 2;
    at.push(from);
    for (let b = 0; b < bins; b++) {
      const start = from + Math.floor(b * n / bins), end = from + Math.floor((b + 1) * n / bins);
      let low = -1, high = -1, gap = -1;  /* a gap is a NaN */
      for (let k = start; k < end; k++) {
        if (y[k] !== y[k]) { gap = k; continue; }
        if (low < 0 || y[k] < y[low]) low = k;
        if (high < 0 || y[k] > y[high]) high = k;
      }
      at.push(...[...new Set([low, high, gap])].filter((k) => k >= 0).sort((a, b) => a - b));
    }
    at.push(to - 1);
    return at;
  };

  /* --- charts */
  const points = (one, id, drawn) => {  /* a trace with what its chart shows of a packed series */
    const { size, ...made } = shown(one, id);
    return { ...drawn, ...made, ...(size ? { marker: { ...drawn.marker, size } } : {}) };
  };
  const trace = (one, id) => {
    const { packed, ...rest } = one;
    if (rest.type === "heatmap" && phone()) delete rest.texttemplate;  /* its cells are narrower than a figure */
    return packed ? points(one, id, resolved(rest)) : resolved(rest);
  };
  const axis = (own) => ({
    gridcolor: colour("grid"), linecolor: colour("line"), zerolinecolor: colour("line"), automargin: true,
    tickfont: { size: 11 }, ...resolved(own || {}),
  });
  const layoutOf = (spec) => {
    const own = spec.layout, made = { ...resolved(own) };
    const [heat] = phone() ? spec.traces.filter((one) => one.type === "heatmap") : [];
    for (const key of ["xaxis", "yaxis", ...Object.keys(own).filter((k) => /^[xy]axis\d+$/.test(k))]) made[key] = axis(own[key]);
    if (heat) Object.assign(made.xaxis, { tickmode: "array", tickvals: heat.x, ticktext: heat.x.map((one) => one[0]) });
    return {
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("dim") },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified",
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
      margin: { l: 48, r: 12, t: 26, b: 34 }, dragmode: phone() ? false : "zoom", bargap: 0.25,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, ...made,
    };
  };
  const config = { displaylogo: false, responsive: true, displayModeBar: false, doubleClick: "reset" };
  const ms = (value) => typeof value === "number" ? value : Date.parse(String(value).trim().replace(" ", "T").replace(/(\.\d{3})\d*/, "$1") + "Z");
  const ranges = {};
  const draw = (id) => {
    const spec = specs[id];
    const layout = layoutOf(spec), place = document.getElementById(id);
    const range = ranges[id] || span(id);  /* what the reader has zoomed to stays */
    if (range) layout.xaxis.range = range;
    if (root.classList.contains("printed")) layout.width = place.clientWidth;
    return Plotly.react(id, spec.traces.map((one) => trace(one, id)), layout, config);
  };
  const watch = (id) => {
    const traces = specs[id].traces, chart = document.getElementById(id);
    if (!traces.some((one) => one.packed)) return;
    chart.on("plotly_relayout", (change) => {
      const start = change["xaxis.range[0]"] ?? change["xaxis.range"]?.[0];
      const end = change["xaxis.range[1]"] ?? change["xaxis.range"]?.[1];
      if (start === undefined && !change["xaxis.autorange"] && !change.autosize) return;
      if (!change.autosize) ranges[id] = start === undefined ? null : [ms(start), ms(end)];
      /* a restyle would forget that the axis shows dates */
      const drawn = traces.map((one, k) => one.packed ? points(one, id, chart.data[k]) : chart.data[k]);
      Plotly.react(id, drawn, chart.layout, config);
    });
  };
  const drawAll = async (first) => {
    for (const id of Object.keys(specs)) {
      try {
        await draw(id);
        if (first) { watch(id); state.drawn += 1; }
      } catch (error) { state.errors.push(id + ": " + error); console.error(error); }
      await new Promise((go) => setTimeout(go, 0));  /* the page answers between two charts */
    }
    if (first) root.dataset.drawn = "true";
  };

  const button = document.getElementById("theme");
  const label = () => { button.textContent = root.dataset.theme === "dark" ? "Light" : "Dark"; };
  label();
  button.addEventListener("click", () => {
    setTheme(root.dataset.theme === "dark" ? "light" : "dark");
    label();
    try { localStorage.setItem("tradectl-theme", root.dataset.theme); } catch (_) { /* not kept */ }
    drawAll(false);
  });
  dark.addEventListener("change", () => { if (!chosen) { setTheme(dark.matches ? "dark" : "light"); label(); drawAll(false); } });
  /* --- print: light, as wide as paper, drawn at once, for a printer does not wait */
  let before = null;
  const printed = (now) => {
    if (now) before = root.dataset.theme;
    setTheme(now ? "light" : before);
    root.classList.toggle("printed", now);
    Object.keys(specs).forEach(draw);
  };
  window.addEventListener("beforeprint", () => printed(true));
  window.addEventListener("afterprint", () => printed(false));

  /* --- the choice of an instrument: one chart of several is shown */
  for (const select of document.querySelectorAll("select[data-shows]")) {
    const ids = [...select.options].map((one) => one.value);
    const show = () => {
      for (const id of ids) document.getElementById(id).closest("figure").hidden = id !== select.value;
    };
    select.addEventListener("change", () => { show(); Plotly.Plots.resize(select.value); });
    window.addEventListener("tradectl-drawn", show);
    window.addEventListener("beforeprint", () => ids.forEach((id) => { document.getElementById(id).closest("figure").hidden = false; }));
    window.addEventListener("afterprint", show);
  }

  /* --- tables that can be sorted and paged */
  const minus = (text) => text.replace("-", "−");
  const fixed = (value, digits) => minus(value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [1e-3, "ms"], [1e-6, "µs"]];
  const WRITE = {
    text: (value) => value,
    count: (value) => fixed(value, 0),
    money: (value) => fixed(value, 2),
    percent: (value) => fixed(value * 100, 2) + " %",
    price: (value) => minus(value.toLocaleString("en-US", { maximumSignificantDigits: 9 })),
    time: (value) => new Date(value).toISOString().replace("T", " ").slice(0, 19),
    duration: (value) => {
      if (!value) return "0 s";
      const [size, unit] = UNITS.find(([one]) => value >= one) || UNITS[UNITS.length - 1];
      return `${minus((value / size).toLocaleString("en-US", { maximumSignificantDigits: 3 }))} ${unit}`;
    },
  };
  for (const holder of document.querySelectorAll("[data-table]")) sortable(holder);
  function sortable(holder) {
    const told = JSON.parse(document.getElementById(holder.dataset.table).textContent);
    const n = told.columns.length ? told.columns[0].values.length : 0;
    const table = document.createElement("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    const caption = table.createCaption();
    caption.className = "sr";
    caption.textContent = told.caption;
    let order = [...Array(n).keys()], by = -1, down = true, page = 0;
    const size = 20;
    const cells = told.columns.map((column, k) => {
      const th = document.createElement("th"), press = document.createElement("button");
      th.scope = "col";
      if (column.kind === "text") th.className = "l";
      press.textContent = column.name;
      press.type = "button";
      press.addEventListener("click", () => { down = by === k ? !down : column.kind !== "text"; by = k; page = 0; sort(); fill(); });
      th.append(press);
      head.append(th);
      return th;
    });
    const sort = () => {
      const values = told.columns[by].values, sign = down ? -1 : 1;
      order.sort((a, b) => {
        const x = values[a], y = values[b];
        if (x === null || y === null) return (x === null) - (y === null);
        return (x < y ? -1 : x > y ? 1 : a - b) * sign;
      });
      cells.forEach((th, k) => { if (k === by) th.setAttribute("aria-sort", down ? "descending" : "ascending"); else th.removeAttribute("aria-sort"); });
    };
    const pager = document.createElement("div"), prev = document.createElement("button"), next = document.createElement("button"), said = document.createElement("span");
    pager.className = "pager";
    prev.textContent = "Back"; next.textContent = "More";
    prev.addEventListener("click", () => { page -= 1; fill(); });
    next.addEventListener("click", () => { page += 1; fill(); });
    said.setAttribute("aria-live", "polite");
    pager.append(prev, next, said);
    const fill = () => {
      body.replaceChildren();
      for (const row of order.slice(page * size, page * size + size)) {
        const tr = body.insertRow();
        for (const column of told.columns) {
          const td = tr.insertCell(), value = column.values[row];
          td.textContent = value === null ? "–" : WRITE[column.kind](value);
          if (column.kind === "text") td.className = "l";
          if (column.tone && value) td.className = value > 0 ? "gain" : "loss";
        }
      }
      prev.disabled = page === 0;
      next.disabled = (page + 1) * size >= n;
      said.textContent = n ? `${page * size + 1}–${Math.min((page + 1) * size, n)} of ${n.toLocaleString("en-US")}` : "none";
    };
    holder.replaceChildren(table);
    holder.after(pager);
    if (n <= size) pager.hidden = true;
    fill();
  }

  const start = () => drawAll(true).then(() => window.dispatchEvent(new Event("tradectl-drawn")));
  if (document.readyState === "complete") start(); else window.addEventListener("load", start);
})();
