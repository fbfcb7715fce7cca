//! A personality from a folder's name (spec 01 §1): `Web Shop` → `web-shop`, `Привет` → `privet`. Pure.

use coalmine_actors::names::NAME_BYTES_MAX;

/// The name as letters a-z, digits and single dashes.
///
/// # Errors
/// Nothing is left of it, or it would begin with a digit: somebody has to choose a name.
pub(super) fn personality(folder: &str) -> Result<String, &'static str> {
    let latin = deunicode::deunicode(folder).to_lowercase();
    let words = latin.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-");
    name.truncate(NAME_BYTES_MAX);
    let name = name.trim_end_matches('-');
    match name.bytes().next() {
        None => Err("holds no letter that a name could be made of"),
        Some(first) if first.is_ascii_digit() => Err("begins with a digit, and a peer's name begins with a letter"),
        Some(_) => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_actors::names::Personality;
    use proptest::prelude::*;

    #[test]
    fn a_folder_gives_its_name_in_plain_letters() {
        let long = "a".repeat(31) + "-b";
        for (folder, name) in [
            ("bob", "bob"),
            ("Web Shop", "web-shop"),
            ("Привет", "privet"),
            ("Köln", "koln"),
            ("--api__v2.1--", "api-v2-1"),
            ("東京", "dong-jing"),
            (long.as_str(), &long[..31]),
        ] {
            assert_eq!(personality(folder).as_deref(), Ok(name), "{folder}");
        }
        for folder in ["", "...", "-", "2nd", "№"] {
            let made = personality(folder);
            assert!(made.is_err() || folder == "№", "{folder}: {made:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_out_is_a_name(folder in any::<String>()) {
            if let Ok(name) = personality(&folder) {
                prop_assert!(name.parse::<Personality>().is_ok(), "{name:?}");
                prop_assert_eq!(personality(&name), Ok(name.clone()));
            }
        }
    }
}
