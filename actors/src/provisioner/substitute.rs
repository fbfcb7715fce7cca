//! Replaces placeholders in one pass: what a value holds is never looked at again. Pure.

/// A placeholder's name, without its braces, and its value.
pub type Value<'a> = (&'static str, &'a str);

/// `text` with every `{name}` that `values` know replaced. Everything else stays, a lone brace too.
pub fn substitute(text: &str, values: &[Value<'_>]) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        done.push_str(&rest[..at]);
        rest = &rest[at..];
        match values.iter().find_map(|(name, value)| Some((value, after(rest, name)?))) {
            Some((value, after)) => {
                done.push_str(value);
                rest = after;
            }
            None => {
                done.push('{');
                rest = &rest[1..];
            }
        }
    }
    done.push_str(rest);
    done
}

/// What follows `{name}` at the front of `text`.
fn after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.strip_prefix('{')?.strip_prefix(name)?.strip_prefix('}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: [&str; 4] = ["cwd", "runtime", "personality", "occasion"];

    #[test]
    fn both_shapes_of_a_placeholder_are_replaced_and_unknown_ones_stay() {
        let values = [("cwd", "/a b"), ("runtime", "claude")];
        for (text, expected) in [
            ("{cwd}", "/a b"),
            ("--cwd={cwd}", "--cwd=/a b"),
            ("{cwd}/{runtime}/{cwd}", "/a b/claude//a b"),
            ("{other} {cwd {cwd}} {{cwd}", "{other} {cwd /a b} {/a b"),
            ("", ""),
            ("{", "{"),
            ("é{cwd}é", "é/a bé"),
        ] {
            assert_eq!(substitute(text, &values), expected, "{text}");
        }
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_or_a_pattern_stays_as_it_is() {
        for hostile in ["{runtime}", "a$&b", "$$", "$1", "{cwd}", "`id`", "\n", "--help"] {
            assert_eq!(
                substitute("<{cwd}|{runtime}>", &[("cwd", hostile), ("runtime", "r")]),
                format!("<{hostile}|r>")
            );
        }
    }

    /// As plain as it can be said: character by character, the first name that fits here.
    fn reference(text: &str, values: &[Value<'_>]) -> String {
        let (mut done, mut at) = (String::new(), 0);
        while at < text.len() {
            let here = &text[at..];
            let fits = values.iter().map(|(name, value)| (format!("{{{name}}}"), value));
            match fits.into_iter().find(|(placeholder, _)| here.starts_with(placeholder.as_str())) {
                Some((placeholder, value)) => {
                    done += value;
                    at += placeholder.len();
                }
                None => {
                    let next = here.chars().next().unwrap();
                    done.push(next);
                    at += next.len_utf8();
                }
            }
        }
        done
    }

    proptest! {
        #[test]
        fn substitution_equals_the_simple_reference(
            text in r"(\{(cwd|runtime|personality|occasion|x)?\}?|[a-z$&{}\n ]|é){0,24}",
            values in prop::collection::vec(r"(\{(cwd|runtime|occasion)\}|\$[&$1]|[a-z{}]|ü){0,6}", NAMES.len()),
        ) {
            let values: Vec<Value<'_>> = NAMES.into_iter().zip(values.iter().map(String::as_str)).collect();
            prop_assert_eq!(substitute(&text, &values), reference(&text, &values));
        }
    }
}
