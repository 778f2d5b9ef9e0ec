// What a page shows, held against what the control plane knows at the same moment. The tests run it in each page.

/** Words that no page says while everything works. */
const NEVER = ["undefined", "NaN", "null", "Infinity", "[object", "-0 km/h", "does not answer", "cannot be read", "has a fault", "did not load"];
// What a page shows may be two seconds old, and a car brakes by 8 m/s².
const SPEED_KMH = 15;

/** @param {string} selector */
const shown = (selector) => {
  const node = document.querySelector(selector);
  return node instanceof HTMLElement ? node.innerText.trim() : "(missing)";
};

/** @param {string} selector */
const visible = (selector) => [...document.querySelectorAll(selector)].some((node) => node instanceof HTMLElement && node.offsetParent !== null);

/** @param {string} words */
const kilometres = (words) => Number.parseFloat(words);

/** The mode as people read it: a car whose mode is "stopped" may still be on its way there. @param {Api.VehicleView} car */
const mode = (car) => (car.mode === "stopped" && Math.abs(car.speed_mps ?? 0) > 0.14 ? "stopping" : car.mode ?? "");

/**
 * What the dashboard should say of a car, by the cells of its row; a cell that is left out is not looked at.
 * @param {Api.VehicleView} car
 * @returns {(string | RegExp)[]}
 */
function row(car) {
  const current = car.online && car.status_age_ms !== null && car.status_age_ms < 5000;
  const seen = new Date(car.last_seen_ms).toLocaleTimeString();
  return [
    car.vehicle, car.online ? "online" : `offline, seen ${seen}`,
    current && car.mode ? mode(car) : "–", current && car.author ? car.author : "–", current ? /^\d+ km\/h$/ : "–", current && car.policy ? car.policy : "–",
  ];
}

/**
 * The banner of a seat that does not drive.
 * @param {Api.VehicleView} car
 * @param {boolean} latched
 */
function banner(car, latched) {
  const { online, author } = car;
  if (!online) return /^NOT CONNECTED$/;
  if (latched) return /^EMERGENCY STOP$/;
  if (author === "operator") return /^ANOTHER SEAT DRIVES$/;
  if (mode(car) === "stopped") return /^STOPPED$/;
  if (author === "fallback") return /^VEHICLE STOPS ITSELF$/;
  return car.mode === "assist" ? /^POLICY DRIVES, YOU ASSIST$/ : /^POLICY DRIVES$/;
}

/** @type {Record<string, (car: Api.VehicleView, expect: (what: string, shows: string, wanted: string | RegExp) => void, latched: boolean) => Promise<void>>} */
const PAGES = {
  async index(car, expect) {
    expect("freshness", shown("#freshness"), "Up to date, every 2 seconds");
    const cells = [...document.querySelectorAll(`#live-table tr[data-key="${car.vehicle}"] td`)].map((cell) => cell.textContent ?? "");
    row(car).forEach((wanted, i) => expect(`column ${i}`, cells[i] ?? "(missing)", wanted));
    expect("online", shown("#kpi-online"), `${car.online ? 1 : 0} of 1`);
    const driven = car.online && car.author === "operator" ? 1 : 0;
    expect("driven", shown("#kpi-online-note"), `${driven} driven by an operator now`);
    speed(car, cells[4] ?? "", expect);
  },
  async episodes(_car, expect) {
    const known = await (await fetch("/api/v1/episodes?limit=100")).json();
    expect("found", shown("#found"), `${known.length} found, latest to arrive first`);
    expect("rows", String(document.querySelectorAll("#results-table tbody tr").length), String(known.length));
  },
  async vehicle(car, expect, latched) {
    expect("name", shown("#name"), car.vehicle);
    if (!car.online) {
      expect("status", shown(".status"), /offline/);
      expect("health", shown("#health"), `${car.vehicle} is offline.`);
      return;
    }
    const [shownMode, author, kmh] = [...document.querySelectorAll(".hud dd")].map((value) => value.textContent ?? "");
    expect("mode", shownMode, latched ? `${mode(car)} (emergency stop)` : mode(car));
    expect("author", author, car.author ?? "");
    expect("status", String(visible(".status")), "false");
    expect("stale", String(visible(".stale")), "false");
    expect("health", shown("#health"), /^control loop .* late/);
    speed(car, kmh, expect);
  },
  async list(car, expect) {
    expect("cars", String(document.querySelectorAll(".vehicles li").length), "1");
    expect("car", shown(".vehicles li"), car.online ? new RegExp(`online[^]*mode ${mode(car)} · driven by ${car.author}[^]*Take a seat`) : /offline/);
  },
  async seat(car, expect, latched) {
    expect("banner", shown("#banner-title"), banner(car, latched));
    if (!car.online) {
      expect("why", shown("#banner-detail"), /offline/);
      return;
    }
    expect("authority", shown("#authority"), new RegExp(`^mode ${mode(car)} · epoch \\d+$`));
    speed(car, shown("#speed"), expect);
  },
};

/** @type {(car: Api.VehicleView, shows: string, expect: (what: string, shows: string, wanted: string | RegExp) => void) => void} */
function speed(car, shows, expect) {
  if (!car.online || car.speed_mps === null) return;
  const off = Math.abs(kilometres(shows) - Math.abs(car.speed_mps) * 3.6);
  const stands = car.mode === "stopped" && car.speed_mps === 0;
  if (stands ? kilometres(shows) !== 0 : !(off <= SPEED_KMH)) expect("speed", shows, `${(car.speed_mps * 3.6).toFixed(0)} km/h`);
}

/**
 * What the page says that is not so, or that no page should say.
 * @param {string} page one of `PAGES`
 * @param {string} vehicle
 * @param {boolean} latched whether its emergency stop is, which the control plane does not know
 */
async function untrue(page, vehicle, latched) {
  /** @type {Api.VehicleView[]} */
  const vehicles = await (await fetch("/api/v1/vehicles", { cache: "no-store" })).json();
  const car = vehicles.find((v) => v.vehicle === vehicle);
  if (!car) return { wrong: [`the control plane does not know ${vehicle}`] };
  /** @type {string[]} */
  const wrong = NEVER.filter((words) => document.body.innerText.includes(words)).map((words) => `says "${words}"`);
  await PAGES[page](car, (what, shows, wanted) => {
    if (typeof wanted === "string" ? shows !== wanted : !wanted.test(shows)) wrong.push(`${what}: "${shows}" instead of ${wanted}`);
  }, latched);
  return { wrong, car };
}

Object.assign(window, { untrue });
