//! Descriptors of the messages, as schema records and live viewers want them.

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

const ALL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The `FileDescriptorSet` (encoded) that defines message `full_name`, such as `foxglove.LaserScan`, with all files
/// that it imports, each after what it needs. `None` when no file defines it.
#[must_use]
pub fn descriptor_set(full_name: &str) -> Option<Vec<u8>> {
    let set = FileDescriptorSet::decode(ALL).ok()?;
    let root = set.file.iter().find(|file| defines(file, full_name))?;
    let mut files = Vec::new();
    collect(&set, root, &mut files);
    Some(FileDescriptorSet { file: files }.encode_to_vec())
}

fn defines(file: &FileDescriptorProto, full_name: &str) -> bool {
    full_name
        .strip_prefix(file.package())
        .and_then(|rest| rest.strip_prefix('.'))
        .is_some_and(|name| file.message_type.iter().any(|message| message.name() == name))
}

fn collect(set: &FileDescriptorSet, file: &FileDescriptorProto, files: &mut Vec<FileDescriptorProto>) {
    for name in &file.dependency {
        if let Some(needed) = set.file.iter().find(|f| f.name() == name)
            && !files.iter().any(|f| f.name() == name)
        {
            collect(set, needed, files);
        }
    }
    if !files.iter().any(|f| f.name() == file.name()) {
        files.push(file.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's messages of the robot adapter are made from a file that is kept in step with these: `TAKEOVER_UPDATE=1`
    /// writes it anew.
    #[test]
    fn the_descriptors_that_python_loads_are_these() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../python/takeover_robot/robot_adapter.binpb");
        let mut set = FileDescriptorSet::decode(&descriptor_set("takeover.v1.FromRobot").unwrap()[..]).unwrap();
        set.file.iter_mut().for_each(|file| file.source_code_info = None);
        if std::env::var_os("TAKEOVER_UPDATE").is_some() {
            std::fs::write(path, set.encode_to_vec()).unwrap();
        }
        let kept = FileDescriptorSet::decode(&std::fs::read(path).unwrap()[..]).unwrap();
        assert!(kept == set, "{path} is not what protocol/proto says; run this test with TAKEOVER_UPDATE=1");
    }

    #[test]
    fn a_schema_brings_what_it_imports() {
        let set = FileDescriptorSet::decode(&descriptor_set("foxglove.LaserScan").unwrap()[..]).unwrap();
        let names: Vec<_> = set.file.iter().map(FileDescriptorProto::name).collect();
        assert_eq!(names.last(), Some(&"foxglove/foxglove.proto"));
        assert!(names.contains(&"google/protobuf/timestamp.proto"));
        assert!(descriptor_set("foxglove.Nothing").is_none());
        assert!(descriptor_set("takeover.v1.VehicleState").is_some());
    }
}
