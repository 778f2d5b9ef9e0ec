//! Asks the control plane which vehicle to connect to.

use crate::ConsoleError;
use control_plane_client::{ControlPlaneAddress, ControlPlaneClient, Retry};
use protocol::VehicleId;

/// The first vehicle at `control_plane` that drives in real time and is there. Asked once: whoever searches asks again.
///
/// # Errors
/// When the control plane does not answer, answers something else, or has no live vehicle.
pub fn first_live_vehicle(control_plane: &ControlPlaneAddress) -> Result<VehicleId, ConsoleError> {
    let vehicles = ControlPlaneClient::new(control_plane, Retry::Never).vehicles()?;
    let live = vehicles.into_iter().find(|vehicle| vehicle.kind == "live" && vehicle.online);
    live.map(|live| live.vehicle).ok_or_else(|| ConsoleError::NoVehicle(control_plane.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server that answers one request with `body` and goes away.
    fn serve(body: String) -> ControlPlaneAddress {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 2048];
            let _ = stream.read(&mut request).unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        });
        format!("http://{address}").parse().unwrap()
    }

    fn vehicle(id: &str, kind: &str, online: bool) -> String {
        format!(
            r#"{{"vehicle":"{id}","kind":"{kind}","embodiment":"","map":"","software":"","online":{online},
                "last_seen_ms":0,"status_age_ms":null,"mode":null,"author":null,"speed_mps":null,"policy":null,
                "round_trip_ms":null,"refused":{{}},"timing":null,"upload":null,"clock":null,"autonomous_miles":0.0,
                "manual_miles":0.0,"disengagements":0}}"#
        )
    }

    #[test]
    fn the_first_live_vehicle_is_chosen() {
        let list = [
            vehicle("sim-1", "virtual", true),
            vehicle("car-0", "live", false),
            vehicle("car-1", "live", true),
            vehicle("car-2", "live", true),
        ];
        let address = serve(format!("[{}]", list.join(",")));
        assert_eq!(first_live_vehicle(&address).unwrap().as_str(), "car-1");
    }

    #[test]
    fn an_empty_list_and_a_wrong_answer_say_so() {
        let none = first_live_vehicle(&serve("[]".to_owned())).unwrap_err().to_string();
        assert!(none.contains("no live vehicle"), "{none}");
        let wrong = first_live_vehicle(&serve("<html>".to_owned())).unwrap_err().to_string();
        assert!(wrong.contains("GET /api/v1/vehicles cannot be read"), "{wrong}");
    }

    #[test]
    fn a_control_plane_that_is_down_is_named() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("http://127.0.0.1:{port}").parse().unwrap();
        let error = first_live_vehicle(&address).unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")) && error.contains("takeover web"), "{error}");
    }
}
