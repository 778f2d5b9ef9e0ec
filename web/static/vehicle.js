// One vehicle's camera on a page of its own: /vehicle.html?id=VEHICLE

import { el } from "./dom.js";
import { watch } from "./camera.js";
import { health } from "./health.js";

const vehicle = new URLSearchParams(location.search).get("id") ?? "";
const container = document.getElementById("camera");

if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(vehicle)) {
  document.title = `takeover: ${vehicle}`;
  document.getElementById("name").textContent = vehicle;
  watch(container, vehicle);
  const line = document.getElementById("health");
  const show = async () => {
    const answer = await fetch("/api/v1/vehicles").catch(() => null);
    const known = answer?.ok ? (await answer.json()).find((v) => v.vehicle === vehicle) : null;
    line.textContent = known?.status_age_ms < 5000 ? health(known) : "";
    const warnings = known?.status_age_ms < 5000 ? known.clock?.warnings ?? [] : [];
    document.getElementById("clocks").replaceChildren(...warnings.map((warning) => el("small", { class: "warning" }, warning)));
  };
  show();
  setInterval(show, 2000);
} else {
  container.replaceChildren(el("p", { class: "empty" }, "Which vehicle? Choose one on the fleet page."));
}
