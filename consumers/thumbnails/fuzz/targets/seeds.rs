//! Writes the corpus: `cargo run --bin seeds -- FOLDER`.

#[path = "../../tests/it/fixtures.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod fixtures;
#[path = "../seeds.rs"]
mod seeds;

fn main() -> std::io::Result<()> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).expect("the folder to write to"));
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in seeds::seeds() {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
