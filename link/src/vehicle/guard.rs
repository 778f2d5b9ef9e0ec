//! Who may take part: asked by the link, answered by the vehicle.

use protocol::signalling::Signal;

/// Decides which seats may take part, by what the control plane says of them. The link's one task calls it: no method
/// may block.
pub trait Guard: Send + Sync {
    /// The control plane was reached, or lost.
    fn control_plane(&self, is_up: bool);

    /// The control plane names the public key of its grants.
    fn key(&self, grant_key: Option<&str>);

    /// What the next offer of a session shall ask the control plane to repeat in its grant. The session's own task calls
    /// this one.
    fn challenge(&self, session: &str) -> Option<String>;

    /// A grant for a session of `seat` came.
    fn grant(&self, session: &str, seat: &str, grant: &str);

    /// The seat answers with this description.
    ///
    /// # Errors
    /// Why the session must end, for the person.
    fn answer(&self, session: &str, description: &str) -> Result<(), String>;

    /// What the control plane is to be asked, and a goodbye for each session that must end; called once a second.
    fn questions(&self) -> Vec<Signal>;

    /// The session is over.
    fn ended(&self, session: &str);
}
