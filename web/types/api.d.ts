// What the control plane answers, for the pages' scripts. The fields are those of `protocol::api` and `web::api`, where the
// units stand; a test of the web crate holds this file to what is really sent.

declare namespace Api {
  interface ControlTiming {
    lateness_p50_us: number;
    lateness_p99_us: number;
    lateness_max_us: number;
    work_max_us: number;
    missed_deadlines: number;
  }

  interface UploadProgress {
    episodes: number;
    bytes: number;
    limit_bps: number | null;
    rate_bps: number;
  }

  interface ClockDifference {
    ahead_ms: number;
    uncertainty_ms: number;
  }

  interface ClockView {
    control_plane: ClockDifference | null;
    seat: ClockDifference | null;
    warnings: string[];
  }

  interface GeofenceSummary {
    serial: number;
    corners: number;
    reason: string;
    since_ms: number;
    obeyed: boolean;
  }

  interface VehicleView {
    vehicle: string;
    kind: string;
    embodiment: string;
    map: string;
    software: string;
    online: boolean;
    last_seen_ms: number;
    status_age_ms: number | null;
    mode: string | null;
    author: string | null;
    speed_mps: number | null;
    policy: string | null;
    round_trip_ms: number | null;
    refused: Record<string, number>;
    timing: ControlTiming | null;
    upload: UploadProgress | null;
    clock: ClockView | null;
    geofence: GeofenceSummary | null;
    autonomous_miles: number;
    manual_miles: number;
    disengagements: number;
  }

  interface TakeoverView {
    id: string;
    vehicle: string;
    kind: string;
    policy: string;
    cause: string;
    at_ms: number;
    map: string;
    counted: boolean;
    duration_s: number | null;
    bytes: number | null;
    preview: boolean;
  }

  interface Evaluation {
    policy: string;
    miles: number;
    disengagements: number;
    mpd: number;
    mpd_low: number;
    mpd_high: number | null;
  }

  interface Policy {
    version: string;
    parent: string | null;
    sha256: string;
    episodes: number;
    frames: number;
    status: string;
    withdrawn?: Withdrawal;
  }

  interface Withdrawal {
    reason: string;
    since_ms: number;
  }

  interface FleetTotal {
    kind: string;
    vehicles: number;
    miles: number;
    manual_miles: number;
    disengagements: number;
    mpd: number;
    mpd_low: number;
    mpd_high: number | null;
  }

  interface CauseCount {
    kind: string;
    cause: string;
    disengagements: number;
  }

  interface Fleet {
    totals: FleetTotal[];
    by_policy: (Evaluation & { kind: string; manual_miles: number })[];
    by_cause: CauseCount[];
  }

  interface Verdict {
    verdict: string;
    by: string;
    note?: string;
    at_ms: number;
  }

  interface EpisodeView {
    id: string;
    vehicle: string;
    policy: string;
    cause: string;
    file: string;
    bytes: number;
    sha256: string;
    start_ms: number;
    duration_s: number;
    map: string;
    trigger?: string;
    reason?: string;
    software?: string;
    weather?: string;
    seats?: string[];
    x_m?: number;
    y_m?: number;
    latitude_deg?: number;
    longitude_deg?: number;
    verdict?: Verdict;
    preview?: boolean;
  }
}
