// A vehicle's own health in words: the jitter of its control loop, what it refused to act on.

/** @param {number} us */
const ms = (us) => `${(us / 1000).toFixed(1)} ms`;

/** @param {Pick<Api.VehicleView, "timing" | "refused" | "upload">} vehicle */
export function health({ timing, refused, upload }) {
  const loop = timing
    ? `control loop ${ms(timing.lateness_p99_us)} late (99 %), ${ms(timing.lateness_max_us)} at most, ${timing.missed_deadlines} deadlines missed`
    : "control loop: no figures";
  // Each datagram repeats earlier inputs on purpose.
  const counts = Object.entries(refused).filter(([reason]) => reason !== "out_of_sequence");
  const words = counts.map(([reason, count]) => `${reason} ${count}`).join(", ");
  const waiting = upload && upload.episodes > 0
    ? `; ${upload.episodes} episodes to upload, ${(upload.bytes / 1e6).toFixed(1)} MB at ${(upload.rate_bps / 1e3).toFixed(0)} kbit/s`
    : "";
  return `${loop}; messages refused: ${words || "none"}${waiting}`;
}

/**
 * The control plane's order on where the vehicle may drive, in words; empty when there never was one.
 * @param {Pick<Api.VehicleView, "vehicle" | "geofence">} vehicle
 */
export function permittedArea({ vehicle, geofence }) {
  if (!geofence) return "";
  const what = geofence.corners > 0 ? `${vehicle} is to stay inside an area of ${geofence.corners} corners` : `${vehicle} has no permitted area from the control plane any more`;
  const since = new Date(geofence.since_ms).toISOString().slice(0, 16).replace("T", " ");
  return `${what} (order ${geofence.serial}, ${since} UTC: ${geofence.reason}); ${geofence.obeyed ? "it obeys" : "it has not confirmed that yet"}`;
}

// A state older than this is not shown as current.
const STATUS_MS = 5000;

/**
 * Whether what the control plane knows of the vehicle is its state now.
 * @param {Api.VehicleView} v
 */
export const fresh = (v) => v.online && v.status_age_ms !== null && v.status_age_ms < STATUS_MS;
