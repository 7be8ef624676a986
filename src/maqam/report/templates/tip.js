"use strict";
// Numbers under the pointer: nearest bin of steps, by mouse, touch or arrow keys. Text only.
(() => {
  const tip = document.getElementById("tip");
  const show = (svg, index, left, top) => {
    const hover = svg.hover;
    const cursor = svg.querySelector(".cursor");
    cursor.setAttribute("transform", `translate(${hover.x[index]} 0)`);
    cursor.style.visibility = "visible";
    svg.index = index;
    tip.replaceChildren();
    const head = document.createElement("strong");
    head.textContent = `step ${hover.at[index]}`;
    tip.append(head);
    hover.names.map((name, at) => [name, hover.colours[at], hover.values[at][index]])
      .filter((row) => row[2] !== "" && row[2] !== "0")
      .reverse()
      .forEach(([name, colour, value]) => {
        const line = document.createElement("div");
        const swatch = document.createElement("i");
        const label = document.createElement("bdi");
        const text = document.createElement("span");
        swatch.className = "swatch";
        swatch.style.background = colour;
        label.textContent = name;
        text.textContent = hover.unit ? `${value} ${hover.unit}` : value;
        line.append(swatch, label, text);
        tip.append(line);
      });
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const right = left + 14 + box.width > innerWidth - 8;
    tip.style.left = `${Math.max(8, right ? left - box.width - 14 : left + 14)}px`;
    tip.style.top = `${Math.max(8, Math.min(top + 14, innerHeight - box.height - 8))}px`;
  };
  const hide = (svg) => {
    tip.hidden = true;
    svg.querySelector(".cursor").style.visibility = "hidden";
  };
  for (const svg of document.querySelectorAll("svg[data-hover]")) {
    svg.hover = JSON.parse(svg.dataset.hover);
    const width = svg.viewBox.baseVal.width;
    const nearest = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width;
      let best = 0;
      svg.hover.x.forEach((at, index) => {
        if (Math.abs(at - x) < Math.abs(svg.hover.x[best] - x)) best = index;
      });
      show(svg, best, event.clientX, event.clientY);
    };
    svg.addEventListener("pointermove", nearest);
    svg.addEventListener("pointerdown", nearest);
    svg.addEventListener("pointerleave", () => hide(svg));
    svg.addEventListener("blur", () => hide(svg));
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") hide(svg);
      if (!step) return;
      event.preventDefault();
      const last = svg.hover.x.length - 1;
      const index = Math.min(last, Math.max(0, (svg.index ?? -step) + step));
      const box = svg.getBoundingClientRect();
      show(svg, index, box.left + (svg.hover.x[index] / width) * box.width, box.top + box.height / 3);
    });
  }
})();
