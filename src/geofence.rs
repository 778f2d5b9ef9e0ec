//! `takeover geofence`: where a control plane permits its vehicles to drive.

use crate::output::or_unread;
use anyhow::Context;
use clap::Subcommand;
use control_plane_client::{ControlPlaneArgs, ControlPlaneClient, Retry};
use protocol::VehicleId;
use protocol::api::{ChangeReason, GeofenceRequest, GeofenceView};
use std::path::PathBuf;
use vehicle_bridge::geofence_file;

/// Says where a vehicle may drive, beside the area that it was given itself (`takeover bridge --geofence`): it stays inside
/// both.
///
/// The control plane signs each order; the vehicle takes it within seconds, keeps it across restarts, obeys it without the
/// control plane, and writes it into its audit log.
#[derive(Debug, Clone, clap::Args)]
pub struct GeofenceArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Prints the newest order, and whether the vehicle obeys it.
    Show(ShowArgs),
    /// Orders a vehicle to stay inside an area.
    Set(SetArgs),
    /// Takes the order back.
    Remove(RemoveArgs),
}

#[derive(Debug, Clone, clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Clone, clap::Args)]
struct SetArgs {
    /// TOML file with `corners_m`, the corners of a polygon in the vehicle's road network's coordinates.
    #[arg(long, value_name = "FILE")]
    area: PathBuf,
    /// Why, for people who look later.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Clone, clap::Args)]
struct RemoveArgs {
    /// Why, for people who look later.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    of: Of,
}

/// Whose order, and how it is printed.
#[derive(Debug, Clone, clap::Args)]
struct Of {
    /// Which vehicle.
    vehicle: VehicleId,
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    /// Prints the order as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the area cannot be used, or the control plane refuses or cannot be reached.
pub fn run(args: &GeofenceArgs) -> anyhow::Result<()> {
    match &args.action {
        Action::Show(ShowArgs { of }) => match of.client()?.geofence(&of.vehicle)? {
            Some(view) => of.print(&view),
            None => anyhow::bail!("{} was never ordered to stay inside an area", of.vehicle),
        },
        Action::Set(SetArgs { area, reason, of }) => {
            let corners_m = geofence_file::read(area)
                .with_context(|| format!("cannot use the permitted area {}", area.display()))?;
            let request = GeofenceRequest { corners_m, reason: reason.clone() };
            of.print(&of.client()?.set_geofence(&of.vehicle, &request)?)
        }
        Action::Remove(RemoveArgs { reason, of }) => {
            let why = ChangeReason { reason: reason.clone() };
            of.print(&of.client()?.remove_geofence(&of.vehicle, &why)?)
        }
    }
}

impl Of {
    fn client(&self) -> anyhow::Result<ControlPlaneClient> {
        Ok(ControlPlaneClient::new(&self.control_plane.address()?, Retry::Briefly))
    }

    /// Says what holds; it holds whether or not anybody reads it.
    fn print(&self, view: &GeofenceView) -> anyhow::Result<()> {
        let printed = if self.json {
            say!("{}", serde_json::to_string_pretty(view)?)
        } else {
            let GeofenceView { vehicle, serial, reason, .. } = view;
            let what = match &view.corners_m {
                Some(area) => format!("stay inside an area of {} corners", area.corners_m().len()),
                None => "drive wherever its own area permits".to_owned(),
            };
            let obeyed = if view.obeyed { "obeyed" } else { "not confirmed by the vehicle yet" };
            say!("{vehicle}: {what} (order {serial}: {reason}); {obeyed}")
        };
        Ok(or_unread(printed)?)
    }
}
