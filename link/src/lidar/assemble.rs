//! From segments to scans.

use super::{LidarError, decode};
use protocol::v1::LidarSegment;

/// A scan as the seat has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LidarScan {
    /// On the vehicle's clock, microseconds.
    pub capture_us: u64,
    /// Counts scans.
    pub number: u64,
    /// Angle of the first beam, counter-clockwise from ahead, rad.
    pub start_angle_rad: f64,
    /// Angle of the last beam, rad.
    pub end_angle_rad: f64,
    /// Range of each beam, m: infinite where there was no echo, not a number where the network lost it.
    pub ranges_m: Vec<f32>,
}

impl LidarScan {
    /// Beams that the network lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.ranges_m.iter().filter(|range| range.is_nan()).count()
    }

    /// Angle of a beam, rad.
    #[must_use]
    pub fn angle_rad(&self, beam: usize) -> f64 {
        let intervals = self.ranges_m.len().saturating_sub(1).max(1) as f64;
        self.start_angle_rad + (self.end_angle_rad - self.start_angle_rad) * beam as f64 / intervals
    }
}

/// Puts scans together; a newer scan ends the one before, complete or not.
#[derive(Debug, Default)]
pub struct ScanAssembler {
    scan: LidarScan,
    /// Beams that have not come.
    open: usize,
    /// The newest scan that was given out.
    given: Option<u64>,
}

impl ScanAssembler {
    /// Takes a segment; gives a scan that it completed, or else the one before that it put an end to.
    ///
    /// # Errors
    /// [`LidarError`]: the segment cannot be used; what was collected stays.
    pub fn push(&mut self, segment: &LidarSegment) -> Result<Option<LidarScan>, LidarError> {
        let ranges = decode(segment)?;
        let beams = segment.beams as usize;
        let current = self.open > 0 && self.scan.number == segment.number && self.scan.ranges_m.len() == beams;
        let mut out = None;
        if !current {
            // Late or repeated: its scan is over, or a newer one is being collected.
            let newest = if self.open > 0 { Some(self.scan.number) } else { self.given };
            if newest.is_some_and(|newest| segment.number <= newest) {
                return Ok(None);
            }
            out = self.give();
            self.open = beams;
            self.scan = LidarScan {
                capture_us: segment.capture_us,
                number: segment.number,
                start_angle_rad: segment.start_angle_rad,
                end_angle_rad: segment.end_angle_rad,
                ranges_m: vec![f32::NAN; beams],
            };
        }
        let first = segment.first as usize;
        for (beam, range) in self.scan.ranges_m[first..].iter_mut().zip(ranges) {
            self.open -= usize::from(beam.is_nan());
            *beam = range;
        }
        if self.open == 0 {
            self.given = Some(self.scan.number);
            return Ok(Some(std::mem::take(&mut self.scan)));
        }
        Ok(out)
    }

    fn give(&mut self) -> Option<LidarScan> {
        let begun = std::mem::take(&mut self.open) > 0;
        begun.then(|| {
            self.given = Some(self.scan.number);
            std::mem::take(&mut self.scan)
        })
    }
}
