// One vehicle's camera on a page of its own: /vehicle.html?id=VEHICLE

import { ControlPlaneError, askList } from "./api.js";
import { watch } from "./camera.js";
import { el, get, text } from "./dom.js";
import { fresh, health, permittedArea } from "./health.js";

const POLL_MS = 2000;
const vehicle = new URLSearchParams(location.search).get("id") ?? "";

/**
 * What the control plane says of the vehicle, in a line, where it may drive, and what people should know of its clock.
 * @returns {Promise<{ line: string, area: string, warnings: string[] }>}
 */
async function told() {
  try {
    /** @type {Api.VehicleView | undefined} */
    const known = (await askList("vehicles")).find((v) => v.vehicle === vehicle);
    if (!known) return { line: `The control plane knows no vehicle ${vehicle}.`, area: "", warnings: [] };
    const area = permittedArea(known);
    if (fresh(known)) return { line: health(known), area, warnings: known.clock?.warnings ?? [] };
    return { line: known.online ? "" : `${vehicle} is offline.`, area, warnings: [] };
  } catch (error) {
    if (error instanceof ControlPlaneError) return { line: `${error.message}. Trying again…`, area: "", warnings: [] };
    throw error;
  }
}

let shownWarnings = "";

async function show() {
  const { line, area, warnings } = await told();
  text(get("health"), line);
  text(get("area"), area);
  // Screen readers say it again when it is replaced.
  const signature = JSON.stringify(warnings);
  if (signature === shownWarnings) return;
  shownWarnings = signature;
  get("clocks").replaceChildren(...warnings.map((warning) => el("small", { class: "warning" }, warning)));
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
