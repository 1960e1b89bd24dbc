//! Loads a plugin from its library and takes its setup from the first form to the integration.
//!
//! `cargo run --package jackfield-loader --example load_one`; a path to another library may follow.

use std::{collections::BTreeMap, env, error::Error, path::PathBuf};

use jackfield_loader::{Http, LibraryFile, Outbound, Plugins, Request, State, worker};

fn main() -> Result<(), Box<dyn Error>> {
    worker::init(); // In a plugin's worker process this does not return.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run_setup())
}

async fn run_setup() -> Result<(), Box<dyn Error>> {
    let library = LibraryFile::read(&library_path()?)?;
    let outbound = Outbound::new(&Http::default())?;
    let plugins = Plugins::from_library(&library, BTreeMap::new(), &outbound).await?;
    let provider = plugins.find_configured("example").ok_or("no provider `example`, or no options")?;
    println!("{} has {} step", provider.name(), provider.steps().len());

    let (step, url) = (&provider.steps()[0].name, "https://program.example/setup/");
    let (form, state) = provider.run_view(step, Request::new("GET", url), State::new(), &[]).await?;
    println!("asked, it answers {form:?}");
    let mut posted = Request::new("POST", url);
    posted.form = vec![("name".to_owned(), "Ada".to_owned())];
    let (answer, state) = provider.run_view(step, posted, state, &[]).await?;
    println!("told the name, it answers {answer:?}");
    let integration = provider.build_integration(state, &[]).await?;
    println!("the integration is {}", integration.external_id);
    Ok(())
}

/// The library that cargo has built beside this example.
fn library_path() -> Result<PathBuf, Box<dyn Error>> {
    let beside = env::current_exe()?.with_file_name("../deps/libexample.so").canonicalize();
    Ok(env::args_os().nth(1).map(PathBuf::from).map_or(beside, Ok)?)
}
