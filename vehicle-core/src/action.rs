//! One action: a value for each of the embodiment's action channels, without allocation.

/// Action channels that the core handles without allocation.
pub const MAX_CHANNELS: usize = protocol::MAX_ACTION_CHANNELS;

/// Values of the embodiment's action channels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Action {
    values: [f64; MAX_CHANNELS],
    channels: usize,
}

impl Action {
    /// Takes up to [`MAX_CHANNELS`] values; `None` when there are more.
    #[must_use]
    pub fn new(values: &[f64]) -> Option<Self> {
        let mut action = Self { channels: values.len(), ..Self::default() };
        action.values.get_mut(..values.len())?.copy_from_slice(values);
        Some(action)
    }

    /// The values, one a channel.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        &self.values[..self.channels]
    }

    /// The values, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [f64] {
        &mut self.values[..self.channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_channels_than_fit_are_refused() {
        assert_eq!(Action::new(&[0.5; MAX_CHANNELS]).unwrap().as_slice(), [0.5; MAX_CHANNELS]);
        assert_eq!(Action::new(&[0.5; MAX_CHANNELS + 1]), None);
    }
}
