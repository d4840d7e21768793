// Draws every .plot of the page from the JSON in #plot-data: the series with
// gaps where there is no sample, the faults shaded, one cursor for all plots of
// a trial. Drag to zoom, double click to see all again.
(() => {
  const data = JSON.parse(document.getElementById('plot-data').textContent);
  const one = document.body.dataset.cursor === 'shared';
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dashes = [[], [9, 4], [2, 3]];
  const digits = (v) => String(Number(v.toPrecision(3)));
  const time = (v) => (v !== 0 && Math.abs(v) < 1 ? digits(v * 1000) + ' ms' : digits(v) + ' s');
  const bytes = (v) => {
    for (const [size, name] of [[1e9, ' GB'], [1e6, ' MB'], [1e3, ' kB']]) if (Math.abs(v) >= size) return digits(v / size) + name;
    return digits(v) + ' B';
  };
  const text = (unit, v) => (unit === 's' ? time(v) : unit === 'bytes' ? bytes(v) : Math.abs(v) >= 1000 ? Math.round(v).toLocaleString('en') : digits(v));

  const inside = (u, paint) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = color('--lost');
    paint(ctx, bbox);
    ctx.restore();
  };
  const shade = (windows) => (u) => inside(u, (ctx, bbox) => {
    for (const w of windows) {
      const from = u.valToPos(w.from, 'x', true);
      const wide = u.valToPos(w.to, 'x', true) - from;
      const moment = wide < 2 * devicePixelRatio;
      ctx.globalAlpha = moment ? 0.7 : 0.14;
      ctx.fillRect(from, bbox.top, Math.max(wide, 2 * devicePixelRatio), bbox.height);
    }
  });
  const label = (windows) => (u) => inside(u, (ctx, bbox) => {
    ctx.font = 11 * devicePixelRatio + 'px system-ui, sans-serif';
    ctx.textBaseline = 'top';
    let last = -Infinity, row = 0;
    for (const w of windows) {
      const from = u.valToPos(w.from, 'x', true);
      row = from - last < 90 * devicePixelRatio ? row + 1 : 0;
      last = from;
      const right = from + ctx.measureText(w.fault).width + 5 * devicePixelRatio > bbox.left + bbox.width;
      ctx.textAlign = right ? 'right' : 'left';
      ctx.fillText(w.fault, from + (right ? -5 : 5) * devicePixelRatio, bbox.top + (3 + 13 * (row % 4)) * devicePixelRatio);
    }
  });

  const height = (box) => (box.closest('.plotgrid') ? 170 : 220);
  let drawn = [];
  const draw = () => {
    for (const d of drawn) d.u.destroy();
    drawn = [];
    const soft = color('--soft'), line = color('--line');
    for (const box of document.querySelectorAll('.plot[data-plot]')) {
      const p = data[box.dataset.plot];
      const series = p.series.map((s, i) => ({
        label: s.name, stroke: color('--s' + (i % 8)), width: 1.6, dash: dashes[Math.floor(i / 8) % 3], spanGaps: false,
        value: (u, v) => (v == null ? '\u2013' : text(p.unit, v)),
      }));
      const u = new uPlot({
        width: Math.max(box.clientWidth, 240), height: height(box),
        scales: { x: { time: false }, y: { range: (u, lo, hi) => (p.unit === 'up' ? [0, 1.1] : [Math.min(0, lo ?? 0), hi > 0 ? hi * 1.08 : 1]) } },
        axes: [
          { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, values: (u, vs) => vs.map((v) => digits(v) + ' s') },
          { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, size: 66, values: (u, vs) => vs.map((v) => text(p.unit, v)) },
        ],
        series: [{ label: 'after', value: (u, v) => (v == null ? '\u2013' : v.toFixed(2) + ' s') }, ...series],
        cursor: { drag: { x: true, y: false }, focus: { prox: 18 }, ...(one ? { sync: { key: 'trial' } } : {}) },
        hooks: { drawClear: [shade(p.windows)], draw: [label(p.windows)] },
      }, [p.times, ...p.series.map((s) => s.values)], box);
      drawn.push({ u, box });
    }
  };
  draw();
  addEventListener('resize', () => {
    for (const { u, box } of drawn) u.setSize({ width: Math.max(box.clientWidth, 240), height: height(box) });
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
})();
