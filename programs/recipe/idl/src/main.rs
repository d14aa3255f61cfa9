//! Prints the IDL of a program from its published source.
//!
//!     idl-from-source anchor PATH/src/lib.rs VERSION
//!     idl-from-source shank  PATH            (the crate's folder)
use anyhow::{bail, Context, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["anchor", source, version] => {
            let idl = anchor_syn::idl::file::parse(
                source,
                version.to_string(),
                false,
                true,
                false,
            )?
            .context("no program in that source")?;
            println!("{}", serde_json::to_string_pretty(&idl)?);
        }
        ["shank", folder] => {
            let source = format!("{folder}/src/lib.rs");
            let options = shank_idl::ParseIdlOpts::default();
            let idl = shank_idl::extract_idl(&source, options)?.context("no IDL in that source")?;
            println!("{}", idl.try_into_json()?);
        }
        _ => bail!("usage: idl-from-source anchor LIB.RS VERSION | shank FOLDER"),
    }
    Ok(())
}
