//! The intelligent driver model (Treiber, Hennecke, Helbing, *Congested traffic states in empirical observations and
//! microscopic simulations*, Phys. Rev. E 62, 2000).

/// How one driver drives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Idm {
    /// Share of the usual speed of the place that this driver wants.
    pub eagerness: f64,
    /// Time gap, s.
    pub headway_s: f64,
    /// Gap at standstill, m.
    pub standstill_m: f64,
    /// Acceleration, m/s^2.
    pub accelerate_mps2: f64,
    /// Comfortable deceleration, m/s^2.
    pub brake_mps2: f64,
}

/// Mildest limit of the deceleration for being too fast for the place, m/s^2.
pub(super) const SLOWING_MPS2: f64 = 2.5;

impl Idm {
    /// Acceleration on a free road.
    pub(crate) fn free(&self, speed_mps: f64, desired_mps: f64) -> f64 {
        if desired_mps < 0.1 {
            return -self.brake_mps2;
        }
        let ratio = speed_mps / desired_mps;
        (self.accelerate_mps2 * (1.0 - (ratio * ratio) * (ratio * ratio))).max(-SLOWING_MPS2)
    }

    /// What a leader `gap_m` ahead at `leader_mps` takes away from the free acceleration.
    pub(crate) fn interaction(&self, speed_mps: f64, gap_m: f64, leader_mps: f64) -> f64 {
        let closing = speed_mps * (speed_mps - leader_mps) / (2.0 * (self.accelerate_mps2 * self.brake_mps2).sqrt());
        let wanted = self.standstill_m + (speed_mps * self.headway_s + closing).max(0.0);
        let ratio = wanted / gap_m.max(0.2);
        self.accelerate_mps2 * ratio * ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVER: Idm =
        Idm { eagerness: 1.0, headway_s: 1.4, standstill_m: 2.0, accelerate_mps2: 1.5, brake_mps2: 2.0 };

    #[test]
    fn a_free_road_is_driven_at_the_desired_speed() {
        assert!(DRIVER.free(0.0, 20.0) > 1.4 && DRIVER.free(20.0, 20.0).abs() < 1e-9 && DRIVER.free(25.0, 20.0) < 0.0);
    }

    #[test]
    fn behind_a_steady_leader_the_gap_settles_at_the_headway() {
        let (mut speed, mut gap) = (20.0, 120.0);
        for _ in 0..6000 {
            speed += 0.1 * (DRIVER.free(speed, 20.0) - DRIVER.interaction(speed, gap, 10.0));
            gap += 0.1 * (10.0 - speed);
        }
        let wanted = 2.0 + 10.0 * 1.4;
        assert!((speed - 10.0).abs() < 0.01 && gap > wanted && gap < wanted * 1.1, "{speed} {gap}");
    }
}
