//! A robot's observation and action channels, so that nothing outside an adapter assumes a car.

/// One number that a robot reports or takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Name with its unit, such as `speed_mps`.
    pub name: &'static str,
    /// Least value, in the unit of the name.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
    /// Greatest change a second.
    pub rate_per_s: f64,
}

/// The channels of one kind of robot, in the order used by every message.
#[derive(Debug, Clone, PartialEq)]
pub struct Embodiment {
    /// Name, as recorded in episodes and policies.
    pub name: &'static str,
    /// What `VehicleState.observation` holds.
    pub observation: Vec<Channel>,
    /// What `ControlCommand.action` holds.
    pub action: Vec<Channel>,
    /// Deceleration, m/s^2, that the robot can be trusted to reach in a minimal risk manoeuvre on a dry road.
    pub stop_decel_mps2: f64,
}

fn channel(name: &'static str, min: f64, max: f64, rate_per_s: f64) -> Channel {
    Channel { name, min, max, rate_per_s }
}

impl Embodiment {
    /// A passenger car with front-wheel steering: actions are acceleration and the front wheels' angle. Limits are
    /// those of an ordinary car within a comfortable-to-hard range.
    #[must_use]
    pub fn ackermann_car() -> Self {
        Self {
            name: "ackermann_car",
            observation: vec![
                channel("speed_mps", -3.0, 60.0, 12.0),
                channel("acceleration_mps2", -10.0, 6.0, 100.0),
                channel("steering_rad", -0.6, 0.6, 0.8),
                channel("yaw_rate_radps", -2.0, 2.0, 20.0),
            ],
            action: vec![channel("acceleration_mps2", -8.0, 3.0, 40.0), channel("steering_rad", -0.55, 0.55, 0.7)],
            stop_decel_mps2: 4.0,
        }
    }

    /// The embodiment named `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::ackermann_car()].into_iter().find(|e| e.name == name)
    }

    /// Value of observation channel `name` in `values`.
    #[must_use]
    pub fn observation(&self, values: &[f64], name: &str) -> Option<f64> {
        let index = self.observation.iter().position(|c| c.name == name)?;
        values.get(index).copied()
    }

    /// Index of action channel `name`.
    #[must_use]
    pub fn action_index(&self, name: &str) -> Option<usize> {
        self.action.iter().position(|c| c.name == name)
    }
}
