//! The names that somebody may have meant. Pure.

/// How far a name may be from what was asked for: edits, as a share of its length.
const SIMILAR_ENOUGH: f64 = 0.6;
/// How many names are worth showing.
const NEAREST_MAX: usize = 3;

/// The most similar of `names`, best first, at most three.
pub fn nearest<'a>(asked: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let scored = names.into_iter().map(|name| (strsim::normalized_damerau_levenshtein(asked, name), name));
    let mut near: Vec<_> = scored.filter(|(score, _)| *score >= SIMILAR_ENOUGH).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().take(NEAREST_MAX).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name() {
        let names = ["alice", "bob", "bobby", "carol"];
        assert_eq!(nearest("alcie", names), ["alice"]);
        assert_eq!(nearest("bobb", names), ["bobby", "bob"]);
        assert!(nearest("zebra", names).is_empty());
    }
}
