// One vehicle's camera on a page of its own: /vehicle.html?id=VEHICLE

import { ControlPlaneError, askList } from "./api.js";
import { watch } from "./camera.js";
import { el, get, text } from "./dom.js";
import { fresh, health } from "./health.js";

const POLL_MS = 2000;
const vehicle = new URLSearchParams(location.search).get("id") ?? "";

/** What the control plane says of the vehicle, in a line. */
async function words() {
  try {
    /** @type {Api.VehicleView | undefined} */
    const known = (await askList("vehicles")).find((v) => v.vehicle === vehicle);
    if (!known) return `The control plane knows no vehicle ${vehicle}.`;
    return fresh(known) ? health(known) : known.online ? "" : `${vehicle} is offline.`;
  } catch (error) {
    if (error instanceof ControlPlaneError) return `${error.message}. Trying again…`;
    throw error;
  }
}

async function show() {
  text(get("health"), await words());
}

if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(vehicle)) {
  document.title = `takeover: ${vehicle}`;
  text(get("name"), vehicle);
  watch(get("camera"), vehicle, { devices: true });
  show();
  setInterval(show, POLL_MS);
} else {
  get("camera").replaceChildren(el("p", { class: "empty" }, vehicle === "" ? "Which vehicle? Choose one on the fleet page." : `"${vehicle}" is not a vehicle's name. Choose one on the fleet page.`));
}
