//! `web/static/schema.js`, by which the browser's seat reads and writes messages, is made from the descriptors of
//! `protocol/proto` and kept in the repository, so that the pages need no build step and their types can be checked
//! without Rust. This test says when it is out of date; with `TAKEOVER_UPDATE=1` it writes it:
//!
//! ```text
//! TAKEOVER_UPDATE=1 cargo test --release --workspace --test schema
//! ```
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use std::fmt::Write;
use std::path::Path;

/// What a browser's seat reads and writes; whatever these hold comes along.
const ROOTS: [&str; 4] = ["StateDatagram", "VehicleEvent", "CommandDatagram", "SeatRequest"];
const HEAD: &str = "\
// The messages of protocol/proto/takeover/v1/takeover.proto, as protobuf.js takes them: number of a field, its name, its
// kind. Made by web/tests/schema.rs, which says how to make it again; never edited by hand.
";

/// The module, message by message, each after those that it holds.
struct Module {
    messages: Vec<DescriptorProto>,
    written: Vec<String>,
    text: String,
}

impl Module {
    fn new() -> Self {
        let set = protocol::schema::descriptor_set("takeover.v1.StateDatagram").unwrap();
        let set = FileDescriptorSet::decode(&set[..]).unwrap();
        let file = set.file.into_iter().find(|file| file.package() == "takeover.v1").unwrap();
        Self { messages: file.message_type, written: Vec::new(), text: HEAD.to_owned() }
    }

    fn add(&mut self, name: &str) {
        if self.written.iter().any(|written| written == name) {
            return;
        }
        // Before what it holds: a message within itself has no such form and would never end.
        self.written.push(name.to_owned());
        let message = self.messages.iter().find(|m| m.name() == name).unwrap_or_else(|| panic!("no message {name}"));
        let fields = message.field.clone();
        for field in fields.iter().filter(|field| field.r#type() == Type::Message) {
            self.add(local(field));
        }
        writeln!(self.text, "\nexport const {} = /** @type {{const}} */ ({{", constant(name)).unwrap();
        for field in &fields {
            writeln!(self.text, "  {}: [\"{}\", {}],", field.number(), field.name(), kind(name, field)).unwrap();
        }
        self.text.push_str("});\n");
    }
}

/// A field's message, which is one of the same package.
fn local(field: &FieldDescriptorProto) -> &str {
    let name = field.type_name().strip_prefix(".takeover.v1.");
    name.unwrap_or_else(|| panic!("{} is of another package: {}", field.name(), field.type_name()))
}

/// A field's kind, as `protobuf.js` names it.
fn kind(message: &str, field: &FieldDescriptorProto) -> String {
    let scalar = match field.r#type() {
        Type::Uint64 | Type::Uint32 | Type::Enum => "number",
        Type::Double => "double",
        Type::Float => "float",
        Type::Bool => "bool",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Message => {
            let held = constant(local(field));
            return if field.label() == Label::Repeated { format!("[{held}]") } else { held };
        }
        other => panic!("{message}.{}: protobuf.js cannot read {other:?} yet", field.name()),
    };
    match (field.label(), scalar) {
        (Label::Repeated, "double" | "string") => format!("\"{scalar}s\""),
        (Label::Repeated, _) => panic!("{message}.{}: protobuf.js cannot read many of {scalar} yet", field.name()),
        _ => format!("\"{scalar}\""),
    }
}

/// `VehicleState` as `VEHICLE_STATE`.
fn constant(name: &str) -> String {
    let mut constant = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !constant.is_empty() {
            constant.push('_');
        }
        constant.push(letter.to_ascii_uppercase());
    }
    constant
}

#[test]
fn the_browsers_schema_is_that_of_the_protocol() {
    let mut module = Module::new();
    ROOTS.iter().for_each(|root| module.add(root));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("static/schema.js");
    if std::env::var_os("TAKEOVER_UPDATE").is_some() {
        std::fs::write(&path, &module.text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = module.text.lines().zip(kept.lines()).find(|(made, kept)| made != kept);
    assert!(
        module.text == kept,
        "web/static/schema.js is out of date, first at (made, kept) {differs:?}: \
         TAKEOVER_UPDATE=1 cargo test --release --workspace --test schema makes it again"
    );
}
