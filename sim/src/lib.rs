//! The simulated world that vehicles, seats and rollouts run in: real road networks, a car, traffic, difficult
//! situations, sensors, and a scripted remote operator. The robot in it is made as its `protocol::Embodiment` says.
//!
//! The types to know:
//!
//! - [`road::RoadNetwork`] is a map, read from OpenDRIVE; [`route::Route`] is a line through it.
//! - [`world::World`] puts a car and traffic on a route and is stepped by commands.
//! - [`camera::Camera`] draws what the car's camera sees of a [`scene::SceneSnapshot`].
//!
//! ```
//! use rand::SeedableRng;
//! use sim::road::RoadNetwork;
//!
//! let network = RoadNetwork::built_in("fabriksgatan")?;
//! let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
//! let route = network.random_route(&mut rng, 300.0)?;
//! let here = route.at(120.0);
//! let (s_m, d_m) = route.project(here.x_m, here.y_m, 110.0);
//! assert!((s_m - 120.0).abs() < 0.05 && d_m.abs() < 0.05);
//! # Ok::<(), sim::road::RoadError>(())
//! ```
//!
//! Everything is deterministic: a seed and the commands decide the rest. Nothing here reads a clock, starts a thread or
//! opens a socket; only [`road::RoadNetwork::from_file`] touches a file.
//!
//! What it is not: the ground is flat (elevation, banking and road objects of a map are skipped), there are no traffic
//! lights or right-of-way rules, and a lane has one kind of paint per side.

pub mod camera;
pub mod differential;
pub mod drivetrain;
pub mod dynamics;
pub mod lidar;
mod opendrive;
pub mod operator;
pub mod road;
pub mod route;
pub mod scenario_event;
pub mod scene;
pub mod traffic;
pub mod world;
