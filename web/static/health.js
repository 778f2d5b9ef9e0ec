// A vehicle's own health in words: how punctual its control loop is, what it refused to act on.

const ms = (us) => `${(us / 1000).toFixed(1)} ms`;

export function health({ timing, refused, upload, clock }) {
  const loop = timing
    ? `control loop ${ms(timing.lateness_p99_us)} late (99 %), ${ms(timing.lateness_max_us)} at most, ${timing.missed_deadlines} deadlines missed`
    : "control loop: no figures";
  // Each datagram repeats earlier inputs on purpose.
  const counts = Object.entries(refused ?? {}).filter(([reason]) => reason !== "out_of_sequence");
  const words = counts.map(([reason, count]) => `${reason} ${count}`).join(", ");
  const waiting = upload && upload.episodes > 0
    ? `; ${upload.episodes} episodes to upload, ${(upload.bytes / 1e6).toFixed(1)} MB at ${(upload.rate_bps / 1e3).toFixed(0)} kbit/s`
    : "";
  const clocks = (clock?.warnings ?? []).map((warning) => `${warning}; `).join("");
  return `${clocks}${loop}; messages refused: ${words || "none"}${waiting}`;
}
