//! Generates the protocol's Rust code; pure Rust, no protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["proto/cronfleet/link/v1/link.proto"], ["proto"])?;
    println!("cargo:rerun-if-changed=proto");
    tonic_prost_build::configure()
        .bytes(".")
        // A value must not show in a log.
        .skip_debug([".cronfleet.link.v1.SecretValue"])
        .compile_fds(files)?;
    Ok(())
}
