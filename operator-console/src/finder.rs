//! Asks the control plane which vehicle to connect to.

use crate::ConsoleError;
use protocol::VehicleId;
use serde_json::Value;
use std::time::Duration;

/// The first live vehicle at `control_plane`.
///
/// # Errors
/// When the control plane does not answer, answers something else, or has no live vehicle.
pub fn first_live_vehicle(control_plane: &str) -> Result<VehicleId, ConsoleError> {
    let url = format!("{}/api/v1/vehicles", control_plane.trim_end_matches('/'));
    let fail = |reason: String| ConsoleError::ControlPlane { url: url.clone(), reason };
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).build().into();
    let mut response = agent.get(&url).call().map_err(|e| fail(e.to_string()))?;
    let body = response.body_mut().read_to_string().map_err(|e| fail(e.to_string()))?;
    let list: Value = serde_json::from_str(&body)
        .map_err(|e| ConsoleError::VehicleList { url: url.clone(), reason: e.to_string() })?;
    let vehicles = list.as_array().or_else(|| list.get("vehicles")?.as_array()).ok_or_else(|| {
        ConsoleError::VehicleList { url: url.clone(), reason: format!("no array in {:.60}", list.to_string()) }
    })?;
    vehicles.iter().find_map(live_vehicle).ok_or_else(|| ConsoleError::NoVehicle(control_plane.to_owned()))
}

/// The id of one entry, unless it drives in virtual time only or is known to be away.
fn live_vehicle(entry: &Value) -> Option<VehicleId> {
    let is_virtual = entry.get("kind").and_then(Value::as_str).is_some_and(|kind| kind != "live");
    let away = ["online", "connected", "live"].iter().any(|key| entry.get(key) == Some(&Value::Bool(false)));
    if is_virtual || away {
        return None;
    }
    VehicleId::new(entry.get("vehicle")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server that answers one request with `body` and goes away.
    fn serve(body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 2048];
            let _ = stream.read(&mut request).unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        });
        format!("http://{address}")
    }

    #[test]
    fn the_first_live_vehicle_is_chosen() {
        let url = serve(
            r#"[{"vehicle":"sim-1","kind":"virtual"},{"vehicle":"car-0","kind":"live","online":false},
                {"vehicle":"car-1","kind":"live","online":true},{"vehicle":"car-2","kind":"live"}]"#,
        );
        assert_eq!(first_live_vehicle(&url).unwrap().as_str(), "car-1");
    }

    #[test]
    fn an_empty_list_and_a_wrong_answer_say_so() {
        let none = first_live_vehicle(&serve("[]")).unwrap_err().to_string();
        assert!(none.contains("no live vehicle"), "{none}");
        let wrong = first_live_vehicle(&serve("<html>")).unwrap_err().to_string();
        assert!(wrong.contains("not a list of vehicles"), "{wrong}");
    }

    #[test]
    fn a_control_plane_that_is_down_is_named() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = first_live_vehicle(&format!("http://127.0.0.1:{port}")).unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")) && error.contains("make demo"), "{error}");
    }
}
