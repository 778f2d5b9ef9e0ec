//! Compiles `proto/` without a system `protoc` and keeps the descriptors for the schema records of MCAP files.
use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = ["takeover/v1/takeover.proto", "takeover/v1/robot_adapter.proto", "foxglove/foxglove.proto"];
    let set = protox::compile(files, ["proto"])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), set.encode_to_vec())?;
    let mut config = prost_build::Config::new();
    config.bytes([
        ".foxglove.CompressedVideo.data",
        ".foxglove.CompressedImage.data",
        ".foxglove.PointCloud.data",
        ".takeover.v1.RobotPicture.data",
    ]);
    // Seldom there, and large beside the rest of the message.
    config.boxed(".takeover.v1.AuthorityState.question");
    config.boxed(".takeover.v1.Hello.robot");
    config.enable_type_names();
    config.compile_fds(set)?;
    Ok(())
}
