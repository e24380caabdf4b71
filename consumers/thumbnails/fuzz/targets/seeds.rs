//! No target, but what writes the corpus that both begin with, into the folder `ATELIER_FUZZ_SEEDS`. It is built as they are, so
//! that nothing has to be built twice.

#![no_main]

#[path = "../../tests/it/fixtures.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod fixtures;
#[path = "../seeds.rs"]
mod seeds;

fn write() -> std::io::Result<()> {
    let folder = std::path::PathBuf::from(std::env::var_os("ATELIER_FUZZ_SEEDS").expect("the folder to write to"));
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in seeds::seeds() {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

libfuzzer_sys::fuzz_target!(
    init: {
        write().expect("a folder that can be written to");
        std::process::exit(0)
    },
    |_bytes: &[u8]| {}
);
