//! Generates the code of the ledger's entries; pure Rust, no protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(
        ["proto/cronfleet/ledger/v1/ledger.proto"],
        ["proto", "../wire/proto"],
    )?;
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=../wire/proto");
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .extern_path(".cronfleet.link.v1", "::cronfleet_wire::v1")
        .bytes(".")
        .compile_fds(files)?;
    Ok(())
}
