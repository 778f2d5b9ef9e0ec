//! `--policy FOLDER|operator|reference`: who is put into the policy's seat.

use anyhow::Context;
use policy::Policy;
use protocol::Embodiment;
use std::path::Path;
use trainer::policy_seat::PolicySeat;

/// The driver that `choice` names: the scripted operator's own driving, the reference driver, or the learned policy of a
/// folder. `robot` is what it drives; without it, a policy's own robot, else the built-in car.
///
/// # Errors
/// When the folder holds no policy of that robot, or the robot cannot be driven so.
pub fn policy_seat(choice: &Path, robot: Option<&Embodiment>) -> anyhow::Result<PolicySeat> {
    let car = Embodiment::ackermann_car();
    let robot_or_car = robot.unwrap_or(&car);
    match choice.to_str() {
        Some("operator") => PolicySeat::operator(robot_or_car).context("the scripted operator cannot drive it"),
        Some("reference") => PolicySeat::reference(robot_or_car).context("the reference driver cannot drive it"),
        _ => {
            let loaded = match robot {
                Some(robot) => Policy::load_for(robot, choice),
                None => Policy::load(choice),
            };
            let what = "give a policy's folder, \"operator\" or \"reference\"";
            Ok(loaded.with_context(|| format!("cannot use the policy in {}; {what}", choice.display()))?.into())
        }
    }
}
