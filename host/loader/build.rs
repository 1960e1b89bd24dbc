//! Lists the files of `catalogue/` for `src/declared/catalogue.rs`, so that a new file is an entry.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let package = env::var("CARGO_MANIFEST_DIR")?;
    let mut ids = Vec::new();
    for file in fs::read_dir(Path::new(&package).join("catalogue"))? {
        let path = file?.path();
        let id = path.file_stem().and_then(|stem| stem.to_str()).ok_or("a file of the catalogue has no name")?;
        ids.push(id.to_owned());
    }
    ids.sort();
    let entry = |id: &String| {
        let text = format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/catalogue/{id}.toml\"))");
        format!("    CatalogueEntry {{ id: {id:?}, text: {text} }},\n")
    };
    let entries: String = ids.iter().map(entry).collect();
    fs::write(Path::new(&env::var("OUT_DIR")?).join("catalogue.rs"), format!("&[\n{entries}]\n"))?;
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=catalogue");
    Ok(())
}
