// One vehicle's camera on a page of its own: /vehicle.html?id=VEHICLE

import { el } from "./dom.js";
import { watch } from "./camera.js";

const vehicle = new URLSearchParams(location.search).get("id") ?? "";
const container = document.getElementById("camera");

if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(vehicle)) {
  document.title = `takeover: ${vehicle}`;
  document.getElementById("name").textContent = vehicle;
  watch(container, vehicle);
} else {
  container.replaceChildren(el("p", { class: "empty" }, "Which vehicle? Choose one on the fleet page."));
}
