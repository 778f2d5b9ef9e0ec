//! The drive that others are measured against: alone on the road.

use sim::world::World;

/// Lateral acceleration in bends, m/s^2: what passengers accept, as the policy's features have it.
const LATERAL_MPS2: f64 = 2.0;
/// Acceleration, and braking for bends and lower limits, m/s^2.
const ACCELERATION_MPS2: f64 = 1.5;
/// Slowest pace, m/s: keeps times finite.
const SLOWEST_MPS: f64 = 0.5;
/// From here to the route's end a trip counts as arrived, metres: a little more than the world's own 8 m.
const ARRIVED_M: f64 = 10.0;

/// A drive along a route from standstill, alone, at the limit, slowing for bends and lower limits.
#[derive(Debug, Clone, PartialEq)]
pub struct FreeDrive {
    /// Time at each metre of the route, seconds.
    at_s: Vec<f64>,
}

impl FreeDrive {
    /// Along the route of `world`.
    #[must_use]
    pub fn of(world: &World) -> Self {
        let fastest_mps = world.embodiment().fastest_mps();
        Self::along(world.route().length_m(), |s_m| {
            let station = world.station(s_m);
            let bend_mps = (LATERAL_MPS2 / station.curvature_per_m.abs().max(1e-6)).sqrt();
            station.speed_limit_mps.min(bend_mps).min(fastest_mps)
        })
    }

    /// Along `length_m` metres with this speed allowed at each, m/s.
    #[must_use]
    pub fn along(length_m: f64, allowed_mps: impl Fn(f64) -> f64) -> Self {
        let metres = length_m.max(1.0) as usize;
        let mut speed: Vec<f64> = (0..=metres).map(|s| allowed_mps(s as f64).max(SLOWEST_MPS)).collect();
        let reachable = |from: f64| (from * from + 2.0 * ACCELERATION_MPS2).sqrt();
        speed[0] = SLOWEST_MPS;
        for s in 1..=metres {
            speed[s] = speed[s].min(reachable(speed[s - 1]));
        }
        for s in (0..metres).rev() {
            speed[s] = speed[s].min(reachable(speed[s + 1]));
        }
        let mut at_s = vec![0.0; metres + 1];
        for s in 1..=metres {
            at_s[s] = at_s[s - 1] + 2.0 / (speed[s - 1] + speed[s]);
        }
        Self { at_s }
    }

    /// Seconds from the start to `s_m`.
    fn at(&self, s_m: f64) -> f64 {
        let last = self.at_s.len() - 1;
        let s_m = s_m.clamp(0.0, last as f64);
        let before = (s_m as usize).min(last - 1);
        self.at_s[before] + (s_m - before as f64) * (self.at_s[before + 1] - self.at_s[before])
    }

    /// Seconds that it takes from one place of the route to a later one.
    #[must_use]
    pub fn time_s(&self, from_m: f64, to_m: f64) -> f64 {
        (self.at(to_m) - self.at(from_m)).max(0.0)
    }

    /// How far it gets in `time_s` from the start, metres.
    #[must_use]
    pub fn distance_m(&self, time_s: f64) -> f64 {
        self.at_s.partition_point(|at| *at <= time_s).saturating_sub(1) as f64
    }

    /// Where a trip has arrived, metres.
    #[must_use]
    pub fn arrived_m(&self) -> f64 {
        self.at_s.len() as f64 - 1.0 - ARRIVED_M
    }
}
