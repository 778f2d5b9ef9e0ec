//! Who may take part: asked by the link, answered by the vehicle.

use protocol::signalling::Signal;

/// Decides which seats may take part, by what the control plane says of them. The link's one task calls it: no method
/// may block.
pub trait Guard: Send + Sync {
    /// The control plane was reached, or lost.
    fn control_plane(&self, is_up: bool);

    /// The control plane names the public key of its grants.
    fn key(&self, grant_key: Option<&str>);

    /// A grant for a session of `seat` came.
    fn grant(&self, session: &str, seat: &str, grant: &str);

    /// The seat answers with this description.
    ///
    /// # Errors
    /// Why the session must end, for the person.
    fn answer(&self, session: &str, description: &str) -> Result<(), String>;

    /// What the control plane is to be asked; called once a second.
    fn questions(&self) -> Vec<Signal>;

    /// The session is over.
    fn ended(&self, session: &str);
}
