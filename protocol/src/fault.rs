//! Fault codes that a vehicle's software enters itself, as they stand in [`VehicleState`](crate::v1::VehicleState). A robot
//! may enter codes of its own beside these: they are any text.

/// A fault of the vehicle's software.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultCode {
    /// A control tick ended after the next one was due; the core stops the vehicle when the loop stalls.
    ControlDeadlineMissed,
    /// The audit log is not kept: the disk refuses or is too slow.
    AuditLogFailing,
    /// The journal of odometer and epoch is not kept.
    JournalFailing,
    /// Episodes stay on the vehicle because they could not be redacted.
    UploadRedactionFailed,
    /// The recorder's disk is slower than what comes.
    RecorderDiskSlow,
    /// It has no space left.
    RecorderDiskFull,
    /// It must not be written to.
    RecorderDiskReadOnly,
    /// Its folder is not there.
    RecorderDiskGone,
    /// It fails in another way.
    RecorderDiskFailing,
    /// No robot is connected to the bridge's robot adapter.
    RobotNotConnected,
    /// One is, and does not say what it senses.
    RobotSilent,
}

impl FaultCode {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ControlDeadlineMissed,
        Self::AuditLogFailing,
        Self::JournalFailing,
        Self::UploadRedactionFailed,
        Self::RecorderDiskSlow,
        Self::RecorderDiskFull,
        Self::RecorderDiskReadOnly,
        Self::RecorderDiskGone,
        Self::RecorderDiskFailing,
        Self::RobotNotConnected,
        Self::RobotSilent,
    ];

    /// As it stands in messages and documents.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ControlDeadlineMissed => "control_deadline_missed",
            Self::AuditLogFailing => "audit_log_failing",
            Self::JournalFailing => "journal_failing",
            Self::UploadRedactionFailed => "upload_redaction_failed",
            Self::RecorderDiskSlow => "recorder_disk_slow",
            Self::RecorderDiskFull => "recorder_disk_full",
            Self::RecorderDiskReadOnly => "recorder_disk_read_only",
            Self::RecorderDiskGone => "recorder_disk_gone",
            Self::RecorderDiskFailing => "recorder_disk_failing",
            Self::RobotNotConnected => "robot_not_connected",
            Self::RobotSilent => "robot_silent",
        }
    }

    /// The fault of this code; `None` for a robot's own.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.code() == code)
    }

    /// Whether it triggers an episode. A recorder in trouble has nowhere to keep one, a late tick shows in the control
    /// timing, and what cannot be logged or uploaded says nothing of the drive.
    #[must_use]
    pub fn opens_episode(self) -> bool {
        match self {
            Self::JournalFailing | Self::RobotNotConnected | Self::RobotSilent => true,
            Self::ControlDeadlineMissed
            | Self::AuditLogFailing
            | Self::UploadRedactionFailed
            | Self::RecorderDiskSlow
            | Self::RecorderDiskFull
            | Self::RecorderDiskReadOnly
            | Self::RecorderDiskGone
            | Self::RecorderDiskFailing => false,
        }
    }
}

impl std::fmt::Display for FaultCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_code_and_a_robots_own_is_none_of_them() {
        for fault in FaultCode::ALL {
            assert_eq!(FaultCode::from_code(&fault.to_string()), Some(fault));
        }
        for other in ["", "lidar_silent", "recorder_", "recorder_disk_full_2"] {
            assert_eq!(FaultCode::from_code(other), None, "{other:?}");
        }
    }
}
