//! Rate limits between hands and commands: a key is all or nothing, a car's controls are not.

use super::{Device, Drive};

/// Greatest changes, in shares of full travel a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Pressing the accelerator.
    pub accelerate: f64,
    /// Pressing the brake.
    pub brake: f64,
    /// Letting go of either pedal.
    pub release: f64,
    /// Turning away from the centre.
    pub steer: f64,
    /// Turning back to the centre.
    pub centre: f64,
}

impl Rates {
    /// A key builds up over about a second; a pad's own travel is nearly followed.
    #[must_use]
    pub fn of(device: Device) -> Self {
        match device {
            Device::Keyboard => Self { accelerate: 1.2, brake: 2.5, release: 5.0, steer: 1.4, centre: 2.2 },
            Device::Gamepad => Self { accelerate: 6.0, brake: 10.0, release: 10.0, steer: 4.0, centre: 4.0 },
        }
    }
}

/// Where the controls stand after rate limits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ramp {
    /// The limited controls.
    pub drive: Drive,
}

fn toward(now: f64, target: f64, step: f64) -> f64 {
    now + (target - now).clamp(-step, step)
}

impl Ramp {
    /// Starts from what the vehicle does at the change of hands, so that the wheel does not jump.
    #[must_use]
    pub fn seeded(steer: f64) -> Self {
        let steer = if steer.is_finite() { steer.clamp(-1.0, 1.0) } else { 0.0 };
        Self { drive: Drive { steer, ..Drive::default() } }
    }

    /// Moves toward `target` for `dt_s` seconds; the brake beats the accelerator.
    pub fn step(&mut self, target: &Drive, rates: &Rates, dt_s: f64) -> Drive {
        let pedal = |now: f64, target: f64, press: f64| {
            toward(now, target.clamp(0.0, 1.0), if target > now { press } else { rates.release } * dt_s)
        };
        let d = &mut self.drive;
        let wanted = if target.brake > 0.0 { 0.0 } else { target.accelerate };
        d.accelerate = pedal(d.accelerate, wanted, rates.accelerate);
        d.brake = pedal(d.brake, target.brake, rates.brake);
        let steer = target.steer.clamp(-1.0, 1.0);
        let outward = steer.abs() > d.steer.abs() && steer * d.steer >= 0.0;
        d.steer = toward(d.steer, steer, if outward { rates.steer } else { rates.centre } * dt_s);
        *d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: f64 = 0.01;

    fn after(ramp: &mut Ramp, target: Drive, ticks: usize) -> Drive {
        let rates = Rates::of(Device::Keyboard);
        (0..ticks).for_each(|_| {
            ramp.step(&target, &rates, DT);
        });
        ramp.drive
    }

    #[test]
    fn no_tick_exceeds_the_rates() {
        let rates = Rates::of(Device::Keyboard);
        let mut ramp = Ramp::default();
        let mut before = ramp.drive;
        for tick in 0..400 {
            let on = tick / 50 % 2 == 0;
            let target = Drive {
                accelerate: f64::from(u8::from(on)),
                brake: f64::from(u8::from(!on)),
                steer: if on { 1.0 } else { -1.0 },
            };
            let now = ramp.step(&target, &rates, DT);
            assert!((now.steer - before.steer).abs() <= rates.centre * DT + 1e-12);
            assert!(now.accelerate - before.accelerate <= rates.accelerate * DT + 1e-12);
            assert!(now.brake - before.brake <= rates.brake * DT + 1e-12);
            before = now;
        }
    }

    #[test]
    fn a_held_key_reaches_the_stop_and_a_released_one_comes_back() {
        let mut ramp = Ramp::default();
        let full = after(&mut ramp, Drive { accelerate: 1.0, steer: 1.0, brake: 0.0 }, 100);
        assert_eq!((full.accelerate, full.steer), (1.0, 1.0));
        assert_eq!(after(&mut ramp, Drive::default(), 100), Drive::default());
    }

    #[test]
    fn braking_lets_go_of_the_accelerator() {
        let mut ramp = Ramp::default();
        after(&mut ramp, Drive { accelerate: 1.0, ..Drive::default() }, 100);
        let both = after(&mut ramp, Drive { accelerate: 1.0, brake: 1.0, steer: 0.0 }, 60);
        assert_eq!((both.accelerate, both.brake), (0.0, 1.0));
    }

    #[test]
    fn a_change_of_hands_in_a_bend_starts_from_the_cars_own_steering() {
        let mut ramp = Ramp::seeded(0.4);
        let first = ramp.step(&Drive::default(), &Rates::of(Device::Keyboard), DT);
        assert!((first.steer - 0.378).abs() < 1e-9, "{first:?}");
        assert_eq!(Ramp::seeded(f64::NAN), Ramp::default());
    }
}
