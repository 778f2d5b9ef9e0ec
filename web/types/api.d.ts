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
    role: "policy" | "previous" | "operator" | "reference";
    road: string;
    turn: number | null;
    training_seed: number | null;
    miles: number;
    takeovers: number;
    mpd: number;
    mpd_low: number;
    mpd_high: number | null;
    necessary: number | null;
    necessary_mpd: number | null;
    necessary_mpd_low: number | null;
    necessary_mpd_high: number | null;
    crashes: number;
    crashes_per_100_miles: number | null;
    crashes_per_100_miles_low: number | null;
    crashes_per_100_miles_high: number | null;
    near_misses: number;
    near_misses_per_100_miles: number | null;
    near_misses_per_100_miles_low: number | null;
    near_misses_per_100_miles_high: number | null;
    help_requests: number;
    help_requests_per_100_miles: number | null;
    help_requests_per_100_miles_low: number | null;
    help_requests_per_100_miles_high: number | null;
    trips: number;
    completed: number;
    completion: number;
    completion_low: number;
    completion_high: number;
    mean_speed_mps: number;
    mean_speed_mps_low: number;
    mean_speed_mps_high: number;
    free_speed_share: number;
    free_speed_share_low: number;
    free_speed_share_high: number;
    comfort: number;
    comfort_low: number;
    comfort_high: number;
    score: number;
    score_low: number;
    score_high: number;
    parts: ScoreParts;
    domains: DomainFigures[];
    events: string[];
    seed: number;
    trained_on: string[];
    gated_on: string[];
  }

  interface ScoreParts {
    no_at_fault_collision: number;
    drivable_area: number;
    direction: number;
    making_progress: number;
    progress: number;
    time_to_collision: number;
    speed_limit: number;
    comfort: number;
  }

  interface DomainFigures {
    domain: string;
    miles: number;
    takeovers: number;
    mpd: number;
    mpd_low: number;
    mpd_high: number | null;
    crashes: number;
    near_misses: number;
    mean_speed_mps: number;
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

  interface FleetRow {
    kind: string;
    policy: string;
    manual_miles: number;
    miles: number;
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
    by_policy: FleetRow[];
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
